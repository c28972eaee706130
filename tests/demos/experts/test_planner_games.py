"""The planners of Asterix, Freeway and Space Invaders against their games."""

import copy

import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.experts import asterix
from dreamer_gail_plugin.demos.experts import freeway
from dreamer_gail_plugin.demos.experts import space_invaders
from dreamer_gail_plugin.demos.experts import sticky


def make(task, **state):
  """Return an environment without sticky actions, in a state of the game."""
  env = envs.make('minatar', task, sticky=0.0, seed=0)
  env.step({'action': 0, 'reset': True})
  for key, value in state.items():
    assert hasattr(env.game, key)
    setattr(env.game, key, value)
  return env


def choose(policy, task, **state):
  """Return the name of the action that a planner takes in a state."""
  env = make(task, **state)
  return env.action_meanings[policy(env)({})['action']]


def played(task, seed, steps):
  """Return the game after random play, in mid-episode."""
  env = tasks.make_env(task, seed)
  policy = record.Random(env, seed)
  obs = env.step({'action': 0, 'reset': True})
  while steps > 0 or obs['is_last']:
    obs = env.step({**policy(obs), 'reset': obs['is_last']})
    steps -= 1
  return env.game


@pytest.mark.parametrize('policy, task', [
    (asterix.Asterix, 'minatar_asterix'),
    (freeway.Freeway, 'minatar_freeway'),
    (space_invaders.SpaceInvaders, 'minatar_space_invaders')])
def test_does_not_touch_the_game(policy, task):
  # The planner works without the random state, and leaves the game alone.
  env = tasks.make_env(task, 0)
  record.rollout(env, record.Random(env, 0), 60)
  env.step({'action': 0, 'reset': True})
  state = lambda: repr(
      {k: v for k, v in vars(env.game).items() if k != 'random'})
  before = state()
  env.random = env.game.random = None
  policy(env, 0)({})
  assert state() == before


class TestLookahead:

  def test_no_op_wins_ties(self):
    cost = np.array([0, 0.1, 0.1])
    assert sticky.pick(np.array([1.0, 1.1, 1.0]), cost) == 0
    assert sticky.pick(np.array([1.0, 1.0, 1.2]), cost) == 2

  def test_value_of_a_choice_that_may_slip(self):
    values = sticky.decide(
        np.array([[0.0], [2.0]]), 0.25, np.array([0, 0.5]))
    # The best is worth 1.5, after the previous action in one of four.
    np.testing.assert_allclose(values, [[1.125], [1.625]])


class TestAsterix:

  @pytest.mark.parametrize('seed', range(6))
  def test_forecast_is_what_happens(self, seed):
    game = tasks.make_env('minatar_asterix', seed).game
    for _ in range(6):
      game._spawn_entity()
      game.player_x, game.move_timer = -9, 0
      game.act(asterix.NOOP)
    game.spawn_timer = asterix.NEVER
    danger, gold, _ = asterix.forecast(game, 12)
    assert any(game.entities)
    for y, x in np.ndindex(8, 10):
      fork = copy.deepcopy(game)
      fork.player_x, fork.player_y = x, y + 1
      for step in range(12):
        reward, dead = fork.act(asterix.NOOP)
        met = gold[step: step + 2, :, y + 1, x].any(0)
        if met.any():  # What was collected is gone from the game alone.
          assert reward == met.sum()
          break
        assert dead == danger[step: step + 2, y + 1, x].any(), (y, x, step)
        if dead:
          break

  def choose(self, *entities, **state):
    entities = {x[1] - 1: list(x) for x in entities}
    return choose(
        asterix.Asterix, 'asterix', spawn_timer=asterix.NEVER,
        entities=[entities.get(i) for i in range(8)], **state)

  def test_rests_where_nothing_is(self):
    assert self.choose() == 'noop'

  def test_collects_gold_and_avoids_enemies(self):
    assert self.choose((2, 5, True, True)) == 'left'
    assert self.choose((5, 7, True, True)) == 'down'
    # It moves onto the player in this very step.
    enemy = (4, 5, True, False)
    assert self.choose(enemy, move_timer=0) in ('up', 'down')
    assert self.choose(enemy, move_timer=4) == 'noop'

  def test_edges_are_a_risk_when_something_can_appear(self):
    env = make('asterix', spawn_timer=2, move_timer=2)
    policy = asterix.Asterix(env)
    world = asterix.forecast(env.game, 6)
    alive = policy._alive(env.game, world[0], world[2])
    assert alive[2, 4].tolist() == pytest.approx(
        [23 / 24] * 2 + [1] * 6 + [23 / 24] * 2)
    assert (alive[[0, 1, 3, 4, 5]] == 1).all()


class TestFreeway:

  @pytest.mark.parametrize('seed', range(4))
  def test_cars_drive_as_forecast(self, seed):
    game = played('minatar_freeway', seed, 50 * seed)
    cars = copy.deepcopy(game.cars)
    for _ in range(60):
      game.pos = freeway.START
      game.act(freeway.NOOP)
      cars = freeway.drive(cars)
      assert [list(map(int, x)) for x in game.cars] == cars

  def test_plan_keeps_its_promise(self):
    # Without sticky actions nothing is left to chance until it arrives.
    env = make('freeway')
    policy, cost, steps = freeway.Freeway(env), 0.0, 0
    env.game.act(freeway.NOOP)
    obs = {'reward': 0}
    while not obs['reward']:
      action = policy({})['action']
      if not steps:
        key = freeway._key(env.game.cars)
        values = policy.plan[key][:, env.game.pos, env.game.move_timer]
        promised = values[action] - policy.COST[action]
      cost += policy.DISCOUNT ** steps * policy.COST[action]
      obs = env.step({'action': action, 'reset': False})
      steps += 1
      assert steps < 60
    gain = policy.DISCOUNT ** steps * (1 + policy.LATER)
    assert promised == pytest.approx(gain - cost, abs=0.01)

  def test_waits_for_a_car_and_goes_behind_it(self):
    far = [[6, y, 5, 5] for y in range(1, 8)]
    state = dict(pos=9, move_timer=0)
    for x, action in {6: 'up', 3: 'noop', 4: 'noop', 5: 'up'}.items():
      cars = [*far, [x, 8, 0, 5]]
      assert choose(
          freeway.Freeway, 'freeway', cars=cars, **state) == action, x


class TestSpaceInvaders:

  @pytest.mark.parametrize('seed', range(4))
  def test_forecast_of_hits_is_what_happens(self, seed):
    game = played('minatar_space_invaders', seed, 150)
    game.alien_shot_timer = space_invaders.NEVER
    game.shot_timer = 0
    steps = 14
    world = space_invaders.forecast(game, steps)
    quiet = space_invaders.fork(game)
    scores = [np.inf] * space_invaders.CELLS
    def run(game, action):
      reward, _ = game.act(action)
      for _ in range(steps - 1):
        game.terminal = False
        reward += game.act(space_invaders.NOOP)[0]
      return reward
    base = run(quiet, space_invaders.NOOP)
    for x in range(space_invaders.CELLS):
      fork = space_invaders.fork(game)
      fork.pos = x
      scores[x] = run(fork, space_invaders.FIRE) - base
    assert [x > 0 for x in scores] == world['hits'][0].tolist()

  @pytest.mark.parametrize('seed', range(4))
  def test_forecast_of_danger_is_what_happens(self, seed):
    game = played('minatar_space_invaders', seed, 150)
    game.alien_shot_timer = space_invaders.NEVER
    world = space_invaders.forecast(game, 12)
    for x in range(space_invaders.CELLS):
      fork = space_invaders.fork(game)
      fork.pos = x
      for step in range(12):
        _, dead = fork.act(space_invaders.NOOP)
        assert dead == (not world['safe'][step, x]), (x, step)
        if dead:
          break

  def test_sees_the_shots_that_follow_from_its_own_place(self):
    env = make('space_invaders', alien_shot_timer=0)
    policy = space_invaders.SpaceInvaders(env)
    world = space_invaders.forecast(env.game, 12)
    deadly = [
        np.argwhere(policy._alive(env.game, world, x) == 0).tolist()
        for x in range(12)]
    for start in range(space_invaders.CELLS):
      fork = space_invaders.fork(env.game)
      fork.pos = start
      fork.act(space_invaders.NOOP)
      for step in range(1, 10):
        fork.terminal = False
        fork.act(space_invaders.NOOP)
        hit = np.flatnonzero(fork.e_bullet_map[space_invaders.BASE])
        found = [y for x, y in deadly[step] if x == start]
        assert found == hit.tolist()

  def test_dodges_and_fires(self):
    bullets = np.zeros((10, 10))
    bullets[8, 5] = 1
    state = dict(alien_shot_timer=space_invaders.NEVER)
    assert choose(
        space_invaders.SpaceInvaders, 'space_invaders', e_bullet_map=bullets,
        **state) in ('left', 'right')
    assert choose(
        space_invaders.SpaceInvaders, 'space_invaders', **state) == 'fire'
    assert choose(
        space_invaders.SpaceInvaders, 'space_invaders', shot_timer=3,
        **state) == 'noop'
