"""The risk critic: which actions lead to an end that the expert avoids.

Where the latents of the world model do not tell what comes before an end from
other states, imagination teaches nothing about it (docs/ablations.md).
This critic learns it from real steps and single observations: as that of
Recovery RL (Thananjeyan et al., 2021) the discounted chance of a failure, with
which the policy chooses, as with that of Srinivasan et al. (2020). There
somebody says what a failure is. Here the ends of the agent's games count as
such, less those of the expert's.
"""

import elements
import embodied.jax
import jax.numpy as jnp
import numpy as np

from . import anchor
from . import risk_stream


class Risk(anchor.Onlooker):
  """Values of the choices that an observation offers.

  It sees and is made as the anchor policy. Continuous actions and those of
  several numbers have none.

  Args:
    obs_space, act_space, config: see anchor.Anchor.
  """

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, config)
    self.scale = config.gail.risk
    values = {
        k: elements.Space(np.float32, (int(act_space[k].classes),))
        for k in risk_stream.choices(act_space)}
    dists = {k: 'mse' for k in values}
    kw = {
        k: v for k, v in config.gail.anchor_pol.items()
        if k in ('layers', 'units', 'act', 'norm', 'outscale', 'winit')}
    self.head = embodied.jax.MLPHead(values, dists, **kw, name='head')

  def __call__(self, obs, bdims, training=False):
    """Return values (..., A) of each choice; see Onlooker.tokens."""
    dists = self.head(self.tokens(obs, bdims, training), bdims)
    return {k: v.pred() for k, v in dists.items()}

  def loss(self, obs, acts, target):
    """Return squared errors (B, T) of the values of `acts` (B, T)."""
    values = self(obs, 2, training=True)
    taken = {
        k: jnp.take_along_axis(v, acts[k][..., None], -1).squeeze(-1)
        for k, v in values.items()}
    return sum(jnp.square(v - target) for v in taken.values())


def less_risk(given, values, scale):
  """Return the `anchor.numbers` of policies by key, less `scale` times risk.

  The values (..., A) of a key are taken off its logits. Keys without values
  stay as they are.
  """
  return {
      k: (v[0] - scale * values[k],) if k in values else v
      for k, v in given.items()}
