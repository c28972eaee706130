"""Whether images keep the time of random play.

Some pixels change with the clock of the game, whatever is played, such as
waves or a bar of oxygen. How often they are the same after some steps tells
whether steps were left out. And images that repeat the last one are rare in
most tasks.
"""

import numpy as np

from . import findings
from .findings import problem

LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16)
PIECE = 500  # Steps of random play in which a clock must look alike.
SHORT = 60  # Steps of a piece at least.
LEVELS = 4  # Difference of a pixel that is none.
SIGNAL = 0.15  # Difference that leaving out steps makes for a clock.
STEADY = 6  # Times as large as the deviation between pieces.
LEAST = 20  # Clocks, and steps before and after an action.
MOST = 0.25  # Share of clocks that tell the right time where steps lack.
NEARER = 0.6
FAR = 4  # Pixels by which an image scrolls at least.
SCROLLED = 2000  # Steps of a trajectory in which it is looked for.
PEAK = 0.2  # Height of a clear peak of the correlation; 1 is a pure shift.
SCROLLS = 3  # Of two steps at once, which are no chance.
STILL = 0.05  # Share of repeated images that is no chance.


def find(parts, play):
  """Return the Findings about images or vectors, and time."""
  return frozen(parts, play) + clocks(parts, play) + scrolls(parts, play)


def frozen(parts, play):
  """Return findings about observations that repeat the last one."""
  key = 'image' if 'image' in play else 'vector'
  if key not in play:
    return []
  usual, mine = (_still(x, key) for x in (play.parts, parts))
  if mine < STILL or usual > mine / 10:
    return []
  return [problem(
      f'{mine:.1%} of the observations repeat the last one, in random play '
      f'{usual:.1%}: steps were recorded twice, observations lag, or a film '
      'was read with an --fps above that of its game')]


def clocks(parts, play):
  """Return findings about pixels that keep the time of the game."""
  if not all('image' in x and x['image'].ndim == 4 for x in parts):
    return []
  right, double = (curves(play.parts, x) for x in (1, 2))
  mine = curves(parts)
  if not len(right) or not len(mine) or not len(double):
    return []
  found, apart = right.mean(0), double.mean(0) - right.mean(0)
  good = (np.abs(apart) > SIGNAL) & (
      right.std(0) < np.abs(apart) / STEADY) & free(play.parts, SIGNAL / 2)
  if good.sum() < LEAST:
    return []
  mine = mine.mean(0)
  to_right = np.abs(mine - found)[good]
  to_double = np.abs(mine - found - apart)[good]
  answer = [findings.decided(findings.LEFT_OUT)]
  if np.mean(to_right < to_double) > MOST or (
      np.median(to_double) > NEARER * np.median(to_right)):
    return answer
  return answer + [problem(
      f'{good.any(0).sum()} pixels that keep the time of the game in random '
      'play run about twice as fast here: every second step seems to be left '
      'out')]


def scrolls(parts, play):
  """Return findings about images that scroll by two steps at once."""
  if not all('image' in x and x['image'].ndim == 4 for x in parts):
    return []
  if min(parts[0]['image'].shape[1:3]) < 4 * FAR:
    return []
  usual, count = np.unique(
      np.concatenate([shifts(x) for x in play.parts]), axis=0,
      return_counts=True)
  usual = usual[count > 1]
  if not len(usual) or np.abs(usual).max(1).min() < FAR:
    return []
  # A game that scrolls to the left does so to the right, up and down.
  size = np.abs(usual).max()
  mine = np.concatenate([shifts(x) for x in parts])
  if len(mine) < SCROLLS:
    return []
  twice = int((np.abs(mine).sum(1) == 2 * size).sum())
  answer = [findings.decided(findings.LEFT_OUT)]
  if twice < max(SCROLLS, len(mine) * STILL):
    return answer
  return answer + [problem(
      f'{twice} of {len(mine)} images that scroll do so by {2 * size} pixels, '
      f'in random play by {size}: every second step seems to be left out')]


def shifts(data):
  """Return by how much images scroll (N, 2), where they clearly do.

  The peak of the phase correlation of an image with the one before.
  """
  follows, found = findings.follows(data), []
  for start in range(0, min(len(follows), SCROLLED), PIECE):
    images = data['image'][start:start + PIECE + 1].mean(-1, dtype=np.float32)
    spectrum = np.fft.rfft2(images - images.mean((1, 2), keepdims=True))
    cross = spectrum[1:] * np.conj(spectrum[:-1])
    peaks = np.fft.irfft2(
        cross / (np.abs(cross) + 1e-3), s=images.shape[1:])
    rest = peaks[:, 0, 0].copy()
    peaks[:, 0, 0] = -1
    best = peaks.reshape(len(peaks), -1).argmax(1)
    place = np.stack(np.unravel_index(best, images.shape[1:]), 1)
    half = np.array(images.shape[1:]) // 2
    place = (place + half) % images.shape[1:] - half
    top = peaks.reshape(len(peaks), -1).max(1)
    clear = (top > PEAK) & (top > rest * PEAK) & follows[
        start:start + PIECE]
    found.append(place[clear])
  return np.concatenate(found) if found else np.zeros((0, 2), int)


def curves(parts, times=1):
  """Return shares (pieces, lags, pixels) of pixels that stay the same.

  Each lag is so many `times` as long.
  """
  found = []
  for data in parts:
    episodes = np.cumsum(data['is_first'])
    for start in range(0, len(episodes), PIECE):
      images = data['image'][start:start + PIECE]
      if len(images) < SHORT:
        continue
      rows = [_same(images, episodes[start:start + PIECE], x * times)
              for x in LAGS]
      found += [rows] if all(x is not None for x in rows) else []
  return np.array(found, np.float32)


def free(parts, apart):
  """Return which pixels (F,) change alike whatever the action is."""
  key = next(k for k in parts[0] if k.startswith('action'))
  images = [_flat(x['image']) for x in parts]
  same = np.concatenate([
      _equal(x[1:], x[:-1])[findings.follows(y)]
      for x, y in zip(images, parts)])
  actions = np.concatenate([
      x[key][:-1][findings.follows(x)] for x in parts])
  actions = (actions.reshape(len(actions), -1)[:, 0] > 0) * 1 if (
      actions.dtype.kind == 'f') else actions
  good, usual = np.ones(same.shape[1], bool), same.mean(0)
  for value in np.unique(actions):
    rows = actions == value
    if rows.sum() >= LEAST:
      # Chance alone makes three deviations for hardly any pixel.
      room = 3 * np.sqrt(usual * (1 - usual) / rows.sum())
      good &= np.abs(same[rows].mean(0) - usual) < np.maximum(apart, room)
  return good


def _still(parts, key):
  found = []
  for data in parts:
    same = data[key][1:] == data[key][:-1]
    found.append(same.all(tuple(range(1, same.ndim)))[findings.follows(data)])
  found = np.concatenate(found)
  return found.mean() if len(found) else 0


def _same(images, episodes, lag):
  good = episodes[lag:] == episodes[:-lag]
  if not good.any():
    return None
  images = _flat(images)
  return _equal(images[lag:][good], images[:-lag][good]).mean(0)


def _flat(images):
  return images.reshape(len(images), -1)


def _equal(left, right):
  apart = np.maximum(left, right) - np.minimum(left, right)  # Of bytes.
  return apart <= LEVELS
