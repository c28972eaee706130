"""Experts by rule for two classic control tasks of Gymnasium.

They are opposites: in CartPole an end is failure, in MountainCar success. An
imitator whose reward favours long or short episodes whatever happens in them
does well in one of the two only.
"""

import numpy as np


class CartPole:
  """Balances until the time limit ends the game.

  It pushes to the right where the sum of position, speed, angle and its speed,
  so weighted, is positive.
  """

  WEIGHTS = np.array([0.1, 0.3, 1.0, 1.0])

  def __init__(self, env, seed=0):
    pass

  def __call__(self, obs):
    """Return the action for an observation."""
    return {'action': np.int32(self.WEIGHTS @ obs['vector'] > 0)}


class MountainCar:
  """Pushes the way that the car rolls, which swings it out of the valley."""

  LEFT, RIGHT = 0, 2

  def __init__(self, env, seed=0):
    pass

  def __call__(self, obs):
    """Return the action for an observation."""
    speed = obs['vector'][1]
    return {'action': np.int32(self.RIGHT if speed > 0 else self.LEFT)}
