"""Loading a save runs whatever code its maker has put into it.

Wrong: `elements.checkpoint.load` unpickles the files of a save, and a pickle
may call all that Python can import. Saves are passed on like other data.
Versions: elements 3.17 to 3.22.
Mended: the loops load saves by `running.saves`, which admits numbers, arrays
and texts, all that a run saves.
"""

import collections
import pickle
import tempfile

import elements

from . import loops
from . import proxies


class Checkpoint(elements.Checkpoint):
  """A checkpoint that runs no code of what it loads."""

  def load(self, path=None, keys=None):
    """Load a save, the latest if no path is given."""
    from dreamer_gail_plugin.running import saves
    path = path or self.latest()
    keys = self._saveables if keys is None else keys
    saves.load(path, {k: self._saveables[k].load for k in keys})


def needed():
  """Return whether loading unpickles all that there is."""
  found = []
  with tempfile.TemporaryDirectory() as folder:
    folder = elements.Path(folder)
    (folder / 'x.pkl').write(pickle.dumps(collections.Counter), 'wb')
    (folder / 'done').write('')
    try:
      elements.checkpoint.load(folder, {'x': found.append})
    except pickle.UnpicklingError:
      pass
  return bool(found)


def apply():
  """Let the loops see that class."""
  for module in loops.modules():
    module.elements = proxies.Proxy(module.elements, Checkpoint=Checkpoint)
