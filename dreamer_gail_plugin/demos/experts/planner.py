"""Records a scripted expert, or random play, in any environment.

The experts plan ahead in copies of the simulator or follow rules on its
state, so they exist for some tasks only. They make the bundled
demonstrations, see docs/demonstrations_bundled.md.
"""

import functools
import os
import pathlib

import numpy as np
import ruamel.yaml
import tqdm

from ... import envs
from ... import upstream
from ...data import recipe
from ...data import record
from ...data import store
from ...errors import UserError
from ..importers import common
from . import asterix
from . import atari_player
from . import breakout
from . import classic
from . import crafter_player
from . import freeway
from . import seaquest
from . import space_invaders

PLANNERS = {
    'atari_alien': atari_player.AtariPlayer,
    'atari_freeway': atari_player.Freeway,
    'atari_seaquest': atari_player.Seaquest,
    'crafter_reward': crafter_player.CrafterPlayer,
    'gym_CartPole-v1': classic.CartPole,
    'gym_MountainCar-v0': classic.MountainCar,
    'minatar_asterix': asterix.Asterix,
    'minatar_breakout': breakout.Breakout,
    'minatar_freeway': freeway.Freeway,
    'minatar_seaquest': seaquest.Seaquest,
    'minatar_space_invaders': space_invaders.SpaceInvaders,
}


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  parser.add_argument('--task', required=True, help='as in minatar_breakout')
  parser.add_argument(
      '--out', required=True, help='the .h5 file to write, or the .json file '
      'of a recipe: seeds and actions only')
  parser.add_argument(
      '--overwrite', action='store_true', help='replace it if it exists')
  parser.add_argument(
      '--policy', choices=('planner', 'random'), default='planner',
      help='planner plays well, random is for the null control')
  parser.add_argument('--trajectories', type=int, default=10)
  parser.add_argument(
      '--length', type=int, default=1024, help='steps of a trajectory')
  parser.add_argument(
      '--limit', type=int, default=0,
      help='end games after so many steps, as an expert who never loses '
      'shows little of how games start; 0 for never')
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument(
      '--workers', type=int, default=os.cpu_count(),
      help='processes; the result does not depend on it')


def run(args):
  """Record the demonstrations and write the store to `args.out`.

  Raises UserError for an unknown task, one without a planner, or numbers and
  files that cannot be.
  """
  common.at_least_one(args, 'trajectories', 'length', 'workers')
  common.not_negative(args, 'seed', 'limit')
  # Known before minutes of planning.
  out = common.output(args)
  if out.suffix == '.json':
    recipe.suited(out, args.task)
  env = make_env(args.task, args.seed)
  env.close()
  found = list(tqdm.tqdm(
      record.record(
          functools.partial(make_env, args.task),
          make_policy(args.task, args.policy), args.trajectories,
          args.length, args.seed, args.limit,
          min(args.workers, args.trajectories)),
      args.task, args.trajectories, unit='trajectory'))
  attrs = {
      'task': args.task,
      'source': f'{args.policy} policy of dreamer_gail_plugin.demos planner',
      'licence': 'MIT' if args.task.startswith(('minatar_', 'gym_')) else '',
      'preprocessing': options(args.task),
      'action_meanings': getattr(env, 'action_meanings', []),
      'seed': args.seed,
      'command': command(args),
      **summary(found),
  }
  if out.suffix == '.json':
    recipe.save(out, found, {**attrs, 'limit': args.limit})
  else:
    store.write(out, found, attrs)
  print(f'{out}: {len(found)} trajectories of {args.length} steps,', end=' ')
  print(
      f'score {attrs["mean_score"]:.2f} (sd {attrs["score_sd"]:.2f}), '
      f'{attrs["episodes"]} complete episodes')


def make_env(task, seed):
  """Return the environment of a task with the options of configs.yaml."""
  suite, name = split(task)
  return envs.make(suite, name, **options(task), seed=seed)


def make_policy(task, policy):
  """Return the constructor, a function of (env, seed), of a policy."""
  if policy == 'random':
    return record.Random
  if task not in PLANNERS:
    raise UserError(
        f'There is no planner for the task {task}, only for '
        f'{", ".join(PLANNERS)}. Choose one of them or --policy random.')
  return PLANNERS[task]


def of_file(task):
  """Return the task that a file names.

  Raises UserError for one that would import a module by its name, which the
  user has to ask for.
  """
  if ':' in task:
    raise UserError(
        f'{task!r:.100}: a file must not name a module to import; if you '
        'trust it, name the task by --task')
  return task


def options(task):
  """Return the options that configs.yaml gives the suite of a task."""
  text = upstream.resource('configs.yaml').read_text()
  config = ruamel.yaml.YAML(typ='safe').load(text)
  return dict(config['defaults']['env'].get(split(task)[0], {}))


def split(task):
  """Return suite and name of a task such as minatar_breakout."""
  suite, _, name = task.partition('_')
  if not name:
    raise UserError(
        f'--task {task}: expected SUITE_NAME, such as minatar_breakout')
  return suite, name


def summary(trajectories):
  """Return mean and sd over trajectories of their scores, and the number of
  complete episodes, as attributes of a store."""
  scores = [
      store.score(x['reward'], x['is_first'], x['is_last'])
      for x in trajectories]
  return {
      'mean_score': float(np.mean(scores)),
      'score_sd': float(np.std(scores)),
      'episodes': int(sum(x['is_last'].sum() for x in trajectories)),
  }


def command(args):
  """Return the command that makes the same store."""
  return (
      f'python -m dreamer_gail_plugin.demos planner --task {args.task} '
      f'--policy {args.policy} --trajectories {args.trajectories} '
      f'--length {args.length} --limit {args.limit} --seed {args.seed} '
      f'--out {pathlib.Path(args.out).name}')
