"""Images whose black is zero to the encoders."""

import jax.numpy as jnp
import numpy as np
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.experiments import suites
from dreamer_gail_plugin.variants import black
from tests.helpers import agents

FLAGS = dict(agent__gail__anchor=0.1, agent__gail__risk=5.0)


def first_layer(agent, name, images):
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
  def fn(images):
    obs = {'image': images}
    if name == 'enc':
      model.enc({}, obs, jnp.zeros(len(images), bool), False, single=True)
    else:
      module.tokens(obs, 1)
    return seen.pop()
  enc.sub = sub
  try:
    return np.array(agents.call(agent, fn, images), np.float32)
  finally:
    del enc.sub


@pytest.mark.parametrize('name', ['enc', 'anchor', 'slowrisk'])
@pytest.mark.parametrize('zero,low,high', [
    ('gray', -0.5, 0.5), ('black', 0.0, 0.5)])
def test_what_encoders_take(name, zero, low, high):
  agent = agents.make(
      **FLAGS, agent__image_zero=zero, agent__gail__anchor_shift=0)
  images = np.zeros((2, 10, 10, 4), np.uint8)
  images[1] = 255
  found = first_layer(agent, name, images)
  np.testing.assert_allclose(found[0], low, atol=0.003)
  np.testing.assert_allclose(found[1], high, atol=0.003)


@pytest.mark.parametrize('zero,shade', [('gray', 0.0), ('black', -0.5)])
def test_no_pixel_looks_as_the_margin(zero, shade):
  agent = agents.make(
      **FLAGS, agent__image_zero=zero, agent__gail__anchor_shift=1)
  images = np.zeros((1, 10, 10, 4), np.uint8)
  images[:, ::2] = 255
  found = first_layer(agent, 'anchor', images)[0]
  assert found.shape == (12, 12, 4)
  inside = found[1:-1, 1:-1].copy()
  found[1:-1, 1:-1] = shade
  np.testing.assert_allclose(found, shade, atol=0.003)
  assert np.abs(inside - shade).min() > 0.4


def test_values_in_between():
  image = np.arange(256, dtype=np.uint8)
  found = black.lifted(image)
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
