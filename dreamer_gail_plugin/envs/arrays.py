"""What an array of a Gymnasium space is: an image, a board or numbers.

This is decided here alone, from type, shape and bounds, for environments that
are played and for demonstrations of them.
"""

import math

import elements
import numpy as np
from PIL import Image as PillowImage

from ..errors import UserError

KINDS = ('auto', 'last', 'first', 'vector')
LARGEST = 64  # Images of more pixels a side are made this size by default.
PICTURE = 32  # Sides below this may be those of a grid of codes.
BOARD = 8  # Sides below this are too small for an image of any kind.
CHANNELS = 32  # An axis of more is no axis of channels.
FLOAT = np.dtype(np.float32)
NETWORK = (3, 16)  # Sides to which upstream's networks halve an image.


def parse(text):
  """Return {key: kind} of a flag such as `first` or `map=vector,eye=last`.

  A kind without a key has the key ''. Raises UserError for other kinds.
  """
  asked = {}
  for part in filter(None, text.replace(' ', '').split(',')):
    key, _, kind = part.rpartition('=')
    if kind not in KINDS:
      raise UserError(
          f'--env.gym.image {text}: {kind!r} is no kind of array; expected '
          f'{", ".join(KINDS)}, or KEY=KIND for each of several')
    asked[key] = kind
  return asked


def translator(key, space, size, asked):
  """Return the Image or Vector for a Box of observations.

  An array without a name of its own (key '') becomes `image` or `vector`.
  `size` is height and width of images, with a zero in it they stay as they
  are, with -1 they do where networks can halve them and are not too large.
  `asked` are the kinds of `parse`. Raises UserError for an array whose axes
  cannot be told.
  """
  require(key or 'observation', space)
  order, why = _decide(key or 'image', space, asked)
  if order:
    return Image(key or 'image', space, size, order)
  return Vector(key or 'vector', space, why)


def require(key, space):
  """Raise UserError for a Box without elements or with bounds that are NaN."""
  if not math.prod(space.shape):
    raise UserError(
        f'{key!r} has the shape {space.shape}, so no elements; leave it out '
        'of the environment, as by gymnasium.wrappers.FilterObservation')
  if np.isnan(space.low).any() or np.isnan(space.high).any():
    raise UserError(
        f'{key!r} has NaN in its bounds; give numbers in the environment, or '
        'infinity where there is no bound')


def _decide(key, space, asked):
  # The order of an image's axes, or None and why it is none.
  axes, small = len(space.shape), space.dtype == np.uint8
  kind = asked.get(key, asked.get('', 'auto'))
  # What is asked for without a key is for what may be an image.
  fits = axes in (2, 3, 4) if key in asked else small and axes in (2, 3)
  if kind != 'auto':
    return (kind if kind != 'vector' and fits else None), ''
  if axes not in (2, 3, 4):
    return None, ''
  order, sides = layout(space.shape)
  shades = content(space)
  if shades == 'board' and order and min(sides) >= BOARD:
    return order, ''
  if shades != 'pixels' or max(sides or space.shape) < PICTURE:
    return None, _reason(shades, order) if small or shades == 'board' else ''
  if order and axes > 2 and min(sides) < BOARD:
    order = None  # Such a stripe is rather an image with its axes in disorder.
  if order or space.dtype.kind == 'f':
    return order, ''
  raise UserError(
      f'observation {key!r}: an image of shape {space.shape} does not show '
      'which of its axes are the channels. Say it by --env.gym.image '
      f'{key}=last (height, width, channels), {key}=first (channels, height, '
      f'width) or {key}=vector')


def _reason(shades, order):
  # Bytes of 0 to 255 tell neither codes nor a small image.
  return {
      'board': 'a board of 0 and 1', 'codes': 'a grid of codes',
      'pixels': (
          'a grid of codes, or an image so small that only --env.gym.image '
          f'{order or "last"} makes it one')}[shades]


def layout(shape):
  """Return ('last' or 'first', (height, width)) of an array of 2 to 4 axes.

  The channels are the axis that is smaller than both others. The first of
  four axes counts frames. Returns (None, None) if that decides nothing.
  """
  if len(shape) == 2:
    return 'last', shape
  first, middle, last = shape[-3:]
  if last < min(first, middle) and last <= CHANNELS:
    return 'last', (first, middle)
  if first < min(middle, last) and first <= CHANNELS:
    return 'first', (middle, last)
  return None, None


def content(space):
  """Return 'pixels', 'board' (of 0 and 1), 'codes' or 'numbers' of a Box."""
  low, high = float(space.low.min()), float(space.high.max())
  if space.dtype == bool or space.dtype == np.uint8 and high <= 1:
    return 'board'
  same = (space.low == low).all() and (space.high == high).all()
  if space.dtype.kind == 'f':
    # Not maps of heights and the like, which have two axes.
    known = (low, high) in ((0, 1), (-1, 1), (0, 255)) and same
    return 'pixels' if known and len(space.shape) > 2 else 'numbers'
  if same and low == 0 and (high == 255 and space.dtype == np.uint8 or (
      high in (255, 65535) and len(space.shape) > 2)):
    return 'pixels'
  return 'codes' if space.dtype == np.uint8 else 'numbers'


def halvings(sides):
  """Return how often upstream's networks can halve images, a list."""
  low, high = NETWORK
  return [
      n for n in range(1, 10) if all(
          x % 2 ** n == 0 and low <= x >> n <= high for x in sides)]


class Image:
  """An array of 2 to 4 axes as (H, W, C) uint8.

  Floats are stretched from their bounds to 0 to 255, boards of 0 and 1, too.
  Boards and codes are resized without blending. `text` says all of this.
  """

  def __init__(self, key, space, size, order):
    self.key = key
    self.order = order
    self.frames = space.shape[0] if len(space.shape) == 4 else 1
    shape = (*space.shape, 1) if len(space.shape) == 2 else space.shape[-3:]
    if order == 'first' and len(space.shape) > 2:
      shape = (*shape[1:], shape[0])
    self.shades = content(space)
    low, high = float(space.low.min()), float(space.high.max())
    self.low, self.span = low, high - low
    self.stretched = (
        self.shades == 'board' or space.dtype.kind == 'f' or high == 65535)
    if not np.isfinite(self.span) or not self.stretched and (
        low < 0 or high > 255):
      raise UserError(
          f'--env.gym.image: {key} has bounds from {low:g} to {high:g}, '
          f'which are no shades; leave out {key}={order}, or mend the bounds '
          'in the environment')
    self.size = _size(shape[:2], size)
    self.blend = self.shades != 'board' and (
        self.shades == 'pixels' or space.dtype.kind == 'f')
    channels = self.frames * shape[2]
    self.spaces = {key: elements.Space(
        np.uint8, (*(self.size or shape[:2]), channels))}
    self.text = self._describe(space, shape, low, high)

  def flatten(self, value):
    image = np.asarray(value)
    if self.stretched:
      image = (image.astype(np.float32) - self.low) / self.span * 255
      image = np.clip(np.round(image), 0, 255)
    image = image.astype(np.uint8)  # A copy, always.
    if image.ndim == 2:
      image = image[..., None]
    elif image.ndim == 4:
      axes = (1, 2, 0, 3) if self.order == 'last' else (2, 3, 0, 1)
      image = image.transpose(axes)
      image = image.reshape((*image.shape[:2], -1))
    elif self.order == 'first':
      image = np.ascontiguousarray(image.transpose((1, 2, 0)))
    if self.size and image.shape[:2] != self.size:
      # By channel, as there may be any number and Pillow would take four of
      # them for colours with transparency.
      channels = np.ascontiguousarray(np.moveaxis(image, -1, 0))
      image = np.stack([self._resize(x) for x in channels], -1)
    return {self.key: image}

  def _resize(self, channel):
    height, width = self.size
    methods = PillowImage.Resampling
    method = methods.BILINEAR if self.blend else methods.NEAREST
    return np.array(
        PillowImage.fromarray(channel).resize((width, height), method))

  def _describe(self, space, shape, low, high):
    parts = [' x '.join(map(str, shape))]
    if self.frames > 1:
      parts[0] = f'{self.frames} frames of {parts[0]}'
    if len(space.shape) > 2:
      parts.append(f'channels {self.order}')
    if self.shades == 'board':
      parts.append('a board of 0 and 1 shown as 0 and 255')
    elif self.stretched:
      parts.append(f'{low:g} to {high:g} shown as 0 to 255')
    if self.size and self.size != shape[:2]:
      how = 'with blending' if self.blend else 'without blending'
      parts.append(f'resized to {self.size[0]} x {self.size[1]} {how}')
    return ', '.join(parts)


class Vector:
  """Numbers of any shape and type as (N,) float32.

  The bounds are kept for actions only: many environments leave the bounds of
  their observations, and nothing depends on these. `text` says what it is,
  with the reason `why` if it might be taken for an image.
  """

  def __init__(self, key, space, why='', bounds=()):
    self.key = key
    self.space = space
    size = math.prod(space.shape)
    bounds = [np.ravel(x).astype(np.float32) for x in bounds]
    self.spaces = {key: elements.Space(np.float32, (size,), *bounds)}
    shape = ' x '.join(map(str, space.shape))
    shape = f'{shape} as ' if len(space.shape) > 1 else ''
    numbers = f'{size} number{"s" * (size > 1)}'
    self.text = ', '.join(filter(None, [shape + numbers, why]))

  def flatten(self, value):
    if type(value) is np.ndarray and value.dtype is FLOAT and value.ndim == 1:
      return {self.key: value.copy()}  # Half the time.
    return {self.key: np.array(value, FLOAT).ravel()}

  def restore(self, arrays):
    (space,) = self.spaces.values()
    value = np.asarray(arrays[self.key], np.float64)
    value = np.clip(value, space.low, space.high).reshape(self.space.shape)
    value = np.clip(value, self.space.low, self.space.high)
    return np.asarray(value, self.space.dtype)


def _size(sides, size):
  # The height and width to resize to, or None for none.
  if not all(size):
    return None
  if min(size) > 0:
    return tuple(size)
  if max(sides) <= LARGEST and halvings(sides):
    return None
  return LARGEST, LARGEST
