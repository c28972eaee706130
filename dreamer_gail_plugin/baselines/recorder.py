"""Scores and metrics of a baseline, in the files and form of other runs."""

import dreamerv3.main
import elements
import embodied
import tqdm


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
