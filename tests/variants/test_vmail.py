"""The actor that learns by D's gradient through the dynamics."""

import types

import elements
import embodied.jax
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin import discriminator
from dreamer_gail_plugin import worldmodel
from dreamer_gail_plugin.variants import vmail
from helpers import agents
from helpers import toyenv

SEED = np.array([1, 2], np.uint32)
SPACE = {'action': elements.Space(np.int32, (), 0, 2)}
HORIZON, SHIFT = 3, np.array([[0.5, -1.0], [2.0, 0.3]], np.float32)
CON, LAM, SCALE = 0.8, 0.9, 2.0


class Policy(nj.Module):
  """Two actions, the same whatever the state."""

  def __call__(self, x, bdims):
    logits = self.value('logits', jnp.zeros, 2)
    logits = jnp.broadcast_to(logits, (*x.shape[:bdims], 2))
    return {'action': embodied.jax.outs.Categorical(logits)}


class Dynamics(nj.Module):
  """Two numbers that every action moves by its row."""

  act_space = None

  def starts(self, entries, carry, nlast):
    return jax.tree.map(lambda x: x[:, -1], entries)

  def imagine(self, carry, policy, length, training):
    table = self.value('table', lambda: jnp.array(SHIFT))
    feats, acts = [], []
    for _ in range(length):
      act = policy(jax.lax.stop_gradient(carry))
      deter = carry['deter'] + act['action'] @ table
      carry = dict(deter=deter, stoch=carry['stoch'])
      feats.append(carry)
      acts.append(act)
    stack = lambda *xs: jnp.stack(xs, 1)
    return carry, jax.tree.map(stack, *feats), jax.tree.map(stack, *acts)


class Linear(nj.Module):
  """A value linear in the state, or a constant chance to go on."""

  def __call__(self, x, bdims):
    slope = self.value('slope', lambda: jnp.array([0.7, -0.2]))
    return types.SimpleNamespace(
        pred=lambda: x @ slope,
        prob=lambda _: jnp.full(x.shape[:bdims], CON) * slope[0] / 0.7)


def toy():
  """Return an agent whose returns are linear in the actions."""
  namespace = types.SimpleNamespace
  agent = object.__new__(vmail.VMail)
  vars(agent).update(
      act_space=SPACE, feat2tensor=lambda feat: feat['deter'],
      pol=Policy(name='pol'), dyn=Dynamics(name='dyn'),
      con=Linear(name='con'), val=Linear(name='val'),
      disc=discriminator.Discriminator(SPACE, layers=0, name='disc'),
      rewfn=lambda logit: logit,
      retnorm=namespace(stats=lambda: (0.0, SCALE)),
      valnorm=namespace(stats=lambda: (0.0, 1.0)),
      config=namespace(
          contdisc=True, horizon=333, imag_length=HORIZON,
          imag_loss=namespace(lam=LAM, actent=0.1)))
  return agent


def toy_loss(agent):
  """Return the mean policy loss of the toy agent; inside pure."""
  feat = dict(deter=jnp.ones((1, 1, 2)), stoch=jnp.zeros((1, 1, 1, 1)))
  imag = agent._imagine({}, feat, feat, 1, False)
  butlast = lambda xs: jax.tree.map(lambda x: x[:, :-1], xs)
  inputs = agent.disc.inputs(*butlast((imag.feat, imag.act)))
  obs = {'is_first': jnp.zeros((1, 1), bool)}
  losses = agent._variant_losses(obs, imag, {'imag': (inputs, None)})
  return losses['policy'].mean()


class TestToy:

  @pytest.fixture(autouse=True)
  def precise(self, monkeypatch):
    monkeypatch.setattr(embodied.jax.nets, 'COMPUTE_DTYPE', jnp.float32)

  def gradients(self):
    agent = toy()
    fn = nj.pure(lambda: toy_loss(agent))
    params = nj.init(fn)({}, seed=SEED)
    rng = np.random.default_rng(0)
    params = {
        k: np.float32(v + rng.normal(size=v.shape)) if k[:4] in (
            'pol/', 'disc') else v for k, v in params.items()}
    grad = jax.grad(lambda x: fn(x, seed=SEED)[1])
    return params, {k: np.asarray(v) for k, v in grad(params).items()}

  def expected(self, params, logits):
    # The loss by hand, with probabilities in the place of actions. As it is
    # linear in them, its slope is the expected gradient without any noise.
    probs = np.exp(logits) / np.exp(logits).sum()
    kernel, bias = params['disc/logit/kernel'][:, 0], params['disc/logit/bias']
    state, states, rewards = np.ones(2), [], []
    for _ in range(HORIZON):
      states.append(state)
      rewards.append(
          np.concatenate([state, [0.0], probs]) @ kernel + bias[0])
      state = state + probs @ SHIFT
    states.append(state)
    values = np.array(states) @ [0.7, -0.2]
    ret, rets = values[-1], []
    for t in reversed(range(HORIZON)):
      ret = rewards[t] + CON * ((1 - LAM) * values[t + 1] + LAM * ret)
      rets.append(ret)
    entropy = -(probs * np.log(probs)).sum()
    weights = CON ** np.arange(1, HORIZON + 1)
    return -(weights * (np.array(rets[::-1]) / SCALE + 0.1 * entropy)).mean()

  def test_gradient_is_that_of_finite_differences(self):
    params, grads = self.gradients()
    logits, step = np.float64(params['pol/logits']), 1e-5
    want = [
        (self.expected(params, logits + step * unit) -
         self.expected(params, logits - step * unit)) / (2 * step)
        for unit in np.eye(2)]
    assert abs(want[0]) > 1e-2
    np.testing.assert_allclose(grads['pol/logits'], want, rtol=1e-4)

  def test_it_moves_the_policy_alone(self):
    _, grads = self.gradients()
    assert {k.split('/')[0] for k, v in grads.items() if v.any()} == {'pol'}
    assert {k.split('/')[0] for k in grads} == {
        'pol', 'dyn', 'con', 'val', 'disc'}

  def test_straight_through(self):
    logits = jnp.array([[0.3, -1.0, 0.2]])
    fn = lambda logits: nj.pure(lambda: vmail.straight_through(
        embodied.jax.outs.Categorical(logits)))({}, seed=SEED)[1]
    value = np.asarray(fn(logits))
    assert sorted(value[0].round(6)) == [0, 0, 1]
    want = jax.jacobian(lambda x: jax.nn.softmax(x, -1))(logits)
    np.testing.assert_allclose(jax.jacobian(fn)(logits), want, atol=1e-6)


# Heads that start at zero would hide gradients through them.
FLAGS = dict(
    agent__gail__actor='dynamics', agent__gail__reward='airl',
    agent__value__outscale=1.0, agent__policy__outscale=1.0)


class TestAgent:

  @pytest.mark.parametrize('key, want', [
      ('policy', {'pol'}), ('disc/loss', {'disc'}),
      ('total', {'enc', 'dyn', 'dec', 'con', 'pol', 'val'})])
  def test_gradients_stay_home(self, key, want):
    agent = agents.make(**FLAGS)
    assert agents.grads(agent, key) == want

  def grads(self, agent, factor):
    # The policy's gradient with D and critic multiplied by a factor.
    params = {
        k: factor * v if k.startswith(('disc/', 'val/')) else v
        for k, v in agent.initial.items()}
    data = agents.batch(agent)
    pol = {k: v for k, v in params.items() if k.startswith('pol/')}
    fn = lambda pol: agents.loss(
        agent, data, {**params, **pol})['policy'].mean()
    with jax.transfer_guard('allow'):
      return np.concatenate([
          np.asarray(v).flatten() for v in jax.grad(fn)(pol).values()])

  def test_with_flat_d_and_critic_only_the_entropy_bonus_is_left(self):
    agent = agents.make(**FLAGS)
    flat, steep = self.grads(agent, 0.0), self.grads(agent, 1.0)
    assert 0 < np.linalg.norm(flat) < 1e-2 * np.linalg.norm(steep)

  @pytest.mark.parametrize('task', [
      'minatar_breakout', toyenv.TASK])
  def test_what_d_sees_of_a_path(self, task):
    other = {} if task.startswith('minatar') else {'task': task}
    agent = agents.make(**FLAGS, **other)
    model = agent.model
    def fn(data):
      rows = worldmodel.Rows(*agents.context(agent, data))
      out = worldmodel.losses(model, rows, False)
      imag = model._imagine(
          out.carry[1], out.entries[1], out.feat, 6, False)
      path = imag.extra['path']
      butlast = lambda xs: jax.tree.map(lambda x: x[:, :-1], xs)
      return model._inputs(path), model.disc.inputs(
          *butlast((imag.feat, imag.act))), path[1]
    soft, hard, act = jax.device_get(
        agents.call(agent, fn, agents.batch(agent)))
    np.testing.assert_allclose(soft, hard, atol=1e-6)
    for key, space in model.act_space.items():
      assert act[key].shape[1] == agent.config.imag_length + 1
      if space.discrete:
        np.testing.assert_allclose(act[key].sum(-1), 1, atol=1e-6)
        assert act[key].shape[2:-1] == space.shape

  @pytest.mark.slow
  def test_trains(self):
    agent = agents.make(**FLAGS)
    after, metrics = agents.train(
        agent, [agents.batch(agent, seed=i) for i in range(2)])
    assert all(np.isfinite(x).all() for x in metrics[1].values())
    assert {'pol', 'disc', 'dyn', 'val'} <= agents.moved(agent, after)


class TestConfig:

  def test_block(self):
    config = configs.load_config(['--configs', 'minatar', 'tiny', 'vmail'])
    assert config.agent.gail.actor == 'dynamics'
    assert config.agent.gail.reward == 'prob'
    assert config.agent.gail.disc_loss.penalty == 10
    assert config.agent.gail.anchor == 0
    assert config.agent.imag_loss == {
        **configs.load_config([]).agent.imag_loss, 'lam': 1.0, 'actent': 0.03}
    assert configs.load_config([]).agent.gail.actor == 'reinforce'
