"""A discriminator of what latents decode to, with convolutions.

D of the method sees a latent as a list of numbers and learns each object at
each place anew. This one sees the images that the world model decodes from
the same latents, at full resolution, and an object alike wherever it is.
"""

import embodied.jax
import embodied.jax.nets as nn
import jax
import jax.numpy as jnp
import ninjax as nj
import optax

from .. import agent
from .. import discriminator

f32 = jnp.float32


class ImageDisc(agent.Agent):
  """The method, whose D sees decoded images and actions."""

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    self.disc = ImageDiscriminator(
        act_space, self.dec, obs_space, **config.gail.disc, name='disc')
    self.discopt = embodied.jax.Optimizer(
        [self.disc], optax.adam(**config.gail.opt), summary_depth=1,
        name='discopt')


class ImageDiscriminator(discriminator.Discriminator):
  """Convolutions from decoded images and an action to the logit of P(expert).

  `layers` convolutions of `units` channels with kernels of 3 x 3 keep the
  resolution. The mean and the maximum over the image follow, and one layer.
  """

  layers: int = 2
  units: int = 16
  act: str = 'silu'
  spectral: float = 0.0
  winit: str = 'trunc_normal_in'

  def __init__(self, act_space, dec, obs_space):
    self.act_space = act_space
    self.dec = dec
    self.shapes = {k: obs_space[k].shape for k in dec.imgkeys}

  def inputs(self, feat, act):
    """Return images and action, flat: x, shape (..., F) in float32."""
    lead = feat['deter'].shape[:2]
    rest = {'deter': feat['deter'], 'stoch': feat['stoch']}
    recons = self.dec({}, rest, jnp.zeros(lead, bool), False)[2]
    images = [
        f32(recons[k].pred()).reshape((*lead, -1)) for k in self.shapes]
    nothing = {
        'deter': jnp.zeros((*lead, 0)), 'stoch': jnp.zeros((*lead, 0, 1))}
    return jnp.concatenate([*images, super().inputs(nothing, act)], -1)

  def __call__(self, x):
    """Return logits, shape (...), of inputs x, shape (..., F)."""
    assert x.dtype == f32, x.dtype
    lead, x = x.shape[:-1], x.reshape((-1, x.shape[-1]))
    images = []
    for shape in self.shapes.values():
      size = shape[0] * shape[1] * shape[2]
      images.append(x[:, :size].reshape((-1, *shape)))
      x = x[:, size:]
    image = jnp.concatenate(images, -1)  # (N, H, W, C)
    planes = jnp.broadcast_to(
        x[:, None, None], (*image.shape[:-1], x.shape[-1]))
    y = jnp.concatenate([image, planes], -1)
    for i in range(self.layers):
      y = nn.act(self.act)(self.sub(
          f'conv{i}', Conv, self.units, winit=self.winit)(y))
    y = jnp.concatenate([y.mean((1, 2)), y.max((1, 2))], -1)
    logit = self.sub('logit', discriminator.Dense, 1, **self._kw)(y)
    return logit.squeeze(-1).reshape(lead)


class Conv(nj.Module):
  """A float32 convolution of 3 x 3 that keeps the resolution."""

  winit: str = 'trunc_normal_in'

  def __init__(self, units):
    self.units = units

  def __call__(self, x):
    """Map (N, H, W, C) to (N, H, W, units)."""
    shape = (3, 3, x.shape[-1], self.units)
    kernel = self.value('kernel', nn.init(self.winit), shape)
    y = jax.lax.conv_general_dilated(
        x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
    return y + self.value('bias', jnp.zeros, self.units)
