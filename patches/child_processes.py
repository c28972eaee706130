"""A child process imports `embodied` before anybody can mend it.

Wrong: upstream starts environment, replay, logger and agent processes with
functions that are pickled by reference to `embodied`. The child imports that
first, and without `embodied.envs` (see embodied_envs.py) it dies there.
Versions: those that need embodied_envs.py.
Mended: the child is started with a function of this file. To unpickle it, it
imports `dreamer_gail_plugin`, which applies the patches, and only then does
it unpickle upstream's function.
"""

import cloudpickle
import portal

from . import embodied_envs
from . import proxies


def needed():
  """Return whether importing `embodied` in a child would fail."""
  return embodied_envs.needed()


def apply():
  """Let upstream's two modules that start processes use `Process`."""
  import embodied
  for module in (embodied.core.driver, embodied.run.parallel):
    module.portal = proxies.Proxy(module.portal, Process=Process)


class Process(portal.Process):
  """A portal process that applies the patches before it unpickles `fn`."""

  def __init__(self, fn, *args, name=None, start=False):
    name = name or getattr(fn, '__name__', 'process')
    fn = cloudpickle.dumps(fn)
    super().__init__(call, fn, *args, name=name, start=start)


def call(fn, *args):
  """Unpickle `fn` and return its result for `args`."""
  return cloudpickle.loads(fn)(*args)
