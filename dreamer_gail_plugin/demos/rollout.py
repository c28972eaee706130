"""Records a trained agent: its latest checkpoint plays, as an expert.

The environment has the settings of the agent's run. Checkpoints are pickled:
use those of people you trust.
"""

import pathlib

import numpy as np
import tqdm

from ..data import record
from ..data import store
from ..envs import common as envs_common
from . import flags
from . import tasks


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--from', dest='logdir', required=True, help='logdir of the run')
  flags.add_output(add)
  add('--greedy', action='store_true',
      help='take the likeliest action instead of drawing one')
  add('--trajectories', type=int, default=10)
  add('--length', type=int, default=1024, help='steps of a trajectory')
  add('--limit', type=int, default=0,
      help='end games after so many steps; 0 for never')
  add('--seed', type=int, default=0)
  add('--licence', default='', help='what the data may be used for')


def run(args):
  """Record the agent and write the store to `args.out`.

  Raises UserError if the run has no checkpoint or it does not fit.
  """
  # Here, as no other part of the demonstrations needs the agent.
  from .. import build
  from ..evaluate import policy
  from ..running import device
  out = flags.output(args)
  flags.at_least_one(args, 'trajectories', 'length')
  flags.not_negative(args, 'seed', 'limit')
  config = device.platform(policy.load_config(args.logdir))
  actor = policy.load_actor(config, args.logdir, args.greedy)
  suite = tasks.split(config.task)[0]
  make_env = lambda seed: build.make_raw_env(config.update(seed=seed), 0)
  env = make_env(0)
  meanings = list(getattr(env, 'action_meanings', []))
  env.close()
  found = list(tqdm.tqdm(
      record.record(
          make_env, lambda env, seed: Player(actor, env.act_space, seed),
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


class Player:
  """An actor in one environment, as a policy for `record`.

  It is reset at the start of every episode, with a seed of its own.
  """

  def __init__(self, actor, act_space, seed):
    self.actor = actor
    self.spaces = {k: v for k, v in act_space.items() if k != 'reset'}
    self.seed = seed
    self.episode = 0

  def __call__(self, obs):
    """Return the actions, in the environment's units."""
    if obs['is_first']:
      self.carry, self.time = self.actor.start(1), 0
      words = np.random.SeedSequence([self.seed, self.episode])
      self.key = words.generate_state(2)[None]
      self.episode += 1
    rows = {
        k: np.asarray(v)[None] for k, v in obs.items()
        if not k.startswith('log/')}
    self.carry, acts = self.actor(
        self.carry, rows, self.key, np.full(1, self.time, np.uint32))
    self.time += 1
    return {
        k: envs_common.restore(acts[k][0], v)
        for k, v in self.spaces.items()}
