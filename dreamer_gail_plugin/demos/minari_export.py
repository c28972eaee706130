"""Writes a store as a Minari dataset, without loss.

Every episode becomes one of Minari's, with uncompressed arrays and no JPEG.
Minari has no place for attributes, nor for the reward and the action at the
ends of a cut episode. They go into two small stores beside its own file, which
Minari ignores. `demos minari` makes the same store again with them.

examples:
  dreamer-gail demos minari_export --source mine.h5 --out mine-v0
  dreamer-gail demos minari_export --source mine.h5 --out new-v0 \\
      --id walk/human-v0
"""

import os
import shutil

import numpy as np
import tqdm
from gymnasium import spaces as gym_spaces

from .. import arguments
from ..data import store
from ..errors import UserError
from . import tasks
from .importers import minari as importer
from .importers import minari_sidecar


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--source', required=True, help='the .h5 file to export')
  add('--out', required=True, type=arguments.out_folder,
      help='folder to make, as in ~/.minari/datasets/mine-v0')
  add('--id', help='id of the dataset (the name of the folder)')


def run(args):
  """Export the store to the folder `args.out`, which must not exist."""
  # Minari joins its own folders to the path, and fails on relative ones.
  out = args.out.absolute()
  name = args.id or out.name
  if out.exists():
    raise UserError(f'--out {out}: exists; choose another name')
  if not out.parent.is_dir():
    raise UserError(f'--out {out}: there is no folder {out.parent}; make it')
  _check_id(name)
  part = out.with_name(f'.{out.name}.{os.getpid()}.part')
  try:
    part.mkdir()
    with store.Store(args.source) as demos:
      count, steps = export(demos, part / 'data', name)
    part.rename(out)
  finally:
    shutil.rmtree(part, ignore_errors=True)
  print(f'{out}: {count} episodes, {steps:,} steps, as {name}')


def export(demos, folder, name):
  """Write an open store into a new folder; return episodes and steps."""
  from minari.data_collector import EpisodeBuffer
  from minari.dataset.minari_storage import MinariStorage
  obs_keys, act_keys = split_keys(demos)
  obs_space, act_space = spaces(demos, obs_keys, act_keys)
  folder.mkdir()
  storage = MinariStorage.new(
      folder, obs_space, act_space, data_format='hdf5', jpeg_encoding=False)
  storage.update_metadata({
      'dataset_id': name, 'minari_version': importer.library().__version__,
      'description': ' '.join(
          demos.attrs[k] for k in ('task', 'source', 'licence'))})
  single, total, count = [], 0, 0
  for index in tqdm.trange(len(demos), desc='write', unit=' trajectories'):
    data = demos.read(index)
    for start, stop in minari_sidecar.segments(data):
      part = {k: v[start: stop] for k, v in data.items()}
      if stop - start == 1:
        single.append({
            k: v for k, v in part.items() if k not in act_keys})
        continue
      storage.update_episodes([EpisodeBuffer(
          observations=_nest(part, obs_keys),
          actions=_nest({k: part[k][:-1] for k in act_keys}, act_keys),
          **_ends(part))])
      count, total = count + 1, total + stop - start - 1
  if not count:
    raise UserError(
        f'{demos.path}: has no episode of two steps or more, so nothing that '
        'Minari could hold')
  minari_sidecar.write(demos, folder, [obs_keys, act_keys], single)
  return count, total


def split_keys(demos):
  """Return the observation keys and the action keys of a store.

  Actions are `action` and `action_NAME` in all tasks. Raises UserError if
  either are missing, or for a type that no Gymnasium space has.
  """
  rest = [k for k in demos.keys if k not in (*store.FLAGS, 'reward')]
  acts = [k for k in rest if k == 'action' or k.startswith('action_')]
  obs = [k for k in rest if k not in acts]
  if not obs or not acts:
    raise UserError(
        f'{demos.path}: has the keys {", ".join(rest)}; expected observations '
        'and at least one key action or action_NAME')
  for key in rest:
    if demos.spec[key][0].kind == 'b':
      raise UserError(
          f'{demos.path}: {key} is bool, for which Minari has no space')
  return obs, acts


def spaces(demos, obs_keys, act_keys):
  """Return the Gymnasium spaces of a store's observations and actions.

  Bounds of actions are those of the task, where it can be made.
  """
  known = {
      k: v for k, v in _task_spaces(demos.attrs['task']).items()
      if k in demos.keys and _same_kind(v, *demos.spec[k])}
  # Choices stay such, or they would come back as numbers.
  chosen = [k for k in obs_keys if k in known and known[k].discrete
            and demos.spec[k][0] == np.int32]
  obs = {
      k: _action(demos, k, known[k]) if k in chosen else _box(*demos.spec[k])
      for k in obs_keys}
  acts = {k: _action(demos, k, known.get(k)) for k in act_keys}
  single = lambda x: x if len(x) > 1 else next(iter(x.values()))
  join = lambda x: gym_spaces.Dict(x) if isinstance(x, dict) else x
  return join(single(obs)), join(single(acts))


def _same_kind(space, dtype, shape):
  return space.discrete == (dtype.kind != 'f') and space.shape == shape


def _task_spaces(task):
  try:
    env = tasks.make_env(tasks.of_file(task), 0)
  except UserError:
    return {}
  spaces = {**env.obs_space, **env.act_space}
  env.close()
  return spaces


def _box(dtype, shape):
  if dtype.kind == 'f':
    return gym_spaces.Box(-np.inf, np.inf, shape, dtype.type)
  info = np.iinfo(dtype)
  return gym_spaces.Box(info.min, info.max, shape, dtype.type)


def _action(demos, key, space):
  dtype, shape = demos.spec[key]
  if dtype.kind == 'f':
    if space is None:
      return _box(dtype, shape)
    return gym_spaces.Box(
        space.low.astype(dtype), space.high.astype(dtype), shape, dtype.type)
  if space is None:
    values = [demos.read(i, keys=[key])[key] for i in range(len(demos))]
    low, high = min(x.min() for x in values), max(x.max() for x in values)
    if not 0 <= low <= high < 2 ** 31:
      raise UserError(
          f'{demos.path}: {key} has values from {low} to {high}, expected '
          'numbers of actions, from 0 on')
    classes = int(high) + 1
  else:
    classes = int(np.max(space.classes))
  if shape == ():
    return gym_spaces.Discrete(classes)
  return gym_spaces.MultiDiscrete(np.full(shape, classes))


def _ends(part):
  # Of one episode with T + 1 steps.
  count = len(part['is_first']) - 1
  last = np.arange(count) == count - 1
  terminal = last & bool(part['is_terminal'][-1])
  unknown = np.full(count + 1, np.nan)
  return {
      'rewards': part.get('reward', unknown)[1:].astype(np.float64),
      'terminations': terminal, 'truncations': last & ~terminal}


def _nest(arrays, keys):
  return {k: arrays[k] for k in keys} if len(keys) > 1 else arrays[keys[0]]


def _check_id(name):
  importer.library()
  from minari.dataset.minari_dataset import parse_dataset_id
  try:
    parse_dataset_id(name)
  except (ValueError, TypeError) as e:  # The latter without a version.
    raise UserError(
        f'--id {name}: expected an id of Minari, as in mine-v0 or '
        'seaquest/mine-v0') from e
