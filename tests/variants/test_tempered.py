"""The weight that holds the policy's entropy."""

import embodied.jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.variants import tempered
from helpers import agents

ON = dict(agent__gail__entropy=0.2)


def weights(shares, start=3e-4, target=0.2):
  """Return the weight after each of the entropies, which are shares."""
  def outer():
    state = tempered.Temperature(start, target, name='t')
    found = []
    for share in shares:
      state.update(share)
      found.append(state())
    return jnp.stack(found)
  seed = np.array([1, 2], np.uint32)
  return np.asarray(nj.pure(outer)({}, seed=seed, create=True)[1])


class TestTemperature:

  def test_grows_below_and_shrinks_above_the_target(self):
    np.testing.assert_allclose(
        weights([0.0, 0.1, 0.2, 0.3, 1.0]),
        3e-4 * np.exp(np.cumsum([0.02, 0.01, 0.0, -0.01, -0.02])), rtol=1e-5)

  @pytest.mark.parametrize('share, start, end', [
      (0.0, 0.999, 1.0), (1.0, 1.001e-4, 1e-4)])
  def test_bounds(self, share, start, end):
    assert weights([share] * 5, start)[-1] == pytest.approx(end)


class TestSpread:

  def test_choices(self):
    logits = jnp.log(jnp.float32([[0.5, 0.5, 1e-9, 1e-9], [0.25] * 4]))
    dist = embodied.jax.outs.Categorical(logits)
    dist.minent, dist.maxent = 0, np.log(4)
    np.testing.assert_allclose(tempered.spread(dist), [0.5, 1], atol=1e-4)

  def test_vectors(self):
    normal = lambda std: embodied.jax.outs.Normal(jnp.zeros((5, 2)), std)
    dist = normal(jnp.float32([0.1, 1.0]))
    dist.minent, dist.maxent = [normal(x).entropy() for x in (0.1, 1.0)]
    dist = embodied.jax.outs.Agg(dist, 1, jnp.sum)
    np.testing.assert_allclose(
        tempered.spread(dist), [[0, 1]] * 5, atol=1e-5)


class TestAgent:

  def metrics(self, **flags):
    agent = agents.make(**flags)
    batch = agents.batch(agent)
    return agents.train(agent, [batch, batch])[1]

  def test_weight_follows_the_entropy(self):
    # A new policy is near uniform, so the weight shrinks.
    one, two = self.metrics(**ON)
    assert one['rand/action'] > 0.9
    assert one['actent'] == pytest.approx(3e-4 * np.exp(-0.02), rel=1e-4)
    assert two['actent'] == pytest.approx(3e-4 * np.exp(-0.04), rel=1e-4)

  def test_it_is_in_the_policys_loss(self):
    assert 'actent' not in self.metrics()[0]
    agent = agents.make(**ON)
    data = agents.batch(agent)
    found = [
        agents.loss(agent, data, {
            **agent.initial, 'temperature/log/value': np.log(np.float32(x))}
        )['policy'].mean() for x in (0.25, 0.5, 1.0)]
    one, two = np.diff(found)
    assert one < -0.01
    assert two / one == pytest.approx(2, rel=1e-3)

  @pytest.mark.parametrize('flags', [
      {'agent__gail__actor': 'sac'}, {'agent__gail__anchor': 0.1}])
  def test_not_with_other_policies(self, flags):
    with pytest.raises(UserError, match='gail.entropy 0.2: needs'):
      checks.relations(agents.config(**ON, **flags))
