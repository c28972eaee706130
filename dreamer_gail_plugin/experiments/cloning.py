"""Behaviour cloning by upstream's own parts: the anchor by itself.

Upstream's encoder and policy head, of the sizes in the config, learn by
upstream's optimizer to predict the expert's action from one observation. There
is no world model and no play. The policy learns the demonstrations by heart:
parameters with the smallest loss on steps held out, and policies on several
images, play worse in most games (docs/ablations.md).

  python -m dreamer_gail_plugin.experiments.cloning train FLAGS
  python -m dreamer_gail_plugin.experiments.cloning evaluate --logdir LOGDIR

take the flags of dreamer_gail_plugin.main and dreamer_gail_plugin.evaluate,
but for --checkpoint and --disc.
"""

import json
import sys

import dreamerv3.agent
import elements
import embodied.jax
import embodied.jax.nets
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np

from .. import atomic
from .. import build
from .. import configs
from .. import errors
from ..data import store
from ..data import stores
from ..errors import UserError
from ..evaluate import policy as policylib
from ..evaluate import protocol as evaluatelib
from ..evaluate import saved as savedlib
from ..running import checks
from ..running import device
from ..running import provenance
from ..variants import anchor

PROGRAM = ('-m', 'dreamer_gail_plugin.experiments.cloning')
BATCH = 256
UPDATES = 6_000
EVERY = 500  # Updates between lines of the log.
SAVED, LOG = 'cloning.npz', 'cloning.json'


class Model(nj.Module):
  """An anchor policy, its moving average and its optimizer.

  `obs_space` is that of one step, `config` is `config.agent`.
  """

  def __init__(self, obs_space, act_space, config):
    seen = {
        k: v for k, v in obs_space.items() if k not in policylib.STANDARD}
    self.policy = anchor.Anchor(seen, act_space, config, name='policy')
    self.slow = anchor.Anchor(seen, act_space, config, name='slow')
    self.rate = config.gail.anchor_rate
    # Upstream makes its optimizer in a method that reads nothing of the agent.
    make = dreamerv3.agent.Agent._make_opt
    self.opt = embodied.jax.Optimizer(
        [self.policy], make(None, **config.opt), summary_depth=1, name='opt')

  def train(self, obs, acts):
    """Do one update on arrays (N, ...); return its loss."""
    obs, acts = jax.tree.map(lambda x: x[:, None], (obs, acts))
    lossfn = lambda: self.policy.loss(obs, acts).mean()
    loss = self.opt(lossfn)['opt/loss']
    self.slow.follow(self.policy, self.rate)
    return loss


def train(argv):
  """Train with the flags of main and save the last parameters."""
  config = configs.load_config(argv)
  checks.values(config)
  if any(config.agent.gail.expert_weights):
    raise UserError(
        '--agent.gail.expert_weights: cloning draws each step equally often; '
        'leave it out')
  config = device.platform(config)
  logdir = build.make_logdir(config)
  provenance.record(
      logdir, (*PROGRAM, 'train'), argv, config.seed, config.jax.platform)
  config.save(logdir / 'config.yaml')
  device.prepare_jax(config)
  _dtype(config)
  obs_space, act_space = build.spaces(config)
  parts = demonstrations(config, obs_space, act_space)
  fit = _join(parts)
  size = len(jax.tree.leaves(fit)[0])
  print(f'Demonstrations: {size:,} steps, {len(parts)} trajectories')
  env = build.make_raw_env(config, 0)
  env.close()
  mirror = build.make_mirror(config, env)
  model = Model(obs_space, act_space, config.agent, name='cloning')
  rng = np.random.default_rng(config.seed)
  seed = lambda: rng.integers(0, 2 ** 32, 2, np.uint32)
  draw = lambda: sample(rng, fit, mirror)
  params = nj.init(model.train)({}, *draw(), seed=seed())
  update = jax.jit(nj.pure(model.train), donate_argnums=0)
  rows = []
  for count in range(1, UPDATES + 1):
    params, loss = update(params, *draw(), seed=seed())
    if count % EVERY == 0:
      rows.append({'updates': count, 'loss': float(loss)})
      print(json.dumps(rows[-1]), flush=True)
  _save(config, jax.device_get(params), rows)


def sample(rng, fit, mirror=None):
  """Return (obs, acts) of BATCH steps of `fit`, such a pair, by `rng`.

  `mirror`, if there is one, mirrors half of them.
  """
  size = len(jax.tree.leaves(fit)[0])
  index = rng.integers(0, size, BATCH)
  obs, acts = jax.tree.map(lambda x: x[index], fit)
  if mirror:
    mirror(rng, {**obs, **acts})
  return obs, acts


def _save(config, params, rows):
  if not np.isfinite(rows[-1]['loss']):
    raise UserError(
        'Cloning diverged, its loss is not finite: lower --agent.opt.lr')
  logdir = elements.Path(config.logdir)
  text = json.dumps({'batch': BATCH, 'rows': rows}, indent=1)
  with atomic.write(str(logdir / LOG)) as part:
    part.write_text(text)
  params = {k: v for k, v in params.items() if '/slow/' in k}
  with atomic.write(str(logdir / SAVED)) as part, part.open('wb') as file:
    np.savez(file, updates=rows[-1]['updates'], **params)


def demonstrations(config, obs_space, act_space):
  """Return (obs, acts) of every trajectory, dicts of arrays (N, ...).

  The action of an episode's last step is none and is left out. Rewards are
  not read.
  """
  path = build.expert_path(config)
  env = build.make_raw_env(config, 0)
  env.close()
  result = []
  with stores.opened(path) as demos:
    store.validate(demos, obs_space, env.act_space, config.task)
    seen = [k for k in obs_space if k not in policylib.STANDARD]
    for index in range(len(demos)):
      data = demos.read(index, keys=[*store.FLAGS, *seen, *act_space])
      keep = ~data['is_last']
      acts = build.normalize_actions(
          {f'expert/{k}': data[k][keep][None] for k in act_space},
          env.act_space)
      result.append((
          {k: data[k][keep] for k in seen},
          {k: acts[f'expert/{k}'][0] for k in act_space}))
  return result


def _join(parts):
  return jax.tree.map(lambda *xs: np.concatenate(xs), *parts)


def _dtype(config):
  embodied.jax.nets.COMPUTE_DTYPE = getattr(jnp, config.jax.compute_dtype)


class Actor:
  """A cloned policy that acts in several games at once; see evaluate.actors.

  What is drawn in a game depends on its key and time alone.
  """

  imitates = False

  def __init__(self, config, params, greedy):
    self.obs_space, self.act_space = build.spaces(config)
    model = Model(self.obs_space, self.act_space, config.agent, name='cloning')
    self.seen = list(model.policy.enc.obs_space)
    def act(obs):
      dists = model.slow(jax.tree.map(lambda x: x[None], obs), 1)
      choose = lambda x: x.pred() if greedy else x.sample(nj.seed())
      return {k: choose(v)[0] for k, v in dists.items()}
    row = lambda params, obs, key, time: nj.pure(act)(
        params, obs, seed=jax.random.fold_in(key, time))[1]
    self.params = jax.device_put(params)
    self.act = jax.jit(jax.vmap(row, (None, 0, 0, 0)))

  def start(self, rows):
    """Return the carry of so many games: nothing is remembered."""
    return None

  def __call__(self, carry, obs, keys, times):
    """Return the carry and the actions, a dict of arrays (N, ...)."""
    obs = {k: obs[k] for k in self.seen}
    return carry, jax.device_get(self.act(self.params, obs, keys, times))


def evaluate(argv):
  """Evaluate a cloned policy with the flags of evaluate; return the files."""
  args = evaluatelib.parse(argv)
  for flag in ('checkpoint', 'disc'):
    if getattr(args, flag):
      raise UserError(
          f'--{flag}: a cloned policy is saved once and has no discriminator, '
          'leave it out.')
  config = device.platform(savedlib.load_config(args.logdir).update(
      {'jax.platform': args.platform}))
  device.prepare_jax(config)
  _dtype(config)
  path = elements.Path(args.logdir) / SAVED
  try:
    with np.load(str(path)) as file:
      saved = dict(file)
  except (OSError, ValueError) as error:
    raise UserError(
        f'{path}: cannot be read ({type(error).__name__}); is {args.logdir} '
        f'a cloned policy? Train it again.') from None
  updates = int(saved.pop('updates'))
  actors = {
      kind: Actor(config, saved, kind == 'greedy') for kind in args.policy}
  return evaluatelib.judge(
      config, actors, updates, evaluatelib.expert_score(config), args,
      provenance.command(argv, (*PROGRAM, 'evaluate')))


def main(argv=None):
  """Do what the first word says."""
  commands = {'train': train, 'evaluate': evaluate}
  word, *argv = (sys.argv[1:] if argv is None else argv) or ['nothing']
  if word not in commands:
    raise UserError(f'{word}: expected one of {", ".join(commands)}')
  commands[word](argv)


if __name__ == '__main__':
  from .cloning import main
  errors.run(main)
