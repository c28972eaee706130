"""HDF5 files: read though they may be malicious, written on disks that fill.

No links, external data or bombs are followed.
"""

import contextlib
import io
import os
import pathlib

import h5py

from ..errors import UserError
from ..errors import near

RATIO = 1100  # Deflate cannot do better than 1032 to 1.
SMALL = 1 << 20  # Bytes that may be claimed in any case.
SUFFIXES = ('.h5', '.hdf5', '.json')  # Of demonstrations, recipes included.
SPARE = 1 << 16  # Bytes of what HDF5 writes beside the data of an array.


def open_file(path, wanted='a demonstration store'):
  """Return an h5py.File to read; raises UserError if it is not one."""
  if not path.exists():
    raise UserError(
        f'{path}: no such file. {_near(path)}Give the path of {wanted}, see '
        'docs/demonstrations.md for how to make one')
  if not path.is_file():
    raise UserError(f'{path}: not a file; expected an HDF5 store')
  try:
    return h5py.File(path, 'r')
  except OSError as e:
    raise UserError(damaged(path, e, wanted)) from e


def has(path, file, name):
  """Return whether an untrusted HDF5 file has something of a name."""
  try:
    return name in file
  except (KeyError, OSError, RuntimeError, ValueError) as e:
    raise UserError(damaged(path, f'{name}: {e}')) from e


def hard(path, file, name, kind):
  """Return a group or dataset (`kind`) of an untrusted HDF5 file.

  Raises UserError for links and external storage, which could read any file
  of the user, and if the name is missing or of another kind.
  """
  try:
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
      raise UserError(f'{path}: {name} is missing or a link, expected data')
    value = file[name]
    if not isinstance(value, kind):
      raise UserError(f'{path}: {name} is not a {kind.__name__.lower()}')
    outside = kind is h5py.Dataset and (
        value.dtype.hasobject or value.external or value.is_virtual)
  except (KeyError, OSError, RuntimeError, TypeError, ValueError) as e:
    raise UserError(damaged(path, f'{name}: {e}')) from e
  if outside:
    raise UserError(
        f'{path}: {name} has type {value.dtype} or points outside of the '
        'file; expected plain numbers in it')
  return value


def bounded(path, name, data, largest):
  """Raise UserError for a dataset that claims more than it can hold.

  That is more than `largest` bytes, or so many more than are in the file that
  no compression explains them: a few bytes could claim terabytes.
  """
  stored = data.id.get_storage_size()
  if data.nbytes > min(largest, RATIO * stored + SMALL):
    raise UserError(
        f'{path}: {name} claims the shape {data.shape} ({data.nbytes:,} '
        f'bytes), of which {stored:,} are in the file; at most {largest:,} '
        'are read')


def read(path, file, name, largest):
  """Return the array of a dataset in an untrusted HDF5 file.

  Raises UserError for what `hard` and `bounded` refuse, on the way to it,
  too, and for damaged data.
  """
  for parent in reversed(pathlib.PurePosixPath(name).parents[:-1]):
    hard(path, file, str(parent), h5py.Group)
  data = hard(path, file, name, h5py.Dataset)
  bounded(path, name, data, largest)
  try:
    return data[()]
  except (OSError, RuntimeError, ValueError, MemoryError) as e:
    raise UserError(
        f'{path}: {name} cannot be read ({e}); copy the file again') from e


def read_into(group, name, start, out):
  """Read the steps from `start` on of a dataset into an array (T, ...).

  Raises OSError for damaged data. It takes half the time of h5py's own
  `read_direct`, which matters where many short trajectories make a batch. It
  closes the dataset again, as an open one keeps 100 kB.
  """
  data = h5py.h5d.open(group.id, name.encode())
  space = data.get_space()
  space.select_hyperslab((start, *[0] * (out.ndim - 1)), out.shape)
  data.read(h5py.h5s.create_simple(out.shape), space, out)


def damaged(path, error, wanted='a demonstration store'):
  """Return the message for a file that HDF5 cannot read."""
  return (
      f'{path}: cannot be read as {wanted} ({error}); expected a whole HDF5 '
      'file, so copy or import it again')


def begin(path):
  """Make an HDF5 file if it is not there, and take space to describe it.

  Raises OSError if the disk is full.
  """
  if not path.exists():
    image = io.BytesIO()
    h5py.File(image, 'w').close()
    path.write_bytes(image.getvalue())
  _take(path, path.stat().st_size, SPARE)


@contextlib.contextmanager
def writing(path):
  """Yield an h5py.File to add to, which has begun.

  Call `reserve` before data is added.
  """
  with h5py.File(path, 'r+') as file:
    yield file
    file.flush()
    size = file.id.get_filesize()
  os.truncate(path, size)


def reserve(file, arrays):
  """Take space on the disk for arrays, before HDF5 writes them.

  HDF5 must not find a disk full: it then keeps what it cannot write, prints
  tracebacks where objects are freed, and may crash the process at its end.
  Raises OSError if the disk is full.
  """
  size = sum(x.nbytes for x in arrays)
  _take(file.filename, file.id.get_filesize(), size + (
      size >> 3) + SPARE * (len(arrays) + 1))


def _near(path):
  try:
    there = [x for x in os.listdir(path.parent) if x.endswith(SUFFIXES)]
  except OSError:
    return ''
  whole = path.name if path.suffix in SUFFIXES else f'{path.name}.h5'
  return near(whole, there, f'{path.parent}/')


def _take(path, start, size):
  if hasattr(os, 'posix_fallocate'):  # Not on macOS.
    with open(path, 'rb+') as file:
      os.posix_fallocate(file.fileno(), start, size)
