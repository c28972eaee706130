"""An expert for MinAtar Freeway that looks ahead in a copy of the cars."""

import numpy as np

from . import sticky

NOOP, UP, DOWN = 0, 2, 4  # MinAtar's own numbering.
MOVES = (NOOP, UP, DOWN)
SHIFT = (0, -1, 1)
ROWS, COLUMNS, PAUSE = 10, 10, 4
CHICKEN, START = 4, ROWS - 1  # Its column, and the row where it starts.


class Freeway:
  """Plans by dynamic programming over time, row, pause and previous action.

  The cars do not depend on the chicken until it arrives, so they are run
  ahead once for a crossing, and backward induction gives the exact value of
  every action under the chance of sticky actions: an arrival counts 1 and
  `LATER` for all that follows, discounted, so that it is wanted soon. A hit
  by a car is not scripted as bad; it costs the time of a new start. The
  speeds of the cars after the next arrival are random and not looked at.

  Every move costs `COST`, so that the chicken rests while it cannot move or
  waits for a gap.

  Args:
    env: the `MinAtar` environment that will be played.
    seed: not used; the plan is determined by the state of the game.
  """

  HORIZON = 120
  DISCOUNT = 0.98
  LATER = 1.0
  COST = np.array((0, 1e-3, 1e-3))

  def __init__(self, env, seed=0):
    self.env = env
    self.plan = {}

  def __call__(self, obs):
    """Return the action for the current state of the environment."""
    game = self.env.game
    if _key(game.cars) not in self.plan:
      self.plan = self._plan(game.cars)
    values = self.plan[_key(game.cars)][:, game.pos, game.move_timer]  # (A,)
    best = MOVES[sticky.pick(values, self.COST)]
    return {'action': np.int32(self.env.actions.index(best))}

  def _plan(self, cars):
    # Values (A, Y, M) by real action, row and pause, for each state of the
    # cars in the nearer half of the horizon.
    states = [[list(x) for x in cars]]
    for _ in range(self.HORIZON):
      states.append(drive(states[-1]))
    plan = {}
    later = np.zeros((len(MOVES), ROWS, PAUSE))
    for step in reversed(range(self.HORIZON)):
      values = self._act(later, _danger(states[step], states[step + 1]))
      if step < self.HORIZON // 2:
        plan[_key(states[step])] = values
      later = sticky.decide(values, self.env.sticky, self.COST)
    return plan

  def _act(self, later, danger):
    # Value (A, Y, M) of a real action, from that of the state it leads to.
    values = np.zeros_like(later)
    for action, row, pause in np.ndindex(*later.shape):
      moves = not pause and action
      target = row + SHIFT[action] if moves else row
      rest = PAUSE - 2 if moves else max(0, pause - 1)
      if target == 0:
        value = 1 + self.LATER
      elif target > START or danger[target]:
        value = later[action, START, rest]
      else:
        value = later[action, target, rest]
      values[action, row, pause] = self.DISCOUNT * value
    return values


def drive(cars):
  """Return the cars, lists of (x, y, timer, speed), a step later."""
  result = []
  for x, y, timer, speed in cars:
    if timer:
      result.append([x, y, timer - 1, speed])
    else:
      x = (x + int(np.sign(speed))) % COLUMNS
      result.append([x, y, abs(speed), speed])
  return result


def _danger(before, after):
  # The rows in which the chicken is hit: a car meets it before or after its
  # own move.
  danger = np.zeros(ROWS, bool)
  for x, y, *_ in [*before, *after]:
    danger[y] |= x == CHICKEN
  return danger


def _key(cars):
  return tuple(int(value) for car in cars for value in car)
