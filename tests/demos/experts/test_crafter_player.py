"""The scripted player of Crafter, in worlds that are set by hand."""

from unittest import mock

import crafter
import numpy as np

from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.experts import crafter_map
from dreamer_gail_plugin.demos.experts import crafter_player
from dreamer_gail_plugin.demos.experts import crafter_shelter


def meadow(**inventory):
  """Return an environment with nothing but grass and these things owned."""
  def grow(world, player):
    world._mat_map[:] = world._mat_ids['grass']
  env = tasks.make_env('crafter_reward', 0)
  with mock.patch('crafter.worldgen.generate_world', grow):
    env.step({'action': np.int32(0), 'reset': True})
  env.game._player.inventory.update(inventory)
  env.game._balance_chunk = lambda chunk, objs: None  # No new creatures.
  return env


def put(env, material, *offsets):
  """Set the material of cells, given from where the player stands."""
  for offset in offsets:
    env.game._world[env.game._player.pos + np.array(offset)] = material


def play(env, steps, until=None):
  """Let the player act; return the names of its actions."""
  policy = crafter_player.CrafterPlayer(env)
  obs, names = {'is_first': True}, []
  for _ in range(steps):
    action = policy(obs)
    names.append(env.action_meanings[action['action']])
    obs = env.step({**action, 'reset': False})
    if until and until(env.game._player):
      break
  return names


def skip(env, *achievements):
  """Count these achievements as reached."""
  for name in achievements:
    env.game._player.achievements[name] = 1


class TestMap:

  def test_route_around_water(self):
    env = meadow()
    put(env, 'water', *[(1, y) for y in range(-2, 3)])
    goals = np.zeros((64, 64), bool)
    goals[34, 32] = True
    cost, way = crafter_map.Map(env.game).route(goals)
    assert cost == len(way) == 8 and way[-1] == (34, 32)

  def test_route_through_stone_needs_a_pickaxe(self):
    wall = [(1, y) for y in range(-32, 32)]
    for pickaxe, cost in ((0, np.inf), (1, 3)):
      env = meadow(wood_pickaxe=pickaxe)
      put(env, 'stone', *wall)
      goals = np.zeros((64, 64), bool)
      goals[34, 32] = True
      assert crafter_map.Map(env.game).route(goals)[0] == cost

  def test_never_through_lava(self):
    env = meadow()
    put(env, 'lava', *[(1, y) for y in range(-32, 32)])
    goals = np.zeros((64, 64), bool)
    goals[34, 32] = True
    assert crafter_map.Map(env.game).route(goals) == (np.inf, [])

  def test_nearby_is_the_game_s_own(self):
    env = meadow()
    put(env, 'table', (2, 1))
    cells = np.argwhere(crafter_map.Map(env.game).nearby('table'))
    assert len(cells) == 9
    for cell in cells:
      assert 'table' in env.game._world.nearby(cell, 1)[0]


class TestShelter:

  def test_four_cells_close_anywhere(self):
    env = meadow()
    shelter = crafter_shelter.find(crafter_map.Map(env.game), 8)
    assert shelter.shape == (2, 2)
    assert len(shelter.openings(crafter_map.Map(env.game))) == 8
    assert crafter_shelter.find(crafter_map.Map(env.game), 7) is None

  def test_a_tunnel_takes_two_stones(self):
    env = meadow()
    put(env, 'water', *[(x, y) for x in range(-3, 4) for y in (-1, 1)])
    shelter = crafter_shelter.find(crafter_map.Map(env.game), 2)
    assert shelter.shape == (2, 1)

  def test_walls_itself_in_and_sleeps(self):
    env = meadow(stone=8, energy=2, wood_pickaxe=1)
    skip(env, *env.game._player.achievements)
    names = play(env, 80, lambda player: player.sleeping)
    assert names[-1] == 'sleep' and names.count('place_stone') == 8
    world = crafter_map.Map(env.game)
    # Nobody gets in: all that can be reached on foot are four cells.
    world.costs[world.of('stone')] = np.inf
    assert len(world.distances(100)) == 4


class TestPlayer:

  def test_fights_what_is_beside_it(self):
    env = meadow(wood_sword=1)
    player = env.game._player
    env.game._world.add(crafter.objects.Zombie(
        env.game._world, player.pos + np.array([1, 0]), player))
    names = play(
        env, 9, lambda player: player.achievements['defeat_zombie'])
    assert names[:2] == ['move_right', 'do']
    assert player.achievements['defeat_zombie'] == 1

  def test_drinks_when_thirsty(self):
    env = meadow(drink=3)
    put(env, 'water', (0, -3))
    names = play(env, 9, lambda player: player.inventory['drink'] == 9)
    assert names == ['move_up'] * 2 + ['do'] * 6

  def test_eats_when_hungry(self):
    env = meadow(food=2)
    world, player = env.game._world, env.game._player
    cow = crafter.objects.Cow(world, player.pos + np.array([2, 0]))
    world.add(cow)
    play(env, 40, lambda player: player.achievements['eat_cow'])
    assert player.achievements['eat_cow'] == 1

  def test_from_wood_to_a_stone_pickaxe(self):
    env = meadow()
    skip(env, 'place_plant', 'collect_drink', 'eat_cow', 'wake_up')
    put(env, 'tree', *[(4, y) for y in range(-6, 7)])
    put(env, 'stone', *[(-4, y) for y in range(-6, 7)])
    player = env.game._player
    play(env, 150, lambda player: player.inventory['stone_pickaxe'])
    assert player.inventory['wood_pickaxe'] == 1
    assert player.inventory['wood_sword'] == 1
    assert player.inventory['stone_pickaxe'] == 1

  def test_rests_when_all_is_done(self):
    env = meadow()
    skip(env, *env.game._player.achievements)
    env.game._player.inventory.update({x: 1 for x in crafter_player.TOOLS})
    assert set(play(env, 5)) == {'noop'}

  def test_does_not_touch_the_game(self):
    env = tasks.make_env('crafter_reward', 1)
    env.step({'action': np.int32(0), 'reset': True})
    world = env.game._world
    before = world._mat_map.tobytes(), world._obj_map.tobytes()
    inventory = dict(env.game._player.inventory)
    state = world.random
    world.random = None  # It must do without the random state.
    for thing in world.objects:
      thing.random = None
    crafter_player.CrafterPlayer(env)({'is_first': True})
    world.random = state
    assert before == (world._mat_map.tobytes(), world._obj_map.tobytes())
    assert inventory == env.game._player.inventory
