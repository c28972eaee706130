"""The replay of MGAIL: sequences of what was seen and done."""

import numpy as np


class Memory:
  """A ring of the last `size` steps of some environments.

  A row holds what was seen and the action chosen at it; that of an episode's
  last step is none.
  """

  def __init__(self, size, envs, shape, dtype):
    rows = max(1, size // envs)
    self.obs = np.zeros((rows, envs, *shape), dtype)
    self.acts = np.zeros((rows, envs), np.int32)
    self.first = np.zeros((rows, envs), bool)
    self.count = 0

  def add(self, obs, acts, first):
    """Add a step of all environments, arrays (envs, ...)."""
    row = self.count % len(self.obs)
    self.obs[row], self.acts[row], self.first[row] = obs, acts, first
    self.count += 1

  def sample(self, rng, batch, length):
    """Return obs (B, L + 1, ...), acts (B, L) and live (B, L), for floats.

    `live` is 1 for steps of the episode that the sequence begins with. It
    needs more than `length` rows.
    """
    rows, envs = self.first.shape
    held = min(self.count, rows)
    start = rng.integers(0, held - length, batch)
    env = rng.integers(0, envs, batch)
    index = self.count - held + start[:, None] + np.arange(length + 1)
    at = index % rows, env[:, None]
    live = np.cumprod(~self.first[at][:, 1:], 1)
    return self.obs[at], self.acts[at][:, :-1], live.astype(np.float32)
