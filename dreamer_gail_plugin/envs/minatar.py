"""The five MinAtar games (Young and Tian, 2019)."""

import importlib.util
import pathlib

import elements
import embodied
import numpy as np

from . import common

TASKS = ('asterix', 'breakout', 'freeway', 'seaquest', 'space_invaders')
MEANINGS = ('noop', 'left', 'up', 'right', 'down', 'fire')


class MinAtar(embodied.Env):
  """One game on a board of 10 by 10 cells.

  The image is (10, 10, C) uint8 with one channel per kind of object, 255
  where the object is and 0 elsewhere. `action_meanings` names the actions.

  Args:
    task: one of TASKS; anything else raises UserError.
    sticky: chance that the game repeats the previous action instead.
    actions: 'needed' for the actions that do something in this game (3 in
      Breakout), as in the second version of the Gym ids, or 'all' for the
      same six in every game, as in the MinAtar paper.
    length: time limit in steps, 0 for none. It ends the episode without
      `is_terminal`. Needed, because a Breakout ball can circle forever.
    seed: makes games and sticky actions repeatable.

  The game's own end is terminal; in Freeway that is its clock of 2500 frames.
  """

  def __init__(
      self, task, sticky=0.1, actions='needed', length=10000, seed=None):
    common.choose('MinAtar game', task, TASKS)
    common.choose('value of actions', actions, ('all', 'needed'))
    self.random = np.random.RandomState(seed)
    self.game = _load(task).Env(ramping=True)
    # One generator for game and sticky actions, as in MinAtar's own wrapper.
    self.game.random = self.random
    self.sticky = sticky
    self.length = length
    self.actions = {
        'all': list(range(len(MEANINGS))),
        'needed': self.game.minimal_action_set(),
    }[actions]
    self.action_meanings = [MEANINGS[i] for i in self.actions]
    self.previous = 0
    self.duration = 0
    self.done = True

  @property
  def obs_space(self):
    shape = tuple(self.game.state_shape())  # (10, 10, C)
    image = elements.Space(np.uint8, shape)
    return {'image': image, **common.standard_spaces()}

  @property
  def act_space(self):
    return {
        'action': elements.Space(np.int32, (), 0, len(self.actions)),
        'reset': elements.Space(bool),
    }

  def step(self, action):
    if action['reset'] or self.done:
      self.game.reset()
      self.previous = 0
      self.duration = 0
      self.done = False
      return self._obs(first=True)
    chosen = self.actions[int(action['action'])]
    if self.random.rand() < self.sticky:
      chosen = self.previous
    self.previous = chosen
    reward, terminal = self.game.act(chosen)
    self.duration += 1
    timeout = bool(self.length) and self.duration >= self.length
    self.done = terminal or timeout
    return self._obs(reward, last=self.done, terminal=terminal)

  def _obs(self, *args, **kwargs):
    image = self.game.state().astype(np.uint8) * 255
    return {'image': image, **common.standard(*args, **kwargs)}


def _load(task):
  # The package's __init__ imports plotting libraries and warns where they
  # are missing. The games need none of that, so load the game's file alone.
  package = importlib.util.find_spec('minatar')
  if not package:
    raise ModuleNotFoundError("No module named 'minatar'", name='minatar')
  folder = pathlib.Path(package.submodule_search_locations[0])
  spec = importlib.util.spec_from_file_location(
      f'minatar_{task}', folder / 'environments' / f'{task}.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module
