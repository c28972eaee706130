"""The environments as a person plays them: shown in colour, and rewindable.

What is recorded is the environment's own observation. What the person sees
comes from the same state, larger and in colour, and looking must not change
the game.
"""

import copy
import os
import re

import gymnasium
import numpy as np

from ... import envs
from ...envs import atari
from ...errors import UserError
from .. import tasks
from . import sliders

# Distinct on black; MinAtar has up to ten kinds of objects.
PALETTE = (
    '#4e9bff', '#ffa028', '#ff4d4d', '#3fd0c0', '#57c443', '#ffe14d',
    '#c77dff', '#ff8fc0', '#b08060', '#e0e0e0')
# Names of the actions of Gymnasium's own tasks, which do not tell.
NAMES = {
    'CartPole': 'left right',
    'MountainCar': 'left noop right',
    'Acrobot': 'left noop right',
    'LunarLander': 'noop left up right',
    'FrozenLake': 'left down right up',
    'CliffWalking': 'up right down left',
    'Taxi': 'down up right left pickup dropoff',
}
FASTEST = 20  # Steps per second, for tasks that ask for more than people can.


def make(task, seed):
  """Return the Game of a task, as it stands before its first reset.

  Raises UserError for unknown tasks, actions that are neither one choice nor a
  few bounded numbers, and tasks that cannot be shown.
  """
  suite, _ = tasks.split(task)
  envs.common.choose('suite', suite, GAMES)
  return GAMES[suite](task, seed)


class Game:
  """One environment with its seed.

  `env` is the `embodied.Env`, `space` that of its action, `names` are those of
  its actions or, of a continuous one, of its numbers, `speed` is the usual
  number of steps per second, `legend` maps what is seen to colours where that
  needs to be told. `fork` gives a game in the state of a `mark`; the
  environment's random state belongs to it.
  """

  legend = ()
  speed = 5

  def __init__(self, task, seed):
    self.task = task
    self.seed = seed
    self.env = self._make()
    spaces = {k: v for k, v in self.env.act_space.items() if k != 'reset'}
    self.space = spaces.get('action')
    if len(spaces) > 1 or not self.space or not _playable(self.space):
      raise UserError(
          f'--task {task}: its action is neither one choice from a list nor '
          f'one to {sliders.MOST} numbers with bounds, so neither keys nor '
          'sliders can give it. Record it by a program, see docs/adding.md.')
    names = getattr(self.env, 'action_meanings', None)
    count = self.space.shape[0] if self.continuous else self.space.classes
    self.names = list(names or map(str, range(int(count))))

  @property
  def continuous(self):
    """Return whether an action is a vector of numbers."""
    return bool(self.space.shape)

  def reset(self):
    """Return the first observation of an episode."""
    action = np.zeros(self.space.shape, self.space.dtype)
    return self.env.step({'action': action, 'reset': True})

  def step(self, action):
    """Return the observation after an action: a number, or a list of them."""
    action = np.asarray(action, self.space.dtype)
    return self.env.step({'action': action, 'reset': False})

  def close(self):
    """Close the environment."""
    self.env.close()

  def screen(self):
    """Return what the person sees, (H, W, 3) uint8."""
    raise NotImplementedError('screen() -> image')

  def mark(self):
    """Return a copy of the state for `fork`, or None if that cannot be."""
    return copy.deepcopy(self.env, self._shared())

  def fork(self, mark):
    """Return another game in the state of the mark, which stays as it is."""
    fork = copy.copy(self)
    fork.env = copy.deepcopy(mark, self._shared())
    return fork

  def _make(self):
    return tasks.make_env(self.task, self.seed)

  def _shared(self):
    # What copies of the environment may share, in the form of deepcopy.
    return {}


class MinAtar(Game):
  """Objects in colours of their own."""

  speed = 6

  def __init__(self, task, seed):
    super().__init__(task, seed)
    channels = sorted(
        self.env.game.channels, key=self.env.game.channels.get)
    self.legend = tuple(zip(channels, PALETTE))
    self.colours = np.array([rgb(x) for x in PALETTE], np.uint8)

  def screen(self):
    board = self.env.game.state()  # (10, 10, C)
    colours = self.colours[board.argmax(-1)]
    return np.where(board.any(-1)[..., None], colours, 0).astype(np.uint8)


class Crafter(Game):
  """The player's surroundings, as large as the textures allow."""

  UNIT = 48  # Pixels of a field, of which there are 9 by 9.

  def screen(self):
    # At night Crafter draws noise from the random state of the world.
    world = self.env.game._world
    state = world.random.get_state()
    image = self.env.game.render((9 * self.UNIT, 9 * self.UNIT))
    world.random.set_state(state)
    return image

  def _shared(self):
    textures = self.env.game._textures
    return {id(textures): textures}


class Atari(Game):
  """The screen of the console, pooled as the agent's, which hides flicker."""

  KEYS = ('newest', 'remaining', 'duration', 'done')

  @property
  def speed(self):
    return 60 / self.env.repeat

  def screen(self):
    return atari.POOLS[self.env.looks['aggregate']](self.env.screens)

  def mark(self):
    # A state of the emulator holds its random numbers, but not the previous
    # action, which a sticky action repeats. So only states are taken whose
    # next action will not stick: there two actions can differ in what they
    # do. Else the tries have repeated the previous action and it still holds.
    ale = self.env.ale
    state = ale.cloneState(include_rng=True)
    memories = set()
    for action in self.env.actions:
      ale.act(action)
      memories.add(ale.getRAM().tobytes())
      ale.restoreState(state)
    if len(memories) == 1:
      return None
    kept = {k: getattr(self.env, k) for k in self.KEYS}
    kept['rng'] = copy.deepcopy(self.env.rng)
    return state, self.env.screens.copy(), kept

  def fork(self, mark):
    state, screens, kept = mark
    fork = type(self)(self.task, self.seed)
    fork.env.ale.restoreState(state)
    fork.env.screens[:] = screens
    for key, value in copy.deepcopy(kept).items():
      setattr(fork.env, key, value)
    return fork


class Gym(Game):
  """What the environment renders, or else its image."""

  def __init__(self, task, seed):
    super().__init__(task, seed)
    name = tasks.split(task)[1]
    known = NAMES.get(re.sub(r'-v\d+$', '', name))
    if known and not self.env.action_meanings:
      self.names = known.split()
    if self.env.game.render_mode is None and 'image' not in (
        self.env.obs_space):
      raise UserError(
          f'--task {task}: cannot be shown. It has neither an observation '
          "`image` nor the render_mode 'rgb_array'; add one of them.")

  @property
  def speed(self):
    return min(self.env.game.metadata.get('render_fps') or 10, FASTEST)

  def reset(self):
    self.latest = super().reset()
    return self.latest

  def step(self, action):
    self.latest = super().step(action)
    return self.latest

  def screen(self):
    if self.env.game.render_mode is None:
      image = self.latest['image']
      grey = image.shape[-1] < 3
      return np.repeat(image[..., :1], 3, -1) if grey else image[..., :3]
    try:
      return np.asarray(self.env.game.render(), np.uint8)
    except gymnasium.error.DependencyNotInstalled as error:
      raise UserError(
          f'--task {self.task}: cannot be shown: {error}') from error

  def mark(self):
    return None  # Some hold memory of C that a copy would share.

  def _make(self):
    env = tasks.make_env(self.task, self.seed)
    if 'rgb_array' not in env.game.metadata.get('render_modes', ()):
      return env
    env.close()
    # SDL complains of each game where there is no desktop. Its pictures are
    # drawn into arrays, for which it needs none.
    os.environ.setdefault('SDL_VIDEODRIVER', 'dummy')
    suite, name = tasks.split(self.task)
    return envs.make(
        suite, name, **tasks.options(self.task), seed=self.seed,
        render_mode='rgb_array')


GAMES = {
    'atari': Atari,
    'atari100k': Atari,
    'crafter': Crafter,
    'gym': Gym,
    'minatar': MinAtar,
}


def _playable(space):
  if space.discrete:
    return not space.shape
  return (
      len(space.shape) == 1 and space.shape[0] <= sliders.MOST
      and np.isfinite([space.low, space.high]).all())


def rgb(text):
  """Return the three numbers of a colour such as '#4e9bff', a list."""
  return [int(text[i: i + 2], 16) for i in (1, 3, 5)]
