"""Which numbers make sense for which flag."""

import math
import re

from ..errors import UserError

# The first pattern that a key matches as a whole gives its range. A bracket
# includes its bound, a parenthesis does not, so that 'inf)' means finite.
RANGES = {
    'replica': '[0, inf)',
    'replicas': '[1, inf)',
    'seed': '[0, 4294967295]',
    'batch_size': '[1, inf)',
    'batch_length|report_length': '[2, inf)',
    'consec_.*': '[1, inf)',
    'replay_context': '[0, inf)',
    r'logger\.fps': '[1, inf)',

    # See configs.yaml for what 0 and -1 are there.
    r'env\.gym\.size': '[-1, inf)',
    r'env\..*\.(size|repeat|pooling|length)': '[1, inf)',
    r'env\..*\.sticky': '[0, 1]',
    r'env\..*': '[0, inf)',

    r'replay\.(size|chunksize)': '[1, inf)',
    r'replay\.fracs\..*|replay\.prio\.maxfrac': '[0, 1]',
    r'replay\.prio\.exponent|replay\.recexp': '[0, inf)',

    # Clocks: what is 0 or negative has a meaning, though not one for all.
    r'run\..*_every': '(-inf, inf)',
    r'run\.(envs|actor_threads)': '[1, inf)',
    r'run\.actor_batch': '[-1, inf)',
    r'run\..*': '[0, inf)',
    r'jax\..*': '[0, inf)',

    r'agent\.gail\.consec': '[1, inf)',
    r'agent\.gail\.entropy': '[0, 1)',
    r'agent\.gail\.anchor_rate': '(0, 1]',
    r'agent\.gail\.risk_discount': '[0, 1)',
    r'agent\.gail\.disc\.layers': '[1, inf)',
    # Networks.
    r'.*\.(depth|mults|units|kernel|deter|hidden|stoch|blocks)': '[1, inf)',
    r'.*\.(bins|classes)': '[2, inf)',
    r'.*\.unimix': '[0, 1]',
    r'.*\.(minstd|maxstd)': '(0, inf)',
    # Optimizers, averages, returns.
    r'.*\.(b1|b2|beta1|beta2)': '[0, 1)',
    r'.*\.eps': '(0, inf)',
    r'.*\.rate': '(0, 1]',
    r'.*\.lam': '[0, 1]',
    r'.*\.perc(lo|hi)': '[0, 100]',
    r'agent\.(imag_length|horizon)|.*\.every': '[1, inf)',
    r'agent\..*': '[0, inf)',
}


def check(config):
  """Raise UserError for a number that is not in the range of its flag."""
  for key, value in config.flat.items():
    if numeric(value):
      values = value if isinstance(value, tuple) else (value,)
      bounds = find(key)
      if not all(inside(x, bounds) for x in values):
        shown = ' '.join(map(str, values))
        raise UserError(f'--{key} {shown}: expected {describe(bounds)}')


def numeric(value):
  """Return whether a value of a config is a number, or several."""
  if isinstance(value, tuple):
    return bool(value) and all(map(numeric, value))
  return isinstance(value, (int, float)) and not isinstance(value, bool)


def find(key):
  """Return the range of a flag, None if the table has none."""
  return next((v for k, v in RANGES.items() if re.fullmatch(k, key)), None)


def inside(value, bounds):
  """Return whether a number is in a range such as '(0, 1]'; NaN never is."""
  low, high = map(float, bounds[1:-1].split(','))
  return (
      (low <= value if bounds[0] == '[' else low < value) and
      (value <= high if bounds[-1] == ']' else value < high))


def describe(bounds):
  """Return a range in words."""
  low, high = map(float, bounds[1:-1].split(','))
  parts = []
  if math.isfinite(low):
    parts.append(f'{low:g} or more' if bounds[0] == '[' else f'over {low:g}')
  if math.isfinite(high):
    parts.append(
        f'{high:.10g} or less' if bounds[-1] == ']' else f'below {high:g}')
  else:
    parts.append('finite')
  return f'a number: {", ".join(parts)}'
