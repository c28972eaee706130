"""Looks for faults in demonstrations that ruin imitation; says what to do.

Faults are duplicates, constant actions, actions at the wrong step, idling, and
images or settings that differ from the task's. If the task can be made here,
the demonstrations are compared with random play in it. The exit code is 1 if
there are problems, 0 if there are only notes.
"""

import collections
import json

import numpy as np

from ..data import recipe
from ..data import record
from ..data import settings as settingslib
from ..data import store
from ..errors import UserError
from . import flags
from . import tasks
from .importers import alignment

PLAY = 4000  # Steps of random play; fewer do not show the lag of Seaquest.
SAMPLE = 20000  # Steps of the demonstrations for all but duplicates.
WINDOW = 16  # Steps in a row that are equal: the same moment.
COPIES = 0.05  # Share of repeated windows from which on there is a note.
IDLE = (0.5, 0.95)  # Shares of no-ops from which on: a note, a problem.
FEW = 0.02  # A fault in a smaller share of the steps is a note only.
LEVELS = 16  # Largest difference of a still pixel that is due to rendering.

Finding = collections.namedtuple('Finding', 'level text')
SEEN = {'image': 4, 'vector': 2}  # Keys that `shifts` reads: their axes.
problem = lambda text: Finding('problem', text)
note = lambda text: Finding('note', text)


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('file', help='the .h5 file, or the .json file of a recipe')
  add('--task', help='compare with this task (the one in the file)')
  add('--seed', type=int, default=0, help='of the random play (0)')


def run(args):
  """Print the findings and return the exit code."""
  flags.not_negative(args, 'seed')
  with store.Store(recipe.stored(args.file)) as demos:
    task = args.task or demos.attrs['task']
    env, found = make(task, trusted=bool(args.task))
    found += find(demos, task, env, args.seed)
    steps = f'{len(demos)} trajectories, {sum(demos.lengths):,} steps'
  for level in ('problem', 'note'):
    for item in found:
      if item.level == level:
        print(f'{level}: {item.text}')
  problems = sum(x.level == 'problem' for x in found)
  print(f'{args.file}: {steps}; {problems} problem(s), '
        f'{len(found) - problems} note(s)')
  return int(problems > 0)


def make(task, trusted):
  """Return the environment of a task, or None, and findings about it.

  `trusted` tells whether the user named the task, rather than the file.
  """
  if not task:
    return None, [note(
        'the file names no task, so it is compared with none; name one by '
        '--task')]
  try:
    return tasks.make_env(task if trusted else tasks.of_file(task), 0), []
  except UserError as e:
    return None, [note(f'the task {task} cannot be made here: {e}')]


def find(demos, task, env, seed=0):
  """Return the Findings about an open store; `env` may be None."""
  parts = sample(demos)
  played = None
  found = copies(demos) + actions(demos, parts)
  if env is not None:
    played = record.rollout(env, record.Random(env, seed), PLAY)
    found += settings(demos, task, env)
    found += pictures(parts, played)
    env.close()
  return found + shifts(demos, parts, played)


def sample(demos):
  """Return the arrays of parts of all trajectories, SAMPLE steps at most."""
  each = max(1, SAMPLE // len(demos))
  return [
      demos.read(i, 0, min(each, demos.lengths[i]))
      for i in range(len(demos))]


def copies(demos):
  """Return findings about steps that occur more than once."""
  seen, shares = set(), []
  for index in range(len(demos)):
    codes = set(_windows(_codes(demos, index)).tolist())
    shares.append(len(codes & seen) / len(codes))
    seen |= codes
  whole = [i for i, x in enumerate(shares) if x > 0.99]
  if whole:
    return [_weigh(demos, whole)(
        f'trajectory {_some(whole)} holds nothing that is not in earlier '
        'ones: the expert counts double there; write it once')]
  share = float(np.average(shares, weights=demos.lengths))
  if share > COPIES:
    return [note(
        f'{share:.0%} of all moments are in an earlier trajectory, too: parts '
        'that overlap, or games that repeat each other')]
  return []


def _weigh(demos, indices):
  # Gaps in a record leave a few short pieces, which do no harm.
  share = sum(demos.lengths[i] for i in indices) / sum(demos.lengths)
  return problem if share > FEW else note


def actions(demos, parts):
  """Return findings about constant actions and idling."""
  found = []
  names = json.loads(demos.attrs['action_meanings'] or '[]')
  for key in _action_keys(demos):
    values = [x[key][~x['is_last']] for x in parts]
    still = [
        i for i, x in enumerate(values)
        if len(x) > 1 and (x == x[0]).all()]
    if still:
      found.append(_weigh(demos, still)(
          f'{key} never changes in trajectory {_some(still)}: nothing can be '
          'learned there; leave it out, or look at the importer'))
    noop = names and str(names[0]).upper() == 'NOOP' and values[0].ndim == 1
    share = np.mean(np.concatenate(values) == 0) if noop else 0
    if share > IDLE[0]:
      kind = problem if share > IDLE[1] else note
      found.append(kind(
          f'{share:.0%} of the actions are no-ops: an agent that idles is '
          'close to this expert'))
  return found


def settings(demos, task, env):
  """Return findings about spaces and settings that differ from the task's."""
  found = []
  try:
    store.validate(demos, env.obs_space, env.act_space, task)
  except UserError as e:
    found.append(problem(str(e)))
  found += ranges(demos, env)
  made = json.loads(demos.attrs['preprocessing'] or 'null')
  if not isinstance(made, dict):
    return found + [note(
        'the file does not say with which settings of the environment it was '
        'made, so they could not be compared')]
  suite = tasks.split(task)[0]
  return found + [
      problem(
          f'made with {key} {there}, while {suite} has {wanted}: the '
          'discriminator can tell the expert by that. Train with '
          f'--env.{suite}.{key} {there}, or make it again')
      for key, there, wanted in settingslib.differences(
          demos, tasks.options(task))]


def ranges(demos, env):
  """Return findings about actions without bounds, which a run gives them."""
  free = [
      k for k, v in env.act_space.items() if k in demos.keys
      and not v.discrete and not np.isfinite([v.low, v.high]).all()]
  found = []
  for key in free:
    each = [demos.read(i, keys=[key])[key] for i in range(len(demos))]
    low, high = min(x.min() for x in each), max(x.max() for x in each)
    found.append(note(
        f'{key} has no bounds in the task and goes from {low:.4g} to '
        f'{high:.4g} here: a run lets the agent do as much, or what '
        '--env.gym.scale says'))
  return found


def pictures(parts, played):
  """Return findings about images that were made in another way.

  Pixels that change neither in the demonstrations nor in random play must be
  equal in both. If they differ a little, rendering or compression differ.
  """
  if 'image' not in played or any(
      x.get('image', np.zeros(0)).shape[1:] != played['image'].shape[1:]
      for x in parts):
    return []
  low, high, own = _range([x['image'] for x in parts])
  low2, high2, other = _range([played['image']])
  still = (low == high) & (low2 == high2)
  apart = np.abs(low.astype(int) - low2)[still]
  share = np.mean((apart > 0) & (apart <= LEVELS)) if still.any() else 0
  if share > 0.02:
    return [problem(
        f'{share:.0%} of the pixels that never change differ a little from '
        'those of the task: other resizing, grey, averaging or compression. '
        'Make the file again with the settings of the task')]
  if len(other) <= 32 and len(own) > 2 * len(other):
    return [problem(
        f'the images have {len(own)} different values, those of the task '
        f'{len(other)}: they were compressed or resized. Make the file again '
        'from the original images')]
  return []


def shifts(demos, parts, played):
  """Return findings about actions that stand at the wrong step."""
  seen = 'image' if 'image' in demos.keys else 'vector'
  if not _has(parts[0], seen):
    return []
  if played is not None and not _has(played, seen):
    played = None
  found = []
  for key in _action_keys(demos):
    scores = alignment.estimate(parts, key)
    best = alignment.peak(scores)
    # Some games react late, which random play shows as well.
    usual = alignment.peak(alignment.estimate([played], key)) \
        if played is not None and key in played else None
    text = ', '.join(
        f'{k:+d}: {max(v, 0):.2f}' for k, v in (scores or {}).items())
    if best is None:
      found.append(note(
          f'{key}: what changes between images does not tell at which step '
          f'actions stand ({text or "too few steps where they change"})'))
    elif best != (usual or 0):
      off = best - (usual or 0)
      side = 'late' if off > 0 else 'early'
      kind = problem if usual is not None or off > 0 else note
      found.append(kind(
          f'{key} seems to stand {abs(off)} step(s) too {side}: the change '
          f'from image t to t + 1 tells the action of step t{best:+d} best '
          f'({text})'
          + (f', while in random play it is t{usual:+d}' if usual else '')
          + '. Step t must hold the action chosen at image t; look at the '
          'importer'))
  return found


def _has(data, key):
  # Images (T, H, W, C) and vectors (T, N); `settings` tells of others.
  return key in data and data[key].ndim == SEEN[key]


def _action_keys(demos):
  return [k for k in demos.keys if k == 'action' or k.startswith('action_')]


def _codes(demos, index):
  # A number for each step, equal for equal observations and actions.
  keys = [k for k in demos.keys if k not in (*store.FLAGS, 'reward')]
  codes = []
  for start in range(0, demos.lengths[index], SAMPLE):
    data = demos.read(index, start, start + SAMPLE, keys)
    codes += [
        hash(tuple(data[k][t].tobytes() for k in keys))
        for t in range(len(data[keys[0]]))]
  return np.array(codes, np.int64).view(np.uint64)


def _windows(codes):
  # A number for each WINDOW steps in a row; all steps if there are fewer.
  size = min(WINDOW, len(codes))
  factors = np.random.default_rng(0).integers(
      1, 2 ** 63, size, dtype=np.uint64) | np.uint64(1)
  rows = np.lib.stride_tricks.sliding_window_view(codes, size)
  return (rows * factors).sum(1, dtype=np.uint64)


def _range(images):
  low = np.minimum.reduce([x.min(0) for x in images])
  high = np.maximum.reduce([x.max(0) for x in images])
  values = set()
  for part in images:
    values |= set(np.unique(part).tolist())
  return low, high, values


def _some(numbers):
  more = ' ...' if len(numbers) > 5 else ''
  return ', '.join(str(x) for x in numbers[:5]) + more
