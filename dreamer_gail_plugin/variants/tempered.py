"""An entropy bonus whose weight holds the policy's entropy at a target.

A policy that has settled on one action tries no other, so that D's reward can
no longer move it. The weight of its entropy grows below the target and shrinks
above, as the temperature of SAC does (Haarnoja et al., 2018).
"""

import dreamerv3.agent
import jax.numpy as jnp
import ninjax as nj
import numpy as np

from .. import agent

f32 = jnp.float32
sg = dreamerv3.agent.sg
RATE = 0.02  # Most that the weight's logarithm changes in an update.
LOW, HIGH = 1e-4, 1.0  # Bounds of the weight.


class Tempered(agent.Agent):
  """Dreamer-GAIL whose policy keeps a share of its entropy."""

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    self.temperature = Temperature(
        config.imag_loss.actent, config.gail.entropy, name='temperature')

  def _actent(self, policy, training):
    if training:  # Upstream's loss leaves the last step out, too.
      self.temperature.update(sg(jnp.stack(
          [spread(x)[:, :-1].mean() for x in policy.values()]).mean()))
    return self.temperature()

  def loss(self, carry, obs, prevact, training):
    """Return what the method's loss does, with the metric `actent`."""
    loss, (*aux, metrics) = super().loss(carry, obs, prevact, training)
    return loss, (*aux, {**metrics, 'actent': self.temperature()})


class Temperature(nj.Module):
  """The weight of the entropy.

  Args:
    start: its first value.
    target: where the entropy is held, a share of what is possible.
  """

  def __init__(self, start, target):
    self.target = target
    self.log = nj.Variable(
        lambda: jnp.full((), np.log(start), f32), name='log')

  def update(self, share):
    """Take one step by the entropy of a batch, a share of what is possible."""
    step = RATE * jnp.maximum(1 - f32(share) / self.target, -1)
    self.log.write(jnp.clip(
        self.log.read() + step, np.log(LOW), np.log(HIGH)))

  def __call__(self):
    """Return the weight, a number."""
    return jnp.exp(self.log.read())


def spread(dist):
  """Return the entropy of a policy's distribution as a share, (B, T, ...).

  0 is as sure and 1 as random as it can be. Actions that are vectors have one
  for each element.
  """
  dist = getattr(dist, 'output', dist)  # What upstream sums over elements.
  low, high = dist.minent, dist.maxent
  return (dist.entropy() - low) / (high - low)
