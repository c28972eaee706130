"""Tasks of kinds that are easily got wrong, ten steps a game."""

import gymnasium
import numpy as np
from gymnasium import spaces


class Strange(gymnasium.Env):
  """Shows samples of its space and pays for the first action."""

  observation_space = spaces.Box(-1, 1, (3,), np.float32)
  action_space = spaces.Discrete(3)

  def reset(self, *, seed=None, options=None):
    if seed is not None:
      self.observation_space.seed(seed)
    self.count = 0
    return self.observation_space.sample(), {}

  def step(self, action):
    self.count += 1
    return (
        self.observation_space.sample(), self.pay(action), self.count == 10,
        False, {})

  def pay(self, action):
    return float(np.ravel(action)[0] > 0)


class First(Strange):
  """An image with channels first; it cannot be made without its size."""

  def __init__(self, sides):
    self.observation_space = spaces.Box(0, 255, (3, sides, sides), np.uint8)


class Dicts(Strange):
  """An image and a vector, a choice and numbers."""

  observation_space = spaces.Dict({
      'eye': spaces.Box(0, 255, (32, 32, 3), np.uint8),
      'pose': spaces.Box(-1, 1, (3,), np.float32)})
  action_space = spaces.Dict({
      'go': spaces.Discrete(4), 'turn': spaces.Box(-2, 3, (2,), np.float32)})

  def pay(self, action):
    return float(action['go'] == 1)


class Codes(Strange):
  """A grid of codes, and actions without bounds."""

  observation_space = spaces.Box(0, 10, (7, 7), np.uint8)
  action_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)


TASKS = {x.__name__: x for x in (First, Dicts, Codes)}
for name in TASKS:
  gymnasium.register(f'Strange{name}-v0', f'{__name__}:{name}')
