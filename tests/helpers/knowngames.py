"""Games whose lengths and scores are known by their seeds."""

import elements
import embodied
import numpy as np


class Known(embodied.Env):
  """Games with known ends: their seeds decide length, score and limit.

  Even seeds: 2 actions, score 0, terminal. Odd seeds: 30 actions, score 10,
  by the time limit. Asked for a reset, it goes on with the next seed.
  """

  act_space = {
      'action': elements.Space(np.int32, (), 0, 3),
      'reset': elements.Space(bool)}
  obs_space = {
      'image': elements.Space(np.uint8, (4, 4, 1)),
      'reward': elements.Space(np.float32),
      'is_first': elements.Space(bool),
      'is_last': elements.Space(bool),
      'is_terminal': elements.Space(bool)}

  def __init__(self, seed):
    self.seed, self.time = seed - 1, None

  def step(self, action):
    if action['reset']:
      self.seed, self.time = self.seed + 1, 0
    else:
      self.time += 1
    odd = self.seed % 2
    last = self.time == (30 if odd else 2)
    return {
        'image': np.full((4, 4, 1), self.time, np.uint8),
        'reward': np.float32(10 * odd / 30 * bool(self.time)),
        'is_first': self.time == 0, 'is_last': last,
        'is_terminal': last and not odd}


class Broken(Known):
  """Fails at the third step."""

  def step(self, action):
    if self.time == 2:
      raise ValueError('broken on purpose')
    return super().step(action)


def make_env(seed):
  """Return the environment of a seed; those from 100 on are broken."""
  return (Known if seed < 100 else Broken)(seed)
