"""Imports trajectories saved by the `imitation` library.

Both of its forms: the folder that `serialize.save` writes (a Hugging Face
dataset) and the older npz. Infos, which are pickles in either, are not read.

examples:
  dreamer-gail demos imitation --source rollouts --task gym_CartPole-v1 \\
      --out mine.h5
  dreamer-gail demos imitation --source old.npz --task gym_CartPole-v1 \\
      --best 10 --out mine.h5
"""

import contextlib
import json
import pathlib
import struct

import numpy as np

from ...data import npz
from ...errors import UserError
from . import arrow
from . import episodes
from . import simple

LARGEST = 1 << 30  # Bytes of one column of one trajectory.
STATE = 1 << 20  # Bytes of the file state.json.


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  simple.add_arguments(parser, 'the folder or the npz')


def run(args):
  """Import the trajectories and write the store to `args.out`."""
  simple.run(args, lambda path, task: read(path))


def read(path):
  """Yield the Episodes of what `imitation.data.serialize.save` wrote."""
  with open_source(path) as data:
    yield from (data.read(i) for i in range(len(data)))


@contextlib.contextmanager
def open_source(path):
  """Yield an object with a length and `read(index)`, which gives an Episode.

  Raises UserError for what is neither a saved folder nor an npz.
  """
  if path.is_dir():
    yield Folder(path)
  elif path.suffix == '.npz':
    with npz.Npz(path, str(path), LARGEST) as data:
      yield Flat(path, data)
  else:
    raise UserError(
        f'--source {path}: expected a folder with state.json or a .npz. '
        'Pickles run code when they are opened, so they are not read: load it '
        'where you trust it, and save it by imitation.data.serialize.save')


class Flat:
  """The older npz: all trajectories end to end, `indices` where they part."""

  def __init__(self, path, data):
    self.path = path
    self.arrays = {
        k: data.read(k) for k in ('obs', 'acts', 'indices', 'terminal')}
    if 'rews' in data:
      self.arrays['rews'] = data.read('rews')
    self.edges = self._edges()

  def __len__(self):
    return len(self.edges) - 1

  def read(self, index):
    """Return an Episode."""
    start, stop = self.edges[index: index + 2]
    # Each trajectory has one observation more than actions.
    obs = self.arrays['obs'][start + index: stop + index + 1]
    rews = self.arrays.get('rews')
    return _episode(
        f'{self.path}: trajectory {index}', obs,
        self.arrays['acts'][start: stop],
        None if rews is None else rews[start: stop],
        self.arrays['terminal'][index])

  def _edges(self):
    shapes = {k: v.shape for k, v in self.arrays.items()}
    steps = shapes['acts'][:1]
    indices, terminal = self.arrays['indices'], self.arrays['terminal']
    flat = indices.ndim == 1 and indices.dtype.kind in 'iu' and steps
    edges = [0, *indices.tolist(), *steps] if flat else []
    fits = (
        flat and sorted(set(edges)) == edges
        and terminal.shape == (len(edges) - 1,)
        and shapes['obs'][:1] == (steps[0] + len(edges) - 1,)
        and shapes.get('rews', steps) == steps)
    if not fits:
      raise UserError(
          f'{self.path}: the shapes do not fit together: '
          f'{", ".join(f"{k} {v}" for k, v in shapes.items())}; expected '
          'increasing indices where trajectories part, and one observation '
          'more than actions in each')
    return edges


class Folder:
  """A Hugging Face dataset on the disk, one trajectory a row."""

  def __init__(self, path):
    self.path = path
    self.tables = [self._table(x) for x in self._names()]
    self.rows = [
        (table, i) for table in self.tables for i in range(table.num_rows)]
    if not self.rows:
      raise UserError(f'{path}: has no trajectories, expected at least one')

  def __len__(self):
    return len(self.rows)

  def read(self, index):
    """Return an Episode."""
    table, row = self.rows[index]
    place = f'{self.path}: row {index}'
    get = lambda key: _array(table[key][row], f'{place}: {key}')
    rews = get('rews') if 'rews' in table.column_names else None
    return _episode(
        place, get('obs'), get('acts'), rews, table['terminal'][row].as_py())

  def _names(self):
    path = self.path / 'state.json'
    try:
      if path.stat().st_size > STATE:
        raise UserError(f'{path}: has more than {STATE:,} bytes')
      state = json.loads(path.read_text('utf-8'))
      names = [x['filename'] for x in state['_data_files']]
      indices = state.get('_indices_files')
    except (OSError, ValueError, KeyError, TypeError, AttributeError,
            RecursionError) as e:
      raise UserError(
          f'{path}: cannot be read ({e!r:.200}); expected the folder that '
          'imitation.data.serialize.save wrote') from e
    bad = [x for x in names if pathlib.PurePath(str(x)).name != x]
    if bad or not names:
      raise UserError(
          f'{path}: names the data files {str(names)[:100]}, expected files '
          'in this folder')
    if indices:
      raise UserError(
          f'{path}: rows were selected after saving; call flatten_indices() '
          'on the dataset and save it again')
    return names

  def _table(self, name):
    pyarrow = arrow.library('imitation')
    path = self.path / name
    try:
      # Mapped, so what is not asked for takes no memory.
      with pyarrow.memory_map(str(path)) as file:
        _refuse_packed(pyarrow, file)
        table = pyarrow.ipc.open_stream(file).read_all()
        lost = {'obs', 'acts', 'terminal'} - set(table.column_names)
        if lost:
          raise UserError(
              f'{path}: has no column {min(lost)}; it has '
              f'{", ".join(table.column_names)[:200]}')
        keys = {'obs', 'acts', 'terminal', 'rews'} & set(table.column_names)
        table = table.select(sorted(keys))
        # Offsets of a stranger could point anywhere.
        table.validate(full=True)
    except (OSError, ValueError, TypeError, NotImplementedError,
            KeyError, MemoryError, struct.error) as e:
      raise UserError(
          f'{path}: cannot be read as Arrow ({str(e)[:200]}); copy it '
          'again') from e
    kind = table['terminal'].type
    if kind != pyarrow.bool_():
      raise UserError(f'{path}: terminal has type {kind}, expected bool')
    return table


def _refuse_packed(pyarrow, file):
  # Compressed batches inflate as they are read, to any size. Hugging Face
  # never writes them, nor dictionaries for these columns.
  for message in pyarrow.ipc.MessageReader.open_stream(file):
    if message.type == 'schema':
      continue
    if message.type != 'record batch' or _compressed(message.metadata):
      raise ValueError('compressed or encoded data, expected plain arrays')
  file.seek(0)


def _compressed(metadata):
  # Whether the field `compression` of the RecordBatch in a Message is there
  # (Arrow's Message.fbs; offsets as in every flatbuffer).
  data = memoryview(metadata)
  word = lambda form, at: struct.unpack_from(form, data, at)[0]

  def field(table, index):
    fields = table - word('<i', table)
    at = 4 + 2 * index
    offset = word('<H', fields + at) if at < word('<H', fields) else 0
    return table + offset if offset else 0
  header = field(word('<I', 0), 2)
  return bool(header and field(header + word('<I', header), 3))


def _array(scalar, place):
  values = getattr(scalar, 'values', None)
  if values is None:
    raise UserError(f'{place} is {str(scalar)[:50]}, expected a list')
  return arrow.numbers(values, place, LARGEST)


def _episode(place, obs, acts, rews, terminal):
  last = np.arange(len(acts)) == len(acts) - 1
  return episodes.Episode(
      place, obs, acts, rews, last & bool(terminal), None)
