"""Imports human play from Atari-HEAD (Zhang et al., 2020, CC-BY-4.0).

The data is at https://doi.org/10.5281/zenodo.3451402. Frames are skipped,
pooled and resized as the environment does it, so that the agent sees what it
would have seen in the player's place. See docs/import.md.

examples:
  dreamer-gail demos atari_head --source seaquest.zip --game seaquest --list
  dreamer-gail demos atari_head --source seaquest.zip --game seaquest \\
      --out seaquest.h5
"""

import argparse
import collections
import inspect
import re

import ale_py
import numpy as np
import tqdm

from ... import arguments
from ... import envs
from ...data import settings
from ...data import store
from ...envs import atari
from ...envs import common as envs_common
from ...errors import UserError
from .. import flags
from .. import tasks
from . import atari_head_files as files
from . import atari_head_trials as select
from .atari_head_steps import RULES
from .atari_head_steps import cut
from .atari_head_steps import make_steps
from .atari_head_steps import split

SOURCE = 'Atari-HEAD v4 (Zenodo 3451402)'
LICENCE = 'CC-BY-4.0'
CITATION = (
    'Zhang et al. (2020), Atari-HEAD: Atari Human Eye-Tracking and '
    'Demonstration Dataset. AAAI 34(4), 6811-6820. '
    'https://doi.org/10.5281/zenodo.3451402')


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--source', required=True,
      help='folder or zip of the game, or a folder that holds it')
  add('--game', required=True, help='as in seaquest or ms_pacman')
  add('--list', action='store_true',
      help='print the trials of the game and write nothing')
  flags.add_output(add, required=False)
  which = parser.add_mutually_exclusive_group()
  which.add_argument(
      '--trials', type=int, nargs='+', help='numbers of the trials to take')
  which.add_argument(
      '--chain', type=int, metavar='TRIAL',
      help='this trial and those that it continues')
  which.add_argument(
      '--best', type=arguments.natural, default=2,
      help='so many, by score in meta_data.csv')
  add('--highscore', action='store_true',
      help='let --best take trials that continue others, too: the "two '
      'best-score trajectories" of the paper to the letter')
  add('--split', choices=select.SPLITS, default='all',
      help='only trials for training or testing; a chain is in one')
  add('--averaged', choices=select.AVERAGED, default='refuse',
      help='what to do about trials whose recorder averaged frames: refuse '
      'them, keep them as they are, or match them, by an environment that '
      'averages, too')
  add('--parts', type=arguments.natural, default=5,
      help='cuts from each trial')
  add('--length', type=arguments.natural, default=1024, help='steps of a part')
  add('--action', choices=RULES, default='majority',
      help='which of the actions that were pressed during a step')
  add('--task', help='task of the store (atari_GAME); the settings of its '
      'environment are the defaults of those below')
  add('--repeat', type=arguments.natural, help='frames that make one step')
  add('--size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'),
      help='of images')
  add('--gray', action=argparse.BooleanOptionalAction,
      help='whether images have one channel')
  add('--pooling', type=arguments.natural,
      help='latest frames that make one image')
  add('--aggregate', help='how they do: max or mean')
  add('--resize', help='pillow or opencv')
  add('--actions', help='all 18 or those needed in the game')


def run(args):
  """Import the trials and write the store to `args.out`.

  Raises UserError, and writes nothing, if the flags or any file of the
  source are not as expected.
  """
  envs_common.choose('game of Atari-HEAD', args.game, files.GAMES)
  path = files.find_meta(args.source)
  meta = files.read_meta(path, args.game) if path else {}
  if args.list:
    print('\n'.join(listing(args, path, meta)))
    return
  out = flags.output(args)
  flags.size(args, 1)
  task = args.task or f'atari_{args.game}'
  options = choose_options(args, task)
  env = envs.make('atari', args.game, **options)
  trials = files.find_trials(files.find_game(args.source, args.game))
  trials = select.choose(args, trials, path, meta)
  # All labels before the first frame: a bad row shows within a second.
  works = [
      Work(x, meta.get(x.number), args, options, env.actions) for x in trials]
  numbers = [x.number for x in trials]
  attrs = {
      'task': task, 'source': SOURCE, 'licence': LICENCE,
      'citation': CITATION, 'preprocessing': options,
      'action_meanings': env.action_meanings, 'action_rule': args.action,
      'trials': numbers,
      'expert_score': float(select.whole_score(
          meta, numbers, [x.score for x in works]))}
  count = store.write(
      out, (y for x in works for y in x.trajectories()), attrs)
  print(f'{out}: {count} trajectories from {len(works)} trials')
  print(f'  source: {SOURCE}, {LICENCE}; cite {CITATION}')


def listing(args, path, meta):
  """Return the lines that --list prints; needs meta_data.csv alone."""
  if not meta:
    raise UserError(
        f'--source {args.source}: '
        + (f'{path} has no trials of the game {args.game}' if path else
           'there is no meta_data.csv in it or beside it, which has the list'))
  try:
    trials = files.find_trials(files.find_game(args.source, args.game))
  except UserError:
    trials = {}  # They need not be there yet.
  return select.listing(meta, trials)


def choose_options(args, task):
  """Return the options of the environment that decide what it shows.

  A flag comes before what configs.yaml has for the suite of the task, which
  comes before the defaults of the environment.
  """
  suite, game = tasks.split(task)
  module = envs.SUITES.get(suite, (None,))[0]
  if module != 'atari' or game != args.game:
    raise UserError(
        f'--task {task}: does not fit --game {args.game}; expected '
        f'atari_{args.game} or atari100k_{args.game}')
  config = tasks.options(task)
  defaults = inspect.signature(atari.Atari).parameters
  given = {
      k: getattr(args, k) for k in settings.KEYS
      if k in defaults and k != 'average'}
  given['average'] = args.averaged == 'match' or None
  return {
      k: config.get(k, defaults[k].default) if v is None else v
      for k, v in given.items()}


class Work:
  """One trial on its way: labels are read at once, frames when asked for."""

  def __init__(self, trial, meta, args, options, actions):
    self.trial = trial
    self.meta = meta
    self.options = options
    self.suite = tasks.split(args.task or f'atari_{args.game}')[0]
    labels = files.read_labels(trial.labels)
    self.mapped, action = map_actions(labels.action, actions)
    self.labels = labels._replace(action=action)
    resumed = bool(meta.load) if meta else trial.resumed
    self.steps, self.counts = make_steps(
        self.labels, options['repeat'], options['pooling'], RULES[args.action],
        resumed)
    self.spans = cut(len(self.steps.action), args.parts, args.length)
    self.pieces = [
        y for x in self.spans for y in split(*x, self.steps.action)]
    if not self.pieces:
      raise UserError(
          f'{trial.labels}: {len(labels.action)} rows make no step of '
          f'{options["repeat"]} frames with a known action; choose another '
          'trial')
    self.score = float(meta.score if meta else np.nansum(labels.reward))

  def trajectories(self):
    """Yield the trajectories of the trial, ready for `store.write`."""
    path, names = self.trial.frames, self.labels.names
    frames, ignored = files.read_frames(path, names)
    wanted = sorted({x for a, b in self.pieces for x in range(a, b)})
    images, looks = {}, {
        k: self.options[k] for k in ('size', 'gray', 'aggregate', 'resize')}
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
        f'make {total:,} steps of {self.options["repeat"]}; '
        f'{counts["episodes"]} episode(s)',
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
    if self.mapped:
      lines.append('actions that the game does not need: ' + ', '.join(
          f'{v:,} rows of {k}' for k, v in self.mapped.items()))
    print('\n  '.join(lines))
    average = self.options['average'] and f'env.{self.suite}.average'
    for text in select.warnings(self.meta, counts, average):
      print(f'  WARNING: trial {self.trial.number}: {text}')


def map_actions(action, actions):
  """Return ({'OLD as NEW': rows}, actions (N,) as indices of `actions`).

  An action that the game does not need becomes the needed one that keeps
  most of it: UPRIGHTFIRE is RIGHT where only left, right and fire do
  something. Where a direction or the button could be kept, it is the former.
  """
  index = {x: i for i, x in enumerate(actions)}
  nearest = {
      x: max(
          (y for y in actions if parts(y) <= parts(x)),
          key=lambda y: (len(parts(y)), 'FIRE' not in parts(y)))
      for x in ale_py.Action}
  counts, result = collections.Counter(), np.full(len(action), np.nan)
  for row in np.flatnonzero(~np.isnan(action)):
    old = ale_py.Action(int(action[row]))
    new = nearest[old]
    if new != old:
      counts[f'{old.name} as {new.name}'] += 1
    result[row] = index[new]
  return dict(counts), result


def parts(action):
  """Return the set of directions and buttons that an action holds."""
  return frozenset(re.findall('UP|DOWN|LEFT|RIGHT|FIRE', action.name))
