"""Imports episodes of a Gymnasium environment, one npz each.

`RecordEpisodes`, in gymnasium_record.py, writes them from any loop. The layout
is in docs/import.md, so that other programs can write them, too.

examples:
  dreamer-gail demos gymnasium --source episodes --task gym_CartPole-v1 \\
      --out mine.h5
  dreamer-gail demos gymnasium --source episodes --task gym_walk:Walk-v0 \\
      --best 5 --out mine.h5
"""

import pathlib

import numpy as np

from ... import atomic
from ...data import npz
from ...errors import UserError
from .. import flags
from . import episodes
from . import simple


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  simple.add_arguments(parser, 'one npz or the folder of some')


def run(args):
  """Import the episodes and write the store to `args.out`."""
  simple.run(args, lambda path, task: (
      read(x, task.obs_space, task.act_space) for x in find(path)))


def find(path):
  """Return the npz files of a folder, by name, or the one given."""
  files = sorted(path.glob('*.npz')) if path.is_dir() else [path]
  if not files:
    raise UserError(
        f'--source {path}: has no .npz files; it has {flags.listing(path)}')
  return files


def read(path, obs_space, act_space):
  """Return the Episode in a file; raises UserError if it is not whole."""
  with npz.Npz(path, str(path)) as data:
    return episodes.Episode(
        str(path), episodes.read(obs_space, 'observations', data.read),
        episodes.read(act_space, 'actions', data.read),
        data.read('rewards'), data.read('terminations', 'b'),
        data.read('truncations', 'b'))


def save(path, observations, actions, rewards, terminated, truncated):
  """Write an episode so that `read` gives it back.

  `observations` and `actions` are lists of what the environment gave and
  took, T + 1 and T of them; the others have T values.
  """
  path = pathlib.Path(path)
  arrays = {
      **_flat('observations', observations), **_flat('actions', actions),
      'rewards': np.asarray(rewards, np.float64),
      'terminations': np.asarray(terminated, bool),
      'truncations': np.asarray(truncated, bool)}
  with atomic.write(path) as part, part.open('wb') as file:
    np.savez_compressed(file, **arrays)


def _flat(name, values):
  first = values[0]
  if isinstance(first, dict):
    keys = first.keys()
  elif isinstance(first, tuple):
    keys = range(len(first))
  else:
    return {name: np.stack([np.asarray(x) for x in values])}
  parts = [_flat(f'{name}/{k}', [x[k] for x in values]) for k in keys]
  return {k: v for part in parts for k, v in part.items()}
