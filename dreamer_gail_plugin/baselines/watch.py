"""Between stable-baselines3 or imitation and a Recorder."""

from stable_baselines3.common import logger as sblogger
from stable_baselines3.common import vec_env


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

  'train/loss' becomes `ppo/loss`, or that of another `learner`, and
  'mean/disc/disc_acc' `disc/acc`. What they say of time and scores is left
  out: the Recorder knows better.
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
      elif key.startswith('bc/'):
        metrics[key] = value
    self.recorder.add(metrics)

  def close(self):
    pass
