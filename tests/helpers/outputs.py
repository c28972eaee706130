"""A log with all kinds of entries."""

import numpy as np

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs


def log(logdir, output):
  """Log three games, a video and a text by the logger of a run."""
  logger = build.make_logger(configs.load_config([
      '--configs', 'minatar', 'debug', '--logdir', str(logdir),
      '--logger.outputs', output]))
  for step in (10, 20, 30):
    logger.step.load(step)
    logger.add({'episode/score': step / 4})
  # A board of MinAtar has four channels, which are shown in colour.
  video = np.zeros((5, 10, 10, 4), np.uint8)
  logger.add({'report/openloop/image': video, 'timer': 'a text'})
  logger.write()
  logger.close()
