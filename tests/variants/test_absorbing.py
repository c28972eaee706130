"""The reward after an end: by how often expert and agent get there."""

import dreamerv3.agent
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import pytest

from dreamer_gail_plugin import rewards
from dreamer_gail_plugin.variants import absorbing
from helpers import agents

ON = dict(agent__gail__absorbing=True)


def call(fn, name, expert, agent, updates=1):
  """Return fn(state) after batches in which so many flags are set."""
  def outer():
    state = absorbing.Ends(rewards.REWARDS[name])
    for _ in range(updates):
      state.update(*[
          jnp.arange(1000).reshape((10, 100)) < x for x in (expert, agent)])
    return fn(state)
  seed = np.array([1, 2], np.uint32)
  return nj.pure(outer)({}, seed=seed, create=True)[1]


def score(*args):
  """Return the reward, see `call`."""
  return float(call(lambda state: state(), *args))


@pytest.mark.parametrize('name', ['gail', 'logd', 'airl', 'prob', 'fairl'])
def test_equal_ends_are_as_any_state_that_d_cannot_tell(name):
  want = float(rewards.REWARDS[name](jnp.float32(0.0)))
  assert score(name, 100, 100) == pytest.approx(want, abs=2e-3)


def test_odds_are_the_ratio_of_the_rates():
  # 20 ends of the expert and 60 of the agent: D = 0.25.
  assert score('prob', 20, 60) == pytest.approx(0.25, abs=1e-3)
  assert score('prob', 20, 60, 5) == pytest.approx(0.25, abs=1e-3)
  assert score('prob', 60, 20) == pytest.approx(0.75, abs=1e-3)


def test_ends_of_one_side_alone():
  # An expert that never ends leaves a positive reward as it is.
  assert 0 <= score('gail', 0, 5) < 2e-4
  assert score('gail', 5, 0) == pytest.approx(np.log(51), rel=1e-3)
  assert 0 <= score('gail', 0, 0) < 2e-4
  assert np.isfinite(score('airl', 0, 5))


@pytest.mark.parametrize('expert, agent, want', [
    (0, 5, [1, 0.8, 0, 0]),  # Nothing of the expert's: all of the agent's.
    (20, 60, [2 / 3, 0.8 * 2 / 3, 0, -2 / 3]),
    (50, 50, [0, 0, 0, 0]),
    # The agent lives longer than the expert, which is no risk to it.
    (60, 20, [0, 0, 0, -2 / 3]),
    (5, 0, [0, 0, 0, -1]),
    (0, 0, [0, 0, 0, 0])])
def test_risk_by_the_rates_of_ends(expert, agent, want):
  target = jnp.float32([1, 0.8, 0, -1 if expert else 0])
  found = call(lambda state: state.weigh(target), 'gail', expert, agent)
  np.testing.assert_allclose(found, want, atol=1e-5)


def test_less_each_step_is_the_value_after_an_end():
  # Of any episode, with D's reward c at every step after its end.
  gamma, c = 0.9, 0.7
  rew = np.random.default_rng(0).normal(size=7)
  ended = sum(gamma ** t * r for t, r in enumerate(rew))
  ended += gamma ** len(rew) * c / (1 - gamma)
  rews = jnp.float32(np.pad(rew - c, (1, 0)))[None]
  zero, last = jnp.zeros((1, 8)), jnp.arange(8)[None] == 7
  ours = dreamerv3.agent.lambda_return(
      zero, jnp.float32(last), rews, zero, zero, gamma, 1.0)
  assert float(ours[0, 0]) + c / (1 - gamma) == pytest.approx(ended, rel=1e-5)


class TestAgent:

  def rew(self, expert, mine, **flags):
    agent = agents.make(**flags)
    data = agents.batch(agent)
    data['expert/is_terminal'][:] = expert
    data['is_terminal'][:] = mine
    return agents.train(agent, [data])[1][0]

  def test_is_taken_off_the_reward(self):
    plain = self.rew(True, True)
    found = self.rew(True, True, **ON)
    assert found['disc/rew_end'] == pytest.approx(np.log(2), abs=1e-3)
    assert 'disc/rew_end' not in plain
    for key in ('rew_mean', 'rew_min', 'rew_max', 'rew_replay'):
      assert found[f'disc/{key}'] == pytest.approx(
          plain[f'disc/{key}'] - found['disc/rew_end'], abs=1e-5), key

  def test_whose_ends_are_whose(self):
    assert self.rew(True, False, **ON)['disc/rew_end'] > 5
    assert self.rew(False, True, **ON)['disc/rew_end'] < 1e-3

  def test_a_constant_stays_the_control(self):
    found = self.rew(True, True, agent__gail__reward='constant', **ON)
    assert found['disc/rew_mean'] == 1

  def test_hidden_ends_count_for_nobody(self):
    runs = [
        self.rew(x, True, agent__gail__terminals=False, **ON)
        for x in (False, True)]
    assert runs[0]['disc/rew_end'] == runs[1]['disc/rew_end'] < 1e-3

  @pytest.mark.slow
  @pytest.mark.parametrize('reward', ['gail', 'constant'])
  def test_weighs_what_the_risk_critic_learns(self, reward):
    flags = dict(
        agent__gail__anchor=0.5, agent__gail__risk=3.0,
        agent__gail__reward=reward)
    found = {}
    for name, mine, more in (
        ('plain', True, {}), ('agent', True, ON), ('equal', None, ON)):
      agent = agents.make(**flags, **more)
      data = agents.batch(agent)
      data['ends/target'][:] = 1
      data['is_terminal'][:] = True
      data['expert/is_terminal'][:] = mine is None
      found[name] = agents.train(agent, [data])[1][0]['loss/risk']
    assert found['agent'] == pytest.approx(found['plain'], rel=1e-4)
    assert found['equal'] < 0.5 < found['plain']
