"""Policies that act in several games at once: a saved agent's, random play's.

Only the networks that act are built: no critic, no optimizer, and nothing of
the training is compiled.
"""

import re

import embodied.jax.nets
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np

from .. import build
from .. import pairs
from ..data import record
from ..envs import common as envs_common
from ..errors import UserError


class Actor:
  """The networks of an agent that act, for a batch of games at once.

  A row is a game. Its draws depend on its own key and time, not on the games
  beside it. Only rounding depends on the number of rows.

  Args:
    config: of the run, with platform and dtype settled.
    params: dict of arrays; those that acting needs are kept.
    greedy: take the likeliest action instead of drawing one. The state of the
      world model is drawn in either case.
  """

  def __init__(self, config, params, greedy=False):
    dtype = getattr(jnp, config.jax.compute_dtype)
    embodied.jax.nets.COMPUTE_DTYPE = dtype
    self.model = build.make_model(config)
    self.obs_space = {
        k: v for k, v in self.model.obs_space.items() if k != 'reward'}
    self.act_space, self.greedy = self.model.act_space, greedy
    pattern = re.compile(f'{self.model.policy_keys}|^(con|disc)/')
    self.params = jax.device_put(
        {k: v for k, v in params.items() if pattern.search(k)})
    self._check()
    self._compiled = {}
    # Each game has its own seed, so vmap turns a call per row into one.
    rows = lambda fn: jax.jit(jax.vmap(fn, (None, 0, 0, 0, 0)))
    self._act, self._reward = rows(self._act_row), rows(self._reward_row)

  @property
  def imitates(self):
    """Whether there is a discriminator to ask for rewards."""
    return self.model.imitates

  def start(self, rows):
    """Return the carry of `rows` games; `is_first` resets each of them."""
    zeros = lambda x: jnp.zeros((rows, *x.shape[1:]), x.dtype)
    carry = jax.eval_shape(lambda: nj.pure(self.model.init_policy)(
        {}, 1, seed=jnp.zeros(2, jnp.uint32))[1])
    with jax.transfer_guard('allow'):
      return jax.tree.map(zeros, carry)

  def __call__(self, carry, obs, keys, times):
    """Return the new carry and the actions, a dict of arrays (N, ...).

    Args:
      carry: of the last call, or `start(N)`.
      obs: dict of arrays (N, ...); the reward is not read.
      keys: seeds of the games, (N, 2) uint32.
      times: steps since their starts, (N,) uint32.
    """
    obs = {k: obs[k] for k in self.obs_space}
    carry, acts, finite = self._act(
        self.params, *jax.device_put((carry, obs, keys, times)))
    acts, finite = jax.device_get((acts, finite))
    if not finite.all():
      raise UserError(
          'The agent computes values that are not finite: its training has '
          'diverged, use an earlier checkpoint.')
    return carry, acts

  def rewards(self, carry, acts, keys, times):
    """Return the discriminator's rewards (N,) for the latest actions.

    `keys` and `times` are those of the call that gave `carry` and `acts`.
    """
    return jax.device_get(self._reward(
        self.params, *jax.device_put((carry, acts, keys, times))))

  def call(self, fn, *args):
    """Return fn(*args) with these parameters, as numpy arrays.

    It is compiled once for each function and shapes of arguments.
    """
    if fn not in self._compiled:
      self._compiled[fn] = jax.jit(lambda params, *args: nj.pure(fn)(
          params, *args, seed=jnp.array([0, 1], jnp.uint32))[1])
    return jax.device_get(
        self._compiled[fn](self.params, *jax.device_put(args)))

  def _act_row(self, params, carry, obs, key, time):
    carry, obs = jax.tree.map(lambda x: x[None], (carry, obs))
    seed = jax.random.fold_in(key, time)
    _, (carry, act, finite) = nj.pure(self._policy)(
        params, carry, obs, seed=seed)
    carry, act = jax.tree.map(lambda x: x[0], (carry, act))
    return carry, act, finite

  def _policy(self, carry, obs):
    # Upstream's policy has no greedy mode. Keep its state and take the mode of
    # the distribution that it drew from.
    carry, act, out = self.model.policy(carry, obs, mode='eval')
    if self.greedy:
      dists = self.model.acting(obs)(
          self.model.feat2tensor(carry[1]), bdims=1)
      act = {k: v.pred() for k, v in dists.items()}
      carry = (*carry[:-1], act)
    finite = jnp.array([x.all() for x in jax.tree.leaves(out['finite'])])
    return carry, act, finite.all()

  def _reward_row(self, params, carry, act, key, time):
    carry, act = jax.tree.map(lambda x: x[None], (carry, act))
    def reward():
      model = self.model
      inputs = model.disc.inputs(pairs.shown(model, carry[1]), act)
      return model.rewfn(model.disc(inputs))[0]
    # Other draws than the policy's.
    seed = jax.random.fold_in(jax.random.fold_in(key, time), 1)
    return nj.pure(reward)(params, seed=seed)[1]

  def _check(self):
    zeros = lambda x: jnp.zeros((1, *x.shape), x.dtype)
    def policy():
      obs = {k: zeros(v) for k, v in self.obs_space.items()}
      self.model.policy(self.model.init_policy(1), obs)
    wanted = jax.eval_shape(lambda: nj.pure(policy)(
        {}, seed=jnp.zeros(2, jnp.uint32), create=True)[0])
    wrong = [
        f'{k} {v.shape}, saved '
        f'{self.params[k].shape if k in self.params else "not at all"}'
        for k, v in wanted.items()
        if k not in self.params or self.params[k].shape != v.shape]
    if wrong:
      raise UserError(
          f'{len(wrong)} of {len(wanted)} parameters do not fit the config of '
          f'the run: {"; ".join(wrong[:3])}. Is it the checkpoint of another '
          f'run?')


class RandomActor:
  """Acts uniformly at random, with the interface of an Actor."""

  imitates = False

  def __init__(self, act_space):
    self.act_space = act_space

  def start(self, rows):
    """Return the carry: a generator for each game."""
    return [None] * rows

  def __call__(self, carry, obs, keys, times):
    """Return the carry and the actions; see Actor."""
    for row in np.flatnonzero(obs['is_first']):
      carry[row] = record.Random(self, [int(x) for x in keys[row]])
    drawn = [policy(None) for policy in carry]
    return carry, {
        k: np.stack([x[k] for x in drawn]) for k in self.act_space}


class Player:
  """An actor in one environment, as a policy for `record`.

  It starts anew at the first step of an episode, and each episode has draws
  of its own.

  Args:
    actor: an Actor, or another of its interface.
    act_space: of the environment, in whose units the actions are returned.
    seed: of the draws.
  """

  def __init__(self, actor, act_space, seed=0):
    self.actor, self.seed, self.episode = actor, seed, 0
    self.spaces = {k: v for k, v in act_space.items() if k != 'reset'}

  def __call__(self, obs):
    """Return the actions for an observation, a dict of arrays."""
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
