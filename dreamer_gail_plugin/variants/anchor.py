"""The anchor policy: cloned from single observations of the demonstrations.

Cloned from one observation a policy plays better than from several or from
latents in most games that were tried (docs/ablations.md). Likely, as more than
one observation shows what was done before: the expert mostly does it again, so
a policy learns to repeat (the copycat problem, Wen et al., 2020).
"""

import dreamerv3.rssm
import embodied.jax
import embodied.jax.outs as outs
import jax
import jax.numpy as jnp
import ninjax as nj

from ..errors import UserError
from . import images

sg = jax.lax.stop_gradient
# The shade of the margin by `image_zero`: one that black and white pixels do
# not have. Where black is zero they are lifted to 128 and more.
BEYOND = {'gray': 128, 'black': 0}


class Onlooker(nj.Module):
  """Upstream's encoder, of single observations and apart from the agent's.

  Images have a margin of `gail.anchor_shift` pixels in which they are shifted
  at random when it learns, as in DrQ (Kostrikov et al., 2021), but nothing is
  cut off: what an edge hides may be what counts.

  Args:
    obs_space: of one step, without what an encoder does not see.
    config: `config.agent`.

  Raises:
    UserError: the encoder cannot halve images with that margin.
  """

  def __init__(self, obs_space, config):
    self.shift = config.gail.anchor_shift
    self.zero = config.image_zero
    self.enc = dreamerv3.rssm.Encoder(
        obs_space, **config.gail.anchor_enc, name='enc')
    if self.shift:
      self._check_sizes()

  def _check_sizes(self):
    # Upstream's encoder would fail at a reshape that names none of this. One
    # that is strided rounds up.
    halvings = len(self.enc.depths) - self.enc.outer
    unit = 1 if self.enc.strided else 2 ** halvings
    for key in self.enc.imgkeys:
      size = self.enc.obs_space[key].shape[:2]
      if self.shift < 0 or any((x + 2 * self.shift) % unit for x in size):
        raise UserError(
            f'--agent.gail.anchor_shift {self.shift}: {key} has '
            f'{size[0]} x {size[1]} pixels, and with twice as many as that '
            f'more the encoder must divide both by {unit}; use 0 for no shift')

  def tokens(self, obs, bdims, training=False):
    """Return what the encoder makes of observations.

    `obs` has the encoder's keys, with one (N, ...) or two (B, T, ...)
    dimensions of batches. In training images are shifted.
    """
    obs = {k: obs[k] for k in self.enc.obs_space}
    for k in self.enc.imgkeys:
      if self.zero == 'black':
        obs[k] = images.lifted(obs[k])
      if self.shift:
        obs[k] = within_margin(
            obs[k], self.shift, BEYOND[self.zero],
            nj.seed() if training else None)
    reset = jnp.zeros(jax.tree.leaves(obs)[0].shape[:bdims], bool)
    return self.enc({}, obs, reset, training=False, single=bdims == 1)[2]

  def follow(self, other, rate):
    """Move all parameters to those of `other` by a moving average.

    The first 1 / rate times to the mean so far. Upstream's SlowModel would
    have to be called after what it follows, which acting never calls.
    """
    count = self.value('count', jnp.zeros, (), jnp.int32) + 1
    self.write('count', count)
    rate = jnp.maximum(rate, 1 / count)
    for key, new in other.values.items():
      self.write(key, rate * new + (1 - rate) * self.value(key, new))


class Anchor(Onlooker):
  """A policy of single observations, cloned from the demonstrations.

  Args:
    obs_space, config: see Onlooker.
    act_space: of one step.
  """

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, config)
    dists = {
        k: config.policy_dist_disc if v.discrete else config.policy_dist_cont
        for k, v in act_space.items()}
    self.pol = embodied.jax.MLPHead(
        act_space, dists, **config.gail.anchor_pol, name='pol')

  def __call__(self, obs, bdims, training=False):
    """Return the distributions of actions; see `tokens`."""
    return self.pol(self.tokens(obs, bdims, training), bdims)

  def loss(self, obs, acts):
    """Return -ln p (B, T) of actions at observations (B, T, ...)."""
    dists = self(obs, 2, training=True)
    return sum(v.loss(acts[k]) for k, v in dists.items())


class Policy:
  """A policy head times an anchor policy; stands for upstream's head.

  Gradients move the head alone.

  Args:
    own: upstream's policy head, which takes latents.
    advice: function of latents and bdims that returns the anchor's `numbers`
      by key.
  """

  def __init__(self, own, advice):
    self.own, self.advice = own, advice

  @property
  def path(self):
    """The name of the head's parameters."""
    return self.own.path

  def __call__(self, inp, bdims):
    """Return the distributions of actions at latents (N, F) or (B, T, F)."""
    return self.both(inp, bdims)[0]

  def both(self, inp, bdims, given=None):
    """Return the distributions of the policy and those of the anchor.

    `given` has the `numbers` of the latter, where they are known.
    """
    own = self.own(inp, bdims)
    if given is None:
      given = self.advice(inp, bdims)
    anchor = {k: rebuild(own[k], sg(given[k])) for k in own}
    return {k: product(own[k], anchor[k]) for k in own}, anchor


def within_margin(image, margin, shade, seed=None):
  """Return images (..., H + 2 margin, W + 2 margin, C) around `image`.

  It is in the middle of each, or, with a `seed`, anywhere. All channels of the
  margin are `shade`.
  """
  *batch, H, W, C = image.shape
  if seed is None:
    around = [(0, 0)] * len(batch) + [(margin, margin)] * 2 + [(0, 0)]
    return jnp.pad(image, around, constant_values=shade)
  flat = image.reshape((-1, H, W, C))
  size = (H + 2 * margin, W + 2 * margin, C)
  corner = jax.random.randint(seed, (len(flat), 2), 0, 2 * margin + 1)
  place = lambda image, corner: jax.lax.dynamic_update_slice(
      jnp.full(size, shade, image.dtype), image, (*corner, 0))
  return jax.vmap(place)(flat, corner).reshape((*batch, *size))


def numbers(dist):
  """Return the arrays that an output of the policy head is made of."""
  if isinstance(dist, outs.Agg):
    return numbers(dist.output)
  if isinstance(dist, outs.Categorical):
    return (dist.logits,)
  return (dist.mean, dist.stddev)


def rebuild(dist, given):
  """Return an output of the kind of `dist`, made of `numbers`."""
  if isinstance(dist, outs.Agg):
    return outs.Agg(rebuild(dist.output, given), len(dist.axes))
  return type(dist)(*given)


def product(own, anchor):
  """Return p(a) ~ own(a) anchor(a) for choices.

  For numbers, Gaussians: own's deviation around the sum of both means, as
  own's mean is what it adds.
  """
  if isinstance(own, outs.Agg):
    return outs.Agg(product(own.output, anchor.output), len(own.axes))
  if isinstance(own, outs.Categorical):
    result = outs.Categorical(own.logits + anchor.logits)
  else:
    result = outs.Normal(own.mean + anchor.mean, own.stddev)
  for name in ('minent', 'maxent'):  # Upstream's metrics want these.
    if hasattr(own, name):
      setattr(result, name, getattr(own, name))
  return result
