"""What the planners of MinAtar games share: the chance of sticky actions."""

import numpy as np

MARGIN = 1e-3  # Below it the no-op wins.


def decide(values, sticky, cost):
  """Return values (A, ...) by previous action, from those by real action.

  The real action is the previous one with the chance `sticky`, else the one
  that is chosen, at the price `cost` (A,).
  """
  cost = cost.reshape((-1, *[1] * (values.ndim - 1)))
  return sticky * values + (1 - sticky) * (values - cost).max(0)


def pick(values, cost):
  """Return the index of the best of `values` (A,) by real action.

  Of those that are hardly worse the first one wins, which is the no-op.
  """
  values = values - cost
  return int(np.argmax(values >= values.max() - MARGIN))
