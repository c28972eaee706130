"""Environments by suite, each imported only when it is asked for.

The part of a task name before the first `_` is its suite, so the task
`atari_seaquest` is `make('atari', 'seaquest')`.
"""

import importlib

from ..errors import UserError
from . import common
from . import upstreams

# suite: (module, class, packages it needs)
SUITES = {
    'atari': ('atari', 'Atari', ('ale_py',)),
    'atari100k': ('atari', 'Atari', ('ale_py',)),
    'crafter': ('crafter', 'Crafter', ('crafter', 'opensimplex')),
    'gym': ('gym', 'Gym', ('gymnasium',)),
    'minatar': ('minatar', 'MinAtar', ('minatar',)),
}


def make(suite, task, **kwargs):
  """Return the `embodied.Env` for a task of a suite.

  `kwargs` are the options of the suite's class. A suite that is not one of
  SUITES is upstream's. Raises UserError for an unknown suite or task and for
  a package that is not installed.
  """
  if suite not in SUITES:
    env = upstreams.make(suite, task, **kwargs)
    return env or common.choose('suite', suite, SUITES)
  module, name, packages = SUITES[suite]
  try:
    module = importlib.import_module(f'.{module}', __name__)
    return getattr(module, name)(task, **kwargs)
  except ModuleNotFoundError as error:
    if error.name not in packages:
      raise
    raise UserError(
        f'The suite {suite} needs the Python package {error.name}, which is '
        f'not installed. Run: pip install {error.name}') from error
