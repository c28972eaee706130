"""Our environments in the form that the libraries of the baselines take."""

import elements
import gymnasium
import numpy as np

from dreamer_gail_plugin import build
from dreamer_gail_plugin.baselines import config as configlib
from dreamer_gail_plugin.baselines import gymenv
from helpers.torches import DEBUG


class Fake:
  """Three lives: a game of six steps, of which the second loses one."""

  obs_space = {
      'image': elements.Space(np.uint8, (8, 8, 1)),
      'reward': elements.Space(np.float32)}
  act_space = {
      'action': elements.Space(np.int32, (), 0, 2),
      'reset': elements.Space(bool)}

  def step(self, action):
    self.time = 0 if action['reset'] else self.time + 1
    image = np.full((8, 8, 1), self.time, np.uint8)
    return {
        'image': image, 'reward': np.float32(3 * self.time),
        'is_first': self.time == 0, 'is_last': self.time == 6,
        'is_terminal': self.time in (2, 6)}


class TestEnv:

  def make(self, monkeypatch, **kwargs):
    monkeypatch.setattr(build, 'make_env', lambda *args, **kw: Fake())
    config = configlib.load('ppo', ['--task', 'atari_pong', '--stack', '2'])
    return gymenv.Env(config, 0, **kwargs)

  def test_a_lost_life_ends_the_episode_and_not_the_game(self, monkeypatch):
    env = self.make(monkeypatch, reward='sign')
    assert env.observation_space.shape == (2, 8, 8)
    obs, _ = env.reset()
    assert obs[:, 0, 0].tolist() == [0, 0]
    obs, reward, *_ = env.step(0)
    assert obs[:, 0, 0].tolist() == [0, 1] and reward == 1
    obs, _, terminal, limit, info = env.step(0)
    assert terminal and not limit and not info
    obs, _ = env.reset()
    assert obs[:, 0, 0].tolist() == [2, 2]
    for _ in range(4):
      obs, _, terminal, _, info = env.step(0)
    assert terminal
    assert info['game'] == {'score': 3 * 21, 'length': 7}
    assert env.reset()[0][:, 0, 0].tolist() == [0, 0]

  def test_rewards(self, monkeypatch):
    for name, wanted in (('none', 0.0), ('raw', 3.0), ('sign', 1.0)):
      env = self.make(monkeypatch, reward=name)
      env.reset()
      assert env.step(0)[1] == wanted

  def test_is_a_gymnasium_environment(self):
    from gymnasium.utils import env_checker
    config = configlib.load('ppo', DEBUG)
    env = gymenv.Env(config, 0, 'raw')
    assert isinstance(env.action_space, gymnasium.spaces.Discrete)
    obs, _ = env.reset()
    assert env.observation_space.contains(obs)
    env_checker.check_reset_return_type(env)
