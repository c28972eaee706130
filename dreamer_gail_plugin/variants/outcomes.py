"""D of the states that actions lead to (`gail.outcomes`).

D judges what was done by what came of it. The RSSM's state after an action is
made of the state before it and the action, so D needs no pair of states.
"""

import jax
import jax.numpy as jnp

from .. import agent
from .. import pairs

f32 = jnp.float32
sg = agent.sg


class Outcomes(agent.Agent):
  """Dreamer-GAIL whose D sees the state after an action, in place of both."""

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    self.disc.act_space = {}

  def expert_pairs(self, obs, feat):
    """Return D's inputs (B, T, F) and weights (B, T) of an expert's actions.

    The inputs are the states that these lead to; see agent.Agent.
    """
    later = lambda x: jnp.roll(x, -1, 1)
    goes = (~later(obs['is_first'])).at[:, -1].set(False)
    states = sg(self.disc.inputs(pairs.shown(self, feat), {}))
    return later(states), pairs.acted(self, obs) * goes

  def _pairs(self, expert, replay, imagined, K):
    obs, _, repfeat = replay
    imgfeat, _, con = imagined
    later = lambda xs: {k: sg(v[:, 1:]) for k, v in xs.items()}
    window = lambda x: x[:, -K:]
    seen, other = pairs.both_ways(self, sg(jax.tree.map(window, repfeat)))
    after = {k: imgfeat[k] for k in seen}
    alive = sg(jnp.cumprod(con, 1))[:, :-1]  # Was it when the action came?
    going = f32(~window(obs['is_last']))[:, :-1]
    inputs = lambda feat: self.disc.inputs(later(feat), {})
    return {
        'expert': self.expert_pairs(*expert),
        'imag': (inputs(after), alive),
        'replay': (inputs(seen), going),
        'other': (inputs(other), going),
    }
