"""Networks of MGAIL in float32, whatever upstream's compute dtype is."""

import math

import embodied.jax.nets as nn
import jax
import jax.numpy as jnp
import ninjax as nj

from ...discriminator import Dense
from .. import gymenv

f32 = jnp.float32
# depth, kernel, stride: as the other baselines look at images and boards.
CANONICAL = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
BOARD = ((16, 3, 1),)


def layers(space):
  """Return the layers for a Gymnasium space of images (C, H, W)."""
  return BOARD if min(space.shape[1:]) < gymenv.SMALL else CANONICAL


class Encoder(nj.Module):
  """Latent states (N, latent), from -1 to 1, of observations (N, ...)."""

  def __init__(self, space, units, latent):
    self.space, self.units, self.latent = space, units, latent

  def __call__(self, obs):
    if len(self.space.shape) == 3:
      x = f32(jnp.moveaxis(obs, 1, -1)) / 255  # (N, H, W, C)
      for i, spec in enumerate(layers(self.space)):
        x = jax.nn.relu(self.sub(f'conv{i}', Conv, *spec)(x))
      x = x.reshape((len(x), -1))
    else:
      x = jax.nn.relu(self.sub('hidden', Dense, self.units)(f32(obs)))
    return jnp.tanh(self.sub('out', Dense, self.latent)(x))


class Decoder(nj.Module):
  """Observations of latent states: the encoder's layers in reverse."""

  def __init__(self, space, units):
    self.space, self.units = space, units

  def __call__(self, z):
    """Return logits (N, C, H, W) of an image, or a vector (N, F)."""
    if len(self.space.shape) != 3:
      x = jax.nn.relu(self.sub('hidden', Dense, self.units)(z))
      return self.sub('out', Dense, self.space.shape[0])(x)
    channels, *size = self.space.shape
    specs, sizes, depths = layers(self.space), [size], [channels]
    for depth, _, stride in specs:
      sizes.append([math.ceil(x / stride) for x in sizes[-1]])
      depths.append(depth)
    shape = (*sizes[-1], depths[-1])
    x = jax.nn.relu(self.sub('in', Dense, math.prod(shape))(z))
    x = x.reshape((len(z), *shape))
    for i, (_, kernel, stride) in reversed(list(enumerate(specs))):
      height, width = sizes[i]
      x = x.repeat(stride, 1).repeat(stride, 2)[:, :height, :width]
      x = self.sub(f'conv{i}', Conv, depths[i], kernel, 1)(x)
      x = jax.nn.relu(x) if i else x
    return jnp.moveaxis(x, -1, 1)

  def loss(self, z, obs):
    """Return the loss (N,) of decoding z (N, Z) to observations (N, ...).

    The sum over pixels of the cross entropy, or the squared error of vectors.
    """
    out, obs = self(z), f32(obs)
    assert out.shape == obs.shape, (out.shape, obs.shape)
    if obs.ndim == 2:
      return jnp.square(out - obs).sum(-1)
    # -p ln sigmoid(x) - (1 - p) ln sigmoid(-x) = softplus(x) - p x.
    return (jax.nn.softplus(out) - obs / 255 * out).sum((1, 2, 3))


class Forward(nj.Module):
  """The next latent state: a gated unit on the product of state and action.

  The embeddings of both are multiplied element by element, as Baram et al.
  (2017), section 3.4, have it.
  """

  def __init__(self, units, latent):
    self.units, self.latent = units, latent

  def __call__(self, z, act):
    """Map states (N, Z) and one-hot actions (N, A) to states (N, Z)."""
    x = jax.nn.relu(self.sub('state', Dense, self.units)(z))
    x *= jax.nn.relu(self.sub('action', Dense, self.units)(act))
    x = self.sub('gates', Dense, 3 * self.latent)(jnp.concatenate([x, z], -1))
    reset, cand, update = jnp.split(x, 3, -1)
    cand = jnp.tanh(jax.nn.sigmoid(reset) * cand)
    # Keeps most of the state at the start, as upstream's unit does.
    update = jax.nn.sigmoid(update - 1)
    return update * cand + (1 - update) * z


class MLP(nj.Module):
  """Two hidden layers and `outputs` numbers, small at the start."""

  def __init__(self, units, outputs):
    self.units, self.outputs = units, outputs

  def __call__(self, x):
    """Map (N, F) to (N, outputs)."""
    for i in range(2):
      x = jax.nn.relu(self.sub(f'linear{i}', Dense, self.units)(x))
    return 0.1 * self.sub('out', Dense, self.outputs)(x)


class Conv(nj.Module):
  """A convolution over (N, H, W, C) whose stride divides the size."""

  def __init__(self, depth, kernel, stride):
    self.depth, self.kernel, self.stride = depth, kernel, stride

  def __call__(self, x):
    shape = (self.kernel, self.kernel, x.shape[-1], self.depth)
    kernel = self.value('kernel', nn.init('trunc_normal_in'), shape)
    x = jax.lax.conv_general_dilated(
        x, kernel, (self.stride, self.stride), 'SAME',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
    return x + self.value('bias', jnp.zeros, self.depth)
