"""The HDF5 store of demonstrations: write, read, compare with a task.

docs/demonstrations.md has the schema. A store may come from anyone: nothing is
ever unpickled, and object types, links and external data are refused.
"""

import contextlib
import copy
import json
import pathlib
import shlex
import shutil

import numpy as np

from .. import atomic
from ..errors import UserError
from . import hdf5
from . import schema
from .schema import FLAGS
from .schema import FORMAT
from .schema import ROOT_ATTRS
from .schema import VERSION

FEW = 300  # Steps below which there is little to learn from.
CHUNK = 16  # Steps a chunk: a random window of 64 reads little beyond itself.
SMALL = 256  # Bytes a step up to which a key is read as a whole.
LONG = 1 << 16  # Bytes of its chunks: many small ones take long to open.
# What was found in files, by their paths: a start opens one several times, and
# there may be thousands of trajectories in it.
SEEN = {}


def write(path, trajectories, attrs):
  """Write a store and return the number of trajectories.

  `trajectories` is an iterable of dicts: one array (T, ...) per observation
  and action key, the three flags, optionally `reward`, and optionally `attrs`
  (`score`, `source_id`). It is consumed one at a time, so a generator needs
  memory for one trajectory only. `attrs` are root attributes; `preprocessing`
  and `action_meanings` may be Python values and become JSON. If anything
  fails, there is no file. Raises UserError for a missing folder, for no
  trajectories and for arrays that break the schema.
  """
  with _part(path) as part, _writing(path, part) as file:
    count = _fill(file, pathlib.Path(path), trajectories, attrs)
  return count


def append(path, trajectories, attrs):
  """Add trajectories to a store and return how many it then holds.

  Makes the store if it is not there. Otherwise the new trajectories need the
  keys, types and shapes of the old ones, and `attrs` replaces root attributes
  of the same names. When this returns, the data is on the disk. Until then,
  and if anything fails, the store stays as it was. Raises UserError as
  `write` does, and if the file is not a store.
  """
  path, spec = pathlib.Path(path), None
  if path.exists():
    with Store(path) as old:
      spec = old.spec
  with _part(path) as part:
    if spec:
      shutil.copyfile(path, part)
    with _writing(path, part) as file:
      count = _fill(file, path, trajectories, attrs, spec)
  return count


def score(reward, is_first, is_last):
  """Return the mean sum of rewards (T,) over complete episodes.

  An episode is complete if both its first and its last step are there. If
  none is, as in a part of one long game, this is the sum of all rewards.
  """
  starts = np.flatnonzero(is_first)
  sums = []
  for stop in np.flatnonzero(is_last) + 1:
    before = starts[starts < stop]
    if len(before):
      sums.append(reward[before[-1]: stop].sum())
  return float(np.mean(sums) if sums else np.sum(reward))


def dark(data):
  """Return the names of images (T, H, W, C) without a value above 1 of 255."""
  return [
      k for k, v in data.items()
      if v.dtype == np.uint8 and v.ndim == 4 and 0 < v.max(initial=0) <= 1]


class Store:
  """Read access to a store file.

  `attrs` are the root attributes, `infos` the attributes of each trajectory
  (`score`, `length`, `source_id`), `lengths` their steps, `spec` maps every
  key to (dtype, shape of one step) and `keys` are its names. Raises UserError
  if the file is missing, damaged, of another format or a newer version.
  """

  def __init__(self, path):
    self.path = pathlib.Path(path)
    self.file = hdf5.open_file(self.path)
    stat = self.path.stat()
    name, state = self.path.resolve(), (stat.st_mtime_ns, stat.st_size)
    if SEEN.get(name, [None])[0] != state:
      SEEN[name] = state, self._checked()
    vars(self).update(copy.deepcopy(SEEN[name][1]))
    self.keys = tuple(self.spec)

  def _checked(self):
    try:
      attrs = {k: schema.plain(v) for k, v in self.file.attrs.items()}
      schema.check_header(self.path, attrs)
      groups, spec = schema.scan(self.path, self.file)
      infos = [
          {k: schema.plain(v) for k, v in x.attrs.items()} for x in groups]
      schema.check_infos(self.path, infos)
      return dict(
          attrs=attrs, infos=infos, spec=spec, names=[x.name for x in groups],
          lengths=[len(x['is_first']) for x in groups])
    except UserError:
      self.close()
      raise
    except (OSError, RuntimeError, KeyError, ValueError) as e:
      self.close()
      raise UserError(hdf5.damaged(self.path, e)) from e

  @property
  def name(self):
    """Return the name of the file."""
    return self.path.name

  @property
  def parts(self):
    """Return the stores that this is made of: itself."""
    return [self]

  def __enter__(self):
    return self

  def __exit__(self, *args):
    self.close()

  def __len__(self):
    return len(self.names)

  def close(self):
    """Close the file; reading afterwards is an error."""
    self.file.close()

  def read(self, index, start=0, stop=None, keys=None):
    """Return a dict of arrays (stop - start, ...) of one trajectory."""
    start, stop, _ = slice(start, stop).indices(self.lengths[index])
    data = {}
    for key in self.keys if keys is None else keys:
      dtype, shape = self.spec[key]
      data[key] = np.empty((max(0, stop - start), *shape), dtype)
      self.read_into(index, start, key, data[key])
    return data

  def read_into(self, index, start, key, out):
    """Read the steps from `start` on into a contiguous array (T, ...)."""
    try:
      hdf5.read_into(self.file, f'{self.names[index]}/{key}', start, out)
    except (OSError, RuntimeError, KeyError) as e:
      raise UserError(hdf5.damaged(self.path, e)) from e


def validate(store, obs_space, act_space, task=None):
  """Raise a UserError that lists every difference from the task's spaces.

  It compares the task name (a store with an empty name fits any task), keys,
  types and shapes, the number of actions, the values of actions and of
  observations that have a range, and the order of the episode flags. Keys
  that start with `log/`, the reward and the reset flag are not needed.
  """
  for part in store.parts:
    _validate(part, obs_space, act_space, task)


def _validate(store, obs_space, act_space, task):
  diffs = []
  wanted = store.attrs['task']
  if task and wanted and wanted != task:
    diffs.append(f'task: store has {wanted}, task wants {task}')
  acts = {k: v for k, v in act_space.items() if k != 'reset'}
  obs = {k: v for k, v in obs_space.items() if needed(k)}
  meanings = json.loads(store.attrs['action_meanings'] or '[]')
  for key, space in {**obs, **acts}.items():
    diffs += _diff_spec(store.spec, key, space)
    if key in acts and meanings and space.discrete and space.shape == ():
      if len(meanings) != space.classes:
        diffs.append(
            f'{key}: store has {len(meanings)} actions '
            f'({" ".join(meanings)}), task wants {space.classes}')
  if not diffs:
    diffs += _diff_values(store, obs, acts)
  if diffs:
    raise UserError('\n'.join([
        f'{store.path}: these demonstrations do not fit the task '
        f'{task or "given"}:', *[f'  - {x}' for x in diffs],
        '  Choose the task they were made for '
        f'(--task {wanted or "NAME"}), give the options that they were made '
        f'with ({_options(store, task)}), or import or record them again '
        'with those of this task.']))


def told(store, act_space):
  """Return the action spaces, or {} where a store has none of the actions.

  Of a store with some of several `validate` then tells what is missing.
  """
  acts = {k: v for k, v in act_space.items() if k != 'reset'}
  return acts if set(acts) & set(store.keys) else {}


def needed(key):
  """Return whether the stream needs this observation key."""
  return key != 'reward' and not key.startswith('log/')


@contextlib.contextmanager
def _part(path):
  path = pathlib.Path(path)
  if not path.parent.is_dir():
    raise UserError(
        f'{path}: the folder {path.parent} does not exist; create it first')
  with atomic.write(path) as part:
    yield part


@contextlib.contextmanager
def _writing(path, part):
  with _told(path):
    hdf5.begin(part)
  with hdf5.writing(part) as file:
    yield file


@contextlib.contextmanager
def _told(path):
  try:
    yield
  except OSError as e:
    raise UserError(f'{path}: cannot be written ({e.strerror or e})') from e


def _fill(file, path, trajectories, attrs, spec=None):
  # `spec` is that of the trajectories that are there, if any.
  if not spec:
    attrs = {
        'format': FORMAT, 'version': VERSION,
        **{k: '' for k in ROOT_ATTRS}, **attrs}
  for key, value in attrs.items():
    plain = isinstance(value, (str, int, float))
    text = value if plain else json.dumps(value, default=np.ndarray.tolist)
    _describe(file, key, text, path)
  root = file.require_group('trajectories')
  before = count = len(root)
  for count, traj in enumerate(trajectories, before + 1):
    place = f'{path}: trajectory {count - 1}'
    info = traj.get('attrs', {})
    data = {k: np.asarray(v) for k, v in traj.items() if k != 'attrs'}
    data = {k: v.astype(bool) if k in FLAGS else v for k, v in data.items()}
    _check_arrays(place, data)
    current = {k: (v.dtype, v.shape[1:]) for k, v in data.items()}
    spec = spec or current
    if current != spec:
      raise UserError(f'{place}: has {current}, the first one has {spec}')
    with _told(path):
      hdf5.reserve(file, data.values())
      _add(root.create_group(f'{count - 1:05}'), data, info, place)
  if count == before:
    raise UserError(f'{path}: there are no trajectories to write')
  return count


def _describe(target, key, value, place):
  try:
    target.attrs[key] = value
  except (OSError, RuntimeError, TypeError, ValueError) as e:
    raise UserError(
        f'{place}: the attribute {key} cannot be written ({e}); HDF5 takes '
        'numbers, and text without zeros in it') from e


def _add(group, data, info, place):
  for key, value in data.items():
    size = value.nbytes // len(value)
    steps = CHUNK if size > SMALL else max(CHUNK, LONG // max(size, 1))
    group.create_dataset(
        key, data=value, chunks=(min(steps, len(value)), *value.shape[1:]),
        compression='gzip', compression_opts=4, shuffle=True)
  if 'reward' in data:
    info = {'score': score(*[
        data[k] for k in ('reward', 'is_first', 'is_last')]), **info}
  info = {'score': np.nan, 'source_id': '', **info}
  for key, value in {**info, 'length': len(data['is_first'])}.items():
    _describe(group, key, value, place)


def _check_arrays(place, data):
  for key in FLAGS:
    if key not in data:
      raise UserError(f'{place}: the key {key} is missing')
  for key, value in data.items():
    if value.dtype.kind not in 'buif':
      raise UserError(
          f'{place}: {key} has type {value.dtype}, expected numbers or bool')
    if not value.ndim or not len(value):
      raise UserError(f'{place}: {key} is empty')
    if len(value) != len(data['is_first']):
      raise UserError(
          f'{place}: {key} has {len(value)} steps, is_first has '
          f'{len(data["is_first"])}')
  if 'reward' in data and not np.isfinite(data['reward']).all():
    at = int((~np.isfinite(data['reward'])).argmax())
    raise UserError(
        f'{place}: reward at step {at} is {data["reward"][at]}, expected '
        'finite numbers; leave the key out if rewards are unknown')
  bad = _bad_border(data['is_first'], data['is_last'])
  if bad is not None:
    raise UserError(f'{place}: {bad}')


def _bad_border(is_first, is_last):
  # A gap inside a trajectory would look like one move of the game, so every
  # border must have both of its flags.
  wrong = np.flatnonzero(is_first[1:] != is_last[:-1])
  if not len(wrong):
    return None
  at = wrong[0]
  return (
      f'step {at} has is_last {bool(is_last[at])} and step {at + 1} has '
      f'is_first {bool(is_first[at + 1])}, expected both or neither')


def _options(store, task):
  # As flags: also what the task has by itself, as that is not known here.
  made = json.loads(store.attrs['preprocessing'] or 'null')
  if not isinstance(made, dict):
    return made or 'unknown'
  suite = (store.attrs['task'] or task or '').partition('_')[0]
  return shlex.join(
      str(y) for k, v in made.items() if v not in ('', None, [])
      for y in (f'--env.{suite}.{k}', *(v if isinstance(v, list) else [v])))


def _diff_spec(spec, key, space):
  if key not in spec:
    have = ', '.join(k for k in spec if k not in FLAGS)
    return [f'{key}: store has no such key (it has {have}), task wants it']
  dtype, shape = spec[key]
  if (dtype, shape) == (space.dtype, space.shape):
    return []
  return [
      f'{key}: store has {dtype} {shape}, task wants {space.dtype} '
      f'{space.shape}']


def _diff_values(store, obs, acts):
  diffs = []
  ranged = [k for k, v in obs.items() if _ranged(v)] + list(acts)
  spaces = {**obs, **acts}
  for index in range(len(store)):
    data = store.read(index, keys=[*FLAGS, *ranged])
    bad = _bad_border(data['is_first'], data['is_last'])
    if bad:
      diffs.append(f'trajectory {index}: {bad}')
    for key in ranged:
      # The action of a last step is meaningless and may be anything.
      keep = ~data['is_last'] if key in acts else slice(None)
      values, space = data[key][keep], spaces[key]
      # Actions have the upper bound one above the last value.
      high = space.high - int(key in acts and space.discrete)
      diffs += _diff_range(index, key, values, space.low, high)
  return diffs


def _ranged(space):
  if space.dtype == bool:
    return False
  if space.dtype.kind == 'f':
    return True
  info = np.iinfo(space.dtype)
  return (space.low > info.min).any() or (space.high < info.max).any()


def _diff_range(index, key, value, low, high):
  if value.dtype.kind == 'f' and not np.isfinite(value).all():
    return [f'{key}: trajectory {index} has values that are not finite']
  if not ((value < low) | (value > high)).any():
    return []
  return [
      f'{key}: store has values from {value.min()} to {value.max()} in '
      f'trajectory {index}, task wants {np.min(low)} to {np.max(high)}']
