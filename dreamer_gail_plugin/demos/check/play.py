"""Random play of a task, which demonstrations are compared with."""

import numpy as np

from ...data import record

# Fewer steps do not show that Seaquest reacts late.
STEPS = 3000
# Games that are stopped early show how games start, and what differs between
# games.
SHORT = (1000, 50)  # Steps of all, and of one.
SECONDS = 20  # At most; a simulator may be slow.


class Play:
  """Random play; `parts` are trajectories, dicts of arrays (T, ...).

  `obs_space` and `act_space` are those of the environment, which is closed,
  and `limit` its time limit in steps, None where that is not known.
  """

  def __init__(self, env, seed=0):
    policy = record.Random(env, seed)
    self.obs_space, self.act_space = env.obs_space, env.act_space
    self.limit = getattr(env, 'limit', None)
    steps, limit = SHORT
    self.parts = [
        record.rollout(env, policy, STEPS, seconds=SECONDS * 2 / 3),
        record.rollout(env, policy, steps, limit, SECONDS / 3)]
    # The second part begins inside of a game, as its first step resets.
    self.steps = sum(len(x['is_first']) for x in self.parts)
    self.games = int(sum(x['is_first'].sum() for x in self.parts))
    env.close()

  def __contains__(self, key):
    return key in self.parts[0]

  def starts(self, key):
    """Return the observations (N, ...) at the starts of games."""
    return np.concatenate([x[key][x['is_first']] for x in self.parts])

  def folds(self):
    """Return two lists of parts, without a common step."""
    first, second = self.parts
    cut = lambda data, a, b: {k: v[a:b] for k, v in data.items()}
    half = len(first['is_first']) * 2 // 3
    early = len(second['is_first']) * 2 // 3
    return (
        [cut(first, 0, half), cut(second, 0, early)],
        [cut(first, half, None), cut(second, early, None)])
