"""An expert for MinAtar Asterix that looks ahead in a copy of the game."""

import copy

import numpy as np

from . import sticky

ROWS, COLUMNS = 10, 10
NOOP, LEFT, UP, RIGHT, DOWN = range(5)  # MinAtar's own numbering.
TOP, BOTTOM = 1, 8
NEVER = 10 ** 6


class Asterix:
  """Plans by dynamic programming over cells of the board and time.

  A copy of the game is run ahead with the player out of the way, which tells
  where enemies and gold will be. Backward induction over (time, cell,
  previous action) then gives the value of every action under the chance of
  sticky actions. A plan collects two pieces of gold that it can see; what
  counts after that is to live on until the horizon.

  The planner knows what the game knows except its random state: the timer
  tells it when something will appear, never where or what, so no one appears
  in its forecast, and the cells at the left and right edge where it could be
  at once count as a risk at that time. Every move costs `COST`, so that it
  rests unless a move gains something.

  Args:
    env: the `MinAtar` environment that will be played.
    seed: not used; the plan is determined by the state of the game.
  """

  HORIZON = 40
  DISCOUNT = 0.97
  ALIVE = 60.0
  GOLD = 1.0
  COST = np.array((0, 0.01, 0.01, 0.01, 0.01))
  ENEMY = 1 / 2 * 2 / 3  # The chances of a side and of an enemy.

  def __init__(self, env, seed=0):
    self.env = env

  def __call__(self, obs):
    """Return the action for the current state of the environment."""
    game = self.env.game
    values = self._plan(game)  # (A,) by real action
    best = sticky.pick(values, self.COST)
    return {'action': np.int32(self.env.actions.index(best))}

  def _plan(self, game):
    danger, gold, moves = forecast(game, self.HORIZON)
    alive = self._alive(game, danger, moves)
    met = gold[:-1] | gold[1:]  # (T, G, Y, X)
    count = met.shape[1]
    others = 1 - np.eye(count, dtype=int)
    # The value when no gold is wanted any more, when one piece (G) is
    # collected, and now.
    last = np.full((5, ROWS, COLUMNS), self.ALIVE)
    second = np.full((5, count, ROWS, COLUMNS), self.ALIVE)
    first = last
    for step in reversed(range(self.HORIZON)):
      ahead = self.DISCOUNT * alive[step]
      more = np.einsum('gh,hyx->gyx', others, met[step].astype(int)) > 0
      gain = ahead * (self.GOLD + last)  # (A, Y, X), by where it arrives
      values = ahead * first
      for piece in range(count):
        values = np.where(
            met[step, piece], ahead * (self.GOLD + second[:, piece]), values)
      values = _move(values)
      if step:
        second = self._choose(_move(
            np.where(more, gain[:, None], ahead * second)))
        last = self._choose(_move(ahead * last))
        first = self._choose(values)
    return values[:, game.player_y, game.player_x]

  def _choose(self, values):
    return sticky.decide(values, self.env.sticky, self.COST)

  def _alive(self, game, danger, moves):
    # Chance to survive an arrival in a cell, by step: (T, Y, X).
    alive = 1.0 - (danger[:-1] | danger[1:])
    free = [TOP + i for i, x in enumerate(game.entities) if x is None]
    risk = self.ENEMY / max(1, len(free))
    for step in range(
        game.spawn_timer, len(alive), max(1, game.spawn_speed)):
      # What appears may move at once.
      for x in (0, 1, -2, -1) if moves[step] else (0, -1):
        alive[step, free, x] *= 1 - risk
    return alive


def forecast(game, steps):
  """Return where things will be if the player were not there.

  Arrays of bool: danger (steps + 1, Y, X), the enemies; gold
  (steps + 1, G, Y, X), each of its G pieces apart; and moves (steps + 1,),
  whether they move in a step.
  """
  game = copy.copy(game)
  game.entities = [x and list(x) for x in game.entities]
  game.player_x, game.spawn_timer = -9, NEVER
  pieces = [i for i, x in enumerate(game.entities) if x and x[3]]
  danger = np.zeros((steps + 1, ROWS, COLUMNS), bool)
  gold = np.zeros((steps + 1, len(pieces), ROWS, COLUMNS), bool)
  moves = np.zeros(steps + 1, bool)
  for step in range(steps + 1):
    moves[step] = game.move_timer == 0
    for index, thing in enumerate(game.entities):
      if thing:
        x, y, _, is_gold = thing
        board = gold[step, pieces.index(index)] if is_gold else danger[step]
        board[y, x] = True
    game.act(NOOP)
  return danger, gold, moves


def _move(arrive):
  # Value of an action (A, ..., Y, X) in a cell, from that in the cell where
  # it leads.
  values = arrive.copy()
  values[LEFT, ..., 1:] = arrive[LEFT, ..., :-1]
  values[RIGHT, ..., :-1] = arrive[RIGHT, ..., 1:]
  values[UP, ..., TOP + 1:, :] = arrive[UP, ..., TOP: -1, :]
  values[DOWN, ..., :BOTTOM, :] = arrive[DOWN, ..., 1: BOTTOM + 1, :]
  return values
