"""Tasks of suites that upstream has and the plugin has not."""

import sys
import types

import dreamerv3.main
import elements
import embodied
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import envs
from dreamer_gail_plugin.envs import upstreams
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.patches import embodied_envs


class Reach(embodied.Env):
  """Stands in for an environment of upstream, with actions in 0 to 4."""

  def __init__(self, task, size=3):
    self.task, self.size, self.acts = task, size, []

  @property
  def obs_space(self):
    return {
        'vector': elements.Space(np.float32, (self.size,)),
        'reward': elements.Space(np.float32),
        'is_first': elements.Space(bool), 'is_last': elements.Space(bool),
        'is_terminal': elements.Space(bool)}

  @property
  def act_space(self):
    return {
        'action': elements.Space(np.float32, (1,), 0, 4),
        'reset': elements.Space(bool)}

  def step(self, action):
    self.acts.append(action['action'])
    return dict(
        vector=np.zeros(self.size, np.float32), reward=np.float32(0),
        is_first=bool(action['reset']), is_last=False, is_terminal=False)


@pytest.fixture
def dmc(monkeypatch):
  """Put the stand-in in the place of upstream's suite dmc."""
  module = types.ModuleType('embodied.envs.dmc')
  module.DMC = Reach
  monkeypatch.setitem(sys.modules, 'embodied.envs.dmc', module)


def test_actions_are_in_their_own_units(dmc):
  env = envs.make('dmc', 'reach', size=5, seed=3)
  assert type(env) is Reach and env.task == 'reach' and env.size == 5
  assert env.act_space['action'].high == 4


def test_the_agents_are_scaled_by_upstreams_wrappers(dmc):
  config = configs.load_config(['--task', 'dmc_reach'])
  assert build.spaces(config)[1]['action'].high == 1
  assert build.raw_spaces(config)[1]['action'].high == 4
  env = build.make_env(config, 0)
  env.step({'action': np.float32([-1]), 'reset': True})
  assert upstreams.unwrapped(env).acts == [[0]]


def test_a_suite_that_nobody_has():
  with pytest.raises(UserError, match="suite 'minatr'.*Did you mean minatar"):
    envs.make('minatr', 'breakout', seed=0)


def test_a_suite_whose_package_is_missing(monkeypatch):
  name = 'embodied.envs.procgen'
  monkeypatch.setitem(sys.modules, name, None)
  with pytest.raises(UserError, match=f'procgen_coinrun.*{name}.*checkout'):
    envs.make('procgen', 'coinrun', seed=0)


def test_an_error_inside_is_not_hidden(monkeypatch):
  def make_env(config, index):
    raise KeyError('something else')
  monkeypatch.setattr(dreamerv3.main, 'make_env', make_env)
  with pytest.raises(KeyError, match='something else'):
    envs.make('dmc', 'reach')


@pytest.mark.skipif(
    embodied_envs.is_stub(sys.modules[embodied_envs.NAME]),
    reason='this release of upstream has no environments')
def test_upstreams_own_dummy():
  config = configs.load_config(['--task', 'dummy_disc'])
  obs_space, act_space = build.spaces(config)
  assert obs_space['image'].shape == (64, 64, 3) and act_space
