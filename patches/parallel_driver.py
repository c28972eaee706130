"""The driver's environment processes wait for an argument nobody passes.

Wrong: `Driver._env_server(context, envid, pipe, ctor)` runs for as long as
`context.running` says, but portal starts a process with the given arguments
only, so that every parallel driver dies of a missing argument.
Versions: dreamer 3.3.0. Upstream's git passes an event instead.
Mended: it is called with a context that says whether the parent is alive.
"""

import inspect
import multiprocessing


class Context:
  """Tells an environment process whether to go on."""

  @property
  def running(self):
    return multiprocessing.parent_process().is_alive()


def needed():
  """Return whether the environment process expects a context."""
  import embodied
  server = inspect.signature(embodied.Driver._env_server)
  return 'context' in server.parameters


def apply():
  """Replace the function that environment processes run."""
  import embodied
  env_server.original = embodied.Driver._env_server
  embodied.Driver._env_server = staticmethod(env_server)


def env_server(envid, pipe, ctor):
  """Run upstream's function with the argument it misses."""
  env_server.original(Context(), envid, pipe, ctor)
