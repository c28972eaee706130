"""Imports human play from Atari-HEAD (Zhang et al., 2020, CC-BY-4.0).

The data is at https://doi.org/10.5281/zenodo.3451402. Frames are skipped,
pooled and resized as the environment does it, so that the agent sees what it
would have seen in the player's place. See docs/demonstrations.md.
"""

import argparse
import collections
import inspect
import pathlib

import numpy as np
import tqdm

from .. import envs
from .. import store
from ..envs import atari
from ..errors import UserError
from . import atari_head_files as files
from . import planner

SOURCE = 'Atari-HEAD v4 (Zenodo 3451402)'
LICENCE = 'CC-BY-4.0'
CITATION = (
    'Zhang et al. (2020), Atari-HEAD: Atari Human Eye-Tracking and '
    'Demonstration Dataset. AAAI 34(4), 6811-6820. '
    'https://doi.org/10.5281/zenodo.3451402')
# What decides how the environment looks and which actions it has.
EYES = (
    'repeat', 'size', 'gray', 'pooling', 'aggregate', 'resize', 'actions')
RULES = {
    'first': lambda actions: actions[0],
    'last': lambda actions: actions[-1],
    # The earliest one if two are held equally long.
    'majority': lambda actions: max(actions, key=actions.count),
}


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--source', required=True,
      help='folder or zip of the game, or a folder that holds it')
  add('--game', required=True, help='as in seaquest or ms_pacman')
  add('--out', required=True, help='the .h5 file to write')
  add('--overwrite', action='store_true', help='replace it if it exists')
  add('--trials', type=int, nargs='+', help='numbers of the trials to take')
  add('--best', type=int, default=2,
      help='without --trials: so many, by score in meta_data.csv (2)')
  add('--parts', type=int, default=5, help='cuts from each trial (5)')
  add('--length', type=int, default=1024, help='steps of a part (1024)')
  add('--action', choices=RULES, default='majority',
      help='which of the actions that were pressed during a step (majority)')
  add('--task', help='task of the store (atari_GAME); the settings of its '
      'environment are the defaults of those below')
  add('--repeat', type=int, help='frames that make one step')
  add('--size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'))
  add('--gray', action=argparse.BooleanOptionalAction)
  add('--pooling', type=int, help='latest frames that make one image')
  add('--aggregate', help='how they do: max or mean')
  add('--resize', help='pillow or opencv')
  add('--actions', help='all 18 or those needed in the game')


def run(args):
  """Import the trials and write the store to `args.out`.

  Raises UserError, and writes nothing, if the flags or any file of the
  source are not as expected.
  """
  out = check_flags(args)
  task = args.task or f'atari_{args.game}'
  eyes = choose_eyes(args, task)
  env = envs.make('atari', args.game, **eyes)
  folder = files.find_game(args.source, args.game)
  path = files.find_meta(args.source)
  meta = files.read_meta(path, args.game) if path else {}
  trials = choose_trials(args, files.find_trials(folder), path, meta)
  # All labels before the first frame: a bad row shows within a second.
  works = [
      Work(x, meta.get(x.number), args, eyes, env.actions) for x in trials]
  attrs = {
      'task': task, 'source': SOURCE, 'licence': LICENCE,
      'citation': CITATION, 'preprocessing': eyes,
      'action_meanings': env.action_meanings, 'action_rule': args.action,
      'trials': [x.number for x in trials],
      'expert_score': float(np.mean([x.score for x in works]))}
  count = store.write(
      out, (y for x in works for y in x.trajectories()), attrs)
  print(f'{out}: {count} trajectories from {len(works)} trials')
  print(f'  source: {SOURCE}, {LICENCE}; cite {CITATION}')


def check_flags(args):
  """Return the path of the output; raises UserError for flags that cannot
  be, before any work is done."""
  for name in ('best', 'parts', 'length'):
    if getattr(args, name) < 1:
      raise UserError(
          f'--{name} {getattr(args, name)}: expected at least 1')
  out = pathlib.Path(args.out)
  if out.exists() and not args.overwrite:
    raise UserError(
        f'--out {out}: exists; choose another name or add --overwrite')
  if not out.parent.is_dir():
    raise UserError(f'--out {out}: there is no folder {out.parent}; make it')
  return out


def choose_eyes(args, task):
  """Return the options of the environment that decide what it shows.

  A flag comes before what configs.yaml has for the suite of the task, which
  comes before the defaults of the environment.
  """
  suite, game = planner.split(task)
  module = envs.SUITES.get(suite, (None,))[0]
  if module != 'atari' or game != args.game:
    raise UserError(
        f'--task {task}: does not fit --game {args.game}; expected '
        f'atari_{args.game} or atari100k_{args.game}')
  config = planner.options(task)
  defaults = inspect.signature(atari.Atari).parameters
  flags = {k: getattr(args, k) for k in EYES}
  return {
      k: config.get(k, defaults[k].default) if v is None else v
      for k, v in flags.items()}


def choose_trials(args, trials, path, meta):
  """Return the chosen ones of {number: Trial}, the best first.

  Without --trials these are the best by the highest score in meta_data.csv,
  of the trials that start with a new game.
  """
  numbers = args.trials
  if not numbers:
    if not path:
      raise UserError(
          f'--source {args.source}: there is no meta_data.csv in it or beside '
          'it, which tells the best trials; copy it there or name some by '
          f'--trials (there are {_numbers(trials)})')
    normal = [x for x in meta if not meta[x].resumed]
    numbers = sorted(normal, key=lambda x: -meta[x].score)[:args.best]
    if not numbers:
      raise UserError(f'{path}: has no trials of the game {args.game}')
  lost = [x for x in numbers if x not in trials]
  if lost:
    how = '' if args.trials else f'the {args.best} best by {path} are '
    raise UserError(
        f'--source {args.source}: {how}{_numbers(numbers)}, but there is no '
        f'trial {_numbers(lost)}; name some of those that are there by '
        f'--trials ({_numbers(trials)})')
  return [trials[x] for x in dict.fromkeys(numbers)]


class Work:
  """One trial on its way: labels are read at once, frames when asked for."""

  def __init__(self, trial, meta, args, eyes, actions):
    self.trial = trial
    self.meta = meta
    self.eyes = eyes
    labels = files.read_labels(trial.labels)
    self.labels = labels._replace(
        action=_map_actions(trial, labels, actions))
    resumed = meta.resumed if meta else trial.resumed
    self.steps, self.counts = make_steps(
        self.labels, eyes['repeat'], eyes['pooling'], RULES[args.action],
        resumed)
    self.spans = cut(len(self.steps.action), args.parts, args.length)
    self.pieces = [
        y for x in self.spans for y in split(*x, self.steps.action)]
    if not self.pieces:
      raise UserError(
          f'{trial.labels}: {len(labels.action)} rows make no step of '
          f'{eyes["repeat"]} frames with a known action; choose another trial')
    self.score = float(meta.score if meta else np.nansum(labels.reward))

  def trajectories(self):
    """Yield the trajectories of the trial, ready for `store.write`."""
    path, names = self.trial.frames, self.labels.names
    frames, ignored = files.read_frames(path, names)
    wanted = sorted({x for a, b in self.pieces for x in range(a, b)})
    images, looks = {}, {
        k: self.eyes[k] for k in ('size', 'gray', 'aggregate', 'resize')}
    for step in tqdm.tqdm(wanted, 'see', unit=' steps'):
      shown = [names[x] for x in self.steps.screens[step]]
      images[step] = atari.preprocess(
          [files.decode(path, x, frames[x]) for x in shown], **looks)
    self.report(ignored)
    for start, stop in self.pieces:
      part = slice(start, stop)
      yield {
          'image': np.stack([images[x] for x in range(start, stop)]),
          'action': np.maximum(self.steps.action[part], 0),
          'reward': self.steps.reward[part],
          'is_first': self.steps.is_first[part],
          'is_last': self.steps.is_last[part],
          'is_terminal': self.steps.is_terminal[part],
          'attrs': {
              'source_id': f'trial {self.trial.number} steps {start} to '
                           f'{stop - 1}',
              'trial_score': self.score,
          },
      }

  def report(self, ignored):
    """Print what was read, dropped and why."""
    total, counts = len(self.steps.action), self.counts
    rows, parts = len(self.labels.action), len(self.spans)
    kept = len({x for a, b in self.pieces for x in range(a, b)})
    used = sum(b - a for a, b in self.pieces)
    lines = [
        f'trial {self.trial.number}: score {self.score:,.0f}, {rows:,} frames '
        f'make {total:,} steps of {self.eyes["repeat"]}; {counts["episodes"]} '
        'episode(s)',
        f'{parts} parts in {len(self.pieces)} trajectories, {used:,} steps; '
        f'{used - kept:,} of them are there twice, as parts overlap; '
        f'{total - kept:,} steps of the trial are left out',
        f'{counts["mixed"]:,} steps ({counts["mixed"] / total:.1%}) had more '
        'than one action, one was chosen',
        f'{counts["null"]:,} rows without action; {counts["empty"]:,} steps '
        'had no action in any row and are cut out',
        f'{counts["tail"]} rows after the last step, {ignored} other entries '
        'in the archive',
    ]
    print('\n  '.join(lines))
    for text in warnings(self.trial, self.meta, counts):
      print(f'  WARNING: trial {self.trial.number}: {text}')


def make_steps(labels, repeat, pooling, rule, resumed):
  """Return the steps of a whole trial and what was counted on the way.

  Frame n was on the screen when action n was pressed, and reward n came with
  frame n + 1. The environment holds an action for `repeat` frames and shows
  the last `pooling` of them. So step t of an episode that starts at frame s
  shows the frames up to s + repeat * t, its action is that of the `repeat`
  rows from there on, and its reward is the sum of the rows before it.

  Steps has arrays (T, ...): `screens` (T, pooling) numbers of the frames to
  pool, `action` -1 where none is known, `reward`, and the flags. The screen
  after a game over was never saved, so a last step that is terminal shows
  the last screens before it.
  """
  spans, rows = episodes(labels), []
  counts = collections.Counter(episodes=len(spans))
  counts['null'] = int(np.isnan(labels.action).sum())
  for start, stop in spans:
    over = stop < len(labels.action)
    first = start > 0 or not resumed
    windows = -(-(stop - start) // repeat) if over else (
        (stop - start - 1) // repeat)
    reward = 0.0
    for index in range(windows + 1):
      at = start + index * repeat
      last = index == windows
      end = min(at + repeat, stop)
      newest = stop - 1 if last and over else at
      known = labels.action[at: end]
      known = [] if last else known[~np.isnan(known)].astype(int).tolist()
      action = 0 if last else rule(known) if known else -1
      counts['mixed'] += len(set(known)) > 1
      counts['empty'] += action < 0
      rows.append((
          [max(newest - x, start) for x in range(pooling)], action, reward,
          first and index == 0, last, last and over))
      reward = np.nansum(labels.reward[at: end])
    counts['tail'] += 0 if over else stop - 1 - at
  types = (np.int64, np.int32, np.float32, bool, bool, bool)
  return Steps(*[np.array(x, t) for x, t in zip(zip(*rows), types)]), counts


Steps = collections.namedtuple(
    'Steps', 'screens action reward is_first is_last is_terminal')


def episodes(labels):
  """Return [(start, stop)] of the episodes in rows of labels.

  By episode_id; where a trial has none, by a falling score; where it has
  none either, the trial is one episode.
  """
  known = ~np.isnan(labels.episode)
  if known.any():
    rows = np.flatnonzero(known)
    borders = rows[1:][np.diff(labels.episode[rows]) != 0]
  else:
    rows = np.flatnonzero(~np.isnan(labels.score))
    borders = rows[1:][np.diff(labels.score[rows]) < 0]
  edges = [0, *borders.tolist(), len(labels.action)]
  return list(zip(edges[:-1], edges[1:]))


def cut(total, parts, length):
  """Return [(start, stop)] of parts spread evenly over `total` steps.

  The first part starts with the trial and the last one ends with it; they
  overlap if there are too few steps. A trial shorter than a part is one.
  """
  if total <= length:
    return [(0, total)]
  starts = np.linspace(0, total - length, parts).round().astype(int).tolist()
  return [(x, x + length) for x in dict.fromkeys(starts)]


def split(start, stop, action):
  """Return the stretches [(start, stop)] of a part without unknown actions.

  A single step holds no move and is left out.
  """
  gaps = [x for x in range(start, stop) if action[x] < 0]
  edges = [(a + 1, b) for a, b in zip([start - 1, *gaps], [*gaps, stop])]
  return [(a, b) for a, b in edges if b - a > 1]


def warnings(trial, meta, counts):
  """Return texts about what may differ from the environment."""
  if not meta:
    return [
        'not in a meta_data.csv, so nobody knows whether its frames were '
        'averaged; its score is the sum of its rewards']
  texts = []
  if meta.averaged:
    texts.append(
        'its recorder averaged the colours of consecutive frames, which the '
        'environment does not; a discriminator can tell an expert by that '
        'alone, so prefer a trial with frame_averaging FALSE')
  if meta.episodes != counts['episodes']:
    texts.append(
        f'{counts["episodes"]} episode(s) found in the labels, meta_data.csv '
        f'has {meta.episodes}; a border that is not marked looks like a move')
  return texts


def _map_actions(trial, labels, actions):
  index = {x.value: i for i, x in enumerate(actions)}
  known = labels.action[~np.isnan(labels.action)]
  lost = sorted(set(known.astype(int).tolist()) - index.keys())
  if lost:
    raise UserError(
        f'{trial.labels}: uses the actions {_numbers(lost)}, which the game '
        'does not need; import it with --actions all')
  return np.array([
      np.nan if np.isnan(x) else index[int(x)] for x in labels.action])


def _numbers(numbers):
  return ' '.join(str(x) for x in numbers)
