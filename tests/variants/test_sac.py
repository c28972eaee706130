"""The actor that knows the values of all choices."""

import types

import embodied.jax
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import optax
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.variants import sac
from helpers import agents
from helpers import toyenv
from helpers.refusals import refused

SEED = np.array([1, 2], np.uint32)
# A latent MDP: in states 0 to 2 action 0 ends it for 0.5, action 1 goes on to
# a state that pays 2, action 2 stays. State 4 is the end.
END, HEAT, GAMMA, SCALE = 4, 0.03, 0.9, 2.0
NEXT = np.array([[4, 1, 0], [4, 2, 1], [4, 3, 2], [4, 4, 4], [4, 4, 4]])
REWARD = np.array([[.5, 0, 0], [.5, 0, 0], [.5, 0, 0], [2, 2, 2], [0, 0, 0]])


def optimum():
  """Return the values of the soft optimum, by iteration, and its policy."""
  heat, values = HEAT * SCALE, np.zeros(REWARD.shape)
  for _ in range(500):
    soft = heat * np.log(np.exp(values / heat).sum(-1))
    values = REWARD + GAMMA * (NEXT != END) * soft[NEXT]
  policy = np.exp(values / heat)
  return values, policy / policy.sum(-1, keepdims=True)


class Table(nj.Module):
  """Numbers of all actions by state, as a policy or as values."""

  def __init__(self, kind):
    self.kind = kind

  def __call__(self, x, bdims):
    out = x @ self.value('table', jnp.zeros, REWARD.shape)
    if self.kind == 'policy':
      return {'action': embodied.jax.outs.Categorical(out)}
    return embodied.jax.outs.Agg(embodied.jax.outs.MSE(out), 1)


def toy(**given):
  """Return an agent of tables whose latents are states, one-hot."""
  namespace = types.SimpleNamespace
  agent = object.__new__(sac.SoftActorCritic)
  slow = lambda kind, name, source: embodied.jax.SlowModel(
      Table(kind, name=name), source=source, rate=0.2)
  twins = [Table('values', name=f'qval{i}') for i in range(2)]
  pol = Table('policy', name='pol')
  vars(agent).update(
      key='action', feat2tensor=lambda feat: feat, rewfn=lambda x: x,
      disc=lambda x: x, pol=pol, slowpol=slow('policy', 'slowpol', pol),
      qval=twins, slowqval=[
          slow('values', f'slowqval{i}', x) for i, x in enumerate(twins)],
      con=lambda x, _: namespace(prob=lambda _: 1 - x[..., END]),
      retnorm=namespace(stats=lambda: (0.0, SCALE)),
      config=namespace(
          contdisc=False, horizon=1 / (1 - GAMMA),
          imag_loss=namespace(actent=HEAT)),
      gail=namespace(sac=namespace(
          **{'clip': 0.5, 'entropy_penalty': 0.5, **given})))
  return agent


def make(agent):
  """Return functions of the tables, and these as they are at first.

  The losses of every action in every state, and what the copies follow to.
  """
  state, act = map(jnp.array, np.indices((END, 3)).reshape(2, -1))
  feat = jax.nn.one_hot(
      jnp.stack([state, jnp.array(NEXT)[state, act]], 1), END + 1)
  imag = types.SimpleNamespace(
      feat=feat, act={'action': jnp.stack([act, act], 1)})
  inputs = {'imag': (jnp.array(REWARD, jnp.float32)[state, act][:, None],)}
  obs = {'is_first': jnp.zeros((len(act), 1), bool)}
  losses = nj.pure(lambda: agent._variant_losses(obs, imag, inputs))
  follow = nj.pure(lambda: [
      x.update() for x in (*agent.slowqval, agent.slowpol)])
  params = nj.init(losses)({}, seed=SEED)
  params = nj.init(follow)(params, seed=SEED)
  # Twins that are equal would not show what becomes of their difference.
  params['qval1/table'] += 1.0
  return (
      lambda params: losses(params, seed=SEED)[1],
      lambda params: follow(params, seed=SEED)[0], params)


def learn(agent, updates):
  """Return the tables after so many updates."""
  losses, follow, params = make(agent)
  opt = optax.adam(0.03)
  moved = lambda params: {
      k: v for k, v in params.items() if k.startswith(('pol', 'qval'))}
  def loss(moved, params):
    return sum(x.mean() for x in losses({**params, **moved}).values())
  def step(carry, _):
    params, state = carry
    grads = jax.grad(loss)(moved(params), params)
    updates, state = opt.update(grads, state)
    params = {**params, **optax.apply_updates(moved(params), updates)}
    return (follow(params), state), None
  run = jax.jit(lambda carry: jax.lax.scan(step, carry, None, updates)[0])
  return jax.device_get(run((params, opt.init(moved(params))))[0])


class TestLatentMDP:

  def test_it_finds_the_soft_optimum(self):
    params = learn(toy(), 3000)
    values, policy = optimum()
    assert policy[0, 1] > 0.9  # To wait for the larger reward.
    for i in range(2):
      np.testing.assert_allclose(
          params[f'qval{i}/table'][:END], values[:END], atol=0.02)
    found = jax.nn.softmax(params['pol/table'])
    np.testing.assert_allclose(found[:END], policy[:END], atol=0.02)

  @pytest.mark.parametrize('key, want', [
      ('policy', {'pol'}), ('qval', {'qval0', 'qval1'})])
  def test_gradients_stay_home(self, key, want):
    losses, _, params = make(toy())
    rng = np.random.default_rng(0)
    floats = {
        k: jnp.array(rng.normal(size=v.shape), jnp.float32)
        for k, v in params.items() if k.endswith('/table')}
    grads = jax.grad(lambda x: losses({**params, **x})[key].mean())(floats)
    assert {k[:-6] for k, v in grads.items() if v.any()} == want

  def test_the_penalty_slows_the_policy(self):
    free, held = [
        np.ptp(learn(toy(entropy_penalty=x), 30)['pol/table'])
        for x in (0.0, 100.0)]
    assert held < 0.7 * free


class TestLosses:

  def test_target_is_exact(self):
    logp = np.log([[[0.2, 0.8]]])
    values = jnp.array([[[1.0, 3.0]]])
    want = 0.5 + 0.9 * (
        0.2 * (1 - 0.1 * np.log(0.2)) + 0.8 * (3 - 0.1 * np.log(0.8)))
    found = sac.targets(
        jnp.array([[0.5]]), jnp.array([[0.9]]), values, logp, 0.1)
    np.testing.assert_allclose(found, [[want]], rtol=1e-6)

  @pytest.mark.parametrize('value, target, want', [
      (0.3, 9.0, 2 * (0.3 - 9)),  # Within the clip of its slow copy, 0.
      (0.7, 9.0, 0.0),  # Beyond it, on the way out.
      (0.7, 0.0, 2 * 0.7), (-0.7, -9.0, 0.0), (-0.7, 0.1, -2 * 0.8)])
  def test_clip(self, value, target, want):
    def loss(x):
      values = jnp.array([[[5.0, 0.0]]]).at[0, 0, 1].set(x)
      return sac.value_loss(
          embodied.jax.outs.Agg(embodied.jax.outs.MSE(values), 1),
          jnp.zeros((1, 1, 2)), jnp.array([[1]]), jnp.array([[target]]),
          0.5).sum()
    assert float(jax.grad(loss)(value)) == pytest.approx(want)

  def test_gradient_of_the_policy_is_that_of_finite_differences(self):
    rng = np.random.default_rng(0)
    values, slow = rng.normal(size=(2, 1, 1, 3))
    def loss(logits):
      return sac.policy_loss(
          jax.nn.log_softmax(logits), values, jax.nn.log_softmax(slow),
          0.3, 0.5).sum()
    logits = jnp.array(rng.normal(size=(1, 1, 3)), jnp.float32)
    jax.test_util.check_grads(loss, (logits,), 1, ['rev'], eps=1e-2)


FLAGS = dict(
    agent__gail__actor='sac', agent__value__outscale=1.0,
    agent__policy__outscale=1.0)


class TestAgent:

  @pytest.mark.slow
  def test_trains_and_copies_follow(self):
    agent = agents.make(**FLAGS)
    after, metrics = agents.train(
        agent, [agents.batch(agent, seed=i) for i in range(2)])
    assert all(np.isfinite(x).all() for x in metrics[1].values())
    assert {'pol', 'qval0', 'slowqval1', 'slowpol', 'disc'} <= agents.moved(
        agent, after)

  def test_needs_one_choice(self):
    with pytest.raises(UserError, match='one choice'):
      agents.outer(agents.config(task=toyenv.TASK, **FLAGS))


class TestConfig:

  def test_method(self):
    flags = ['--configs', 'minatar', 'vmail', '--agent.gail.actor', 'sac']
    assert configs.method(configs.load_config(flags).flat) == 'vmail_sac'

  def test_goes_without_an_anchor(self):
    with refused('sac', 'anchor'):
      checks.relations(configs.load_config([
          '--configs', 'gail', 'anchor', '--agent.gail.actor', 'sac']))
