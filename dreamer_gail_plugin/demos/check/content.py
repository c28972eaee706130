"""Faults of a store that show without its task."""

import json

import numpy as np

from ...data import store
from . import findings
from .findings import note
from .findings import problem

SAMPLE = 20000  # Steps that are read at once.
WINDOW = 16  # Steps in a row that are equal: the same moment.
COPIES = 0.05  # Share of repeated windows from which on there is a note.
IDLE = (0.5, 0.95)  # Shares of no-ops from which on: a note, a problem.
ENDS = 3  # Equal lengths of games that are no chance.


def find(demos, parts, play):
  """Return the Findings about an open store and the sample of it.

  `play` is random play of the task, or None.
  """
  return (
      few(demos) + numbers(demos) + faint(parts) + copies(demos)
      + actions(demos, parts) + ends(demos, play) + overlong(demos, play)
      + paid(demos))


def few(demos):
  """Return findings about too few steps."""
  steps = sum(demos.lengths)
  if steps >= store.FEW:
    return []
  return [note(
      f'{steps} steps are few: docs/results.md has what methods learn from '
      f'{store.FEW}, which cloning suffers by most. Record 1,000 or more')]


def numbers(demos):
  """Return findings about numbers that are none."""
  found = []
  for key in (k for k, (x, _) in demos.spec.items() if x.kind == 'f'):
    for index in range(len(demos)):
      good = np.isfinite(demos.read(index, keys=[key])[key])
      if not good.all():
        at = int((~good).reshape(len(good), -1).any(1).argmax())
        found.append(problem(
            f'{key} is not finite at step {at} of trajectory {index}: leave '
            'the step out, or the key if it is unknown'))
        break
  return found


def faint(parts):
  """Return findings about images that are black to networks."""
  names = set.intersection(*(set(store.dark(x)) for x in parts))
  return [problem(
      f'{key} has no value above 1 of 255: it seems to hold 0 to 1 where the '
      'space says 0 to 255, so all is black. Mend the one or the other')
      for key in sorted(names)]


def copies(demos):
  """Return findings about steps that occur more than once."""
  seen, shares = set(), []
  for index in range(len(demos)):
    codes = set(_windows(_codes(demos, index)).tolist())
    shares.append(len(codes & seen) / len(codes))
    seen |= codes
  whole = [i for i, x in enumerate(shares) if x > 0.99]
  if whole:
    return [findings.weigh(demos, whole)(
        f'trajectory {findings.some(whole)} holds nothing that is not in '
        'earlier ones: the expert counts double there; write it once')]
  share = float(np.average(shares, weights=demos.lengths))
  if share > COPIES:
    return [note(
        f'{share:.0%} of all moments are in an earlier trajectory, too: parts '
        'that overlap, or games that repeat each other')]
  return []


def actions(demos, parts):
  """Return findings about missing or constant actions and idling."""
  found = []
  if not findings.action_keys(demos):
    return [note(
        'the file holds no actions: the discriminator sees states alone then, '
        'and cloning, the anchor and programs that need actions are off')]
  names = json.loads(demos.attrs['action_meanings'] or '[]')
  for key in findings.action_keys(demos):
    values = [x[key][~x['is_last']] for x in parts]
    still = [
        i for i, x in enumerate(values)
        if len(x) > 1 and (x == x[0]).all()]
    if still:
      found.append(findings.weigh(demos, still)(
          f'{key} never changes in trajectory {findings.some(still)}: nothing '
          'can be learned there; leave it out, or look at the importer'))
    noop = names and str(names[0]).upper() == 'NOOP' and values[0].ndim == 1
    share = np.mean(np.concatenate(values) == 0) if noop else 0
    if share > IDLE[0]:
      kind = problem if share > IDLE[1] else note
      found.append(kind(
          f'{share:.0%} of the actions are no-ops: an agent that idles is '
          'close to this expert'))
  return found


def ends(demos, play):
  """Return findings about time limits that count as the end of the task."""
  lengths = durations(
      [demos.read(i, keys=store.FLAGS) for i in range(len(demos))])
  if not lengths:
    return []
  longest = max(lengths)
  share = lengths.count(longest) / len(lengths)
  if lengths.count(longest) < ENDS or share < 0.5:
    return []
  if play and longest in durations(play.parts):
    return []
  return [problem(
      f'{lengths.count(longest)} of {len(lengths)} terminal games end after '
      f'exactly {longest} steps: a time limit, it seems, which is no end of '
      'the task. Store is_terminal False there')]


def overlong(demos, play):
  """Return findings about games that go on beyond the task's time limit."""
  if not play or not play.limit:
    return []
  longest = 0
  for index, length in enumerate(demos.lengths):
    first = demos.read(index, keys=['is_first'])['is_first']
    borders = np.flatnonzero(first[1:]) + 1
    longest = max(longest, *(np.diff([0, *borders, length]) - 1))
  if longest <= play.limit:
    return []
  return [note(
      f'the longest game has {longest:,} steps, and the task ends after '
      f'{play.limit:,}: this is another version of it, or it was recorded '
      'without its time limit. The agent does not get as far')]


def durations(trajectories):
  """Return the steps of whole games with a terminal end, a list."""
  found = []
  for data in trajectories:
    starts = np.flatnonzero(data['is_first'])
    for end in np.flatnonzero(data['is_terminal'] & data['is_last']):
      before = starts[starts <= end]
      if len(before):
        found.append(int(end - before[-1]))
  return found


def paid(demos):
  """Return findings about rewards at the first step, which are none's."""
  if 'reward' not in demos.keys:
    return []
  keys = ('is_first', 'reward')
  each = [demos.read(i, keys=keys) for i in range(len(demos))]
  first = np.concatenate([x['reward'][x['is_first']] for x in each])
  share = np.mean(first != 0) if len(first) else 0
  if not share:
    return []
  return [problem(
      f'{share:.0%} of the games start with a reward, which no action has '
      'earned: rewards seem to stand one step too early. Step t + 1 must '
      'hold the reward for the action of step t'),
      findings.decided(findings.PAID)]


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
