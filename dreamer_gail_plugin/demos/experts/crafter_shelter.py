"""Where a player of Crafter can wall itself in for a sleep."""

import dataclasses

from . import crafter_map

SHAPES = ((2, 1), (1, 2), (2, 2))
LIMIT = 60  # Actions that the way and the walls may take.


@dataclasses.dataclass(frozen=True)
class Shelter:
  """A few cells with stones, or what else nobody crosses, all around.

  To place a stone one must face the cell, and to face an open cell is to
  have walked towards it. So a cell of the shelter can only be closed on the
  side that continues a step inside: 2 x 2 cells can be closed anywhere, 2 x 1
  only where the long sides are closed by nature, as in a tunnel.

  Args:
    corner: the cell with the least x and y.
    shape: its size (x, y).
  """

  corner: tuple
  shape: tuple

  def cells(self):
    """Return the cells inside."""
    (left, top), (width, height) = self.corner, self.shape
    return [
        (left + x, top + y) for x in range(width) for y in range(height)]

  def sides(self):
    """Return (cell inside, cell outside beside it) for the whole wall."""
    cells = self.cells()
    return [
        (cell, side) for cell in cells
        for side in crafter_map.neighbours(cell) if side not in cells]

  def openings(self, world):
    """Return those of the `sides` that somebody could come through."""
    return [(x, y) for x, y in self.sides() if world.walkable[y]]

  def possible(self, world, stones):
    """Return whether it can be closed with so many stones."""
    usable = world.walkable | world.of('stone')
    openings = self.openings(world)
    return (
        all(usable[x] for x in self.cells()) and len(openings) <= stones and
        all(self.behind(x, y) in self.cells() for x, y in openings))

  @staticmethod
  def behind(cell, side):
    """Return where a step into `cell` comes from that ends facing `side`."""
    return 2 * cell[0] - side[0], 2 * cell[1] - side[1]


def find(world, stones):
  """Return the Shelter that takes the fewest actions, or None.

  Args:
    world: the Map.
    stones: how many stones the player has.
  """
  best, least = None, LIMIT
  distances = world.distances(LIMIT)
  for cell, distance in distances.items():
    if distance >= least:
      break
    for shape in SHAPES:
      shelter = Shelter(cell, shape)
      if not all(
          world.inside(x) for pair in shelter.sides() for x in pair):
        continue
      if not shelter.possible(world, stones):
        continue
      dig = sum(not world.walkable[x] for x in shelter.cells())
      cost = distance + 3 * len(shelter.openings(world)) + 2 * dig
      if cost < least:
        best, least = shelter, cost
  return best
