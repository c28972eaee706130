"""Whether actions and rewards stand at the right step, and which is which."""

import numpy as np
import scipy.optimize

from ..importers import alignment
from . import findings
from .findings import note
from .findings import problem

SEEN = {'image': 4, 'vector': 2}  # Keys that tell of motion: their axes.
SURE = 5  # Deviations; chance alone is above once in three million.
BLOCK = 64  # Steps in a row, which are not independent.
RIDGE = 10.0
SLIGHT = 0.1  # Where states tell all that an expert does, the rest is chance.
CHANGES = 120  # Of the reward from step to step, below which it tells nothing.


def find(parts, play, keys):
  """Return the Findings about actions and rewards; `play` may be None."""
  key = 'image' if 'image' in parts[0] else 'vector'
  if not has(parts[0], key):
    return []
  mine = Moves(parts)
  theirs = Moves(play.parts) if play and has(play.parts[0], key) else None
  found = []
  for action in keys:
    late = theirs and theirs.peak(action)
    found += steps(mine, action, late)
    if theirs and key == 'image':
      found += table(mine, play.folds(), action, late or 0)
  return found + paid(mine, theirs)


class Moves:
  """Trajectories and what changes in them from step to step."""

  def __init__(self, parts):
    self.parts = parts
    self.changes = [alignment.change(x) for x in parts]
    self.exact = self.changes[0][0].shape[1] > 0  # Vectors, and no images.

  def estimate(self, key):
    """Return {shift: explained share} of an action or reward, or None."""
    if key not in self.parts[0]:
      return None
    return alignment.estimate(self.parts, key, self.changes)

  def peak(self, key):
    """Return the best shift, or None."""
    return alignment.peak(self.estimate(key))

  def pairs(self, key, late):
    """Return changes (N, F) and the actions (N,) `late` steps after them."""
    found = []
    for data, (_, change) in zip(self.parts, self.changes):
      episodes = np.cumsum(data['is_first'])
      good = np.flatnonzero(findings.follows(data))
      good = good[(good + late >= 0) & (good + late < len(episodes))]
      good = good[episodes[good] == episodes[good + late]]
      found.append((change[good], data[key][good + late]))
    return [np.concatenate(x) for x in zip(*found)]


def has(data, key):
  """Return whether a trajectory has images (T, H, W, C) or vectors (T, N)."""
  return key in data and data[key].ndim == SEEN[key]


def steps(mine, key, usual):
  """Return findings about actions that stand at the wrong step.

  `usual` is after how many steps the task reacts, as random play shows, or
  None.
  """
  scores = mine.estimate(key)
  best = alignment.peak(scores)
  if best is None or mine.exact and scores[best] < SLIGHT:
    return []
  text = ', '.join(f'{k:+d}: {max(v, 0):.2f}' for k, v in scores.items())
  found = [findings.decided(findings.STEP)]
  if best == (usual or 0):
    return found
  off = best - (usual or 0)
  side = 'late' if off > 0 else 'early'
  kind = problem if usual is not None or off > 0 else note
  return found + [kind(
      f'{key} seems to stand {abs(off)} step(s) too {side}: the change '
      f'from image t to t + 1 tells the action of step t{best:+d} best '
      f'({text})'
      + (f', while in random play it is t{usual:+d}' if usual else '')
      + '. Step t must hold the action chosen at image t; look at the '
      'importer')]


def table(mine, folds, key, late):
  """Return findings about discrete actions with the numbers of others.

  A linear model learns from random play which action is seen in a change. In
  the demonstrations it must see those that are stored, more than by another
  table of numbers.
  """
  values = mine.parts[0][key]
  if values.dtype.kind == 'f' or values.ndim > 1:
    return []
  fit, rest = (Moves(x).pairs(key, late) for x in folds)
  mine = mine.pairs(key, late)
  if min(len(x[1]) for x in (fit, rest, mine)) < 4 * BLOCK:
    return []
  classes = int(max(x[1].max() for x in (fit, rest, mine))) + 1
  seen = Seen(*fit, classes)
  usual, right = (
      _deviations(seen(x)[np.arange(len(y)), y]) for x, y in (rest, mine))
  if usual < SURE:
    return []
  # Whether the stored ones are seen at all, and others more than they.
  gains = seen(mine[0])
  _, best = scipy.optimize.linear_sum_assignment(-np.stack([
      gains[mine[1] == x].sum(0) for x in range(classes)]))
  rows = np.arange(len(gains))
  more = _deviations(gains[rows, best[mine[1]]] - gains[rows, mine[1]])
  found = [findings.decided(findings.TABLE)]
  names = ', '.join(f'{i} is {x}' for i, x in enumerate(best) if i != x)
  if more > SURE and (right < -SURE or more > 2 * abs(right)):
    return found + [problem(
        f'{key}: what is seen in the images fits other actions than those '
        f'stored, by what random play shows of them ({names}): the table of '
        'actions seems to be in another order. Look at the importer')]
  # As sure as they would be seen if they were those of random play.
  hoped = usual * np.sqrt(len(mine[0]) / len(rest[0]))
  if right < SURE / 2 and hoped > 2 * SURE:
    return found + [problem(
        f'{key}: what is seen in the images has nothing to do with the '
        'actions stored, while it tells those of random play: they are of '
        'other steps or another player. Look at the importer')]
  return found if right > SURE else []


class Seen:
  """How much each action (N, classes) is seen in changes (N, F)."""

  def __init__(self, changes, taken, classes):
    self.middle, self.wide = changes.mean(0), changes.std(0) + 1e-6
    known, targets = self._scale(changes), np.eye(classes)[taken]
    self.weights = np.linalg.solve(
        known.T @ known + RIDGE * np.eye(known.shape[1]),
        known.T @ (targets - targets.mean(0)))

  def __call__(self, changes):
    """Return the amounts, zero on average."""
    seen = self._scale(changes) @ self.weights
    return seen - seen.mean(0)

  def _scale(self, changes):
    # Rare large values would decide everything.
    plain = (changes - self.middle) / self.wide
    scaled = np.sign(plain) * np.log1p(np.abs(plain))
    return np.concatenate([scaled, np.ones((len(scaled), 1))], 1)


def paid(mine, theirs):
  """Return findings about rewards that stand at the wrong step."""
  if 'reward' not in mine.parts[0] or sum(
      np.count_nonzero(np.diff(x['reward'])) for x in mine.parts) < CHANGES:
    return []
  best = mine.peak('reward')
  if best is None:
    return []
  usual = theirs and theirs.peak('reward')
  off = best - (1 if usual is None else usual)
  found = [findings.decided(findings.PAID)]
  if not off:
    return found
  side = 'late' if off > 0 else 'early'
  return found + [problem(
      f'rewards seem to stand {abs(off)} step(s) too {side}: the change from '
      f'image t to t + 1 tells the reward of step t{best:+d} best. Step t + 1 '
      'must hold the reward for the action of step t; look at the importer')]


def _deviations(values):
  # The mean in its own standard deviations; blocks are independent.
  count = len(values) // BLOCK
  blocks = values[:count * BLOCK].reshape(count, BLOCK).mean(1)
  return blocks.mean() / (blocks.std() / np.sqrt(count) + 1e-12)
