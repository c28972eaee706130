"""PPO by stable-baselines3, which learns from the environment's reward."""

from functools import partial as bind

import stable_baselines3
from stable_baselines3.common import logger as sblogger
from stable_baselines3.common import vec_env

from . import gymenv
from . import networks
from . import recorder as recorderlib
from . import watch


def train(config, saver):
  """Train PPO; return its policy."""
  reward = 'sign' if config.clip_reward else 'raw'
  recorder = recorderlib.Recorder(config, config.steps.ppo, saver)
  venv = watch.Watch(make_envs(config, reward), recorder)
  model = make_model(config, venv, config.steps.ppo)
  saver.policy = model.policy
  model.set_logger(
      sblogger.Logger(None, [watch.Metrics(recorder)]))
  model.learn(int(config.steps.ppo), callback=watch.greedy(config))
  # The last metrics wait for a next round.
  model.logger.dump(model.num_timesteps)
  recorder.close()
  venv.close()
  return model.policy


def make_envs(config, reward):
  """Return the environments, with what the learner gets for a reward."""
  fns = [
      bind(gymenv.Env, config, i, reward=reward) for i in range(config.envs)]
  if config.parallel and config.envs > 1:
    return vec_env.SubprocVecEnv(fns)
  return vec_env.DummyVecEnv(fns)


def make_model(config, venv, steps):
  """Return stable-baselines3's PPO, whose learning rate falls for `steps`."""
  kwargs = dict(config.ppo)
  kwargs['learning_rate'] = rate = Rate(
      kwargs['learning_rate'], steps if kwargs.pop('anneal') else None)
  kwargs['clip_range_vf'] = kwargs['clip_range_vf'] or None
  rate.model = stable_baselines3.PPO(
      'MlpPolicy', venv, seed=config.seed, device=config.device,
      policy_kwargs=networks.policy_kwargs(venv.observation_space), **kwargs)
  return rate.model


class Rate:
  """A learning rate that falls to zero in `steps` steps of a model.

  stable-baselines3 would tell how much is left of a call of learn(). For
  imitation, which calls it for every rollout, that is always nothing.
  """

  def __init__(self, start, steps):
    self.start, self.steps, self.model = start, steps, None

  def __call__(self, _):
    """Return the rate for the rollout that was just gathered."""
    if self.steps is None or self.model is None:
      return self.start
    rollout = self.model.n_steps * self.model.n_envs
    before = max(0, self.model.num_timesteps - rollout)
    return self.start * max(0.0, 1 - before / self.steps)
