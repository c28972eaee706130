"""Atari 2600 games on ale-py, and the picture that the agent sees of them."""

import ale_py
import elements
import embodied
import numpy as np
from ale_py import roms
from PIL import Image

from ..errors import UserError
from . import common

# Red, green and blue as bright as they look (ITU-R BT.601). Equal parts
# would make a red object on green ground vanish.
LUMA = (0.299, 0.587, 1 - (0.299 + 0.587))
POOLS = {
    'max': lambda screens: np.amax(screens, 0),
    'mean': lambda screens: np.mean(screens, 0).astype(np.uint8),
}
ALIASES = {'james_bond': 'jamesbond'}


class Atari(embodied.Env):
  """One game, by its ale-py name, such as 'seaquest' or 'ms_pacman'.

  The image is (H, W, 1) or (H, W, 3) uint8, see `preprocess`.
  `action_meanings` names the actions. Raises UserError for a game that
  ale-py does not have.

  Args:
    task: name of the game.
    repeat: frames for which an action is held; their rewards are added.
    size: height and width of the image.
    gray: one channel of brightness instead of three of colour.
    noops: at most so many idle frames after a reset, drawn evenly from 0.
    lives: what losing one does. 'unused': nothing; 'discount': the step is
      terminal but the episode goes on; 'reset': it ends the episode.
    sticky: the emulator keeps the previous action with a chance of 0.25 at
      every frame (Machado et al., 2018).
    actions: 'all' 18 or those 'needed' in this game.
    length: time limit in frames, 0 for none. It ends the episode without
      `is_terminal`.
    pooling: how many of the latest frames go into an image.
    aggregate: how they do, by 'max' or 'mean'.
    resize: 'pillow' or 'opencv'. The latter needs the package cv2.
    autostart: press fire and up after a reset, for games that wait for it.
    clip_reward: only the sign of the reward of a step.
    average: the emulator mixes the colours of each frame with those of the
      one before, as the recorder of some Atari-HEAD trials did.
    seed: makes idle frames and sticky actions repeatable.
  """

  def __init__(
      self, task, repeat=4, size=(96, 96), gray=True, noops=30,
      lives='unused', sticky=True, actions='all', length=108000, pooling=2,
      aggregate='max', resize='pillow', autostart=False, clip_reward=False,
      average=False, seed=None):
    task = ALIASES.get(task, task)
    common.choose('Atari game', task, roms.get_all_rom_ids())
    common.choose('value of lives', lives, ('unused', 'discount', 'reset'))
    common.choose('value of actions', actions, ('all', 'needed'))
    common.choose('value of aggregate', aggregate, POOLS)
    common.choose('value of resize', resize, RESIZES)
    for name, value in (('repeat', repeat), ('pooling', pooling)):
      if value < 1:
        raise UserError(f'Atari needs {name} of at least 1, not {value}.')
    self.repeat = repeat
    self.noops = noops
    self.lives = lives
    self.length = length
    self.autostart = autostart
    self.clip_reward = clip_reward
    self.looks = dict(
        size=tuple(size), gray=gray, aggregate=aggregate, resize=resize)
    self.rng = np.random.default_rng(seed)
    self.game = task
    self.ale = emulator(
        task, int(self.rng.integers(0, 2 ** 31)), sticky, average)
    self.actions = {
        'all': self.ale.getLegalActionSet,
        'needed': self.ale.getMinimalActionSet,
    }[actions]()
    self.action_meanings = [x.name for x in self.actions]
    self.screens = np.zeros((pooling, *self.ale.getScreenDims(), 3), np.uint8)
    self.newest = 0
    self.remaining = None
    self.duration = None
    self.done = True
    if resize == 'opencv':
      preprocess(self.screens, **self.looks)  # Fail now if cv2 is missing.

  @property
  def obs_space(self):
    shape = (*self.looks['size'], 1 if self.looks['gray'] else 3)
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
      self._reset()
      return self._obs(0.0, first=True)
    chosen = self.actions[int(action['action'])]
    reward, over, died, timeout = 0.0, False, False, False
    for _ in range(self.repeat):
      reward += self.ale.act(chosen)
      self.duration += 1
      # Every frame, for the one that ends the episode can come at any time.
      self._look()
      over = self.ale.game_over()
      died = self._died()
      timeout = bool(self.length) and self.duration >= self.length
      if over or died or timeout:
        break
    self.done = over or timeout or (died and self.lives == 'reset')
    return self._obs(reward, last=self.done, terminal=over or died)

  def _reset(self):
    self.ale.reset_game()
    for _ in range(self.rng.integers(self.noops + 1)):
      self._advance(ale_py.Action.NOOP)
    if self.autostart and ale_py.Action.FIRE in self.actions:
      self._advance(ale_py.Action.FIRE)
      self._advance(ale_py.Action.UP)
    # Fill the pool, or frames of the last episode would shine through.
    for _ in self.screens:
      self._look()
    self.remaining = self.ale.lives()
    self.duration = 0
    self.done = False

  def _advance(self, action):
    self.ale.act(action)
    if self.ale.game_over():
      self.ale.reset_game()

  def _died(self):
    before, self.remaining = self.remaining, self.ale.lives()
    return self.lives != 'unused' and 0 < self.remaining < before

  def _look(self):
    self.newest = (self.newest + 1) % len(self.screens)
    self.ale.getScreenRGB(self.screens[self.newest])

  def _obs(self, reward, **flags):
    if self.clip_reward:
      reward = np.sign(reward)
    image = preprocess(self.screens, **self.looks)
    return {'image': image, **common.standard(reward, **flags)}


def emulator(game, seed, sticky=False, average=False):
  """Return an emulator of a game that ale-py has, to be reset first.

  See `Atari` for `sticky` and `average`.
  """
  # Before the first emulator, or it prints a banner.
  ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
  ale = ale_py.ALEInterface()
  ale.setInt('random_seed', seed)
  ale.setFloat('repeat_action_probability', 0.25 if sticky else 0.0)
  ale.setBool('color_averaging', average)
  ale.loadROM(roms.get_rom_path(game))
  return ale


def preprocess(
    screens, size=(96, 96), gray=True, aggregate='max', resize='pillow'):
  """Return what the agent sees of some consecutive screens.

  This is the only way from screens to images, for the emulator as for
  recorded demonstrations: pooled over the screens, then resized, then made
  gray, each step rounding down to bytes as upstream does.

  Args:
    screens: the last `pooling` raw screens, (P, 210, 160, 3) uint8 or a list
      of such; their order does not matter. For the first image of an episode
      all are its first screen.
    size: height and width of the result.

  Returns: (H, W, 1) uint8 if gray, else (H, W, 3).
  """
  image = POOLS[aggregate](screens)
  image = RESIZES[resize](image, size)
  if gray:
    red, green, blue = np.moveaxis(image, -1, 0)
    image = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    image = image.astype(np.uint8)[:, :, None]
  return image


def _pillow(image, size):
  height, width = size
  image = Image.fromarray(image)
  return np.array(image.resize((width, height), Image.Resampling.BILINEAR))


def _opencv(image, size):
  try:
    import cv2
  except ModuleNotFoundError as error:
    raise UserError(
        'The Atari option resize: opencv needs the Python package cv2, which '
        'is not installed. Run: pip install opencv-python-headless, or use '
        'resize: pillow.') from error
  height, width = size
  return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


RESIZES = {'pillow': _pillow, 'opencv': _opencv}
