"""What the two LeRobot datasets in tests/demos/importers show."""

import gymnasium
import numpy as np

LENGTHS = (5, 7, 4)


class Push(gymnasium.Env):
  """Images and places, as LeRobot's own environments have them."""

  observation_space = gymnasium.spaces.Dict({
      'pixels': gymnasium.spaces.Box(0, 255, (64, 96, 3), np.uint8),
      'agent_pos': gymnasium.spaces.Box(-9, 9, (2,))})
  action_space = gymnasium.spaces.Box(-1, 1, (2,))

  def reset(self, seed=None, options=None):
    return self.observation_space.sample(), {}

  def step(self, action):
    return self.observation_space.sample(), 0.0, False, False, {}


class Bare(Push):
  """Its image alone, channels first."""

  observation_space = gymnasium.spaces.Box(0, 255, (3, 64, 96), np.uint8)


gymnasium.register(
    'ImportPush-v0', 'helpers.lerobotfiles:Push', max_episode_steps=20)
gymnasium.register('ImportBare-v0', 'helpers.lerobotfiles:Bare')
PUSH = 'gym_ImportPush-v0'


def image(episode, step):
  """Return the image of a step: a white block on colours that change."""
  found = np.zeros((64, 96, 3), np.uint8)
  found[..., 0] = 20 * episode + 8 * step
  found[step * 8: step * 8 + 8, 10 * episode: 10 * episode + 10] = 255
  found[..., 2] = np.arange(96)
  return found


def place(episode, step):
  return np.float32([episode, step])


def action(episode, step):
  return np.float32([step / 10, -episode / 10])


def success(episode):
  """Return whether an episode ended by success."""
  return episode != 1
