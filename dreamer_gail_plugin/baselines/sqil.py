"""SQIL (Reddy et al., 2019) by the library `imitation`.

Q-learning on the agent's steps, of which each is worth 0, and as many of the
demonstrations, of which each is worth 1. The library learns by DQN, whose
values are hard and not soft.
"""

import torch
from imitation.algorithms import sqil
from stable_baselines3.common import buffers
from stable_baselines3.common import logger as sblogger
from stable_baselines3.common.utils import set_random_seed

from . import demonstrations
from . import networks
from . import ppo
from . import recorder as recorderlib
from . import watch


def train(config, saver, path):
  """Train on the demonstrations and the agent's steps; return the policy."""
  set_random_seed(config.seed)
  episodes = demonstrations.load(config, path)
  print(demonstrations.describe(path, episodes))
  recorder = recorderlib.Recorder(config, config.steps.sqil, saver)
  venv = watch.Watch(ppo.make_envs(config, 'none'), recorder)
  trainer = make_trainer(config, venv, episodes)
  trainer.rl_algo.set_logger(
      sblogger.Logger(None, [watch.Metrics(recorder, 'sqil')]))
  saver.policy = trainer.policy
  trainer.train(total_timesteps=int(config.steps.sqil))
  # The last metrics wait for the next games to end.
  trainer.rl_algo.logger.dump(trainer.rl_algo.num_timesteps)
  recorder.close()
  venv.close()
  return trainer.policy


def make_trainer(config, venv, episodes):
  """Return imitation's SQIL with a DQN of stable-baselines3."""
  s = config.sqil
  # The library names its own class.
  sqil.SQILReplayBuffer = Buffer
  return sqil.SQIL(
      venv=venv, demonstrations=episodes, policy='MlpPolicy',
      rl_kwargs=dict(
          policy_kwargs=networks.values_kwargs(venv.observation_space),
          seed=config.seed, device=config.device, gamma=config.ppo.gamma,
          learning_rate=s.learning_rate, batch_size=s.batch_size,
          buffer_size=int(s.memory), learning_starts=s.start,
          # One step of all environments, then the updates that are due.
          train_freq=1, gradient_steps=max(1, config.envs // s.train_every),
          target_update_interval=int(s.target_every),
          exploration_fraction=s.explore, exploration_final_eps=s.epsilon))


class Buffer(sqil.SQILReplayBuffer):
  """imitation's replay, half of a batch of which are demonstrations.

  Samples of stable-baselines3 have a field for returns of several steps from
  2.7 on, which is None here and which imitation 1.0.1 cannot join. And its
  replay of the agent's steps takes a time limit for an end, which it is not
  for those of the demonstrations.
  """

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.handle_timeout_termination = True

  def sample(self, batch_size, env=None):
    half = batch_size // 2
    own = buffers.ReplayBuffer.sample(self, batch_size - half, env)
    expert = self.expert_buffer.sample(half, env)
    join = lambda x, y: None if x is None else torch.cat([x, y])
    return type(own)(*map(join, own, expert))
