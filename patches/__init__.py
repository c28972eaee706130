"""Mends for defects of upstream (`dreamer`), one small file each.

Every file says in its docstring what is wrong, which upstream versions have
it and how it is mended. It has `needed()`, a check of the feature itself
(not of a version), and `apply()`. Upstream's files are never changed and
nothing outside upstream's own modules is.

This folder is imported as `dreamer_gail_plugin.patches`, from a checkout and
from a wheel alike, so that functions defined here can be pickled by reference
into child processes: unpickling one imports `dreamer_gail_plugin`, which
applies all patches there, before the child touches upstream.
"""

import functools
import importlib

# The first one must come before `embodied` is imported, as all others do.
ORDER = (
    'embodied_envs',
    'child_processes',
    'jax_jit_keywords',
    'xla_flags',
    'parallel_driver',
    'log_aggregation',
    'timer_summary',
    'from_checkpoint',
    'own_lines',
    'scope_rows',
    'replay_chunks',
    'safe_loads',
    'whole_saves',
    'host_clocks',
    'env_watchdog',
    'stop_signals',
    'final_save',
    'keep_checkpoints',
    'eval_scores',
    'process_deaths',
    'parallel_end',
)


@functools.cache
def apply():
  """Apply the patches that are needed, once; return their names, in order."""
  applied = []
  for name in ORDER:
    patch = importlib.import_module(f'{__name__}.{name}')
    if patch.needed():
      patch.apply()
      applied.append(name)
  return tuple(applied)
