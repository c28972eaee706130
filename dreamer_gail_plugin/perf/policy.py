"""Policy step with demonstrations against environment reward."""

from . import step
from .worker import Worker
from .worker import alternate
from .worker import spread


def run(config, args):
  """Return the figure and the results, in milliseconds.

  Both sides do the same work, so a ratio away from 1 is noise or a leak of
  expert work into acting.
  """
  gail, env = step.sides(config)
  with Worker(gail) as a, Worker(env) as b:
    times = alternate(
        {'gail': (a, 'policy'), 'env': (b, 'policy')}, 10 * args.repeats)
  rows = {k: spread(v) for k, v in times.items()}
  step.table(rows)
  figure = f'policy ratio gail/env: {step.ratio(times):.2f}'
  return figure, {'milliseconds': rows, 'envs': config.run.envs}
