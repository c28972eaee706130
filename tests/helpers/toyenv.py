"""A tiny Gymnasium environment with a vector, continuous and multi-discrete
actions; making `helpers.toyenv:Toy-v0` imports this file."""

import gymnasium
import numpy as np
from gymnasium import spaces


class Toy(gymnasium.Env):
  """Episodes of eight steps that end with a failure for odd choices."""

  observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
  # One bounded number, off centre, and one without bounds.
  move = spaces.Box(
      np.float32([0, -np.inf]), np.float32([4, np.inf]), dtype=np.float32)
  action_space = spaces.Dict(move=move, pick=spaces.MultiDiscrete([3, 3]))

  def reset(self, seed=None, options=None):
    super().reset(seed=seed)
    self.time = 0
    return np.zeros(3, np.float32), {}

  def step(self, action):
    assert self.action_space.contains(action), action
    self.time += 1
    obs = np.float32([self.time, *action['move']])
    failed = bool(self.time > 2 and action['pick'].sum() % 2)
    return obs, float(action['move'][0]), failed, self.time == 8, {}


gymnasium.register('Toy-v0', Toy)
NAME = f'{__name__}:Toy-v0'
TASK = f'gym_{NAME}'
