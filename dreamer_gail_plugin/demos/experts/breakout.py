"""An expert for MinAtar Breakout that looks ahead in copies of the game."""

import copy

import numpy as np

CELLS = 10
MOVES = (0, 1, 3)  # No-op, left and right in MinAtar's own numbering.
SHIFT = np.array((0, -1, 1))
AFTER = np.clip(np.arange(CELLS)[:, None] + SHIFT, 0, CELLS - 1)  # (P, A)
OUTSIDE = -9  # A paddle position that never meets the ball.


class Breakout:
  """Expectimax over the next returns of the ball.

  The flight of the ball does not depend on the paddle until the ball comes
  down, so a flight is simulated once, and dynamic programming over paddle
  cell and previous action gives the exact value of every action under the
  chance of sticky actions. What the paddle does at the end of a flight (hit
  or miss, and which side) leads to the next flights, `depth` in all. The
  planner never sees the random state of the game: it knows the chance of a
  sticky action, not whether the next one will be. A brick
  counts about 1, to live on at the end of the plan counts `ALIVE`, and every
  move costs `COST`, so that the paddle rests unless a move gains something.
  The exact worth of each brick is drawn from the seed: with equal bricks all
  games of an expert that hardly ever misses would be the same.

  Args:
    env: the `MinAtar` environment that will be played.
    seed: for the worth of the bricks.
    depth: number of flights to plan ahead.
  """

  DISCOUNT = 0.99
  ALIVE = 10.0
  COST = np.array((0, 0.05, 0.05))
  MARGIN = 1e-3  # Below it the no-op wins.
  SPREAD = 0.3

  def __init__(self, env, seed=0, depth=6):
    self.env = env
    self.depth = depth
    self.worth = np.random.default_rng(seed).uniform(
        1 - self.SPREAD, 1 + self.SPREAD, (CELLS, CELLS))
    self.seen = {}
    self.plan = {}

  def __call__(self, obs):
    """Return the action for the current state of the environment."""
    game = self.env.game
    if _key(game) not in self.plan:
      self.seen = {}
      self.plan = dict(zip(*self._flight(game, self.depth)))
    previous = MOVES.index(self.env.previous)
    values = self.plan[_key(game)][game.pos, previous]  # (A,)
    best = MOVES[np.argmax(values >= values.max() - self.MARGIN)]
    return {'action': np.int32(self.env.actions.index(best))}

  def _value(self, game, depth):
    # Value of the best action at the start of a flight: (P, A), by paddle
    # cell and previous action.
    if not depth:
      return np.full((CELLS, len(MOVES)), self.ALIVE)
    key = (depth, _key(game))
    if key not in self.seen:
      self.seen[key] = self._flight(game, depth)[1][0].max(-1)
    return self.seen[key]

  def _flight(self, game, depth):
    # Return the keys of the states of a flight and, for each, the values of
    # the actions: (P, A, A), by paddle cell, previous and chosen action.
    states = _fly(game)
    bricks = np.array([x.brick_map for x in states])
    rewards = -(np.diff(bricks, axis=0) * self.worth).sum((1, 2))
    future = self.DISCOUNT * self._landing(states[-1], depth)
    values = []
    for reward in reversed([*rewards, 0]):
      future = reward + future
      moved = np.take_along_axis(future, AFTER, 0)  # (P, A) by real action
      sticky = self.env.sticky
      value = sticky * moved[:, :, None] + (1 - sticky) * moved[:, None, :]
      values.append(value - self.COST)
      future = self.DISCOUNT * values[-1].max(-1)
    return [_key(x) for x in states], values[::-1]

  def _landing(self, game, depth):
    # Value (P, A) after the step in which the ball comes down, by the paddle
    # cell and action of that step; zero where the ball is missed.
    value = np.zeros((CELLS, len(MOVES)))
    for cell in range(CELLS):
      if abs(cell - game.ball_x) <= 1:
        after = _fork(game, cell)
        after.act(0)
        if not after.terminal:
          value[cell] = self._value(after, depth - 1)[cell]
    return value


def _fly(game):
  # Return the states until the ball comes down, one step short of it.
  states = [_fork(game, OUTSIDE)]
  while True:
    after = _fork(states[-1], OUTSIDE)
    _, missed = after.act(0)
    if missed:
      return states
    states.append(after)


def _fork(game, cell):
  # A shallow copy is much faster than a deep one and only the bricks are
  # changed in place. Breakout draws random numbers only when it is reset.
  fork = copy.copy(game)
  fork.brick_map = game.brick_map.copy()
  fork.pos = cell
  return fork


def _key(game):
  # All that decides the flight of the ball.
  return (
      game.ball_x, game.ball_y, game.ball_dir, game.strike,
      game.brick_map.astype(bool).tobytes())
