import sys

import crafter
import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.errors import UserError
from helpers import envtools

ACTIONS = (
    'noop move_left move_right move_up move_down do sleep place_stone '
    'place_table place_furnace place_plant make_wood_pickaxe '
    'make_stone_pickaxe make_iron_pickaxe make_wood_sword make_stone_sword '
    'make_iron_sword').split()
PLANT = ACTIONS.index('place_plant')


def make(task='reward', **kwargs):
  return envs.make('crafter', task, **{'seed': 1, **kwargs})


def planted(**kwargs):
  """Return the observation of planting a sapling at the start, and more."""
  env = make(**kwargs)
  first = envtools.reset(env)
  env.game._player.inventory['sapling'] = 1
  return env, first, envtools.act(env, PLANT)


class TestRewards:

  def test_achievement_is_worth_one(self):
    env, first, obs = planted(logs=True)
    assert first['reward'] == 0 and first['log/reward'] == 0
    assert first['log/achievement_place_plant'] == 0
    assert obs['reward'] == 1 and obs['log/reward'] == 1
    assert obs['log/achievement_place_plant'] == 1
    assert sum(x for k, x in obs.items() if 'achievement' in k) == 1
    assert envtools.act(env, PLANT)['reward'] == 0

  def test_noreward_still_logs(self):
    _, first, obs = planted(task='noreward')
    assert obs['reward'] == 0 and obs['log/reward'] == 1
    assert not any('achievement' in k for k in obs)

  def test_same_as_plain_crafter(self):
    # Up to step 9, before creatures are balanced in the order of memory.
    env, ref = make(seed=4), crafter.Env(seed=4)
    for _ in range(2):
      assert (envtools.reset(env)['image'] == ref.reset()).all()
      for action in (0, 1, 1, 5, 2, 3, 5, 4, 6):
        image, reward, done, _ = ref.step(action)
        obs = envtools.act(env, action)
        assert (obs['image'] == image).all()
        assert obs['reward'] == np.float32(reward)
        assert envtools.flags(obs) == ''


class TestEnds:

  def test_death_is_terminal(self):
    env = make()
    first = envtools.reset(env)
    env.game._player.health = 0
    obs = envtools.act(env, 0)
    assert envtools.flags(first) == 'first'
    assert envtools.flags(obs) == 'last terminal'
    assert obs['reward'] == np.float32(-0.9)
    assert envtools.flags(envtools.act(env, 0)) == 'first'

  def test_time_limit_is_not(self):
    env = make()
    env.game._length = 3
    flags = [envtools.flags(envtools.act(env, 0)) for _ in range(5)]
    assert flags == ['first', '', '', 'last', 'first']

  def test_reset_in_mid_episode_makes_a_new_world(self):
    env, first, _ = planted(logs=True)
    again = envtools.reset(env)
    assert again['is_first'] and again['reward'] == 0
    assert again['log/achievement_place_plant'] == 0
    assert (again['image'] != first['image']).any()


class TestSpacesAndSeeds:

  def test_spaces(self):
    env = make(logs=True)
    assert env.obs_space['image'].shape == (64, 64, 3)
    assert env.action_meanings == ACTIONS
    assert env.act_space['action'].classes == 17
    assert sum('achievement' in k for k in env.obs_space) == 22
    envtools.check_spaces(env, 300)

  def test_size_is_height_and_width(self):
    env = make(size=[90, 63])
    assert env.obs_space['image'].shape == (90, 63, 3)
    envtools.check_spaces(env, 3)

  def test_seed_decides_everything(self):
    # In both games objects lie elsewhere in memory; Crafter alone lets that
    # decide which creatures vanish.
    one, two = (envtools.rollout(make(seed=3), 400) for _ in range(2))
    assert envtools.same(one, two)

  def test_other_seed_other_world(self):
    one, two = (envtools.reset(make(seed=x))['image'] for x in (5, 6))
    assert (one != two).any()


class TestErrors:

  def test_unknown_task(self):
    with pytest.raises(UserError, match='reward, noreward|noreward, reward'):
      make('rewards')

  def test_missing_package(self, monkeypatch):
    monkeypatch.delitem(
        sys.modules, 'dreamer_gail_plugin.envs.crafter', raising=False)
    monkeypatch.setitem(sys.modules, 'crafter', None)
    with pytest.raises(UserError, match='pip install crafter'):
      make()
    assert envs.make('minatar', 'breakout')
