"""Estimates whether actions stand at the step where they were chosen.

The action at step t leads from image t to image t + 1. So what changes
between these two images should tell the action of step t better than that of
any other step. An importer that is off by one moves the peak.
"""

import numpy as np

SHIFTS = (-2, -1, 0, 1, 2)
MOST = 24  # Pixels to which the longer side of an image is shrunk.
BLOCKS = 3  # By so many blocks either way.
FOLD = 64  # Steps in a row on one side of the cross-validation.
RIDGE = 10.0
LEAST = 100  # Steps at which the action changes, below which nothing is said.
CLEAR = 0.02  # By which the best shift must be better than the next.


def estimate(trajectories, key='action', seen=None):
  """Return {shift: share of explained variance} or None if there is little.

  The share of the variance of the actions at step t + shift that a linear
  model tells from the change between the images t and t + 1, on steps it was
  not fitted to. Only steps around which the action changes count, as others
  fit any shift. Of vectors it is the share of what the state at t leaves open:
  a state tells what its expert does, too. `trajectories` are dicts of arrays
  (T, ...) with `image` or `vector`, the flags and discrete or continuous
  actions. `seen` is what `change` returns of each, if that is known.
  """
  changes, states, actions = [], [], []
  for i, data in enumerate(trajectories):
    rows = _inside(data['is_first'])
    if len(rows):
      state, change_ = seen[i] if seen else change(data)
      states.append(state[rows])
      changes.append(change_[rows])
      actions.append(np.stack([data[key][rows + x] for x in SHIFTS], 1))
  if not changes:
    return None
  changes, states, actions = map(np.concatenate, (changes, states, actions))
  vary = (actions != actions[:, :1]).reshape(len(actions), -1).any(1)
  if vary.sum() < LEAST:
    return None
  side = np.arange(len(vary)) // FOLD % 2
  sides = [side == x for x in (0, 1)]
  if min((x & vary).sum() for x in sides) < LEAST // 4:
    return None
  exact = states.shape[1] > 0  # The physics of vectors may be.
  known = _scale(states, exact)
  features = _scale(np.concatenate([states, changes], 1), exact)
  targets = [_targets(actions[:, i]) for i in range(len(SHIFTS))]
  left, rest = [
      [1 - y for y in _explained(x, targets, vary, sides)]
      for x in (known, features)]
  return {
      shift: 1 - y / max(x, 1e-9) for shift, x, y in zip(SHIFTS, left, rest)}


def peak(scores):
  """Return the shift with the best score, or None if none is clearly best."""
  if not scores:
    return None
  first, second = sorted(scores, key=scores.get, reverse=True)[:2]
  clear = scores[first] > CLEAR and scores[first] - scores[second] > CLEAR
  return first if clear else None


def change(data):
  """Return the state (T - 1, S) at t, where known, and what changes after it.

  Of images nothing but the motion is used, so S is 0.
  """
  if 'image' in data:
    moved = motion(data['image'])
    return np.zeros((len(moved), 0)), moved
  vector = data['vector'].astype(np.float32)
  return vector[:-1], np.diff(vector, axis=0)


def motion(images):
  """Return features (T - 1, F) of what moved between images (T, H, W, C).

  Of each block and channel: the change times the horizontal and the vertical
  slope, whose sum has the sign of the motion wherever the object is (Lucas
  and Kanade, 1981), and the size of the change.
  """
  x = _shrink(images)  # (T, h, w, C)
  change, middle = x[1:] - x[:-1], (x[1:] + x[:-1]) / 2
  down, right = np.zeros_like(middle), np.zeros_like(middle)
  down[:, 1:-1] = middle[:, 2:] - middle[:, :-2]
  right[:, :, 1:-1] = middle[:, :, 2:] - middle[:, :, :-2]
  found = []
  for part in (change * down, change * right, np.abs(change)):
    for rows in np.array_split(part, min(BLOCKS, part.shape[1]), 1):
      blocks = np.array_split(rows, min(BLOCKS, rows.shape[2]), 2)
      found += [y.sum((1, 2)) for y in blocks]
    found.append(part.sum((1, 2)))
  return np.concatenate(found, 1)


def _shrink(images):
  steps, height, width, channels = images.shape
  by = max(1, -(-max(height, width) // MOST))
  rows, columns = max(1, height // by), max(1, width // by)
  images = images[:, :rows * by, :columns * by]
  tall, wide = images.shape[1] // rows, images.shape[2] // columns
  blocks = images.reshape(steps, rows, tall, columns, wide, channels)
  return blocks.mean((2, 4), dtype=np.float32) / 255


def _inside(is_first):
  # Steps whose whole window of shifts is in one episode.
  steps = np.arange(len(is_first))
  good = (steps >= -SHIFTS[0]) & (steps < len(steps) - 1 - SHIFTS[-1])
  for border in np.flatnonzero(is_first):
    good[max(0, border - 1 - SHIFTS[-1]): border - SHIFTS[0]] = False
  return np.flatnonzero(good)


def _scale(features, exact):
  plain = (features - features.mean(0)) / (features.std(0) + 1e-6)
  # Rare large values, as of a new level, would decide everything.
  scaled = np.sign(plain) * np.log1p(np.abs(plain))
  both = [plain, scaled] if exact else [scaled]
  return np.concatenate([*both, np.ones((len(scaled), 1))], 1)


def _targets(actions):
  if actions.dtype.kind == 'f':
    values = actions.reshape(len(actions), -1).astype(np.float64)
  else:
    _, codes = np.unique(actions, axis=0, return_inverse=True)
    values = np.eye(codes.max() + 1)[codes.ravel()]
  return values - values.mean(0)


def _explained(features, targets, vary, sides):
  # The share of each of several targets, in one fit.
  wrong, total = np.zeros(len(targets)), np.zeros(len(targets))
  ends = np.cumsum([0, *(x.shape[1] for x in targets)])[:-1]
  targets = np.concatenate(targets, 1)
  for fit, test in (sides, sides[::-1]):
    x, y = features[fit & vary], targets[fit & vary]
    weights = np.linalg.solve(
        x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    rest = targets[test & vary] - features[test & vary] @ weights
    wrong += np.add.reduceat((rest ** 2).sum(0), ends)
    total += np.add.reduceat((targets[test & vary] ** 2).sum(0), ends)
  return 1 - wrong / np.maximum(total, 1e-9)
