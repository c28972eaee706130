"""Images that are black but for a few objects: their zero and their loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.experiments import suites
from dreamer_gail_plugin.variants import images
from helpers import agents

FLAGS = dict(agent__gail__anchor=0.1, agent__gail__risk=5.0)


def first_layer(agent, name, pixels):
  """Return what enters the encoder's first layer, (..., H, W, C)."""
  model, seen = agent.model, []
  module = getattr(model, name)
  enc = getattr(module, 'enc', module)
  inner = enc.sub
  def sub(key, *args, **kwargs):
    layer = inner(key, *args, **kwargs)
    def call(x):
      seen.append(x)
      return layer(x)
    return call if key == 'cnn0' else layer
  def fn(pixels):
    obs = {'image': pixels}
    if name == 'enc':
      model.enc({}, obs, jnp.zeros(len(pixels), bool), False, single=True)
    else:
      module.tokens(obs, 1)
    return seen.pop()
  enc.sub = sub
  try:
    return np.array(agents.call(agent, fn, pixels), np.float32)
  finally:
    del enc.sub


@pytest.mark.parametrize('name', ['enc', 'anchor', 'slowrisk'])
@pytest.mark.parametrize('zero,low,high', [
    ('gray', -0.5, 0.5), ('black', 0.0, 0.5)])
def test_what_encoders_take(name, zero, low, high):
  agent = agents.make(
      **FLAGS, agent__image_zero=zero, agent__gail__anchor_shift=0)
  pixels = np.zeros((2, 10, 10, 4), np.uint8)
  pixels[1] = 255
  found = first_layer(agent, name, pixels)
  np.testing.assert_allclose(found[0], low, atol=0.003)
  np.testing.assert_allclose(found[1], high, atol=0.003)


@pytest.mark.parametrize('zero,shade', [('gray', 0.0), ('black', -0.5)])
def test_no_pixel_looks_as_the_margin(zero, shade):
  agent = agents.make(
      **FLAGS, agent__image_zero=zero, agent__gail__anchor_shift=1)
  pixels = np.zeros((1, 10, 10, 4), np.uint8)
  pixels[:, ::2] = 255
  found = first_layer(agent, 'anchor', pixels)[0]
  assert found.shape == (12, 12, 4)
  inside = found[1:-1, 1:-1].copy()
  found[1:-1, 1:-1] = shade
  np.testing.assert_allclose(found, shade, atol=0.003)
  assert np.abs(inside - shade).min() > 0.4


def test_values_in_between():
  image = np.arange(256, dtype=np.uint8)
  found = images.lifted(image)
  assert found.dtype == np.uint8
  np.testing.assert_allclose(found / 255 - 0.5, image / 510, atol=0.003)


def test_default_of_minatar_alone():
  config = configs.load_config(['--configs', 'minatar', 'tiny', 'gail'])
  assert config.agent.image_zero == 'black'
  config = configs.load_config(['--configs', 'atari', 'tiny', 'gail'])
  assert config.agent.image_zero == 'gray'
  flags = suites.METHODS['plain_cloning'].flags
  config = configs.load_config(
      ['--configs', 'minatar', 'tiny', 'gail', *flags])
  assert config.agent.image_zero == 'gray'


class TestBinary:

  @pytest.mark.parametrize('chance, target, loss', [
      (0.5, 1.0, np.log(2)), (0.5, 0.0, np.log(2)),
      (0.9, 1.0, -np.log(0.9)), (0.9, 0.0, -np.log(0.1))])
  def test_exact(self, chance, target, loss):
    got = images.Binary(jnp.float32(chance)).loss(jnp.float32(target))
    assert np.allclose(got, loss, atol=1e-5)

  @pytest.mark.parametrize('chance, target', [(0.0, 1.0), (1.0, 0.0)])
  def test_finite_where_surely_wrong(self, chance, target):
    fn = lambda x: images.Binary(x).loss(jnp.float32(target))
    loss, grad = jax.value_and_grad(fn)(jnp.float32(chance))
    assert np.isfinite(loss) and np.isfinite(grad)
    assert 15 < loss < 17

  def test_learns_what_is_thought_to_be_off(self):
    # By the logit x of the pixel, d loss / dx = p - t; with the squared error
    # it is 2 (p - t) p (1 - p), and nothing is learned.
    binary = lambda x: images.Binary(jax.nn.sigmoid(x)).loss(jnp.float32(1))
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
