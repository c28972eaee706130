"""Crafter (Hafner, 2021): survival in an open world, 22 achievements."""

import collections

import crafter
import elements
import embodied
import numpy as np

from . import common

ACHIEVEMENTS = tuple(crafter.constants.achievements)


class Crafter(embodied.Env):
  """One player in a new world per episode.

  The image is (H, W, 3) uint8. The task 'reward' gives the rewards of the
  benchmark; 'noreward' gives none. Either way `log/reward` holds them, for
  scores. Death is terminal, the limit of 10000 steps is not.
  `action_meanings` names the 17 actions.

  Args:
    task: 'reward' or 'noreward'; anything else raises UserError.
    size: height and width of the image.
    logs: adds `log/achievement_<name>`, how often each was reached so far
      in the episode.
    seed: makes worlds and creatures repeatable.
  """

  def __init__(self, task, size=(64, 64), logs=False, seed=None):
    common.choose('Crafter task', task, ('reward', 'noreward'))
    height, width = size
    self.shape = (height, width, 3)
    self.game = crafter.Env(
        size=(width, height), reward=(task == 'reward'), seed=seed)
    self.action_meanings = list(crafter.constants.actions)
    self.logs = logs
    self.done = True

  @property
  def obs_space(self):
    spaces = {
        'image': elements.Space(np.uint8, self.shape),
        **common.standard_spaces(),
        'log/reward': elements.Space(np.float32),
    }
    if self.logs:
      spaces.update({
          f'log/achievement_{x}': elements.Space(np.int32)
          for x in ACHIEVEMENTS})
    return spaces

  @property
  def act_space(self):
    return {
        'action': elements.Space(np.int32, (), 0, len(self.action_meanings)),
        'reset': elements.Space(bool),
    }

  def step(self, action):
    if action['reset'] or self.done:
      return self._reset()
    image, reward, self.done, info = self.game.step(int(action['action']))
    flags = dict(last=self.done, terminal=info['discount'] == 0)
    return self._obs(image, reward, info, **flags)

  def _reset(self):
    image = self.game.reset()
    _order_creatures(self.game._world)
    self.done = False
    empty = {'reward': 0.0, 'achievements': dict.fromkeys(ACHIEVEMENTS, 0)}
    return self._obs(image, 0.0, empty, first=True)

  def _obs(self, image, reward, info, **flags):
    obs = {'image': image, **common.standard(reward, **flags)}
    obs['log/reward'] = np.float32(info['reward'])
    if self.logs:
      obs.update({
          f'log/achievement_{x}': np.int32(info['achievements'][x])
          for x in ACHIEVEMENTS})
    return obs


def _order_creatures(world):
  # Crafter keeps the creatures of a region in a set and lets chance pick by
  # position in it. That order follows memory addresses, so equal seeds would
  # not give equal games.
  chunks = collections.defaultdict(_OrderedSet)
  for creature in world.objects:
    chunks[world.chunk_key(creature.pos)].add(creature)
  world._chunks = chunks


class _OrderedSet(dict):

  def add(self, item):
    self[item] = None

  def remove(self, item):
    del self[item]
