"""Between stable-baselines3 or imitation and a Recorder."""

import warnings

from stable_baselines3.common import callbacks
from stable_baselines3.common import logger as sblogger
from stable_baselines3.common import monitor
from stable_baselines3.common import vec_env

from . import gymenv


class Watch(vec_env.VecEnvWrapper):
  """Tells a Recorder of the steps and games of environments."""

  def __init__(self, venv, recorder):
    super().__init__(venv)
    self.recorder = recorder

  def reset(self):
    return self.venv.reset()

  def step_wait(self):
    result = self.venv.step_wait()
    self.recorder.advance(self.num_envs)
    for info in result[3]:
      if 'game' in info:
        self.recorder.episode(**info['game'])
    return result


class Metrics(sblogger.KVWriter):
  """Passes what stable-baselines3 and imitation log on to a Recorder.

  'train/loss' becomes `ppo/loss`, or that of another `learner`,
  'mean/disc/disc_acc' `disc/acc`, and `eval/` stays as it is. What else they
  say of time and scores is left out: the Recorder knows better.
  """

  def __init__(self, recorder, learner='ppo'):
    self.recorder, self.learner = recorder, learner

  def write(self, key_values, key_excluded, step=0):
    metrics = {}
    for key, value in key_values.items():
      key = key.removeprefix('mean/gen/')
      if key.startswith('train/'):
        metrics[f'{self.learner}/{key.removeprefix("train/")}'] = value
      elif key.startswith('mean/disc/'):
        name = key.removeprefix('mean/disc/').removeprefix('disc_')
        metrics[f'disc/{name}'] = value
      elif key.startswith(('bc/', 'eval/')):
        metrics[key] = value
    self.recorder.add(metrics)

  def close(self):
    pass


def greedy(config):
  """Return stable-baselines3's callback for games by the greedy policy.

  It writes their scores and lengths to LOGDIR/evaluations.npz. The games are
  whole ones, with raw rewards, in an environment of their own. None if
  `eval.every` is 0.
  """
  if not config.eval.every:
    return None
  warnings.filterwarnings('ignore', 'Training and eval env are not of the')
  env = monitor.Monitor(
      gymenv.Env(config.update(lives=False), config.envs, reward='raw'))
  return callbacks.EvalCallback(
      env, n_eval_episodes=config.eval.games, log_path=config.logdir,
      eval_freq=max(1, int(config.eval.every) // config.envs), verbose=0)
