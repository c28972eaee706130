"""What acts in several games at once, whatever the library behind it."""

import numpy as np

from .. import build
from . import gymenv


class Actor:
  """A saved policy that acts in several games at once; see evaluate.actors.

  What is drawn in a game depends on its key and time alone. A subclass has
  `choose`.
  """

  imitates = False

  def __init__(self, config):
    obs_space, act_space = build.spaces(config)
    self.eyes = gymenv.Eyes(obs_space, config)
    self.hands = gymenv.Hands(act_space)

  def start(self, rows):
    """Return the carry of so many games, what was seen last in each."""
    space = self.eyes.space
    return np.zeros((rows, *space.shape), space.dtype)

  def __call__(self, carry, obs, keys, times):
    """Return the new carry and the actions, a dict of arrays (N, ...)."""
    key, first = self.eyes.key, obs['is_first']
    seen = np.stack([
        self.eyes({key: image}, None if new else before)
        for image, before, new in zip(obs[key], carry, first)])
    return seen, self.hands(self.choose(seen, keys, times))

  def choose(self, seen, keys, times):
    """Return actions (N, ...) for what is seen (N, ...)."""
    raise NotImplementedError('choose(seen, keys, times) -> actions')
