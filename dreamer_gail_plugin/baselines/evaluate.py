"""Evaluate a baseline by the protocol of the paper, as other runs.

The flags are those of `dreamer-gail evaluate`.

examples:
  dreamer-gail baselines evaluate --logdir ~/logdir/ppo
  dreamer-gail baselines evaluate --logdir ~/logdir/ppo --chunks 1 --no-films
"""

import importlib
import math

from .. import build
from ..errors import UserError
from ..evaluate import protocol
from ..running import provenance
from . import config as configlib
from . import demonstrations

PROGRAM = ('baselines', 'evaluate')


def main(argv):
  """Evaluate the run named by the flags; return the files written."""
  args = protocol.parse(argv, __doc__, 'dreamer-gail baselines evaluate')
  config = configlib.saved(args.logdir)
  if args.platform != 'auto':
    config = config.update(device=args.platform)
  configlib.installed(config.baseline)
  # PyTorch is imported only where it is needed.
  name = 'torchactor' if config.baseline in configlib.TORCH else 'mgail.actor'
  module = importlib.import_module(f'.{name}', __package__)
  step, actors = module.load(config, args)
  step *= frames(config)
  command = provenance.command(argv, PROGRAM)
  return protocol.judge(
      config, actors, step, expert_score(config), args, command)


def expert_score(config):
  """Return the mean score of the demonstrations or None.

  None, too, where they have none or are not on this machine.
  """
  if config.baseline not in configlib.IMITATORS:
    return None
  try:
    score = demonstrations.score(build.expert_path(config))
  except UserError:
    return None
  return None if math.isnan(score) else score


def frames(config):
  """Return how many frames one of the learner's steps holds, as logged."""
  suite = config.task.partition('_')[0]
  played = config.baseline != 'bc'  # Its steps are updates.
  return config.env.get(suite, {}).get('repeat', 1) if played else 1
