"""Records a trained agent as an expert, by the latest checkpoint of its run.

The environment has the settings of the run.

examples:
  dreamer-gail demos rollout --from ~/logdir/breakout --out breakout.h5
  dreamer-gail demos rollout --from ~/logdir/breakout --greedy --limit 300 \\
      --out breakout.h5
"""

import pathlib

import tqdm

from .. import arguments
from ..data import record
from ..data import store
from . import flags
from . import tasks


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--from', dest='logdir', required=True, help='logdir of the run')
  flags.add_output(add)
  add('--greedy', action='store_true',
      help='take the likeliest action instead of drawing one')
  add('--trajectories', type=arguments.natural, default=10,
      help='how many')
  add('--length', type=arguments.natural, default=1024,
      help='steps of a trajectory')
  add('--limit', type=arguments.count, default=0,
      help='end games after so many steps; 0 for never')
  add('--seed', type=arguments.count, default=0,
      help='of the games and of the agent')
  add('--licence', default='', help='what the data may be used for')


def run(args):
  """Record the agent and write the store to `args.out`.

  Raises UserError if the run has no checkpoint or it does not fit.
  """
  # Here, as no other part of the demonstrations needs the agent.
  from .. import build
  from ..evaluate import actors
  from ..evaluate import saved
  out = flags.output(args)
  played = saved.Run(args.logdir)
  config, actor = played.config, played.actor(args.greedy)
  suite = tasks.split(config.task)[0]
  make_env = lambda seed: build.make_raw_env(config.update(seed=seed), 0)
  env = make_env(0)
  meanings = list(getattr(env, 'action_meanings', []))
  env.close()
  found = list(tqdm.tqdm(
      record.record(
          make_env,
          lambda env, seed: actors.Player(actor, env.act_space, seed),
          args.trajectories, args.length, args.seed, args.limit),
      config.task, args.trajectories, unit='trajectory'))
  attrs = {
      'task': config.task, 'licence': args.licence,
      'source': f'agent of the run {pathlib.Path(args.logdir).name}',
      'preprocessing': dict(config.env.get(suite, {})),
      'action_meanings': meanings, 'seed': args.seed,
      'greedy': args.greedy, **record.summary(found)}
  store.write(out, found, attrs)
  print(
      f'{out}: {len(found)} trajectories of {args.length} steps, score '
      f'{attrs["mean_score"]:.2f} (sd {attrs["score_sd"]:.2f}), '
      f'{attrs["episodes"]} complete episodes')
