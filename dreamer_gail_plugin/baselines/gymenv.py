"""Our environments in the form that the libraries of the baselines take."""

import gymnasium
import numpy as np
from gymnasium import spaces

from .. import build
from ..envs import atari
from ..envs import common
from ..errors import UserError

SMALL = 36  # Smaller images vanish in the layers of the canonical network.


class Eyes:
  """What a learner sees of an observation: one array.

  An image (H, W, C) becomes (C * stack, H, W), the newest channels last and
  the first image of an episode repeated; with `gray84` of the config (stack,
  84, 84), resized and made gray as Atari's are. A vector stays as it is. The
  same object is used on environments, demonstrations and in evaluation.
  `space` is the Gymnasium space. Raises UserError unless there is exactly one
  image or vector.
  """

  def __init__(self, obs_space, config):
    keys = [
        k for k in obs_space
        if k not in common.standard_spaces() and not k.startswith('log/')]
    self.key = keys[0]
    space = obs_space[self.key]
    self.image = space.dtype == np.uint8 and len(space.shape) == 3
    vector = space.dtype.kind == 'f' and len(space.shape) == 1
    if len(keys) > 1 or not (self.image or vector):
      raise UserError(
          f'The baselines need one image or one vector to look at, and this '
          f'task has {", ".join(f"{k}: {obs_space[k]}" for k in keys)}.')
    self.stack = config.stack if self.image else 1
    self.gray84 = config.get('gray84', False)  # Not in runs of before.
    if not self.image:
      self.space = spaces.Box(-np.inf, np.inf, space.shape, np.float32)
      return
    height, width, channels = (84, 84, 1) if self.gray84 else space.shape
    self.channels = channels
    shape = (channels * self.stack, height, width)
    if shape[0] > min(height, width):
      # stable-baselines3 takes the smallest dimension for the channels.
      raise UserError(
          f'--stack {self.stack}: makes {shape[0]} channels of {height} x '
          f'{width}, more than the baselines can take. Use a smaller one.')
    self.space = spaces.Box(0, 255, shape, np.uint8)

  def __call__(self, obs, before=None):
    """Return the array for an observation (a dict).

    `before` is the array of the step before it, None at the first.
    """
    value = np.asarray(obs[self.key])
    if not self.image:
      return value
    if self.gray84:
      value = atari.preprocess(value[None], (84, 84), gray=True)
    value = np.moveaxis(value, -1, 0)
    if before is None:
      return np.tile(value, (self.stack, 1, 1))
    return np.concatenate([before[self.channels:], value])


class Hands:
  """How a learner acts: one action, by the Gymnasium space `space`.

  `act(action)` and `acts(actions)` return what the environment takes, a dict
  without `reset`. Raises UserError for several actions at once under several
  names, and for continuous ones without bounds.
  """

  def __init__(self, act_space):
    keys = [k for k in act_space if k != 'reset']
    if len(keys) > 1:
      raise UserError(
          f'The baselines take one action at a step, and this task has '
          f'{", ".join(keys)}.')
    self.key = keys[0]
    self.native = native = act_space[self.key]
    if not native.discrete:
      self.space = spaces.Box(
          native.low.astype(np.float32), native.high.astype(np.float32))
      if not self.space.is_bounded():
        raise UserError(f'The baselines need bounds of the action {keys[0]}.')
    elif native.shape == ():
      self.space = spaces.Discrete(int(native.classes))
    else:
      self.space = spaces.MultiDiscrete(
          np.full(native.shape, native.classes[0]))

  def __call__(self, actions):
    """Return the dict of one action, or of several stacked ones."""
    return {self.key: np.asarray(actions, self.native.dtype)}


class Env(gymnasium.Env):
  """Environment number `index` of the config's task.

  Args:
    reward: what the learner gets: 'none' (always 0: the environment's reward
      can then not reach it), 'raw' or 'sign'.

  At the end of a game `info['game']` has its `score` (sum of raw rewards) and
  `length` (observations, as upstream counts). With `lives`, losing one ends
  the episode, and reset() goes on with the game.
  """

  def __init__(self, config, index, reward):
    assert reward in ('none', 'raw', 'sign'), reward
    suite = config.task.partition('_')[0]
    lives = {'lives': 'discount'} if config.lives else {}
    if lives and 'lives' not in config.env.get(suite, {}):
      raise UserError(f'--lives True: tasks of {suite} do not tell lives.')
    self.env = build.make_env(config, index, **lives)
    self.eyes = Eyes(self.env.obs_space, config)
    self.hands = Hands(self.env.act_space)
    self.observation_space = self.eyes.space
    self.action_space = self.hands.space
    self.reward = reward
    self.idle = {
        k: np.zeros(v.shape, v.dtype) for k, v in self.env.act_space.items()}
    self.obs, self.seen, self.died = None, None, False
    self.score, self.length = 0.0, 0

  def reset(self, seed=None, options=None):
    """Return the first array of an episode; the seed is the config's."""
    super().reset(seed=seed)
    if not self.died:
      self.obs = self.env.step({**self.idle, 'reset': np.bool_(True)})
      self.score, self.length = 0.0, 1
    self.died = False
    self.seen = self.eyes(self.obs)
    return self.seen, {}

  def step(self, action):
    """Return what Gymnasium wants; see the class for `info`."""
    self.obs = obs = self.env.step(
        {**self.hands(action), 'reset': np.bool_(False)})
    self.seen = self.eyes(obs, self.seen)
    self.score += float(obs['reward'])
    self.length += 1
    over, terminal = bool(obs['is_last']), bool(obs['is_terminal'])
    self.died = terminal and not over
    info = {}
    if over:
      info['game'] = {'score': self.score, 'length': self.length}
    return self.seen, self._reward(obs), terminal, over and not terminal, info

  def close(self):
    self.env.close()

  def _reward(self, obs):
    if self.reward == 'none':
      return 0.0
    reward = float(obs['reward'])
    return float(np.sign(reward)) if self.reward == 'sign' else reward
