"""Images that are black but for a few objects, as MinAtar's boards are.

Two settings of `config`, each with upstream's way as the other choice:
`image_loss: binary` scores the decoder's pixels by their cross entropy, and
`image_zero: black` makes black zero to the encoder.
"""

import embodied.jax.outs as outs
import jax.numpy as jnp

from .. import dreamer

EPS = 1e-7  # About the smallest chance that float32 tells from 1.


class Images(dreamer.Dreamer):
  """DreamerV3 with another image loss, another zero of images, or both."""

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    if config.image_loss == 'binary':
      self.dec = BinaryDecoder(self.dec)
    if config.image_zero == 'black':
      self.enc = BlackEncoder(self.enc)


class BlackEncoder:
  """Upstream's encoder, but zero is black to it and not gray.

  Upstream makes x / 255 - 1/2 of images. Where these are black but for a few
  objects, black pixels are most of what the first layer adds up. A world model
  learns faster without (docs/ablations.md).
  """

  def __init__(self, enc):
    self.enc = enc

  def __getattr__(self, name):
    return getattr(self.enc, name)

  def __call__(self, carry, obs, *args, **kwargs):
    """Return carry, entries and tokens, as upstream's encoder does."""
    images = {k: lifted(obs[k]) for k in self.enc.imgkeys}
    return self.enc(carry, {**obs, **images}, *args, **kwargs)


class BinaryDecoder:
  """Upstream's decoder, scored by the cross entropy of its images' pixels.

  Upstream takes the squared error of sigmoid(x). Its gradient by x is gone
  where a pixel is thought to be off, rightly or not. An object of one pixel
  that moves at each step is then hardly ever learned.
  """

  def __init__(self, dec):
    self.dec = dec

  def __getattr__(self, name):
    return getattr(self.dec, name)

  def __call__(self, *args, **kwargs):
    """Return carry, entries and recons, as upstream's decoder does."""
    carry, entries, recons = self.dec(*args, **kwargs)
    recons = {**recons, **{
        k: outs.Agg(Binary(recons[k].pred()), 3, jnp.sum)
        for k in self.dec.imgkeys}}
    return carry, entries, recons


class Binary(outs.Output):
  """Pixels that are 0 or 1, independent given their chances `prob` of 1."""

  def __init__(self, prob):
    self.chance = prob

  def pred(self):
    """Return the chances, the shape of the image, in float32."""
    return self.chance

  def loss(self, target):
    """Return -ln p(target) in nats, the shape of the image."""
    return -(
        target * jnp.log(self.chance + EPS) +
        (1 - target) * jnp.log(1 - self.chance + EPS))


def lifted(image):
  """Return the uint8 image of which upstream's encoder makes x / 510."""
  return 128 + image // 2
