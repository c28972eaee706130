"""A summary of timings that is empty, or missing, ends a run.

Wrong: the run loops log `elements.timer.stats()['summary']`. In `parallel` it
is sent to the logger process, and portal cannot send an empty string: where
a process did nothing that is timed since it logged last, such as the replay
while the agent still compiles, the whole run is shut down. With the flag
`--logger.timer False` there is no summary, and all loops fail at a KeyError.
Versions: dreamer 3.3.0 and upstream's git, with portal 3.5 to 3.8.
Mended: the loops get a `stats` that always has a summary, if only 'none'.
"""

import elements

from . import dryrun
from . import loops
from . import proxies


def needed():
  """Return whether the loop fails where nothing is timed."""
  timer = elements.timer.global_timer
  enabled, timer.enabled = timer.enabled, False
  try:
    dryrun.run('train')
    return False
  except KeyError:
    return True
  finally:
    timer.enabled = enabled


def apply():
  """Let upstream's run loops see `stats` as `elements.timer.stats`."""
  for module in loops.modules():
    timer = proxies.Proxy(elements.timer, stats=stats)
    module.elements = proxies.Proxy(module.elements, timer=timer)


def stats():
  """Return elements.timer.stats() with a summary that is not empty."""
  # It fails if nothing has ever been timed.
  known = elements.timer.global_timer.paths
  result = elements.timer.stats() if known else {}
  return {**result, 'summary': result.get('summary') or 'none'}
