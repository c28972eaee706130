"""The reward after an end, as that of an absorbing state.

To DreamerV3 an end is worth 0. So a reward that is always positive pays for
long episodes, and one that is always negative for short ones, whatever the
expert did. In DAC (Kostrikov et al., 2019) an episode that ended goes on for
ever in one state, absorbing, that D scores as any other. Its reward c has the
value c / (1 - discount) then. An agent that gets r - c while it lives and 0
after an end learns the same, as all values are less by that number, and this
is what is done here.

D of a state is the expert's share of the visits to it, if both live as many
steps. For this one state that takes no network: the rates of ends say it. The
risk critic's targets go by the same rates.
"""

import embodied.jax
import jax.numpy as jnp

from .. import agent

# How slowly the rates forget, by update: ends are few in a batch.
RATE = 1e-3
# A rate below this one counts as 0, and so does a ratio of rates. About what
# demonstrations of 10,000 steps can tell.
FEW = 1e-4


class Absorbing(agent.Agent):
  """Dreamer-GAIL that rewards the state after an end, too."""

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    self.ends = Ends(self.rewfn)

  def reward(self, logit):
    """Return the rewards of D's logits, less the absorbing state's."""
    rew = super().reward(logit)
    # A constant is the control for what the absorbing state takes away.
    return rew if self.gail.reward == 'constant' else rew - self.ends()

  def _weigh(self, target):
    return self.ends.weigh(target)

  def loss(self, carry, obs, prevact, training):
    """Return what the method's loss does, with the metric `disc/rew_end`."""
    if training:
      self.ends.update(
          obs['expert'].obs['is_terminal'], obs['is_terminal'])
    loss, (*aux, metrics) = super().loss(carry, obs, prevact, training)
    return loss, (*aux, {**metrics, 'disc/rew_end': self.ends()})


class Ends:
  """The absorbing state's reward by how often both sides get there.

  Args:
    rewfn: one of rewards.REWARDS.
  """

  def __init__(self, rewfn):
    self.rewfn = rewfn
    self.expert, self.agent = [
        embodied.jax.Normalize('meanstd', rate=RATE, name=f'ends_{k}')
        for k in ('expert', 'agent')]

  def update(self, expert, agent):
    """Take the terminal flags of a batch, of any shape, into account."""
    self.expert.update(expert)
    self.agent.update(agent)

  def __call__(self):
    """Return the reward c, a number."""
    expert, agent = self._rates()
    odds = jnp.maximum(expert / (agent + FEW), FEW)
    return self.rewfn(jnp.log(odds))

  def weigh(self, target):
    """Return the risk critic's targets, weighed by how often both sides end.

    Those above 0 are of the agent's ends, which count for as much as it has
    more of them than the expert: else to live longer than the expert would
    pay. Those below 0 are of the expert's, and count in either case.
    """
    expert, agent = self._rates()
    excess = (agent - expert) / jnp.maximum(jnp.maximum(agent, expert), FEW)
    return target * jnp.where(
        target > 0, jnp.maximum(excess, 0), jnp.abs(excess))

  def _rates(self):
    # The ends a step of the expert and of the agent.
    return self.expert.stats()[0], self.agent.stats()[0]
