"""The agent's class, made of the method and the variants of a config."""

import functools

from .. import agent
from .. import dreamer
from . import absorbing
from . import anchored
from . import images
from . import joint
from . import observation
from . import outcomes
from . import sac
from . import tempered
from . import vmail


def agent_class(config):
  """Return the class of the agent for `config.agent`.

  Upstream's for the reward `env`, else the method's, with the variants that
  the config asks for.
  """
  gail, bases = config.gail, []
  if gail.reward != 'env':
    bases = [cls for cls, wanted in {
        absorbing.Absorbing: gail.absorbing,
        anchored.Anchored: gail.anchor,
        vmail.VMail: gail.actor == 'dynamics',
        sac.SoftActorCritic: gail.actor == 'sac',
        joint.Joint: gail.world == 'both',
        observation.Observation: gail.actions != 'given',
        tempered.Tempered: gail.entropy,
        outcomes.Outcomes: gail.outcomes,
        agent.Agent: True}.items() if wanted]
  if config.image_loss != 'mse' or config.image_zero != 'gray':
    bases.append(images.Images)
  return _compose(*(bases or [dreamer.Dreamer]))


class Agent:
  """Stands where upstream's Agent does: makes the one that the config names.

  To subclass the method or a variant take its own class.
  """

  banner = dreamer.Dreamer.banner

  def __new__(cls, obs_space, act_space, config):
    return agent_class(config)(obs_space, act_space, config)

  def __init_subclass__(cls):
    raise TypeError(
        'This Agent makes the one that a config names, so its subclass would '
        'not be used. Subclass dreamer_gail_plugin.agent.Agent instead.')


@functools.cache
def _compose(*bases):
  # Of one base it is the class itself. Else the first named goes first.
  return bases[0] if len(bases) == 1 else type('Agent', bases, {})
