"""Between Gymnasium's spaces and the flat ones that upstream's agent takes.

Each class here translates one space. `spaces` maps keys to elements.Space;
`flatten(value)` gives the arrays for those keys and `restore(arrays)` gives
the value back in Gymnasium's form. What upstream takes:

- images (H, W, C) uint8, all of one size,
- vectors (N,) float32,
- choices () or (K,) int32 from 0 on, with equal numbers of classes.

Keys become names of network layers and of datasets, so they may hold only
letters, digits and underscores; names of nested spaces are joined by `_`.
"""

import re

import elements
import numpy as np
from gymnasium import spaces as gym_spaces
from PIL import Image as PillowImage

from ..errors import UserError


def observation(space, size):
  """Return the translator for an observation space.

  Images (uint8, with two or three axes) are resized to `size` (height and
  width) unless it holds a zero. All other arrays of numbers, whole or not,
  become float32 vectors. A space that is not nested gets the key image,
  vector or token (for choices). Raises UserError for other kinds of space.
  """
  def leaf(key, space):
    if isinstance(space, gym_spaces.Box):
      image = space.dtype == np.uint8 and len(space.shape) in (2, 3)
      if image:
        return Image(key or 'image', space, size)
      return Vector(key or 'vector', space)
    return _choice(key or 'token', space)
  return _translate('', space, leaf)


def action(space):
  """Return the translator for an action space.

  The key is `action`; nested spaces, and choices with unequal numbers of
  classes, have one key `action_<name or index>` for each part. Raises
  UserError for kinds of space that have no such form.
  """
  def leaf(key, space):
    if not isinstance(space, gym_spaces.Box):
      return _choice(key, space)
    if space.dtype.kind == 'f':
      return Vector(key, space, bounded=True)
    if not space.is_bounded():
      raise UserError(f'Cannot choose from infinitely many actions: {space}.')
    counts = space.high.astype(np.int64) - space.low + 1
    return Choice(key, space, counts, space.low)
  return _translate('action', space, leaf)


class Image:
  """(H, W) or (H, W, C) uint8 as (H, W, C), resized."""

  def __init__(self, key, space, size):
    self.key = key
    self.size = all(size) and tuple(size)
    shape = (*space.shape, 1)[:3]
    if self.size:
      shape = (*self.size, shape[2])
    self.spaces = {key: elements.Space(np.uint8, shape)}

  def flatten(self, value):
    image = np.array(value, np.uint8)
    image = image.reshape((*image.shape, 1)[:3])
    if self.size and image.shape[:2] != self.size:
      # By channel, as there may be any number and Pillow would take four of
      # them for colours with transparency.
      channels = np.moveaxis(image, -1, 0)
      image = np.stack([self._resize(x) for x in channels], -1)
    return {self.key: image}

  def _resize(self, channel):
    height, width = self.size
    method = PillowImage.Resampling.BILINEAR
    return np.array(
        PillowImage.fromarray(channel).resize((width, height), method))


class Vector:
  """Numbers of any shape and type as (N,) float32.

  The bounds are kept for actions only: many environments leave the bounds of
  their observations, and nothing depends on these.
  """

  def __init__(self, key, space, bounded=False):
    self.key = key
    self.space = space
    size = int(np.prod(space.shape))
    bounds = (space.low.ravel(), space.high.ravel()) if bounded else ()
    bounds = [x.astype(np.float32) for x in bounds]
    self.spaces = {key: elements.Space(np.float32, (size,), *bounds)}

  def flatten(self, value):
    return {self.key: np.array(value, np.float32).ravel()}

  def restore(self, arrays):
    value = np.asarray(arrays[self.key], np.float64).reshape(self.space.shape)
    value = np.clip(value, self.space.low, self.space.high)
    return np.asarray(value, self.space.dtype)


class Choice:
  """One or more choices from `counts` values, the lowest being `starts`.

  Equal counts make one array. Unequal ones make a key `<key>_<index>` each,
  as upstream's one-hot codes and categorical heads need equal counts.
  """

  def __init__(self, key, space, counts, starts):
    self.space = space
    self.starts = np.asarray(starts, np.int64)
    counts = np.asarray(counts, np.int64)
    self.shape = counts.shape
    flat = counts.ravel().tolist()
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
    value = np.array([arrays[k] for k in self.spaces], np.int64)
    value = value.reshape(self.shape) + self.starts
    return value.astype(self.space.dtype)[()]


class Group:
  """Named (Dict) or numbered (Tuple) parts, translated one by one."""

  def __init__(self, parts, names):
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
      f'Gymnasium spaces of the kind {type(space).__name__} are not '
      'supported, only Box, Discrete, MultiDiscrete, MultiBinary, Dict and '
      'Tuple.')
