"""An expert for MinAtar Seaquest that looks ahead in a copy of the game."""

import copy

import numpy as np

ROWS, COLUMNS, COOL = 9, 10, 5
NOOP, LEFT, UP, RIGHT, DOWN, FIRE = range(6)  # MinAtar's own numbering.
NEVER = 10 ** 6
ENEMIES = ('e_fish', 'e_subs')
MOVING = (*ENEMIES, 'e_bullets', 'f_bullets', 'divers')


class Seaquest:
  """Plans by dynamic programming over cells of the board and time.

  A copy of the game is run ahead with the submarine out of the way, which
  tells where enemies, bullets and divers will be. Backward induction over
  (time, cell, direction, gun, previous action) then gives the value of every
  action under the chance of sticky actions. A plan ends with its first goal
  (a hit, a diver, or surfacing with six divers); what counts after that is
  to live on until the horizon.

  The planner knows what the game knows except its random state: the timers
  tell it when something will appear, never where, so no one appears in its
  forecast, and the left and right edge count as a risk at that time. It
  knows from the state, not from pixels, how much oxygen is left, and must
  surface in time to live. Every move costs `COST`, so that it rests unless a
  move gains something.

  Args:
    env: the `MinAtar` environment that will be played.
    seed: not used; the plan is determined by the state of the game.
  """

  HORIZON = 50
  DISCOUNT = 0.98
  ALIVE = 20.0
  HIT = 1.0
  DIVER = 1.5
  FIRST_DIVER = 3.0  # Without any, the submarine may not surface.
  SURFACING = 1.5  # The price: one diver, and a faster game.
  COST = np.array((0, 0.01, 0.01, 0.01, 0.01, 0.01))
  MARGIN = 1e-3  # Below it the no-op wins.
  APPEAR = 1 / 16  # Two sides, eight rows.

  def __init__(self, env, seed=0):
    self.env = env

  def __call__(self, obs):
    """Return the action for the current state of the environment."""
    game = self.env.game
    values = self._plan(game)  # (A,) by real action
    values = values - self.COST
    best = np.argmax(values >= values.max() - self.MARGIN)
    return {'action': np.int32(self.env.actions.index(best))}

  def _plan(self, game):
    world = forecast(game, self.HORIZON)
    safe = self._safe(game, world)
    later = {
        n: np.full((6, ROWS, COLUMNS), self.ALIVE) for n in (0, 1)}
    first = np.full((6, ROWS, COLUMNS, 2, COOL), self.ALIVE)
    divers = game.diver_count
    for step in reversed(range(self.HORIZON)):
      alive = safe[step + 1]
      breath = game.oxygen - step > 0
      # Values of real actions: (A, Y, X) and (A, Y, X, D, C).
      survive = {}
      for n in (0, 1):
        arrive = self.DISCOUNT * alive * later[n]
        enter = divers + n > 0 and breath
        survive[n] = self._survive(arrive, enter)
      seek = self._seek(first, later, world, step, alive, game, breath)
      if step:
        later = {n: self._choose(survive[n]) for n in survive}
        first = self._choose(seek)
    return seek[
        :, game.sub_y, game.sub_x, int(game.sub_or), game.shot_timer]

  def _choose(self, values):
    # Value before an action, by previous action, from that by real action.
    sticky = self.env.sticky
    cost = self.COST.reshape((6, *[1] * (values.ndim - 1)))
    return sticky * values + (1 - sticky) * (values - cost).max(0)

  def _survive(self, arrive, enter):
    values = arrive.copy()
    values[LEFT, :, 1:] = arrive[LEFT, :, :-1]
    values[LEFT, :, 0] = arrive[LEFT, :, 0]
    values[RIGHT, :, :-1] = arrive[RIGHT, :, 1:]
    values[UP, 1:] = arrive[UP, :-1]
    values[UP, 1] = (values[UP, 1] - self.SURFACING) if enter else 0
    values[DOWN, :-1] = arrive[DOWN, 1:]
    return values

  def _seek(self, first, later, world, step, alive, game, breath):
    none = game.diver_count == 0
    worth = self.FIRST_DIVER if none else self.DIVER
    wide = alive[:, :, None, None]
    met = (world['divers'][step] | world['divers'][step + 1]) & (
        game.diver_count < 6)
    goal = self.DISCOUNT * alive * (worth + later[1])  # (A, Y, X)
    arrive = np.where(
        met[:, :, None, None], goal[..., None, None],
        self.DISCOUNT * wide * first)  # (A, Y, X, D, C)
    fired = arrive[FIRE, ..., 4]
    arrive = arrive[..., [0, 0, 1, 2, 3]]  # The gun cools down.
    values = arrive.copy()
    values[LEFT, :, 1:] = arrive[LEFT, :, :-1, :1]
    values[LEFT, :, 0] = arrive[LEFT, :, 0, :1]
    values[RIGHT, :, :-1] = arrive[RIGHT, :, 1:, 1:]
    values[RIGHT, :, -1] = arrive[RIGHT, :, -1, 1:]
    values[UP, 1:] = arrive[UP, :-1]
    values[DOWN, :-1] = arrive[DOWN, 1:]
    if none or not breath:
      values[UP, 1] = 0
    elif game.diver_count == 6:
      air = (game.oxygen - step) * 10 // 200
      values[UP, 1] = (
          self.DISCOUNT * (air + later[1][UP, 0]))[:, None, None]
    else:
      values[UP, 1] -= self.SURFACING
    hit = self.DISCOUNT * alive * (self.HIT + later[0][FIRE])
    values[FIRE, ..., 0] = np.where(
        world['hits'][step], hit[..., None], fired)
    return values

  def _safe(self, game, world):
    # Chance to survive the arrival in a cell, by step: (T + 1, Y, X).
    danger = world['danger'].astype(float)
    alive = np.ones_like(danger)
    alive[1:] = 1 - np.maximum(danger[:-1], danger[1:])
    alive[1 + max(0, game.oxygen):, 1:] = 0
    return self._edges(alive, game)

  def _edges(self, alive, game):
    for step in range(1 + game.e_spawn_timer, len(alive), game.e_spawn_speed):
      alive[step, 1:, [0, -1]] *= 1 - self.APPEAR
    return alive


def forecast(game, steps):
  """Return where things will be if the submarine were not there.

  Arrays (steps + 1, Y, X): `danger` enemies and their bullets, `divers`; and
  `hits` (steps, Y, X, 2): whether a shot fired there, to the left or right,
  will hit.
  """
  game = fork(game)
  game.sub_x, game.sub_y = -9, 5
  game.oxygen = game.e_spawn_timer = game.d_spawn_timer = NEVER
  shape = (steps + 1, ROWS, COLUMNS)
  names = ('enemies', 'danger', 'divers')
  world = {k: np.zeros(shape, bool) for k in names}
  for step in range(steps + 1):
    for name in ENEMIES:
      _mark(world['enemies'][step], getattr(game, name))
    _mark(world['danger'][step], game.e_bullets)
    _mark(world['divers'][step], game.divers)
    game.act(0)
  world['danger'] |= world['enemies']
  world['hits'] = _hits(world['enemies'])
  return world


def fork(game):
  """Return a copy of the game, much faster than a deep copy."""
  result = copy.copy(game)
  for name in MOVING:
    setattr(result, name, [list(x) for x in getattr(game, name)])
  return result


def _mark(board, things):
  for x, y, *_ in things:
    board[y, x] = True


def _hits(enemies):
  # A bullet moves first and meets enemies before and after their own move.
  steps = len(enemies) - 1
  hits = np.zeros((steps + 1, ROWS, COLUMNS, 2), bool)
  for step in reversed(range(steps)):
    meet = enemies[step] | enemies[step + 1]
    hits[step, :, 1:, 0] = meet[:, :-1] | hits[step + 1, :, :-1, 0]
    hits[step, :, :-1, 1] = meet[:, 1:] | hits[step + 1, :, 1:, 1]
  return hits[:-1]
