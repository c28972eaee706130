"""Whether images look like those of random play, and borders like borders."""

import numpy as np

from ...data import store
from . import findings
from .findings import problem

LEVELS = 16  # Largest difference of a still pixel that is due to rendering.
STILL = 50  # Still pixels from which brightness can be told.
PLAIN = 4  # Different values of images that show nothing between them.
COLOURS = 0.6  # Share of known colours below which images are of others.
ALIKE = 0.99  # Share of pixels that are as at the start of a game.
UNLIKE = 0.9  # Share below which it is another moment.
COUNT = 3  # Steps of a kind that are no chance.
RARE = 0.999  # Share of random play than which an image must be odder.
ODD = 2.0  # Times as far from both neighbours as these are from each other.


def find(parts, play):
  """Return the Findings about images (T, H, W, C), if there are any."""
  if 'image' not in play or any(
      x.get('image', np.zeros(0)).shape[1:] != play.parts[0]['image'].shape[1:]
      for x in parts) or play.parts[0]['image'].ndim != 4:
    return []
  return (
      looks(parts, play) or channels(parts, play)) + odd(parts, play) + (
      borders(parts, play))


def looks(parts, play):
  """Return findings about pixels, values and colours.

  Pixels that change neither in the demonstrations nor in random play must be
  equal in both. If they differ a little, rendering or compression differ.
  """
  low, high, own = _range(parts)
  low2, high2, other = _range(play.parts)
  still = (low == high) & (low2 == high2)
  left, right = low[still].astype(float), low2[still].astype(float)
  apart = np.abs(left - right)
  share = np.mean((apart > 0) & (apart <= LEVELS)) if still.any() else 0
  if len(other) <= PLAIN and not (own & other) - {0} and own - {0}:
    return [problem(
        f'the images have the values {findings.some(sorted(own))}, those of '
        f'the task {findings.some(sorted(other))}: make the file again with '
        'the contrast of the task')]
  if still.sum() >= STILL and right.std() > LEVELS and left.std():
    slope, base = np.polyfit(right, left, 1)
    rest = left - slope * right - base
    if abs(slope - 1) > 0.1 and np.median(np.abs(rest)) <= 2:
      return [problem(
          f'pixels that never change have {slope:.2f} times the contrast of '
          'those of the task. Make the file again with its settings')]
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
  return colours(parts, play)


def colours(parts, play):
  """Return findings about colours that random play does not show."""
  if play.parts[0]['image'].shape[-1] != 3 or min(
      play.parts[0]['image'].shape[1:3]) <= 16:
    return []
  seen = np.unique(np.concatenate([
      np.unique(_colour(x['image'][::4])) for x in play.parts]))
  images = np.concatenate([
      x['image'][::max(1, len(x['image']) // 100)] for x in parts])
  # At night or under water there may be others.
  share = lambda x: np.median(np.isin(_colour(x), seen).mean((1, 2)))
  mine, turned = share(images), share(images[..., ::-1])
  if turned > max(mine, COLOURS) + 0.1:
    return [problem(
        f'{mine:.0%} of the pixels have colours of the task, and {turned:.0%} '
        'with blue and red exchanged: channels are in another order')]
  if mine < COLOURS:
    return [problem(
        f'only {mine:.0%} of the pixels have colours that random play shows: '
        'other contrast, resizing, compression, or another task')]
  return []


def channels(parts, play):
  """Return findings about channels in another order."""
  mine, theirs = (_means(x) for x in (parts, play.parts))
  if len(mine) < 2 or max(mine.shape[1:]) > 24:
    return []
  apart = np.abs(mine[:, None] - theirs[None]).mean((2, 3))  # (own, task)
  turned = np.abs(mine[::-1] - theirs).mean()
  usual = np.trace(apart) / len(apart)
  if turned < 0.5 * usual:
    return [problem(
        'the images are like those of the task with the channels the other '
        'way round')]
  # A short recording lacks things that come rarely.
  short = sum(len(x['is_first']) for x in parts) < store.FEW
  dead = [
      i for i in range(len(mine))
      if (theirs[i].max() > 0) != (mine[i].max() > 0)
      and not (short and mine[i].max() == 0)]
  return [] if len(dead) < 2 else [problem(
      f'channels {findings.some(dead)} are empty here or in random play only: '
      'channels are in another order, or images of another task')]


def odd(parts, play):
  """Return findings about single images that do not belong there."""
  mine, theirs = (np.concatenate([_oddity(x) for x in y])
                  for y in (parts, play.parts))
  if not len(theirs):
    return []
  # A step to and fro shows an image again, and games differ in how often.
  limit = max(ODD, np.quantile(theirs, RARE))
  usual = (theirs > limit).sum() * max(1, len(mine) / len(theirs))
  count = int((mine > limit).sum())
  if count < COUNT + 2 * usual:
    return []
  return [problem(
      f'{count} of {len(mine):,} images are unlike those before and after '
      'them, which are alike: they are of another time, or damaged')]


def borders(parts, play):
  """Return findings about borders of episodes that are lost or made up.

  Some pixels are the same at all starts of random play, and not later on.
  """
  starts = play.starts('image')
  if len(starts) < COUNT:
    return []
  every = np.concatenate([x['image'] for x in play.parts])
  first = starts[0]
  tell = (starts == first).all(0) & ((every != first).mean(0) > 0.02)
  if not tell.any():
    return []
  alike = [(x['image'][:, tell] == first[tell]).mean(1) for x in parts]
  inside = [x['is_first'] for x in parts]
  begun = np.concatenate([x[1:][y[1:]] for x, y in zip(alike, inside)])
  unlike = int((begun < ALIKE).sum())
  if unlike >= COUNT and unlike > len(begun) / 2:
    return [problem(
        f'{unlike} of {len(begun)} episodes start with an image that is no '
        'start of the task: is_first stands where no episode starts')]
  # How far images are apart where a game of random play starts.
  far = np.quantile(np.concatenate([
      _apart(x)[x['is_first'][1:]] for x in play.parts]), 0.1)
  lost = sum(int((
      (x[1:] >= ALIKE) & (x[:-1] < UNLIKE) & (_apart(y) >= far)
      & ~y['is_first'][1:]).sum()) for x, y in zip(alike, parts))
  # A task may look like that inside of a game, now and then.
  if lost < max(COUNT, sum(x.sum() for x in inside) + 1):
    return []
  return [problem(
      f'at {lost} steps a game seems to start anew, without is_first there '
      'and is_last before: borders of episodes are missing')]


def _apart(data):
  images = data['image']
  apart = np.maximum(images[1:], images[:-1]) - np.minimum(
      images[1:], images[:-1])
  return apart.mean((1, 2, 3), dtype=np.float32)


def _oddity(data):
  # How far an image is from its neighbours, in their own distance.
  images, one = data['image'], _apart(data)
  if len(images) < 3:
    return np.zeros(0)
  two = np.maximum(images[2:], images[:-2]) - np.minimum(
      images[2:], images[:-2])
  two = two.mean((1, 2, 3), dtype=np.float32)
  good = findings.follows(data)
  near = np.minimum(one[1:], one[:-1]) / (two + one.mean() + 1e-9)
  return near[good[1:] & good[:-1]]


def _colour(images):
  images = images.astype(np.uint32)
  return images[..., 0] << 16 | images[..., 1] << 8 | images[..., 2]


def _means(parts):
  every = np.concatenate([x['image'][::8] for x in parts])
  return np.moveaxis(every.mean(0, dtype=np.float32), -1, 0)


def _range(parts):
  low = np.minimum.reduce([x['image'].min(0) for x in parts])
  high = np.maximum.reduce([x['image'].max(0) for x in parts])
  values = set()
  for part in parts:
    values |= set(np.unique(part['image']).tolist())
  return low, high, values
