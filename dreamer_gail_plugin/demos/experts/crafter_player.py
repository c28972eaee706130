"""A scripted player of Crafter, which sees the state of the simulator."""

import crafter
import numpy as np

from . import crafter_map
from . import crafter_shelter

COLLECT = crafter.constants.collect
PLACE = crafter.constants.place
MAKE = crafter.constants.make
FULL = crafter.constants.items['wood']['max']
SOURCES = {
    item: material for material, info in COLLECT.items()
    for item in info['receive']}
TOOLS = (
    'wood_pickaxe', 'wood_sword', 'stone_pickaxe', 'stone_sword',
    'iron_pickaxe', 'iron_sword')
# Seen to at or below the first number, until it is at the second.
NEEDS = {'drink': (4, 9), 'food': (4, 7), 'energy': (3, 9)}
HURT = (4, 8)  # The same for health, after all else.
DARK = 0.4  # Daylight below which it stays behind stones, and the needs
BEAR = 3  # that wait for so much longer then.
SPARE = 2  # Stones to carry, for bridges and a shelter.
NEAR = 8  # Actions that an errand on the way may take.
SIGHT = 8  # From here on a zombie comes closer.


class CrafterPlayer:
  """Does the most urgent thing at every step.

  In this order: fight what attacks, drink, eat and sleep in time (behind
  stones, once it can), and reach the next of the achievements on the way
  from wood to iron tools and diamonds. The nearest suitable thing on the map
  is taken, seen on the screen or not, along the cheapest way, through stone
  if it has a pickaxe. While asleep, or if there is nothing to do, it rests.
  It does not know the random state of the game.

  Args:
    env: the `Crafter` environment that will be played.
    seed: not used; what it does is determined by the state of the game.
  """

  def __init__(self, env, seed=0):
    self.env = env
    self._forget()

  def __call__(self, obs):
    """Return the action for the current state of the environment."""
    if obs['is_first']:
      self._forget()
    name = self._choose()
    return {'action': np.int32(self.env.action_meanings.index(name))}

  def _forget(self):
    self.urge = None  # The need that it is seeing to.
    self.hurt = False  # Whether it rests until it is well.
    self.stocking = None  # The material that it is collecting.
    self.shelter = None  # Where it is going to sleep.

  def _choose(self):
    player = self.env.game._player
    self.has, self.done = player.inventory, player.achievements
    if player.sleeping:
      return 'noop'
    self.facing = tuple(int(x) for x in player.pos + player.facing)
    self.map = crafter_map.Map(self.env.game)
    return (
        self._fight() or self._need() or self._recover() or
        self._progress() or self._hide() or 'noop')

  # What cannot wait.

  def _fight(self):
    enemies = self.map.where(crafter.objects.Zombie, crafter.objects.Skeleton)
    for cell in crafter_map.neighbours(self.map.here):
      if self.map.inside(cell) and enemies[cell]:
        return self._use(cell)
    return None

  def _need(self):
    if self.urge and self.has[self.urge] >= NEEDS[self.urge][1]:
      self.urge = None
    if self.urge is None:
      bear = BEAR if self.map.daylight < DARK else 0
      low = [k for k, (low, _) in NEEDS.items() if self.has[k] <= low - bear]
      self.urge = min(low, key=self.has.get, default=None)
    if self.urge is None:
      return None
    action = {
        'drink': self._drink, 'food': self._eat, 'energy': self._sleep,
    }[self.urge]()
    if action is None:  # There is none to be had.
      self.urge = None
    return action

  def _drink(self, limit=np.inf):
    return self._reach(self.map.materials['water'], limit)

  def _eat(self, limit=np.inf):
    goals = self.map.where(crafter.objects.Cow) | self._ripe()
    return self._reach(goals, limit)

  def _sleep(self):
    return self._hide() or 'sleep'

  def _recover(self):
    self.hurt = self.has['health'] <= HURT[0] or (
        self.hurt and self.has['health'] < HURT[1])
    return self._hide() if self.hurt or self.map.daylight < DARK else None

  def _hide(self):
    # Go to a shelter, close it, and sleep as long as that does any good.
    stones = self.has['stone']
    if not self.shelter or not self.shelter.possible(self.map, stones):
      self.shelter = crafter_shelter.find(self.map, stones)
    if not self.shelter:
      return None
    openings = self.shelter.openings(self.map)
    if self.map.here not in self.shelter.cells():
      return self._walk(self._mask(self.shelter.cells()))
    for cell, side in openings:
      if cell == self.map.here and side == self.facing:
        return 'do' if self.map.taken[side] else 'place_stone'
    for cell, side in openings:
      if self.shelter.behind(cell, side) == self.map.here:
        return f'move_{crafter_map.direction(cell, side)}'
    if not openings:
      return 'sleep' if self.has['energy'] < FULL else 'noop'
    return self._walk(self._mask([self.shelter.behind(*openings[0])]))

  # What can wait, the first that applies.

  def _progress(self):
    for rule in (
        self._nap, self._errands, self._plant, self._wood_tools,
        self._stone_tools, self._place_stone, self._firsts, self._iron_tools,
        self._diamond, self._hunt):
      action = rule()
      if action:
        return action
    return None

  def _nap(self):
    # As soon as it is tired at all, since a short sleep is a safe one.
    if self.done['wake_up'] or self.has['energy'] >= FULL:
      return None
    threats = self.map.where(*crafter_map.CREATURES)
    xs, ys = np.nonzero(threats)
    x, y = self.map.here
    near = (abs(xs - x) + abs(ys - y) <= SIGHT + 2).any()
    return None if near else 'sleep'

  def _errands(self):
    if not self.done['collect_drink'] or self.has['drink'] <= 6:
      action = self._drink(NEAR)
      if action:
        return action
    if not self.done['eat_cow'] or self.has['food'] <= 5:
      return self._eat(NEAR)
    return None

  def _plant(self):
    if not self.done['eat_plant'] and self._ripe().any():
      return self._reach(self._ripe())
    if self.done['place_plant']:
      return None
    if self.has['sapling']:
      return self._place('plant')
    return self._reach(self.map.materials['grass'])

  def _wood_tools(self):
    return self._tools('wood')

  def _stone_tools(self):
    return self._tools('stone')

  def _iron_tools(self):
    return self._tools('iron')

  def _tools(self, kind):
    for name in TOOLS:
      if name.startswith(kind) and not self.has[name]:
        return self._make(name)
    return None

  def _place_stone(self):
    if self.done['place_stone']:
      return None
    return self._gather({'stone': 1}) or self._place('stone')

  def _firsts(self):
    if not self.done['collect_drink']:
      return self._drink()
    if not self.done['eat_cow']:
      return self._eat()
    return None

  def _diamond(self):
    if self.done['collect_diamond'] or not self.has['iron_pickaxe']:
      return None
    return self._reach(self.map.materials['diamond'])

  def _hunt(self):
    for kind in (crafter.objects.Skeleton, crafter.objects.Zombie):
      if not self.done[f'defeat_{kind.__name__.lower()}']:
        action = self._reach(self.map.where(kind))
        if action:
          return action
    return None

  # How it is done.

  def _make(self, name):
    action = self._gather(MAKE[name]['uses'])
    if action:
      return action
    if any(self.has[k] < v for k, v in MAKE[name]['uses'].items()):
      return None  # The map has no more of it.
    for utility in MAKE[name]['nearby']:
      if not self.map.materials[utility].any():
        return self._build(utility)
    goals = self.map.nearby(*MAKE[name]['nearby']) & self.map.walkable
    if goals[self.map.here]:
      return f'make_{name}'
    return self._walk(goals & ~self.map.taken)

  def _build(self, name):
    action = self._gather(PLACE[name]['uses'])
    if action:
      return action
    if name == 'furnace':
      goals = self.map.nearby('table') & self.map.walkable
      if not goals[self.map.here]:
        return self._walk(goals & ~self.map.taken)
    return self._place(name)

  def _gather(self, uses):
    for item, amount in uses.items():
      if self.stocking == item:
        amount = max(amount, self._wanted(item))
      if self.has[item] >= amount:
        continue
      self.stocking = item
      action = self._reach(self.map.materials[SOURCES[item]])
      if action:
        return action
    self.stocking = None
    return None

  def _wanted(self, item):
    # What all that is still to be made will use.
    uses = [MAKE[x]['uses'] for x in TOOLS if not self.has[x]]
    uses += [
        PLACE[x]['uses'] for x in ('table', 'furnace')
        if not self.map.materials[x].any()]
    spare = SPARE if item == 'stone' else 0
    return min(FULL, spare + sum(x.get(item, 0) for x in uses))

  def _place(self, name):
    where = self.map.of(*PLACE[name]['where']) & ~self.map.taken
    if self.map.inside(self.facing) and where[self.facing]:
      return f'place_{name}'
    if self.map.inside(self.facing) and self._removable(self.facing):
      return 'do'
    # A step towards a cell with another behind it, to face that one.
    for name, (x, y) in crafter_map.DIRECTIONS.items():
      first = self.map.here[0] + x, self.map.here[1] + y
      second = first[0] + x, first[1] + y
      if self.map.inside(second) and where[second] and self._free(first):
        return f'move_{name}'
    return self._walk(where & self.map.walkable)

  def _reach(self, goals, limit=np.inf):
    # Use the nearest of the goals, or go there.
    _, way = self.map.route(goals, limit)
    if not way:
      return None
    return self._use(way[0]) if len(way) == 1 else self._enter(way[0])

  def _walk(self, goals):
    _, way = self.map.route(goals)
    return self._enter(way[0]) if way else None

  def _enter(self, cell):
    if self.map.materials['water'][cell] and cell == self.facing:
      return 'place_stone'
    if self._removable(cell):
      return self._use(cell)
    return f'move_{crafter_map.direction(self.map.here, cell)}'

  def _use(self, cell):
    if cell == self.facing:
      return 'do'
    return f'move_{crafter_map.direction(self.map.here, cell)}'

  def _free(self, cell):
    return self.map.walkable[cell] and not self.map.taken[cell]

  def _removable(self, cell):
    for name in ('stone', 'coal', 'iron', 'diamond'):
      needs = COLLECT[name]['require']
      if self.map.materials[name][cell]:
        return all(self.has[k] >= v for k, v in needs.items())
    return False

  def _mask(self, cells):
    mask = np.zeros(self.map.area, bool)
    for cell in cells:
      mask[cell] = True
    return mask

  def _ripe(self):
    plants = [
        x for x in self.map.objects if isinstance(x, crafter.objects.Plant)]
    return self._mask([tuple(x.pos) for x in plants if x.ripe])
