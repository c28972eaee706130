"""Reads npz files that may be malicious: no pickles, no surprises in size.

`numpy.load` refuses pickles, but it believes any size that a file claims. An
array of 10^12 claimed elements, or a zip that inflates a thousandfold, takes
all memory before anything is checked.
"""

import contextlib
import math
import tokenize
import zipfile
import zlib

import numpy as np
from numpy.lib import format as npy

from ..errors import UserError

LARGEST = 1 << 30  # Bytes of one array.
READERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
# All that zipfile and the parser of headers may raise.
BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError,
    NotImplementedError, RuntimeError, SyntaxError, MemoryError,
    RecursionError, tokenize.TokenError)


class Npz:
  """The arrays of one npz, each read and checked on request.

  Args:
    file: path or binary file.
    place: the name of the file in errors.
    largest: bytes that one array may have.
  """

  def __init__(self, file, place, largest=LARGEST):
    self.place = place
    self.largest = largest
    with _readable(place):
      self.zip = zipfile.ZipFile(file)
    self.keys = [
        x.removesuffix('.npy') for x in self.zip.namelist()
        if x.endswith('.npy')]

  def __contains__(self, key):
    return key in self.keys

  def __enter__(self):
    return self

  def __exit__(self, *args):
    self.zip.close()

  def spec(self, key):
    """Return (dtype, shape) of an array without reading it."""
    with self._open(key) as (_, shape, _, dtype):
      return dtype, shape

  def read(self, key, kinds='buif'):
    """Return one array, whose dtype is of one of these kinds.

    Raises UserError if it is missing, damaged, too large, of another type
    (such as objects, which would be unpickled), or claims more elements than
    there are.
    """
    with self._open(key) as (file, shape, fortran, dtype):
      if dtype.hasobject or dtype.kind not in kinds:
        wanted = 'bool' if kinds == 'b' else 'numbers or bool'
        raise UserError(
            f'{self.place}: {key} has type {dtype}, expected {wanted}; '
            'objects are never unpickled')
      size = math.prod(shape) * dtype.itemsize
      # Never more than the archive claims to hold, which is bounded.
      data = file.read(min(size, self.largest) + 1)
      if len(data) != size:
        raise UserError(
            f'{self.place}: {key} claims the shape {shape} ({size:,} bytes), '
            f'but has {len(data):,} bytes; copy the file again')
    return np.frombuffer(data, dtype).reshape(
        shape, order='F' if fortran else 'C')

  @contextlib.contextmanager
  def _open(self, key):
    place = f'{self.place}: {key}'
    if key not in self:
      raise UserError(
          f'{place} is missing; the file has '
          f'{", ".join(self.keys[:8]) or "no arrays"}')
    with _readable(place):
      info = self.zip.getinfo(f'{key}.npy')
      if info.file_size > self.largest:
        raise UserError(
            f'{place} has {info.file_size:,} bytes, more than the '
            f'{self.largest:,} that are read')
      with self.zip.open(info) as file:
        yield file, *_header(file)


def _header(file):
  version = npy.read_magic(file)
  if version not in READERS:
    raise ValueError(f'unknown npy version {version}')
  return READERS[version](file)


@contextlib.contextmanager
def _readable(place):
  try:
    yield
  except UserError:
    raise
  except BROKEN as e:
    raise UserError(
        f'{place}: cannot be read ({str(e)[:200]}); expected a whole npz, so '
        'copy it again') from e
