"""The run loops ask for several aggregates of a `log/` key at once.

Wrong: they call `Agg.add(key, value, agg=('avg', 'max', 'sum'))`, but the
class takes one name only. The first step of an environment that has a `log/`
key ends the run with a KeyError.
Versions: dreamer 3.3.0 with elements 3.17 to 3.22 (all that it allows).
Upstream's git adds the three under names of their own.
Mended: the run loops get a subclass that does the same as upstream's git. The
results are called `log/name/avg`, `log/name/max` and `log/name/sum`.
"""

import elements

from . import dryrun
from . import loops
from . import proxies


class Agg(elements.Agg):
  """An aggregator that also takes a tuple of strategies for one value."""

  def add(self, key_or_dict, value=None, agg=None, prefix=None):
    if isinstance(agg, tuple):
      for name in agg:
        super().add(f'{key_or_dict}/{name}', value, name, prefix)
    else:
      super().add(key_or_dict, value, agg, prefix)


def needed():
  """Return whether the loop fails at a `log/` key."""
  try:
    dryrun.run('train')
    return False
  except KeyError:
    return True


def apply():
  """Let upstream's run loops see the subclass as `elements.Agg`."""
  for module in loops.modules():
    module.elements = proxies.Proxy(module.elements, Agg=Agg)
