"""An expert for MinAtar Space Invaders that looks ahead in a copy of it."""

import copy

import numpy as np

from . import sticky

CELLS, BASE = 10, 9
NOOP, LEFT, RIGHT, FIRE = MOVES = (0, 1, 3, 5)  # MinAtar's own numbering.
COOL, PAUSE = 5, 10  # Steps between shots, of the player and of the aliens.
NEVER = 10 ** 6


class SpaceInvaders:
  """Plans by dynamic programming over time, position and the aliens' shot.

  A copy of the game is run ahead without the cannon, which tells where
  aliens and bullets will be. Backward induction over (time, position, gun,
  position at the last shot of the aliens, previous action) then gives the
  value of every action under the chance of sticky actions. The alien nearest
  to the cannon shoots, so where a shot comes from follows from the plan
  itself. A plan ends with its first hit; what counts after that is to live
  on until the horizon.

  Every move costs `COST`, so that it rests unless a move gains something.

  Args:
    env: the `MinAtar` environment that will be played.
    seed: not used; the plan is determined by the state of the game.
  """

  HORIZON = 20
  DISCOUNT = 0.97
  ALIVE = 10.0
  HIT = 1.0
  COST = np.array((0, 0.01, 0.01, 0.01))

  def __init__(self, env, seed=0):
    self.env = env

  def __call__(self, obs):
    """Return the action for the current state of the environment."""
    game = self.env.game
    values = self._plan(game)  # (A,) by real action
    best = MOVES[sticky.pick(values, self.COST)]
    return {'action': np.int32(self.env.actions.index(best))}

  def _plan(self, game):
    world = forecast(game, self.HORIZON)
    # By real action, where the cannon was at the aliens' last shot, where it
    # is, and, before the first hit, the time until it can fire: (A, S, P, C).
    live = np.full((len(MOVES), CELLS, CELLS), self.ALIVE)
    seek = np.full((len(MOVES), CELLS, CELLS, COOL), self.ALIVE)
    for step in reversed(range(self.HORIZON)):
      alive = self._alive(game, world, step)  # (S, P), by where it arrives
      if step in world['shooters']:
        # From now on the shot comes from where the cannon is now.
        live = np.diagonal(live, 0, 1, 2)[:, None]
        seek = np.moveaxis(np.diagonal(seek, 0, 1, 2), -1, 1)[:, None]
      ahead = self.DISCOUNT * alive * live
      values = self._fire(
          self.DISCOUNT * alive[..., None] * seek,
          ahead + self.DISCOUNT * alive * self.HIT, world['hits'][step])
      ahead, values = _move(ahead), _move(values)
      if step:
        live, seek = self._choose(ahead), self._choose(values)
    return values[:, 0, game.pos, game.shot_timer]

  def _choose(self, values):
    return sticky.decide(values, self.env.sticky, self.COST)

  def _fire(self, arrive, hit, hits):
    # Value (A, S, P, C) by the gun before the action and the arrival's cell.
    values = arrive[..., [0, 0, 1, 2, 3]]  # The gun cools down.
    values[-1, ..., 0] = np.where(hits, hit[-1], arrive[-1, ..., 4])
    return values

  def _alive(self, game, world, step):
    # Whether the cannon lives, by where it was at the aliens' last shot in
    # this plan and where it arrives.
    alive = np.repeat(world['safe'][step][None], CELLS, 0).astype(float)
    since = (step - game.alien_shot_timer - 1) % PAUSE
    for start, (row, column) in enumerate(
        world['shooters'].get(step - 1 - since, ())):
      if row + since + 1 == BASE:
        alive[start, column] = 0
    return alive


def forecast(game, steps):
  """Return what will be if there were no cannon.

  `safe` (steps, P) bool, whether the cannon lives where it arrives in a step;
  `hits` (steps, P) bool, whether a shot fired there will hit; and `shooters`,
  a dict from the steps in which the aliens shoot to a list (P) of row and
  column of the one that does, by the place of the cannon.
  """
  shots = range(game.alien_shot_timer, steps, PAUSE)
  game = fork(game)
  game.alien_shot_timer = NEVER
  aliens = [game.alien_map]
  safe = np.ones((steps, CELLS), bool)
  shooters = {}
  for step in range(steps):
    landed, direction = game.alien_map[BASE].any(), game.alien_dir
    game.act(NOOP)
    game.terminal = False
    if landed and direction != game.alien_dir:
      safe[step:] = False
    safe[step] &= ~(
        aliens[-1][BASE].astype(bool) | game.alien_map[BASE].astype(bool) |
        game.e_bullet_map[BASE].astype(bool))
    aliens.append(game.alien_map.copy())
    if step in shots:
      shooters[step] = [game._nearest_alien(x) for x in range(CELLS)]
  return {'safe': safe, 'hits': _hits(aliens[1:]), 'shooters': shooters}


def fork(game):
  """Return a copy of the game, much faster than a deep copy."""
  result = copy.copy(game)
  for name in ('alien_map', 'f_bullet_map', 'e_bullet_map'):
    setattr(result, name, getattr(game, name).copy())
  return result


def _hits(aliens):
  # A bullet starts in the row above the cannon and climbs a row a step.
  aliens = np.array(aliens, bool)  # (T, Y, X) after each step
  climb = np.zeros_like(aliens)  # Whether a bullet that is there will hit.
  ahead = np.zeros((CELLS, CELLS), bool)
  for step in reversed(range(len(aliens))):
    climb[step] = aliens[step]
    climb[step, 1:] |= ahead[:-1]
    ahead = climb[step]
  return climb[:, BASE - 1]


def _move(arrive):
  # Value of an action (A, S, P, ...) in a cell, from that where it leads.
  values = arrive.copy()
  values[1, :, 1:] = arrive[1, :, :-1]
  values[2, :, :-1] = arrive[2, :, 1:]
  return values
