"""The loss of black and white images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dreamer_gail_plugin.variants import decoder
from tests.helpers import agents


class TestBinary:

  @pytest.mark.parametrize('chance, target, loss', [
      (0.5, 1.0, np.log(2)), (0.5, 0.0, np.log(2)),
      (0.9, 1.0, -np.log(0.9)), (0.9, 0.0, -np.log(0.1))])
  def test_exact(self, chance, target, loss):
    got = decoder.Binary(jnp.float32(chance)).loss(jnp.float32(target))
    assert np.allclose(got, loss, atol=1e-5)

  @pytest.mark.parametrize('chance, target', [(0.0, 1.0), (1.0, 0.0)])
  def test_finite_where_surely_wrong(self, chance, target):
    fn = lambda x: decoder.Binary(x).loss(jnp.float32(target))
    loss, grad = jax.value_and_grad(fn)(jnp.float32(chance))
    assert np.isfinite(loss) and np.isfinite(grad)
    assert 15 < loss < 17

  def test_learns_what_is_thought_to_be_off(self):
    # By the logit x of the pixel, d loss / dx = p - t; with the squared error
    # it is 2 (p - t) p (1 - p), and nothing is learned.
    binary = lambda x: decoder.Binary(jax.nn.sigmoid(x)).loss(jnp.float32(1))
    square = lambda x: jnp.square(jax.nn.sigmoid(x) - 1)
    x = jnp.float32(-6)
    assert np.allclose(jax.grad(binary)(x), -1, atol=0.01)
    assert abs(jax.grad(square)(x)) < 0.01


class TestAgent:

  def test_image_loss_of_the_agent(self):
    # A new decoder says about 0.5 for every pixel: ln 2 each, against 0.25.
    data = agents.batch(agents.make())
    losses = {
        kind: agents.loss(
            agents.make(agent__image_loss=kind), data)['image']
        for kind in ('mse', 'binary')}
    losses = {k: np.asarray(v).mean() for k, v in losses.items()}
    pixels = data['image'][0, 0].size
    assert np.allclose(losses['binary'] / pixels, np.log(2), atol=0.4)
    assert losses['binary'] > 2 * losses['mse']

  def test_decoder_learns(self):
    agent = agents.make(agent__image_loss='binary')
    before = dict(agent.initial)
    after, _ = agents.train(agent, [agents.batch(agent)])
    assert [
        k for k in before if k.startswith('dec/')
        and not np.array_equal(before[k], after[k])]

  def test_plain_dreamer_has_it_too(self):
    kw = dict(agent__gail__reward='env')
    agent = agents.make(agent__image_loss='binary', **kw)
    data = agents.batch(agent)
    one = agents.loss(agent, data)['image']
    two = agents.loss(agents.make(**kw), data)['image']
    assert np.asarray(one).mean() > 2 * np.asarray(two).mean()
