"""The steps before ends, which the risk critic learns: `ends/...` keys.

An end is a step that is terminal. Few steps are before one, so these are
kept apart, and half of what the critic learns from is drawn from them, as many
of the expert's as of the agent's if both have ends.
"""

import elements
import numpy as np

from ..data import store

PREFIX = 'ends/'
AHEAD = 10  # Most steps before an end that are told from others.
KEPT = 4096  # Latest steps before ends, of each side.


def needed(gail, act_space):
  """Return whether there is a risk critic by `config.agent.gail`."""
  # Hidden ends must not be told by what it takes off either.
  return bool(
      gail.anchor and gail.risk and gail.terminals and choices(act_space))


def choices(act_space):
  """Return the keys of actions that are one choice, which have a risk."""
  return [k for k, v in act_space.items() if v.discrete and not v.shape]


def space(obs_space, act_space):
  """Return the spaces of one step of every key that the stream adds."""
  spaces = {**obs_space, **act_space}
  return {
      **{PREFIX + k: spaces[k] for k in _keys(obs_space, act_space)},
      PREFIX + 'target': elements.Space(np.float32)}


def _keys(obs_space, act_space):
  seen = [k for k in obs_space if store.needed(k) and k not in store.FLAGS]
  return seen + choices(act_space)


class EndStream:
  """Adds what the risk critic learns from to batches with an expert's.

  To arrays (B, T, ...) of the replay and those under `expert/` it adds as
  many steps under `ends/`, drawn one by one, and `ends/target` (B, T). At n
  steps before an end that is `discount ** (n - 1)`, minus that for the
  expert, for n up to AHEAD, or half of T where that is less (8 with `tiny`);
  other steps of the replay have 0. Steps of which the batch does not show
  what comes next are left out. What is drawn depends on `seed`, on the batches
  so far and, after `load`, on none before it.

  Args:
    source: a stream of batches.
    obs_space, act_space: of the agent.
    discount: of a step.
    mirror: a Mirror to change what is drawn, or None.
    seed: one integer or several.
  """

  def __init__(
      self, source, obs_space, act_space, discount, mirror=None, seed=0):
    self.source = source
    self.keys = _keys(obs_space, act_space)
    self.discount = discount
    self.mirror = mirror
    self.seed = [int(x) for x in np.atleast_1d(seed)]
    self.count = 0
    self.kept = {1: Kept(KEPT), -1: Kept(KEPT)}  # The agent's, the expert's.

  def __iter__(self):
    self.source = iter(self.source)
    return self

  def __next__(self):
    batch = next(self.source)
    rng = np.random.default_rng([*self.seed, self.count])
    self.count += 1
    others = self._keep(batch, '', 1)
    self._keep(batch, 'expert/', -1)
    steps = self._draw(rng, batch, others)
    if self.mirror:
      self.mirror(rng, steps)
    return {**batch, **{PREFIX + k: v for k, v in steps.items()}}

  def _keep(self, batch, prefix, sign):
    # Keep the steps before ends and return where the others are, (B, T).
    flags = [batch[prefix + k] for k in store.FLAGS]
    ahead, ends = until(*flags)
    most = min(AHEAD, (ahead.shape[1] - 1) // 2)
    near = ends & (ahead > 0) & (ahead <= most)
    worth = sign * self.discount ** (ahead[near] - 1.0)
    self.kept[sign].add({
        'target': np.float32(worth),
        **{k: batch[prefix + k][near] for k in self.keys}})
    others = ~flags[1] & (ahead >= most) & ~near
    # In a batch of few steps there may be none.
    return others if others.any() else ~flags[1]

  def _draw(self, rng, batch, others):
    # Half of (B, T) steps from those kept, evenly, and half from the others.
    kept = [x.steps for x in self.kept.values() if x.count]
    share = others.size // 2 // max(len(kept), 1)
    parts = [_some(rng, x, share) for x in kept]
    index = np.argwhere(others)
    index = index[rng.integers(0, len(index), others.size - share * len(kept))]
    parts.append({
        'target': np.zeros(len(index), np.float32),
        **{k: batch[k][tuple(index.T)] for k in self.keys}})
    join = lambda *xs: np.concatenate(xs).reshape(
        (*others.shape, *xs[0].shape[1:]))
    return {k: join(*[x[k] for x in parts]) for k in parts[0]}

  def save(self):
    return {'source': self.source.save(), 'count': self.count}

  def load(self, state):
    self.source.load(state['source'])
    self.count = state['count']


class Kept:
  """The latest `size` steps of all that were added."""

  def __init__(self, size):
    self.size = size
    self.count = 0
    self.data = {}

  @property
  def steps(self):
    """Return a dict of arrays (N, ...)."""
    return {k: v[:self.count] for k, v in self.data.items()}

  def add(self, steps):
    """Add a dict of arrays (N, ...) in place of the oldest."""
    index = (self.count + np.arange(len(steps['target']))) % self.size
    for key, value in steps.items():
      if key not in self.data:
        self.data[key] = np.empty((self.size, *value.shape[1:]), value.dtype)
      self.data[key][index] = value
    self.count += len(index)


def _some(rng, steps, size):
  index = rng.integers(0, len(steps['target']), size)
  return {k: v[index] for k, v in steps.items()}


def until(first, last, terminal):
  """Return how far each step is from a border, and whether that is an end.

  A border is an end, the last step of an episode, or the last that is shown of
  it. Flags and results are (B, T).
  """
  ahead = np.zeros(first.shape, int)
  ends = terminal.copy()
  for t in range(first.shape[1] - 2, -1, -1):
    goes_on = ~last[:, t] & ~terminal[:, t] & ~first[:, t + 1]
    ahead[:, t] = np.where(goes_on, ahead[:, t + 1] + 1, 0)
    ends[:, t] = np.where(goes_on, ends[:, t + 1], ends[:, t])
  return ahead, ends
