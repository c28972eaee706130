"""A run keeps its last checkpoint only.

Wrong: the loops make their checkpoints with the default of elements, one
save, and no flag reaches its argument `keep`. So no earlier agent of a run
can be evaluated, and the name of a save does not tell its step.
Versions: dreamer 3.3.0 and upstream's git.
Mended: the loops' checkpoints keep as many saves as `run.keep_checkpoints`
says, 0 for all, and are named by time and step as elements can do.
"""

from . import dryrun
from . import final_save
from . import loops
from . import proxies

LOOPS = {
    'train': ('train',), 'train_eval': ('train_eval',),
    'parallel': ('parallel_learner', 'parallel_replay', 'parallel_logger')}


class Checkpoint(final_save.Checkpoint):
  """A checkpoint that keeps `wanted` saves (0: all), named by their step."""

  wanted = 1

  def __init__(self, directory=None):
    super().__init__(directory, keep=self.wanted or None)

  def __setattr__(self, name, value):
    super().__setattr__(name, value)
    if name == 'step':
      self._step = value


def needed():
  """Return whether the loop keeps one save where it is to keep all."""
  return dryrun.run('train', save_every=1e-9, keep_checkpoints=0).kept < 2


def apply():
  """Give the loops that class, and the flag to it where they start."""
  for name, functions in LOOPS.items():
    module = loops.module(name)
    module.elements = proxies.Proxy(module.elements, Checkpoint=Checkpoint)
    for function in functions:
      loops.wrap(name, function, keeping)


def keeping(loop, given):
  """Run the loop with checkpoints that keep what its flag says."""
  Checkpoint.wanted = given['args'].get('keep_checkpoints', 1)
  return loop(**given)
