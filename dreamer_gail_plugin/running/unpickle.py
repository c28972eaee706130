"""Reads the pickles of saves, which may be a stranger's, and runs no code.

A pickle is a program: it may call whatever Python can import. Those of saves
hold dicts, lists, tuples, texts, numbers and arrays of numbers. A few
instructions and four names of numpy are enough for these, and no other is
obeyed. What the four do is done here: numpy's own functions believe whatever
a pickle tells them.
"""

import io
import pickle
import re

import ml_dtypes
import numpy as np

from ..errors import UserError

OPCODES = (
    'PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 '
    'LONG4 BINFLOAT SHORT_BINUNICODE BINUNICODE BINUNICODE8 SHORT_BINBYTES '
    'BINBYTES BINBYTES8 BYTEARRAY8 EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE '
    'TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM SETITEMS MEMOIZE BINPUT '
    'LONG_BINPUT BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD').split()
NARROW = ('bfloat16', 'float8_e4m3fn', 'float8_e5m2')
# What Python raises where a program makes no sense.
WRONG = (
    pickle.UnpicklingError, EOFError, TypeError, ValueError, AttributeError,
    LookupError, RecursionError, MemoryError, OverflowError)


class Refused(Exception):
  """The pickle wants what no save does."""


def load(path):
  """Return what the pickle at a path holds.

  Raises UserError if that is more than numbers, arrays of numbers, texts and
  containers of these, or if the file is no pickle.
  """
  try:
    return _plain(Unpickler(io.BytesIO(path.read_bytes())).load(), {})
  except Refused as error:
    raise UserError(
        f'{path}: {error}. A save of a run holds numbers, arrays and texts '
        'only. This file may run code of whoever made it, so it was not read.'
    ) from None
  except OSError as error:
    raise UserError(f'{path}: {error.strerror}') from None
  except WRONG as error:
    reason = ' '.join(str(error).split())[:200] or type(error).__name__
    raise UserError(
        f'{path}: is no part of a save, or damaged: {reason}') from None


class Dtype:
  """Stands for a numpy.dtype while it is read."""

  def __init__(self, code, align=False, copy=True):
    if code not in NARROW and not re.fullmatch(r'[biufc]\d{1,2}', code):
      raise Refused(f'has an array of {code!r}')
    self.value = np.dtype(
        getattr(ml_dtypes, code) if code in NARROW else code)

  def __setstate__(self, state):
    _, order, *rest = state
    if any(rest[:3]):
      raise Refused('has an array of structures')
    if self.value.name not in NARROW:
      self.value = self.value.newbyteorder(order)


class Array:
  """Stands for a numpy.ndarray while it is read."""

  def __init__(self, *args):
    self.value = None

  def __setstate__(self, state):
    _, shape, dtype, fortran, data = state
    self.value = _array(data, dtype, shape, 'F' if fortran else 'C')


def _array(data, dtype, shape, order='C'):
  # Writable and in the order of this machine, as numpy's own are.
  array = np.frombuffer(bytearray(data), dtype.value)
  return array.astype(dtype.value.newbyteorder('='), copy=False).reshape(
      shape, order=order)


def _from_buffer(data, dtype, shape, order):
  array = Array()
  array.value = _array(data, dtype, shape, order)
  return array


def _scalar(dtype, data):
  return np.frombuffer(data, dtype.value)[0]


NAMES = {('numpy', 'ndarray'): Array, ('numpy', 'dtype'): Dtype}
for core in ('numpy.core', 'numpy._core'):
  NAMES[f'{core}.multiarray', '_reconstruct'] = Array
  NAMES[f'{core}.multiarray', 'scalar'] = _scalar
  NAMES[f'{core}.numeric', '_frombuffer'] = _from_buffer


class Instructions(dict):
  """What to do, by the code of an instruction."""

  def __missing__(self, code):
    raise pickle.UnpicklingError(f'no save has the instruction {chr(code)!r}')


# Python's own, as its memo is a dict. That in C has an array as long as the
# largest index in the file.
class Unpickler(pickle._Unpickler):
  """Obeys what saves need, and nothing else."""

  dispatch = Instructions({
      ord(getattr(pickle, x)): pickle._Unpickler.dispatch[
          ord(getattr(pickle, x))] for x in OPCODES})

  def find_class(self, module, name):
    if module == 'ml_dtypes' and name in NARROW:
      return name
    if (module, name) not in NAMES:
      raise Refused(f'names {module}.{name}')
    return NAMES[module, name]

  def load_setitem(self):
    self.stack[-3][_text(self.stack[-2])] = self.stack[-1]
    del self.stack[-2:]

  def load_setitems(self):
    items = self.pop_mark()
    self.stack[-1].update(zip(map(_text, items[::2]), items[1::2]))

  dispatch[ord(pickle.SETITEM)] = load_setitem
  dispatch[ord(pickle.SETITEMS)] = load_setitems


def _text(key):
  if not isinstance(key, str):
    raise Refused('has a key that is no text')
  return key


def _plain(value, done):
  """Return a value with arrays where these stand for them."""
  if isinstance(value, Array):
    return value.value
  if not isinstance(value, (dict, list, tuple)):
    return value
  if id(value) not in done:  # Containers may be in it many times.
    done[id(value)] = (
        {k: _plain(v, done) for k, v in value.items()}
        if isinstance(value, dict)
        else type(value)(_plain(x, done) for x in value))
  return done[id(value)]
