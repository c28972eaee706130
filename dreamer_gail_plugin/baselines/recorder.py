"""Scores and metrics of a baseline, in the files and form of other runs."""

import dreamerv3.main
import elements
import embodied
import tqdm
from stable_baselines3.common import logger as sblogger
from stable_baselines3.common import vec_env


class Recorder:
  """Counts steps, shows progress and writes scores.jsonl and metrics.jsonl.

  Both are written by upstream's logger: steps are frames, action repeats
  included, and stand at the end of an episode. `step` counts the steps of the
  learner. `save` is called every `save_every` seconds and at the end.
  """

  def __init__(self, config, total, save):
    self.logger = dreamerv3.main.make_logger(config)
    self.step = self.logger.step
    self.save = save
    self.metrics = elements.Agg()
    self.fps = elements.FPS()
    self.should_log = embodied.LocalClock(config.log_every)
    self.should_save = embodied.LocalClock(config.save_every)
    self.bar = tqdm.tqdm(total=int(total), unit='step', unit_scale=True)

  def advance(self, steps):
    """Count steps, and log and save where it is time."""
    self.step.increment(steps)
    self.fps.step(steps)
    self.bar.update(steps)
    if self.should_log(self.step):
      self.write()
    if self.should_save(self.step):
      self.save(int(self.step))

  def episode(self, score, length):
    """Log a game that has ended."""
    self.logger.add({'score': score, 'length': length}, prefix='episode')

  def add(self, metrics):
    """Average metrics, as they are named, until they are logged."""
    self.metrics.add(metrics)

  def write(self):
    """Write what has gathered."""
    self.logger.add(self.metrics.result(), prefix='train')
    self.logger.add({'fps/policy': self.fps.result()})
    self.logger.write()

  def close(self):
    """Write what is left and save."""
    self.write()
    self.save(int(self.step))
    self.logger.close()
    self.bar.close()


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

  'train/loss' becomes `ppo/loss`, 'mean/disc/disc_acc' `disc/acc`. What they
  say of time and scores is left out: the Recorder knows better.
  """

  def __init__(self, recorder):
    self.recorder = recorder

  def write(self, key_values, key_excluded, step=0):
    metrics = {}
    for key, value in key_values.items():
      key = key.removeprefix('mean/gen/')
      if key.startswith('train/'):
        metrics[f'ppo/{key.removeprefix("train/")}'] = value
      elif key.startswith('mean/disc/'):
        name = key.removeprefix('mean/disc/').removeprefix('disc_')
        metrics[f'disc/{name}'] = value
      elif key.startswith('bc/'):
        metrics[key] = value
    self.recorder.add(metrics)

  def close(self):
    pass
