"""Imports the npz of Stable-Baselines' `generate_expert_traj`.

Stable-Baselines 2 writes it, and many programs for Stable-Baselines3 do so
too. The observation after the last action of an episode is not in it.

examples:
  dreamer-gail demos stable_baselines --source expert.npz \\
      --task gym_CartPole-v1 --out mine.h5
  dreamer-gail demos stable_baselines --source expert.npz \\
      --task gym_Pendulum-v1 --best 5 --out mine.h5
"""

import numpy as np

from ...data import npz
from ...errors import UserError
from . import episodes
from . import simple

KEYS = ('obs', 'actions', 'rewards', 'episode_starts')


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  simple.add_arguments(parser, 'the npz')


def run(args):
  """Import the episodes and write the store to `args.out`."""
  simple.run(args, read)


def read(path, task):
  """Yield the Episodes of an npz: row t is what was seen and done at once.

  An end is `done` of Gym before 0.26, so whether it is a cut is not known.
  """
  with npz.Npz(path, str(path)) as data:
    _refuse_others(path, data)
    arrays = {k: data.read(k) for k in KEYS}
  simple.steps(path, arrays)
  starts = simple.flag(arrays['episode_starts'], f'{path}: episode_starts')
  if not starts[0]:
    raise UserError(
        f'{path}: episode_starts is False at the first step, expected True')
  ends = np.append(starts[1:], True)
  yield from simple.split(episodes.Episode(
      str(path), simple.fit(arrays['obs'], task.obs_space),
      simple.fit(arrays['actions'], task.act_space),
      simple.single(arrays['rewards'], f'{path}: rewards'), ends, None), ends)


def _refuse_others(path, data):
  if 'acts' in data:
    raise UserError(
        f'{path}: has the keys of the library imitation; use '
        '`demos imitation`')
  if 'obs' in data and data.spec('obs')[0].kind in 'US':
    raise UserError(
        f'{path}: obs has names of image files. They are JPEGs, by which a '
        'discriminator would tell the expert. Call generate_expert_traj '
        'without save_path, and save the dict it returns by numpy.savez')
  if 'obs' in data and 'episode_starts' not in data:
    raise UserError(
        f'{path}: episode_starts is missing, so where episodes part is not '
        'known; save it, too: True at the first step of each')
