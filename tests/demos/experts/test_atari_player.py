"""The player that looks ahead in a second emulator."""

import ale_py
import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.experts import atari_player
from dreamer_gail_plugin.demos.experts import planner
from dreamer_gail_plugin.errors import UserError

TASKS = ('atari_alien', 'atari_freeway', 'atari_seaquest')


def started(task, seed):
  """Return an environment in the middle of the game, and the observation."""
  env = tasks.make_env(task, seed)
  env.step({'action': 0, 'reset': True})
  for _ in range(70):  # In Seaquest the air is filled first.
    obs = env.step({'action': 5, 'reset': False})
  return env, obs


@pytest.mark.parametrize('task', TASKS)
class TestPlayer:

  def test_leaves_the_emulator_alone(self, task):
    # Sticky actions are on: a random draw more or less would show.
    env, obs = started(task, 5)
    again, _ = started(task, 5)
    player = planner.PLANNERS[task](env, 0)
    chosen = set()
    for _ in range(12):
      acts = player(obs)
      chosen.add(int(acts['action']))
      obs = env.step({**acts, 'reset': False})
      other = again.step({**acts, 'reset': False})
      assert {k: np.asarray(v).tobytes() for k, v in obs.items()} == {
          k: np.asarray(v).tobytes() for k, v in other.items()}
    assert len(chosen) > 1

  def test_random_state_does_not_matter(self, task):
    state = started(task, 3)[0].ale.cloneState(include_rng=False)
    chosen, drawn = set(), set()
    for seed in range(3):
      env = tasks.make_env(task, seed)
      env.step({'action': 0, 'reset': True})
      env.ale.restoreState(state)
      player = planner.PLANNERS[task](env, 0)
      chosen.add(tuple(player.choose() for _ in range(2)))
      for name in ('LEFT', 'RIGHT', 'UP', 'DOWN') * 10:
        env.ale.act(getattr(ale_py.Action, name))
      drawn.add(env.ale.getRAM().tobytes())
    assert len(chosen) == 1 and len(drawn) > 1


class Still(atari_player.AtariPlayer):
  """Values a plan by a dict from its first action, then 0."""

  values = {}

  def _value(self, plan, state):
    return self.values.get(int(plan[0]), 0)


class TestChoice:

  def make(self, **values):
    env = envs.make('atari', 'alien', seed=0)
    env.step({'action': 0, 'reset': True})
    player = Still(env)
    player.values = {
        env.action_meanings.index(k): v for k, v in values.items()}
    return player

  def test_rests_without_a_reason(self):
    margin = atari_player.MARGIN
    player = self.make(UP=margin, LEFT=0.9 * margin)
    assert {player.choose() for _ in range(20)} == {0}

  def test_takes_what_is_better_and_stays_with_it(self):
    player = self.make(UP=2.1, LEFT=2.0)
    player.plan[:] = 0
    chosen = [player.choose() for _ in range(30)]
    assert set(chosen[5:]) == {2}
    player.plan[:] = player.last = 2
    assert {player.choose() for _ in range(20)} == {2}


class TestValue:

  def make(self, **kwargs):
    """Return a player of Seaquest under water, and the state."""
    env = envs.make('atari', 'seaquest', sticky=False, noops=0, seed=0)
    env.step({'action': 0, 'reset': True})
    for _ in range(80):  # The air is filled first.
      env.step({'action': 5, 'reset': False})
    assert env.ale.getRAM()[97] > 30 and env.ale.lives() == 4
    player = atari_player.AtariPlayer(env, **kwargs)
    return player, env.ale.cloneState()

  def test_prices(self):
    player, state = self.make()
    idle = np.zeros(atari_player.HORIZON, int)
    assert player._value(idle, state) == 0
    left = idle.copy()
    left[3] = 4
    assert player._value(left, state) == pytest.approx(
        -2 * atari_player.CHANGE - atari_player.ACT)

  def test_worth_counts_at_the_end_only(self):
    player, state = self.make(worth=lambda memory: float(memory[97]))
    up = np.full(atari_player.HORIZON, 2)
    begin = float(player.env.ale.getRAM()[97])
    price = atari_player.CHANGE + atari_player.HORIZON * atari_player.ACT
    value = player._value(up, state) + price
    higher = begin - float(player.ale.getRAM()[97])
    weight = atari_player.DISCOUNT ** atari_player.HORIZON
    assert higher > 20 and value == pytest.approx(-weight * higher)

  def test_a_lost_life_costs(self):
    player, state = self.make()
    ale = player.env.ale
    states = [ale.cloneState()]
    while ale.lives() == 4:  # At last the air ends.
      [ale.act(ale_py.Action.NOOP) for _ in range(4)]
      states.append(ale.cloneState())
    idle = np.zeros(atari_player.HORIZON, int)
    weight = atari_player.DISCOUNT ** 9  # Lost in the tenth step.
    assert player._value(idle, states[-11]) == pytest.approx(
        -weight * atari_player.DEATH)

  def test_an_action_that_is_not_there(self):
    env = envs.make('atari', 'breakout', actions='needed')
    with pytest.raises(UserError, match='UP'):
      atari_player.AtariPlayer(env)


def test_worth_of_seaquest():
  memory = np.zeros(128, np.uint8)
  memory[[atari_player.DEPTH, atari_player.AIR]] = 90, 60
  worth = atari_player.seaquest_worth
  assert worth(memory) == 0
  memory[atari_player.DIVERS] = 2
  full = worth(memory)
  assert full == 80
  memory[atari_player.AIR] = 10
  deep = worth(memory)
  memory[atari_player.DEPTH] = 40
  assert deep < worth(memory) < full
  memory[atari_player.DIVERS] = 0  # Surfacing would cost a life.
  assert worth(memory) == 0


def test_worth_of_freeway():
  env = tasks.make_env('atari_freeway', 0)
  env.step({'action': 0, 'reset': True})
  worth = lambda: atari_player.freeway_worth(env.ale.getRAM())
  begin, up = worth(), env.action_meanings.index('UP')
  env.step({'action': up, 'reset': False})
  assert worth() > begin + 2
  top = begin
  while not env.step({'action': up, 'reset': False})['reward']:
    top = max(top, worth())
  assert begin + 150 < top < worth()  # Back at the bottom.
  memory = np.zeros(128, np.uint8)
  memory[atari_player.CROSSINGS] = 0x12
  assert atari_player.freeway_worth(memory) == 12 * 250


def test_no_search_where_the_way_up_is_free():
  env = envs.make('atari', 'freeway', sticky=False, noops=0, seed=0)
  env.step({'action': 0, 'reset': True})
  player = atari_player.Freeway(env)
  idle = np.zeros(atari_player.HORIZON, int)
  up = idle + env.action_meanings.index('UP')
  searched = []
  for plan in (idle, up):
    while env.ale.getRAM()[atari_player.HEIGHT] < 90 and plan is up:
      env.ale.act(ale_py.Action.UP)
    player._value(plan, env.ale.cloneState())
    searched.append(bool(list(player._candidates(plan))))
  assert searched == [True, False]
