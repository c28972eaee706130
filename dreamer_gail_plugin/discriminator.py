"""The discriminator D(s, a), its loss and its gradient penalty.

D sees x = [deter, stoch, action] of a model state and the action taken in it
and returns the logit h of D = P(expert). It computes in float32 on every
platform: the gradient penalty differentiates it twice, and its logits are
rewards. It is an MLP of its own rather than upstream's, whose layers offer no
spectral norm and insist on the compute dtype of the world model.
"""

import embodied.jax.nets as nn
import jax
import jax.numpy as jnp
import ninjax as nj

f32 = jnp.float32
sg = jax.lax.stop_gradient


class Discriminator(nj.Module):
  """An MLP from a model state and an action to the logit of P(expert).

  Fields: `layers` hidden layers of `units` units with activation `act`;
  `spectral` is the Lipschitz bound of each layer, 0 for none; `winit` the
  initializer of the kernels.
  """

  layers: int = 2
  units: int = 512
  act: str = 'silu'
  spectral: float = 0.0
  winit: str = 'trunc_normal_in'

  def __init__(self, act_space):
    self.act_space = act_space

  def inputs(self, feat, act):
    """Return x, shape (..., F) in float32, from a feat dict and an act dict.

    Discrete actions are one-hot. Continuous ones are clipped to [-1, 1], as
    the environment wrapper does, or D could tell imagined actions from
    recorded ones by their overshoot alone. Without an `act_space` x is the
    state alone.
    """
    act = {
        k: act[k] if v.discrete else jnp.clip(act[k], -1, 1)
        for k, v in self.act_space.items()}
    stoch = feat['stoch'].reshape((*feat['stoch'].shape[:-2], -1))
    parts = [feat['deter'], stoch]
    if act:
      parts.append(nn.DictConcat(self.act_space, 1)(act))
    return jnp.concatenate([f32(x) for x in parts], -1)

  def __call__(self, x):
    """Return logits, shape (...), of inputs x, shape (..., F)."""
    assert x.dtype == f32, x.dtype
    for i in range(self.layers):
      x = self.sub(f'linear{i}', Dense, self.units, **self._kw)(x)
      x = nn.act(self.act)(x)
    return self.sub('logit', Dense, 1, **self._kw)(x).squeeze(-1)

  @property
  def _kw(self):
    return dict(spectral=self.spectral, winit=self.winit)


class Dense(nj.Module):
  """A float32 linear layer whose largest singular value can be bounded."""

  spectral: float = 0.0
  winit: str = 'trunc_normal_in'

  def __init__(self, units):
    self.units = units

  def __call__(self, x):
    """Map (..., F) to (..., units)."""
    init = nn.init(self.winit)
    kernel = self.value('kernel', init, (x.shape[-1], self.units))
    if self.spectral:
      kernel = kernel / jnp.maximum(1, sigma(kernel) / self.spectral)
    return x @ kernel + self.value('bias', jnp.zeros, self.units)


def sigma(kernel, iterations=30):
  """Return the largest singular value of a matrix, by power iteration.

  The gradient is exact at the singular vectors, which are held constant.
  Source: spectral normalisation (Miyato et al., 2018, algorithm 1); starting
  afresh at each call keeps D's parameters the only state.
  """
  fixed = sg(kernel)
  unit = lambda v: v / (jnp.linalg.norm(v) + 1e-12)
  def step(_, left):
    return unit(unit(fixed @ left) @ fixed)
  start = unit(fixed.sum(0) + 1e-3)
  left = jax.lax.fori_loop(0, iterations, step, start)
  return unit(fixed @ left) @ kernel @ left


def disc_loss(disc, expert, policy, penalty, target):
  """Return D's scalar loss and its metrics.

  Args:
    disc: maps inputs (N, F) to logits (N,).
    expert: pair of inputs (N, F) and weights (N,) of expert pairs.
    policy: list of such pairs, one for each source of negatives; every
      source has the same share whatever its size.
    penalty: coefficient of the input gradient penalty; 0 turns it off.
    target: norm that the penalty draws the gradient towards.

  The loss is the binary cross entropy -E ln D(expert) - E ln(1 - D(policy)),
  halved so that it is a mean over balanced classes, as the discriminator's
  update of Algorithm 1 asks for, plus the penalty.
  """
  hexp = disc(expert[0])
  hpol = [disc(x) for x, _ in policy]
  wexp, wpol = expert[1], [w for _, w in policy]
  over = lambda fn: sum(
      wmean(fn(h), w) for h, w in zip(hpol, wpol)) / len(policy)
  bce = (wmean(jax.nn.softplus(-hexp), wexp) + over(jax.nn.softplus)) / 2
  loss, metrics = bce, {'bce': bce}
  if penalty:
    norms, weight = gradnorm(disc, expert, policy)
    loss += penalty * wmean(jnp.square(norms - target), weight)
    metrics['gradnorm'] = wmean(norms, weight)
  metrics['loss'] = loss
  metrics['acc_expert'] = wmean(f32(hexp > 0), wexp)
  metrics['logit_gap'] = wmean(hexp, wexp) - over(lambda h: h)
  return loss, metrics


def gradnorm(disc, expert, policy):
  """Return norms (N,) of D's input gradient between the classes, and weights.

  Each expert input is mixed with a random negative at a uniform ratio, as in
  WGAN-GP (Gulrajani et al., 2017) and DAC (Kostrikov et al., 2018). The norm
  is over the features of one input; a pair weighs the product of its parts.
  """
  xexp, wexp = expert
  xpol, wpol = [jnp.concatenate(x, 0) for x in zip(*policy)]
  index = jax.random.randint(nj.seed(), (len(xexp),), 0, len(xpol))
  mix = jax.random.uniform(nj.seed(), (len(xexp), 1))
  x = mix * xexp + (1 - mix) * xpol[index]  # (N, F)
  grads = jax.grad(lambda x: disc(x).sum())(x)
  # The square root has no derivative at 0.
  return jnp.sqrt(jnp.square(grads).sum(-1) + 1e-12), wexp * wpol[index]


def wmean(x, weight):
  """Return the mean of x under weights of its shape; 0 if all are 0."""
  assert x.shape == weight.shape, (x.shape, weight.shape)
  return (x * weight).sum() / jnp.maximum(weight.sum(), 1e-8)
