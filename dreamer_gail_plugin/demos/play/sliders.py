"""Actions of several numbers, each with a slider or an axis of a gamepad."""

import math

import numpy as np

MOST = 8  # Sliders; more cannot be played.


class Sliders:
  """The sliders of a task whose action is a vector.

  `idle` is the action of a person who touches nothing.

  Args:
    names: of the numbers, in order.
    space: of the action, with bounds.
  """

  part = 'values'

  def __init__(self, names, space):
    self.names = list(names)
    self.low, self.high = space.low.tolist(), space.high.tolist()
    self.idle = np.clip(0, space.low, space.high).tolist()

  def choose(self, values):
    """Return the action for the values of the sliders, within its bounds.

    Raises ValueError if there are more or fewer, or for what is no number.
    """
    if len(values) != len(self.names) or not all(map(math.isfinite, values)):
      raise ValueError(values)
    return np.clip(values, self.low, self.high).tolist()

  def text(self, action):
    """Return an action for the page."""
    return ' '.join(f'{x:.2f}' for x in action)

  def legend(self):
    """Return the buttons for the page: one that only lets the game go on."""
    return [{'name': 'noop', 'codes': ('Period',), 'label': '.'}]

  def axes(self):
    """Return the sliders for the page: name, bounds and rest."""
    return [
        {'name': name, 'low': low, 'high': high, 'rest': rest}
        for name, low, high, rest in zip(
            self.names, self.low, self.high, self.idle)]
