"""The released package lacks `embodied.envs`, which it imports itself.

Wrong: `embodied/__init__.py` runs `from . import envs`, but the source
distribution on PyPI leaves that folder out, so that `import embodied` fails.
Versions: dreamer 3.3.0 from PyPI. Upstream's git has the folder.
Mended: an empty module takes its place before `embodied` is imported. The
plugin has environments of its own in `dreamer_gail_plugin.envs`.
"""

import importlib.util
import pathlib
import sys
import types

NAME = 'embodied.envs'


def needed():
  """Return whether upstream is installed without its `envs` folder."""
  if NAME in sys.modules:
    return is_stub(sys.modules[NAME])
  # Looking up 'embodied.envs' by name would import `embodied`, which fails.
  package = importlib.util.find_spec('embodied')
  return not any(
      pathlib.Path(place, 'envs').exists()
      for place in package.submodule_search_locations)


def apply():
  """Put an empty module in the place of the missing one."""
  stub = types.ModuleType(NAME, 'Stands in for a folder that is missing.')
  # An empty path makes it a package, so that asking for a member such as
  # embodied.envs.dmc gives the usual ModuleNotFoundError.
  stub.__path__ = []
  sys.modules.setdefault(NAME, stub)


def is_stub(module):
  """Return whether the module is the one that `apply` made."""
  return getattr(module, '__path__', None) == []
