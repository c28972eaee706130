"""The map of a Crafter world as arrays, and the cheapest way across it."""

import heapq

import crafter
import numpy as np

DIRECTIONS = {
    'left': (-1, 0), 'right': (1, 0), 'up': (0, -1), 'down': (0, 1)}
WALKABLE = tuple(crafter.constants.walkable)
CREATURES = (
    crafter.objects.Zombie, crafter.objects.Skeleton, crafter.objects.Arrow)


class Map:
  """What is where, seen from the player, at one moment of a game.

  Cells are (x, y). `materials` maps every name to a bool array (X, Y),
  `taken` (X, Y) tells where a creature or plant stands.

  Args:
    game: the `crafter.Env`; nothing in it is changed.
  """

  def __init__(self, game):
    world, player = game._world, game._player
    self.area = tuple(world.area)
    self.materials = {
        name: world._mat_map == number
        for number, name in world._mat_names.items() if name}
    self.here = tuple(int(x) for x in player.pos)
    self.objects = [x for x in world.objects if x is not player]
    self.taken = np.zeros(self.area, bool)
    for thing in self.objects:
      self.taken[tuple(thing.pos)] = True
    self.walkable = self.of(*WALKABLE)
    self.daylight = float(world.daylight)
    self.costs = self._costs(player.inventory)

  def of(self, *names):
    """Return where any of these materials is: bool (X, Y)."""
    return np.any([self.materials[x] for x in names], 0)

  def where(self, *kinds):
    """Return where objects of any of these classes stand: bool (X, Y)."""
    result = np.zeros(self.area, bool)
    for thing in self.objects:
      if isinstance(thing, kinds):
        result[tuple(thing.pos)] = True
    return result

  def nearby(self, *names):
    """Return the cells with all of these in the 3 x 3 around: bool (X, Y)."""
    result = np.ones(self.area, bool)
    for name in names:
      padded = np.pad(self.materials[name], 1)
      width, height = self.area
      result &= np.any([
          padded[x: x + width, y: y + height]
          for x in range(3) for y in range(3)], 0)
    return result

  def inside(self, cell):
    """Return whether a cell is on the map."""
    return all(0 <= x < size for x, size in zip(cell, self.area))

  def route(self, goals, limit=np.inf):
    """Return the cost of the cheapest way into a goal, and its cells.

    Goals, a bool array (X, Y), may be of any material, as the last step may
    be to face them. The cells start after the player's own and end with the
    goal. The result is (inf, []) if none costs up to `limit`.
    """
    if not goals.any():
      return np.inf, []
    costs, before, goal = self._search(goals, limit)
    if goal is None:
      return np.inf, []
    way = [goal]
    while before[way[-1]] != self.here:
      way.append(before[way[-1]])
    return costs[goal], way[::-1]

  def distances(self, limit):
    """Return the costs up to `limit` by cell, the nearest first, as a dict."""
    return self._search(np.zeros(self.area, bool), limit)[0]

  def _search(self, goals, limit):
    # Dijkstra's algorithm; lists are much faster here than arrays.
    entry = np.where(goals, 1, self.costs).tolist()
    wanted = goals.tolist()
    wanted[self.here[0]][self.here[1]] = False
    width, height = self.area
    queue, before, done = [(0, self.here)], {}, {}
    best = {self.here: 0}
    while queue:
      cost, cell = heapq.heappop(queue)
      if cost > limit:
        break
      if cell in done:
        continue
      done[cell] = cost
      if wanted[cell[0]][cell[1]]:
        return done, before, cell
      for x, y in neighbours(cell):
        if not (0 <= x < width and 0 <= y < height):
          continue
        total = cost + entry[x][y]
        if total < best.get((x, y), np.inf):
          best[x, y] = total
          before[x, y] = cell
          heapq.heappush(queue, (total, (x, y)))
    return done, before, None

  def _costs(self, inventory):
    # The actions that entering a cell takes, inf for cells out of reach.
    costs = np.full(self.area, np.inf)
    costs[self.walkable] = 1
    if inventory['wood_pickaxe']:
      costs[self.of('stone', 'coal')] = 2
    if inventory['stone_pickaxe']:
      costs[self.materials['iron']] = 2
    if inventory['stone']:  # A bridge takes a turn, a stone and its removal.
      costs[self.materials['water']] = 4
    lava = self.materials['lava']
    costs[_beside(lava) & self.walkable] += 1
    danger = _beside(self.where(*CREATURES))
    costs[danger] += 2
    costs[_beside(danger)] += 2
    costs[self.taken] = np.inf
    return costs


def neighbours(cell):
  """Return the four cells beside a cell, on the map or not."""
  x, y = cell
  return [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]


def direction(start, stop):
  """Return the name of the direction from a cell to one beside it."""
  offset = stop[0] - start[0], stop[1] - start[1]
  return {v: k for k, v in DIRECTIONS.items()}[offset]


def _beside(mask):
  result = mask.copy()
  result[1:] |= mask[:-1]
  result[:-1] |= mask[1:]
  result[:, 1:] |= mask[:, :-1]
  result[:, :-1] |= mask[:, 1:]
  return result
