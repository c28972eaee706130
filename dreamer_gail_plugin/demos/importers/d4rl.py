"""Imports a D4RL dataset, an HDF5 file of many steps end to end.

examples:
  dreamer-gail demos d4rl --source hopper.hdf5 --task gym_Hopper-v5 \\
      --out hopper.h5
  dreamer-gail demos d4rl --source hopper.hdf5 --task gym_Hopper-v5 \\
      --best 10 --out best.h5
"""

import numpy as np

from ...data import hdf5
from ...errors import UserError
from . import episodes
from . import simple

LARGEST = 1 << 32  # Bytes of one array.
KEYS = ('observations', 'actions', 'rewards', 'terminals')
MORE = ('timeouts', 'next_observations')


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  simple.add_arguments(parser, 'the .hdf5 file')


def run(args):
  """Import the episodes and write the store to `args.out`."""
  simple.run(args, read)


def read(path, task):
  """Yield the Episodes of a file.

  Row t has an observation, the action chosen at it and the reward of this
  action. `terminals` are ends of the task and `timeouts` cuts. Where
  `next_observations` are there, episodes are whole, and one is cut where the
  next row goes on elsewhere. Without these and without timeouts the task's
  time limit cuts.
  """
  with hdf5.open_file(path, 'a D4RL dataset') as file:
    arrays = {
        k: hdf5.read(path, file, k, LARGEST)
        for k in (*KEYS, *(x for x in MORE if hdf5.has(path, file, x)))}
  simple.steps(path, arrays)
  flag = lambda key: simple.flag(arrays[key], f'{path}: {key}')
  obs, later = arrays['observations'], arrays.get('next_observations')
  terminal = flag('terminals')
  ends = terminal.copy()
  if 'timeouts' in arrays:
    ends |= flag('timeouts')
  if later is not None:
    ends |= _breaks(path, obs, later)
  elif 'timeouts' not in arrays:
    ends = _limit(path, ends, task.limit)
  fit = lambda value: simple.fit(value, task.obs_space)
  stop = 0
  for episode in simple.split(episodes.Episode(
      str(path), fit(obs), simple.fit(arrays['actions'], task.act_space),
      simple.single(arrays['rewards'], f'{path}: rewards'), terminal,
      ends & ~terminal), ends):
    stop += len(episode.terminated)
    if later is not None:
      last = fit(later[stop - 1: stop])
      episode = episode._replace(whole=True, observations=np.concatenate(
          [episode.observations, last]))
    yield episode


def _breaks(path, obs, later):
  if later.shape != obs.shape:
    raise UserError(
        f'{path}: next_observations {later.shape} do not fit observations '
        f'{obs.shape}')
  other = (later[:-1] != obs[1:]).reshape(len(obs) - 1, -1).any(1)
  return np.append(other, True)


def _limit(path, ends, limit):
  # Steps are counted anew after each end.
  ends, count = ends.copy(), 0
  for index, end in enumerate(ends):
    count += 1
    if end or count == limit:
      ends[index], count = True, 0
  if not ends.any():
    raise UserError(
        f'{path}: has neither terminals nor timeouts, and the task no time '
        'limit, so where episodes part is not known')
  return ends
