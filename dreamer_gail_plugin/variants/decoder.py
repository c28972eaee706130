"""Another loss for the images that upstream's decoder predicts."""

import embodied.jax.outs as outs
import jax.numpy as jnp

EPS = 1e-7  # About the smallest chance that float32 tells from 1.


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


class BinaryImages:
  """Upstream's decoder, scored by the cross entropy of its images' pixels.

  Upstream takes the squared error of sigmoid(x), whose gradient by x is gone
  where a pixel is thought to be off, rightly or not. An object that is one
  pixel of a board, and elsewhere at each step, is then hardly ever learned.
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
