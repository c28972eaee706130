"""A plain function as an expert: from an observation to an action."""

import importlib

from ...envs import foreign
from ...errors import UserError


def find(name):
  """Return the function of a name MODULE:FUNCTION.

  The module may stand in the working directory. Raises UserError where there
  is no such function.
  """
  module, _, attribute = name.partition(':')
  foreign.look_here()
  try:
    found = getattr(importlib.import_module(module), attribute)
  except (ImportError, AttributeError, ValueError) as error:
    raise UserError(
        f'--policy {name}: {error}. Expected MODULE:FUNCTION, as in '
        'reach:expert for the function `expert` in reach.py') from error
  if not callable(found):
    raise UserError(f'--policy {name}: is no function')
  return found


class Function:
  """Acts in a Gymnasium environment by a function of the user.

  The function gets the observations, and returns the actions, of the
  environment itself.

  Args:
    name: MODULE:FUNCTION, see `find`.
    env: an environment of the suite `gym`.
    seed: not used; each observation has one action, or the function draws.
  """

  def __init__(self, name, env, seed=0):
    self.name, self.env, self.function = name, env, find(name)

  def __call__(self, obs):
    """Return the actions for the latest observation of the environment."""
    try:
      action = self.function(self.env.seen)
    except Exception as error:  # Whatever their code raises.
      raise UserError(
          f'--policy {self.name}: raised {type(error).__name__}: '
          f'{error!s:.300}') from error
    fault = self.env.foreign.act(action)
    if fault:
      raise UserError(f'--policy {self.name}: {fault}')
    acts = self.env.act.flatten(action)
    for key, value in acts.items():
      space = self.env.act_space[key]
      if not (space.low <= value).all() or not (value <= space.high).all():
        raise UserError(
            f'--policy {self.name}: {key} {value} is beyond its bounds, '
            f'{space.low} to {space.high}; clip it in the function')
    return acts
