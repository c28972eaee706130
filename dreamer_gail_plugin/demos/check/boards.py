"""Whether boards of cells change from step to step as in random play.

The cell and the eight around it tell much of what a cell is next: a thing
moves by one cell at most, for example. What follows a neighbourhood that
random play shows often, and does not show even once, is unusual. Random play
that was not counted has some unusual steps, too, and with every second step
left out it has more. The demonstrations must be nearer to the former.
"""

import numpy as np

from . import findings
from .findings import problem

SIDE = 24  # Pixels of the longer side up to which an image is a board.
VALUES = 32  # Different values of a pixel at most.
OFTEN = 50  # Times that a neighbourhood must occur in random play.
LEAST = 200  # Steps of demonstrations.
APART = 0.05  # Shares of unusual steps that differ enough to decide.
FROZEN = 3  # Times as often are steps unusual after one without a change.
REPEATS = 0.08  # And at least at this share of them.


def find(parts, play):
  """Return the Findings about images (T, H, W, C), if they are boards."""
  if not is_board(play.parts) or not is_board(parts):
    return []
  fit, rest = play.folds()
  known = learn(fit)
  usual = share(known, rest)
  dropped = share(known, [halve(x, i) for x in rest for i in (0, 1)])
  odd = [unusual(known, x) for x in parts]
  counts = np.concatenate(odd)
  if len(counts) < LEAST or dropped < usual + APART:
    return []
  found = [findings.decided(findings.LEFT_OUT)]
  mine = np.mean(counts > 0)
  if mine > (usual + dropped) / 2:
    found.append(problem(
        f'{mine:.0%} of {len(counts):,} steps change cells as random play '
        f'hardly ever does ({usual:.1%} of its steps; {dropped:.0%} if every '
        'second step is left out): steps seem to be left out, or images are '
        'of another task'))
  elif repeats(parts, odd):
    found.append(problem(
        'steps without any change are followed by changes of two steps: '
        'observations seem to be repeated. Look at the importer'))
  return found


def is_board(parts):
  """Return whether images are boards of few codes."""
  if not all('image' in x and x['image'].ndim == 4 for x in parts):
    return False
  return max(parts[0]['image'].shape[1:3]) <= SIDE and all(
      len(np.unique(x['image'])) <= VALUES for x in parts)


def learn(parts):
  """Return the neighbourhoods that are often and what may follow them."""
  pairs = [_words(x) for x in parts]
  around = np.concatenate([x.ravel() for x, _ in pairs])
  after = np.concatenate([x.ravel() for _, x in pairs])
  values, counts = np.unique(around, return_counts=True)
  return values[counts >= OFTEN], np.unique(_pair(around, after))


def unusual(known, data):
  """Return how many cells (T - 1,) do what they never did, at each step.

  Steps from one episode to the next are left out.
  """
  often, pairs = known
  around, after = _words(data)
  new = ~np.isin(_pair(around, after), pairs)
  new[new] = np.isin(around[new], often)
  return new.sum((1, 2))


def share(known, parts):
  """Return the share of steps with unusual cells."""
  return np.mean(np.concatenate([unusual(known, x) for x in parts]) > 0)


def halve(data, start):
  """Return every second step of a trajectory, with its borders."""
  episodes = np.cumsum(data['is_first'])[start::2]
  border = np.diff(episodes) > 0
  return {
      **{k: v[start::2] for k, v in data.items()},
      'is_first': np.r_[True, border], 'is_last': np.r_[border, False]}


def repeats(parts, odd):
  """Return whether unusual steps stand after steps without a change."""
  after, others = [], []
  for data, counts in zip(parts, odd):
    still = (data['image'][1:] == data['image'][:-1]).all((1, 2, 3))
    still = still[findings.follows(data)]
    after.append((counts[1:] > 0)[still[:-1]])
    others.append((counts[1:] > 0)[~still[:-1]])
  after, others = np.concatenate(after), np.concatenate(others)
  if len(after) < LEAST or not len(others):
    return False
  return after.mean() > max(FROZEN * others.mean(), REPEATS)


def _words(data):
  # Codes of the neighbourhood and of the cell one step later.
  images = data['image']
  factors = _factors(1, images.shape[-1])
  cells = ((images.astype(np.uint64) + np.uint64(1)) * factors).sum(
      -1, dtype=np.uint64)
  height, width = cells.shape[1:]
  wide = np.pad(cells, ((0, 0), (1, 1), (1, 1)))
  around = sum(
      wide[:, i:i + height, j:j + width] * factor
      for (i, j), factor in zip(np.ndindex(3, 3), _factors(2, 9)))
  around = around ^ (around >> np.uint64(31))
  good = findings.follows(data)
  return around[:-1][good], cells[1:][good]


def _pair(around, after):
  return around * np.uint64(0x9E3779B97F4A7C15) + after


def _factors(seed, count):
  return np.random.default_rng(seed).integers(
      1, 2 ** 62, count, dtype=np.uint64) | np.uint64(1)
