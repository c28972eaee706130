"""D's share of a score: what a run has above its constant twin.

The twin has the same settings but for the reward, which is 1 at each step. So
it learns to live long and from D nothing.
"""

import numpy as np

from . import stats

CONSTANT = 'constant'
REWARDS = ('gail', 'logd', 'airl', 'fairl', 'prob')  # Of D.


def name(method, methods):
  """Return the name of a method's twin among some, or None.

  `methods` are named as `configs.method` does it. A constant reward needs no
  expert, so it is the twin of what infers the expert's actions, too.
  """
  head, plus, rest = method.partition('+')
  kind = head.partition('_')[0]
  if kind not in REWARDS:
    return None
  wanted = [CONSTANT + head.removeprefix(kind) + plus + rest]
  if head.endswith(('_inferred', '_none')):
    wanted.append(CONSTANT)
  return next((x for x in wanted if x in methods), None)


def share(method, scores):
  """Return what D adds to a method, as a sentence; None without a twin.

  Args:
    scores: {method: the scores of its runs} on one task.
  """
  twin = name(method, scores)
  if twin is None:
    return None
  own, other = (np.asarray(scores[x], float) for x in (method, twin))
  text = (
      f"D's share of {method} is {_signed(own.mean() - other.mean())} beside "
      f'its twin {twin} ({stats.number(other.mean())}), to which each step is '
      'worth 1; ')
  if min(len(own), len(other)) < 2:
    return text + 'no interval, as that takes two runs of either.'
  low, high = stats.welch(own, other)
  return text + f'95 % interval {_signed(low)} to {_signed(high)}.'


def _signed(value):
  return '+' * int(value >= 0) + stats.number(value)
