"""The last steps of a run are not saved.

Wrong: `train` and `train_eval` save every `run.save_every` seconds and not
when they have reached `run.steps`. A run shorter than that leaves nothing but
the save of its first step, and the next command evaluates an untrained agent.
Versions: dreamer 3.3.0 and upstream's git.
Mended: the loops' checkpoints are remembered and saved once at the end.
"""

import threading

from . import dryrun
from . import loops
from . import proxies
from . import whole_saves


class Checkpoint(whole_saves.Checkpoint):
  """A checkpoint that is remembered for the end of the run.

  Only one is saved at a time, as each save removes the older ones: the main
  thread of `parallel` saves while the learner's thread may do so too.
  """

  made = []
  saving = threading.RLock()

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.made.append(self)

  def save(self, *args, **kwargs):
    with self.saving:
      super().save(*args, **kwargs)


def needed():
  """Return whether the loop's last save is of an earlier step."""
  return dryrun.run('train').saves[-1] < dryrun.FLAGS['steps']


def apply():
  """Give the loops that class, and save when they return."""
  for name in ('train', 'train_eval', 'parallel'):
    module = loops.module(name)
    module.elements = proxies.Proxy(module.elements, Checkpoint=Checkpoint)
  loops.wrap('train', 'train', saved)
  loops.wrap('train_eval', 'train_eval', saved)


def saved(loop, given):
  """Run the loop, then save; raises UserError if that fails."""
  Checkpoint.made.clear()
  loop(**given)
  save()
  [x.check() for x in Checkpoint.made]


def save():
  """Save all checkpoints that the run has made in this process."""
  for checkpoint in Checkpoint.made:
    checkpoint.save()
