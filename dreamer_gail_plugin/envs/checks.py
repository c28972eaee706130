"""Whether values are what their Gymnasium space declares.

The same checks hold at play and at an import. A value is refused for its
structure, type, shape, for whole numbers out of range and for numbers that are
not finite as float32. Numbers beyond the bounds of floats are told of once, as
many environments leave these bounds and nothing depends on them.
"""

import math

import numpy as np
from gymnasium import spaces as gym_spaces

LARGEST = float(np.finfo(np.float32).max)
FEW = 32  # Numbers up to which plain comparisons are faster than NumPy,
SOME = 100  # and the length of a vector of them.
MANY = 1000  # Choices up to which a set of them is kept.


class Checker:
  """Says what is wrong with values of a space.

  Args:
    space: a Gymnasium space of the kinds that `gym_spaces` translates.
    name: what the values are called, as `observation`.
    warn: function of a text that tells once of numbers beyond the bounds of
      floats.

  `fine(value)` is the quick half of the check: if it is True the value is as
  declared, if it is False the whole check says what is wrong, if anything.
  """

  def __init__(self, space, name, warn=None):
    self.space, self.name = space, name
    self.parts = None
    if isinstance(space, gym_spaces.Dict):
      self.parts, self.kind = list(space.spaces.items()), dict
    elif isinstance(space, gym_spaces.Tuple):
      self.parts, self.kind = list(enumerate(space.spaces)), tuple
    self.warn = warn
    if self.parts is not None:
      self.parts = [
          (k, Checker(v, f'{name} {k}' if ' ' not in name else f'{name}/{k}',
                      warn)) for k, v in self.parts]
      self.told = False
      self.fine = self._parts_fine
      return
    self.whole = space.dtype.kind != 'f'
    self.low, self.high = _bounds(space)
    self.shape, self.dtype = space.shape, space.dtype
    self.fine = _quick(self.shape, self.dtype, self.low, self.high)

  def __call__(self, value, lead=()):
    """Return what is wrong with a value, a text, or None.

    `lead` is the shape before that of the space, as (T,) for T steps.
    """
    if self.parts is None:
      fine = not lead and self.fine(value)
      return None if fine else self._leaf(value, lead)
    # A Mapping such as OrderedDict is a dict; lists stand for tuples.
    kinds = dict if self.kind is dict else (tuple, list)
    if not isinstance(value, kinds) or (
        self.kind is tuple and len(value) != len(self.parts)):
      return (
          f'{self.name}: {_brief(value)}, expected a {self.kind.__name__} '
          f'with {len(self.parts)} parts')
    for key, part in self.parts:
      if self.kind is dict and key not in value:
        return f'{self.name}: no {key!r}, which its space has'
      fault = part(value[key], lead)
      if fault:
        return fault
    more = sorted(map(str, set(value) - {k for k, _ in self.parts})) if (
        self.kind is dict) else []
    if more and not self.told:
      self.told = True
      self.warn(
          f'{self.name}: {", ".join(more):.200} is left out, which its space '
          'does not have')
    return None

  def _parts_fine(self, value):
    if type(value) is not self.kind or len(value) != len(self.parts):
      return False
    try:
      for key, part in self.parts:
        if not part.fine(value[key]):
          return False
    except KeyError:
      return False
    return True

  def _leaf(self, value, lead):
    try:
      array = np.asarray(value)
    except ValueError:  # Lists of unequal length.
      array = np.asarray(None)
    shape = lead + self.shape
    if array.dtype.kind not in 'buif':
      return f'{self.name}: {_brief(value)}, expected numbers'
    if array.shape != shape:
      return (
          f'{self.name}: shape {array.shape}, expected {shape} for '
          f'{" ".join(str(self.space).split()):.100}')
    if array.dtype != self.dtype and not np.can_cast(
        array.dtype, self.dtype, 'same_kind'):
      return f'{self.name}: type {array.dtype}, expected {self.dtype}'
    if not self.whole:
      fault = self._finite(array)
      if fault:
        return fault
    if self.low is None or not array.size:
      return None
    if np.ndim(self.low):
      inside = (self.low <= array).all() and (array <= self.high).all()
    else:
      inside = self.low <= array.min() and array.max() <= self.high
    return None if inside else self._beyond(array)

  def _finite(self, array):
    # Not by a product of vectors, whose threads wait for each other.
    if array.size and -LARGEST <= float(array.min()) and (
        float(array.max()) <= LARGEST):
      return None
    with np.errstate(over='ignore'):
      finite = np.isfinite(array.astype(np.float32))
    if finite.all():
      return None
    at = tuple(int(x) for x in np.argwhere(~finite)[0])
    where = f' at {list(at)}' if at else ''
    return (
        f'{self.name}: {array[at]}{where} is not finite as float32, expected '
        'numbers')

  def _beyond(self, array):
    wrong = (array < self.low) | (array > self.high)
    low, high = np.min(self.low), np.max(self.high)
    text = (
        f'{self.name}: the value {array[wrong].flat[0]}, expected {low} to '
        f'{high}')
    if self.whole:
      return text
    self.low = self.high = None  # It was told.
    self.fine = _quick(self.shape, self.dtype, self.low, self.high)
    self.warn(text)
    return None


def leaves(checker):
  """Yield the Checkers of the spaces that are not nested."""
  if checker.parts is None:
    yield checker
  else:
    for _, part in checker.parts:
      yield from leaves(part)


def reward(value):
  """Return what is wrong with a reward, a text, or None."""
  if isinstance(value, (float, int)) and -LARGEST < value < LARGEST:
    return None
  if np.ndim(value):
    return (
        f'the reward is an array of shape {np.shape(value)}, expected one '
        'number')
  if getattr(value, 'dtype', np.asarray(value).dtype).kind not in 'buif':
    return f'the reward is {_brief(value)}, expected a number'
  with np.errstate(over='ignore'):
    if not np.isfinite(np.float32(value)):
      return f'the reward is {value}, expected a finite number'
  return None


def end(value):
  """Return what is wrong with a flag that says that an episode ended."""
  if np.ndim(value) or np.asarray(value).dtype.kind not in 'bui':
    return f'the flag of an end is {_brief(value)}, expected True or False'
  return None


def _quick(shape, dtype, low, high):
  # At play a call of NumPy takes longer than plain comparisons of few numbers.
  whole, size = dtype.kind != 'f', math.prod(shape)
  if whole and shape == ():
    return _choice(dtype, low, high)
  same = lambda value: (
      type(value) is np.ndarray and value.dtype is dtype
      and value.shape == shape)
  if whole and low is None or not size:
    return same
  if low is None and len(shape) == 1 and size <= SOME:
    length = math.hypot  # It is in range only if all numbers are.
    return lambda value: same(value) and length(*value.tolist()) < LARGEST
  if not whole:  # Of float16, LARGEST would be infinite.
    most = min(LARGEST, float(np.finfo(dtype).max))
    low, high = (-most, most) if low is None else (
        np.maximum(low, -most), np.minimum(high, most))
  if size <= FEW:
    return _few(shape, dtype, _comparison(low, high, shape), same)
  if np.ndim(low):
    return lambda value: same(value) and bool(
        (low <= value).all() and (value <= high).all())
  least, most = np.minimum.reduce, np.maximum.reduce
  if dtype.kind == 'u' and not low:
    return lambda value: same(value) and most(value, None) <= high
  return lambda value: (
      same(value) and low <= least(value, None) and most(value, None) <= high)


def _few(shape, dtype, inside, same):
  if len(shape) != 1:
    return lambda value: same(value) and inside(*value.ravel().tolist())

  def fine(value):
    try:  # Another shape gives another number of arguments, or lists.
      return value.dtype is dtype and inside(*value.tolist())
    except (AttributeError, TypeError):
      return False
  return fine


def _choice(dtype, low, high):
  kinds = {int, dtype.type, np.int32, np.int64}
  if high - low > MANY:
    return lambda value: type(value) in kinds and low <= value <= high
  valid = frozenset(range(low, high + 1))
  return lambda value: type(value) in kinds and value in valid


def _comparison(low, high, shape):
  # A function of as many numbers, written out: a loop takes twice the time.
  # NaN is not inside, either.
  low, high = (np.broadcast_to(x, shape).ravel().tolist() for x in (low, high))
  names = [f'x{i}' for i in range(len(low))]
  each = (f'{a!r} <= {x} <= {b!r}' for a, x, b in zip(low, names, high))
  return eval(f'lambda {", ".join(names)}: {" and ".join(each)}')


def _bounds(space):
  # None where nothing needs to be compared.
  if isinstance(space, gym_spaces.Discrete):
    return int(space.start), int(space.start + space.n - 1)
  if isinstance(space, gym_spaces.MultiDiscrete):
    return space.start, space.start + space.nvec - 1
  if isinstance(space, gym_spaces.MultiBinary):
    return 0, 1
  low, high = space.low, space.high
  if space.dtype.kind in 'iu':
    info = np.iinfo(space.dtype)
    full = (low == info.min).all() and (high == info.max).all()
  else:
    full = (low == -np.inf).all() and (high == np.inf).all()
  if full or space.dtype == bool:
    return None, None
  if low.size and (low == low.flat[0]).all() and (high == high.flat[0]).all():
    return low.flat[0], high.flat[0]
  return low, high


def _brief(value):
  text = ' '.join(repr(value).split())
  return f'{type(value).__name__} {text:.60}'
