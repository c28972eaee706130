"""What saves hold is read; whatever else a pickle can do is not done."""

import io
import os
import pathlib
import pickle
import pickletools
import struct

import elements
import ml_dtypes
import numpy as np
import pytest

from dreamer_gail_plugin.running import saves
from dreamer_gail_plugin.running import unpickle
from helpers.hostile import Bomb
from helpers.hostile import memory
from helpers.refusals import refused

VALUES = [
    {'params': {'enc/w': np.arange(6, dtype='f4').reshape(2, 3)}},
    {'a': np.asfortranarray(np.arange(6.).reshape(2, 3)), 'b': np.array(True)},
    {'a': np.ones((2, 3), ml_dtypes.bfloat16), 'b': np.zeros((0, 3), 'i8')},
    {'a': np.arange(3, dtype='>i4'), 'b': np.arange(3, dtype='c8')[::2]},
    {'counters': {'updates': 3, 'big': 10 ** 30}, 'none': None},
    [1, 2.5, True, ('x', b'y'), [], {}, ()], None, np.float32(3), np.int64(4),
    [x := np.ones(2), x, {'x': x}]]


def equal(one, two):
  """Return whether two values are of the same types, too."""
  if type(one) is not type(two):
    return False
  if isinstance(one, dict):
    return one.keys() == two.keys() and all(
        equal(v, two[k]) for k, v in one.items())
  if isinstance(one, (list, tuple)):
    return len(one) == len(two) and all(map(equal, one, two))
  if isinstance(one, np.ndarray):
    return (
        one.dtype.newbyteorder('=') == two.dtype.newbyteorder('=')
        and one.flags.writeable and np.array_equal(one, two))
  return bool(one == two)


@pytest.fixture
def path(tmp_path):
  """Return the path of a part of a save."""
  return tmp_path / 'agent.pkl'


@pytest.mark.parametrize('protocol', [3, 4, 5])
@pytest.mark.parametrize('value', VALUES, ids=range(len(VALUES)))
def test_what_saves_hold(path, value, protocol):
  path.write_bytes(pickle.dumps(value, protocol))
  assert equal(unpickle.load(path), pickle.loads(path.read_bytes()))


def test_upstreams_save(tmp_path):
  store = elements.Checkpoint(elements.Path(tmp_path / 'ckpt'))
  store.step = elements.Counter(np.int64(5))
  store.save()
  found = []
  saves.load(store.latest(), {'step': found.append})
  assert found == [5]


def test_shards(tmp_path):
  elements.checkpoint.save(
      tmp_path / 'save', {'agent': lambda: (x for x in ({'a': 1}, {'b': 2}))})
  found = []
  saves.load(tmp_path / 'save', {'agent': found.extend})
  assert found == [{'a': 1}, {'b': 2}]


class Calls:
  """Calls what it is given when it is unpickled."""

  def __init__(self, function, *args):
    self.function, self.args = function, args

  def __reduce__(self):
    return self.function, self.args


class State:
  """Is a float32 whose numpy.dtype gets a state when it is unpickled."""

  def __init__(self, state):
    self.state = state

  def __reduce__(self):
    return np.dtype, ('f4', False, True), self.state


def nested(depth):
  """Return a list in which each item is the same list as the one beside."""
  value = []
  for _ in range(depth):
    value = [value, value]
  return value


def cyclic():
  value = []
  value.append(value)
  return value


GLOBAL = b'cnumpy._core.multiarray\n_reconstruct\n'
HOSTILE = {
    'names posix.system': Bomb(),
    'names builtins.eval': Calls(eval, '1'),
    'names builtins.getattr': {'params': Calls(getattr, 1, 'real')},
    'names numpy.load': Calls(np.load, 'x'),
    'names numpy.memmap': Calls(np.memmap, 'x'),
    'names collections.OrderedDict': Calls(
        __import__('collections').OrderedDict),
    'names pathlib.PosixPath': pathlib.PosixPath('x'),
    "array of 'O8'": np.array([Bomb()], object),
    "array of 'V8'": np.zeros(2, [('a', 'f8')]),
    "array of 'U3'": np.array(['abc']),
    "array of 'M8'": np.zeros(2, 'M8[s]'),
    # Flags of 0 would make numpy take bytes for pointers to objects.
    "array of 'O'": Calls(np.dtype, 'O'),
    'structures': State((3, '|', (np.dtype('f4'), (2,)), None, None, 8, 4, 0)),
    'no text': {('x',): 1},
    "instruction 'i'": b'\x80\x04(i__main__\nBomb\n.',
    'no part of a save': b'',
    'or damaged': pickle.dumps([1, 2])[:-3],
    'damaged': b'hello',
    'damaged: ': GLOBAL + b'(' * 3 + b'.',
    'damaged: maximum recursion': cyclic(),
    'save, or': b'\x80\x04\x8e' + struct.pack('<Q', 2 ** 62) + b'.',
    'save': b'\x80\x04\x96' + struct.pack('<Q', 2 ** 62) + b'.',
    'not': pickle.dumps({'x': np.ones(4)}).replace(
        b'K\x04\x85', b'K\x05\x85'),
}


@pytest.mark.parametrize('words', HOSTILE)
def test_all_else_is_refused(path, words, monkeypatch):
  monkeypatch.chdir(path.parent)
  value = HOSTILE[words]
  path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value))
  with refused(str(path), words):
    unpickle.load(path)
  assert os.listdir() == [path.name]


def test_memory(path):
  with memory() as peaks:
    for data in (
        b'\x80\x04]r\xff\xff\xff\xff.',  # The largest index of the memo.
        pickle.dumps(nested(60))):
      path.write_bytes(data)
      unpickle.load(path)
  assert peaks['python'] < 1e6 and peaks['process'] < 5e7


def test_instructions_are_all_known():
  codes = {x.code for x in pickletools.opcodes}
  assert {chr(x) for x in unpickle.Unpickler.dispatch} < codes
  assert len(unpickle.Unpickler.dispatch) == len(set(unpickle.OPCODES))


def test_there_is_no_way_to_what_was_found():
  data = b'\x80\x04\x8c\x05numpy\x8c\x05dtype\x93\x8c\x01O)R.'
  with pytest.raises(TypeError):
    unpickle.Unpickler(io.BytesIO(data)).load()


@pytest.mark.parametrize('name, value', [
    ('agent', 5), ('agent', {}), ('agent', {'params': 3}), ('step', 'x'),
    ('agent', {'params': {'w': 1}}), ('step', None), ('step', [1]),
    ('agent', {'params': {}, 'counters': {'updates': 'x'}})])
def test_what_a_name_stands_for(tmp_path, name, value):
  folder = tmp_path / saves.write(tmp_path, {name: lambda: value})
  with refused(f'{name}.pkl', 'is not what a run saves'):
    saves.load(folder, {name: lambda _: None})


def test_missing(tmp_path):
  folder = tmp_path / saves.write(tmp_path, {'step': lambda: 1})
  with refused('agent.pkl', 'No such file'):
    saves.load(folder, {'agent': None})
