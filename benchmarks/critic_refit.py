"""Another critic in the place of the risk critic of a saved agent.

  python benchmarks/critic_refit.py LOGDIR --learns ends --out FILE

The agent plays games, and a network like that of its risk critic learns from
each of their steps what comes in the next `--ahead` ones, the discounted sum:
of `ends`, or of D's rewards (`disc`), less their mean, so that to end is worth
as much as to go on. The agent then plays other games, those of an evaluation,
with a multiple of it taken off the logits of its policy, or added if it is of
rewards. The file has what risk_scale.py has, and how far the critic's values
lie apart over the actions. The score is for this report only.
"""

import argparse
import pathlib
from functools import partial as bind

import jax
import ninjax as nj
import numpy as np
import optax
import risk_scale
import scipy.signal
import tqdm

from dreamer_gail_plugin.evaluate import games
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.evaluate import protocol
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance

ROWS = 64  # Games played side by side.
BATCH, UPDATES, RATE = 256, 1500, 1e-3


def main(args):
  """Play, fit, play again and write the file, new after each scale."""
  config = checks.platform(policylib.load_config(args.logdir))
  checks.prepare_jax(config)
  folder = checkpoint.choose(args.logdir, None, config)
  actor = policylib.load_actor(config, folder)
  obs, acts, target = learnt(args, watch(config, actor, args.games))
  params = fit(actor.model.slowrisk, obs, acts, target)
  spread = deviation(actor.model.slowrisk, params, obs)
  rows = []
  for scale in args.scales:
    actor = policylib.load_actor(
        config.update({'agent.gail.risk': scale}), folder)
    actor.params.update(params)
    rows.append(risk_scale.measure(
        config, actor, args.episodes, scale=scale))
    results.save(args.out, {
        'logdir': args.logdir, 'task': config.task, 'learns': args.learns,
        'ahead': args.ahead, 'discount': args.discount, 'games': args.games,
        'steps': len(target), 'action_sd': spread, 'episodes': args.episodes,
        'rows': rows, 'commit': provenance.commit(),
        'versions': provenance.versions()})


def watch(config, actor, number):
  """Return lists of (obs, act, D's reward), one for each game."""
  found = [[] for _ in range(number)]
  keep = {*actor.model.enc.obs_space, 'is_terminal'}
  def note(game, obs, act, reward):
    own = {k: np.array(obs[k]) for k in keep}
    found[game].append((own, act, act and reward()))
  # Seed 1, as an evaluation has 0.
  games.play(
      actor, bind(games.make_env, config), protocol.seeds(1, 0, number), ROWS,
      watch=note)
  return found


def learnt(args, played):
  """Return observations, actions and targets (N, ...) of all steps.

  Left out are the last steps of games that a time limit ended, of which it is
  not known what would have come.
  """
  steps, values = [], []
  if args.learns == 'disc':
    mean = np.mean([x[2] for game in played for x in game[:-1]])
  for game in played:
    ended = bool(game[-1][0]['is_terminal'])
    if args.learns == 'ends':
      given = np.float64([0] * (len(game) - 2) + [ended])
    else:
      given = mean - np.float64([x[2] for x in game[:-1]])
    known = len(given) if ended else max(0, len(given) - args.ahead)
    steps += game[:known]
    values.append(coming(given, args.ahead, args.discount)[:known])
  stack = lambda n: {
      k: np.stack([x[n][k] for x in steps]) for k in steps[0][n]}
  return stack(0), stack(1), np.float32(np.concatenate(values))


def coming(values, ahead, discount):
  """Return the discounted sums of the next `ahead` of values (T,)."""
  weights = discount ** np.arange(ahead)
  return scipy.signal.lfilter(weights, 1, values[::-1])[::-1]


def fit(critic, obs, acts, target):
  """Return its parameters. Half a batch has targets above the mean."""
  rng, seed = np.random.default_rng(0), jax.random.PRNGKey
  parts = [np.flatnonzero(target > target.mean()), np.arange(len(target))]
  lossfn = lambda *args: critic.loss(*args).mean()
  def draw():
    index = np.concatenate([rng.choice(x, BATCH // 2) for x in parts])
    return jax.tree.map(lambda x: x[index][None], (obs, acts, target))
  params = nj.init(lossfn)({}, *draw(), seed=seed(0))
  opt = optax.adam(optax.cosine_decay_schedule(RATE, UPDATES))
  state = opt.init(params)
  @jax.jit
  def update(params, state, seed, *args):
    loss = lambda params: nj.pure(lossfn)(params, *args, seed=seed)[1]
    grads, state = opt.update(jax.grad(loss)(params), state)
    return optax.apply_updates(params, grads), state
  for number in tqdm.trange(UPDATES, desc='critic', unit='update'):
    params, state = update(params, state, seed(number), *draw())
  return params


def deviation(critic, params, obs):
  """Return the mean deviation of the values over actions, of 1,000 steps."""
  index = np.random.default_rng(0).integers(
      len(obs['is_terminal']), size=1000)
  values = nj.pure(lambda obs: critic(obs, 1))(
      params, {k: v[index] for k, v in obs.items()},
      seed=jax.random.PRNGKey(0))[1]
  return float(np.mean([x.std(-1).mean() for x in values.values()]))


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  add = parser.add_argument
  add('logdir')
  add('--learns', choices=('ends', 'disc'), required=True)
  add('--out', type=pathlib.Path, required=True)
  add('--ahead', type=int, default=10)
  add('--discount', type=float, default=0.8)
  add('--scales', nargs='+', type=float, default=[20])
  add('--games', type=int, default=150)
  add('--episodes', type=int, default=250)
  main(parser.parse_args())
