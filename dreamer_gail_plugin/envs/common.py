"""What all environments share: the standard keys and one error."""

import elements
import numpy as np

from .. import errors
from ..errors import UserError


def standard_spaces():
  """Return the observation spaces that every environment has."""
  return {
      'reward': elements.Space(np.float32),
      'is_first': elements.Space(bool),
      'is_last': elements.Space(bool),
      'is_terminal': elements.Space(bool),
  }


def standard(reward=0.0, first=False, last=False, terminal=False):
  """Return the values for `standard_spaces`, as scalars.

  The reward is the one that came with this observation. `last` ends the
  episode for any reason, a time limit among them; `terminal` says that
  the task itself ended, so that no value lies beyond.
  """
  return {
      'reward': np.float32(reward),
      'is_first': bool(first),
      'is_last': bool(last),
      'is_terminal': bool(terminal),
  }


def restore(value, space):
  """Return an action of the agent in the units of its space.

  Continuous ones are from -1 to 1 where both bounds are finite and in the
  environment's units where not. What lies beyond -1 and 1 is clipped in either
  case, as upstream's wrappers do, and what rounding takes beyond the bounds.
  """
  if space.discrete:
    return value
  value = np.clip(value, -1, 1)
  bounded = np.isfinite(space.low) & np.isfinite(space.high)
  low = np.where(bounded, space.low, -1)
  high = np.where(bounded, space.high, 1)
  value = ((value + 1) / 2 * (high - low) + low).astype(space.dtype)
  return np.clip(
      value, space.low.astype(space.dtype), space.high.astype(space.dtype))


def choose(kind, name, choices):
  """Return `name` if it is one of `choices`, else raise UserError."""
  choices = sorted(choices)
  if name in choices:
    return name
  hint = errors.near(name, choices)
  listing = f'Choose one of: {", ".join(choices)}.'
  if hint and len(choices) > 20:
    listing = f'There are {len(choices)} to choose from.'
  raise UserError(f'Unknown {kind} {name!r}. {hint}{listing}')
