"""Records a scripted expert, your function or random play as demonstrations.

The experts plan ahead in copies of the simulator or follow rules on its
state, so they exist for some tasks only. They make the bundled
demonstrations, see docs/demonstrations.md. A function of yours can play any
Gymnasium task, see docs/own_environment.md.

examples:
  dreamer-gail demos planner --task minatar_breakout --limit 300 \\
      --out breakout.h5
  dreamer-gail demos planner --task gym_reach:Reach-v0 --policy reach:expert \\
      --out reach.h5

The environment has the settings of flags such as --env.gym.image last, which
training then needs, too.
"""

import functools
import os
import pathlib
import shlex

import tqdm

from ... import arguments
from ... import errors
from ...data import recipe
from ...data import record
from ...data import store
from ...errors import UserError
from .. import flags
from .. import tasks
from . import asterix
from . import atari_player
from . import breakout
from . import classic
from . import crafter_player
from . import freeway
from . import function
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
      '--out', required=True, type=arguments.out_file,
      help='the .h5 file to write, or the .json file of a recipe: seeds and '
      'actions only')
  parser.add_argument(
      '--overwrite', action='store_true', help='replace it if it exists')
  parser.add_argument(
      '--policy', default='planner',
      help='planner plays well, random is for the null control; '
      'MODULE:FUNCTION is yours, from observation to action of a task gym_ID')
  parser.add_argument('--trajectories', type=arguments.natural, default=10,
      help='how many')
  parser.add_argument(
      '--length', type=arguments.natural, default=1024,
      help='steps of a trajectory')
  parser.add_argument(
      '--limit', type=arguments.count, default=0,
      help='end games after so many steps, as an expert who never loses '
      'shows little of how games start; 0 for never')
  parser.add_argument(
      '--seed', type=arguments.count, default=0,
      help='of the games and of the policy')
  parser.add_argument(
      '--workers', type=arguments.natural, default=os.cpu_count(),
      help='processes; the result does not depend on it')
  tasks.add_options(parser)


def run(args):
  """Record the demonstrations and write the store to `args.out`.

  Raises UserError for an unknown task, one without a planner, or numbers and
  files that cannot be.
  """
  # Known before minutes of planning.
  out = flags.output(args)
  if out.suffix == '.json':
    recipe.suited(out, args.task)
  options = tasks.options(args.task, tasks.given(args))
  env = tasks.make_env(args.task, args.seed, **options)
  env.close()
  found = list(tqdm.tqdm(
      record.record(
          functools.partial(tasks.make_env, args.task, **options),
          make_policy(args.task, args.policy), args.trajectories,
          args.length, args.seed, args.limit,
          min(args.workers, args.trajectories)),
      args.task, args.trajectories, unit='trajectory'))
  attrs = {
      'task': args.task,
      'source': f'{args.policy} policy of dreamer_gail_plugin.demos planner',
      'licence': 'MIT' if args.task.startswith(('minatar_', 'gym_')) and (
          ':' not in args.policy) else '',
      'preprocessing': options,
      'action_meanings': getattr(env, 'action_meanings', []),
      'seed': args.seed,
      'command': command(args),
      **record.summary(found),
  }
  texts = getattr(env, 'texts', {})
  if texts:
    attrs['arrays'] = texts
  if out.suffix == '.json':
    recipe.save(out, found, {**attrs, 'limit': args.limit})
  else:
    store.write(out, found, attrs)
  print(f'{out}: {len(found)} trajectories of {args.length} steps,', end=' ')
  print(
      f'score {attrs["mean_score"]:.2f} (sd {attrs["score_sd"]:.2f}), '
      f'{attrs["episodes"]} complete episodes')
  for key, text in texts.items():
    print(f'  {key}: {text}')


def make_policy(task, policy):
  """Return the constructor, a function of (env, seed), of a policy."""
  if ':' in policy and task.startswith('gym_'):
    function.find(policy)  # Not only in the workers.
    return functools.partial(function.Function, policy)
  if policy == 'random':
    return record.Random
  if policy != 'planner':
    raise UserError(
        f'--policy {policy}: no such policy. '
        f'{errors.near(policy, ("planner", "random"))}Expected planner, '
        'random or, for a task gym_ID, MODULE:FUNCTION')
  if task not in PLANNERS:
    raise UserError(
        f'There is no planner for the task {task}, only for '
        f'{", ".join(PLANNERS)}. Choose one of them, --policy random '
        'or, for a task gym_ID, your own --policy MODULE:FUNCTION.')
  return PLANNERS[task]


def command(args):
  """Return the command that makes the same store."""
  options = ''.join(f' {shlex.quote(x)}' for x in tasks.given(args))
  return (
      f'python -m dreamer_gail_plugin.demos planner --task {args.task} '
      f'--policy {args.policy} --trajectories {args.trajectories} '
      f'--length {args.length} --limit {args.limit} --seed {args.seed} '
      f'--out {pathlib.Path(args.out).name}{options}')
