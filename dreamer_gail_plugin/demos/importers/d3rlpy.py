"""Imports an HDF5 file that d3rlpy dumped.

`ReplayBuffer.dump` of d3rlpy 2 and `MDPDataset.dump` of d3rlpy 1. Neither has
the observation after the last action of an episode.

examples:
  dreamer-gail demos d3rlpy --source buffer.h5 --task gym_CartPole-v1 \\
      --out mine.h5
  dreamer-gail demos d3rlpy --source buffer.h5 --task gym_Pendulum-v1 \\
      --best 10 --out mine.h5
"""

import numpy as np
from gymnasium import spaces

from ...data import hdf5
from ...errors import UserError
from . import episodes
from . import simple

LARGEST = 1 << 32  # Bytes of one array.
COUNT = 'num_episodes'


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  simple.add_arguments(parser, 'the .h5 file')


def run(args):
  """Import the episodes and write the store to `args.out`."""
  simple.run(args, read)


def read(path, task):
  """Yield the Episodes of a file."""
  with hdf5.open_file(path, 'a file that d3rlpy dumped') as file:
    get = lambda key: hdf5.read(path, file, key, LARGEST)
    has = lambda key: hdf5.has(path, file, key)
    if has(COUNT):
      count = get(COUNT)
      if count.ndim or count.dtype.kind not in 'iu':
        raise UserError(f'{path}: {COUNT} is {count!r:.50}, expected a number')
      for number in range(count):
        yield _newer(path, get, number, task)
    elif has('terminals'):
      yield from _older(path, get, has, task)
    else:
      raise UserError(
          f'{path}: has neither {COUNT} (d3rlpy 2) nor terminals (d3rlpy 1); '
          'expected what ReplayBuffer.dump or MDPDataset.dump wrote')


def _newer(path, get, number, task):
  place = f'{path}: episode {number}'
  if isinstance(task.obs_space, spaces.Tuple):
    obs = tuple(
        simple.fit(get(f'observations_{number}_{i}'), x)
        for i, x in enumerate(task.obs_space.spaces))
  else:
    obs = simple.fit(get(f'observations_{number}'), task.obs_space)
  arrays = {k: get(f'{k}_{number}') for k in ('actions', 'rewards')}
  steps = simple.steps(place, arrays)
  terminated = get(f'terminated_{number}')
  if terminated.ndim or terminated.dtype != bool:
    raise UserError(
        f'{place}: terminated is {terminated!r:.50}, expected True or False')
  last = np.arange(steps) == steps - 1
  return episodes.Episode(
      place, obs, simple.fit(arrays['actions'], task.act_space),
      simple.single(arrays['rewards'], f'{place}: rewards'),
      last & terminated, last & ~terminated, whole=False)


def _older(path, get, has, task):
  keys = ('observations', 'actions', 'rewards', 'terminals')
  more = ('episode_terminals',) if has('episode_terminals') else ()
  arrays = {k: get(k) for k in (*keys, *more)}
  simple.steps(path, arrays)
  flag = lambda key: simple.flag(arrays[key], f'{path}: {key}')
  terminal = flag('terminals')
  ends = terminal | flag(more[0]) if more else terminal
  yield from simple.split(episodes.Episode(
      str(path), simple.fit(arrays['observations'], task.obs_space),
      simple.fit(arrays['actions'], task.act_space),
      simple.single(arrays['rewards'], f'{path}: rewards'), terminal,
      ends & ~terminal), ends)
