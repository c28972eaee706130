"""Between Gymnasium's spaces and the flat ones that upstream's agent takes.

Each class here translates one space. `spaces` maps keys to elements.Space;
`flatten(value)` gives the arrays for those keys and `restore(arrays)` gives
the value back in Gymnasium's form. What upstream takes:

- images (H, W, C) uint8, all of one size (see `arrays`),
- vectors (N,) float32,
- choices () or (K,) int32 from 0 on, with equal numbers of classes.

Keys become names of network layers and of datasets, so they may hold only
letters, digits and underscores; names of nested spaces are joined by `_`.
"""

import re

import elements
import numpy as np
from gymnasium import spaces as gym_spaces

from ..errors import UserError
from . import arrays

FAR = 1e9  # Many write the largest float where there is no bound.
MOST = 1 << 16  # Choices of one action, each of which is an output.


def observation(space, size, image='auto'):
  """Return the translator for an observation space.

  What an array is and how images are resized is decided in `arrays`, from
  `size` (height and width) and the kinds that `image` asks for. Images of
  unequal sizes become equal, as upstream's networks want them. A space that
  is not nested gets the key image, vector or token (for choices). Raises
  UserError for other kinds of space, and for a key in `image` that is not
  there.
  """
  asked = arrays.parse(image)
  images = []

  def leaf(key, space):
    if not isinstance(space, gym_spaces.Box):
      return _choice(key or 'token', space)
    found = arrays.translator(key, space, size, asked)
    images.extend([found] if isinstance(found, arrays.Image) else [])
    return found
  result = _translate('', space, leaf)
  sides = {x.spaces[x.key].shape[:2] for x in images}
  if len(sides) > 1 and all(size):
    return observation(space, 2 * [arrays.LARGEST], image)
  if len(sides) > 1:
    raise UserError(
        f'--env.gym.size: images of unequal sizes ({sorted(sides)}), which '
        'the networks do not take; give one height and width, as 64 64')
  known = {*result.spaces, *(['image'] if result.key else [])}
  if set(filter(None, asked)) - known:
    raise UserError(
        f'--env.gym.image {image}: names an observation that is not there; '
        f'there are: {", ".join(sorted(known))}')
  return result


def action(space, scale=()):
  """Return the translator for an action space.

  The key is `action`; nested spaces, and choices with unequal numbers of
  classes, have one key `action_<name or index>` for each part. `scale` has
  the bounds of numbers without bounds, one for all or one for each of them.
  Raises UserError for kinds of space that have no such form, and where the
  scale does not fit.
  """
  scale = [x for x in scale if x]
  rest = list(scale)

  def leaf(key, space):
    if not isinstance(space, gym_spaces.Box):
      return _choice(key, space)
    arrays.require(key, space)
    if space.dtype.kind == 'f':
      count = unbounded(space)
      own = rest[:count] if len(scale) > 1 else scale * count
      if len(scale) > 1:
        del rest[:count]
      return arrays.Vector(key, space, bounds=_scaled(key, space, own))
    counts = space.high.astype(np.float64) - space.low + 1
    if not space.is_bounded() or counts.max(initial=0) > MOST:
      raise UserError(
          f'{key!r}: cannot choose from so many actions: {space}; at most '
          f'{MOST:,} are choices, so give bounds in the environment')
    return Choice(key, space, counts, space.low)
  result = _translate('action', space, leaf)
  if len(scale) > 1 and rest:
    raise UserError(
        f'--env.gym.scale: has {len(scale)} numbers, {len(rest)} more than '
        'the actions without bounds')
  return result


def unbounded(space):
  """Return how many numbers of an action space lack a bound."""
  if isinstance(space, (gym_spaces.Dict, gym_spaces.Tuple)):
    parts = space.spaces
    parts = parts.values() if isinstance(parts, dict) else parts
    return sum(map(unbounded, parts))
  if not isinstance(space, gym_spaces.Box) or space.dtype.kind != 'f':
    return 0
  return int((np.isinf(_bounds(space)).any(0)).sum())


def _bounds(space):
  # (2, N): low and high, infinite where they are too far to be any.
  bounds = np.stack([np.ravel(space.low), np.ravel(space.high)])
  bounds = bounds.astype(np.float64)
  far = np.abs(bounds) > FAR
  bounds[far] = np.copysign(np.inf, bounds[far])
  return bounds


def texts(translator):
  """Return {key: what its arrays are} of a translator."""
  if isinstance(translator, Group):
    return {k: v for x in translator.parts for k, v in texts(x).items()}
  return {k: translator.text for k in translator.spaces}


def _scaled(key, space, scale):
  low, high = _bounds(space)
  if not scale:
    return low, high
  free = ~np.isfinite(low) | ~np.isfinite(high)
  if len(scale) != free.sum() or min(scale) < 0:
    raise UserError(
        f'--env.gym.scale {" ".join(map(str, scale))}: {key} has '
        f'{free.sum()} numbers without bounds; expected one positive number, '
        'or one for each of them')
  scale = np.array(scale)
  low[free] = np.where(np.isfinite(low[free]), low[free], -scale)
  high[free] = np.where(np.isfinite(high[free]), high[free], scale)
  if (low >= high)[free].any():
    raise UserError(
        f'--env.gym.scale: leaves nothing of {key}, whose bounds are '
        f'{space.low} and {space.high}; give larger numbers')
  return low, high


class Choice:
  """One or more choices from `counts` values, the lowest being `starts`.

  Equal counts make one array. Unequal ones make a key `<key>_<index>` each,
  as upstream's one-hot codes and categorical heads need equal counts.
  """

  def __init__(self, key, space, counts, starts):
    self.space = space
    self.starts = np.asarray(starts, np.int64)
    counts = np.asarray(counts, np.int64)
    self.key = key
    self.shape = counts.shape
    flat = counts.ravel().tolist()
    if not flat:
      raise UserError(
          f'{key!r} has the shape {self.shape}, so no elements; leave it out '
          'of the environment')
    what = ', '.join(map(str, sorted(set(flat))))
    self.text = f'{len(flat)} choice{"s" * (len(flat) > 1)} of {what}'
    self.split = len(set(flat)) > 1
    if self.split:
      self.spaces = {
          f'{key}_{i}': elements.Space(np.int32, (), 0, n)
          for i, n in enumerate(flat)}
    else:
      shape = (len(flat),) if self.shape else ()
      self.spaces = {key: elements.Space(np.int32, shape, 0, flat[0])}

  def flatten(self, value):
    value = np.asarray(value, np.int64) - self.starts
    value = value.astype(np.int32).ravel()
    if self.split:
      return dict(zip(self.spaces, value))
    (key, space), = self.spaces.items()
    return {key: value.reshape(space.shape)}

  def restore(self, arrays):
    if not self.shape:  # At every step of most games.
      return self.space.dtype.type(int(arrays[self.key]) + int(self.starts))
    value = np.array([arrays[k] for k in self.spaces], np.int64)
    value = value.reshape(self.shape) + self.starts
    return value.astype(self.space.dtype)[()]


class Group:
  """Named (Dict) or numbered (Tuple) parts, translated one by one."""

  def __init__(self, parts, names):
    self.key = None
    self.parts = parts
    self.names = names
    self.spaces = {}
    for part in parts:
      twice = self.spaces.keys() & part.spaces.keys()
      if twice:
        raise UserError(
            f'Two parts of a Gymnasium space would be named {twice.pop()}. '
            'Rename one in the environment.')
      self.spaces.update(part.spaces)

  def flatten(self, value):
    values = [value[x] for x in self.names] if self.names else value
    result = {}
    for part, item in zip(self.parts, values):
      result.update(part.flatten(item))
    return result

  def restore(self, arrays):
    values = [x.restore(arrays) for x in self.parts]
    return dict(zip(self.names, values)) if self.names else tuple(values)


def _translate(key, space, leaf):
  if isinstance(space, gym_spaces.Dict):
    names, parts = list(space.spaces), list(space.spaces.values())
  elif isinstance(space, gym_spaces.Tuple):
    names, parts, key = None, space.spaces, key or 'part'
  else:
    return leaf(key, space)
  labels = [str(x) for x in names or range(len(parts))]
  labels = [re.sub('[^A-Za-z0-9_]', '_', x) for x in labels]
  prefix = f'{key}_' if key else ''
  return Group([
      _translate(prefix + label, part, leaf)
      for label, part in zip(labels, parts)], names)


def _choice(key, space):
  if isinstance(space, gym_spaces.Discrete):
    return Choice(key, space, space.n, space.start)
  if isinstance(space, gym_spaces.MultiDiscrete):
    return Choice(key, space, space.nvec, space.start)
  if isinstance(space, gym_spaces.MultiBinary):
    return Choice(key, space, np.full(space.shape, 2), np.zeros(space.shape))
  raise UserError(
      f'{key!r}: Gymnasium spaces of the kind {type(space).__name__} are not '
      'supported, only Box, Discrete, MultiDiscrete, MultiBinary, Dict and '
      'Tuple; leave it out of the environment, as by '
      'gymnasium.wrappers.FilterObservation')
