"""`demos rollout`: a saved agent becomes an expert."""

import json

import elements
import numpy as np

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import envs
from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.evaluate import actors
from helpers.demotools import load
from helpers.demotools import refused
from helpers.demotools import run


class Actor:
  """Counts its steps in the carry, and answers with the count."""

  def __init__(self):
    self.calls = []

  def start(self, rows):
    return np.zeros(rows)

  def __call__(self, carry, obs, keys, times):
    self.calls.append((bool(obs['is_first'][0]), int(times[0]), keys.copy()))
    assert carry[0] == times[0]
    assert not any(k.startswith('log/') for k in obs)
    return carry + 1, {'action': np.full((1, 1), 0.5, np.float32)}


def test_player_starts_anew_with_every_episode():
  env = envs.make('gym', 'Pendulum-v1', seed=0)
  actor = Actor()
  player = actors.Player(actor, env.act_space, 3)
  data = record.rollout(env, player, 30, limit=9)
  # Torques are from -2 to 2. The last step of an episode is not asked for.
  assert set(data['action'][~data['is_last']].ravel()) == {1.0}
  assert [x[0] for x in actor.calls[:11]] == [True, *[False] * 8, True, False]
  assert [x[1] for x in actor.calls[:11]] == [*range(9), 0, 1]
  first, second = actor.calls[0][2], actor.calls[9][2]
  assert (first != second).any()
  assert (actor.calls[8][2] == first).all()


def test_a_run(tmp_path, capsys):
  config = configs.load_config([
      '--configs', 'minatar', 'debug', '--task', 'minatar_freeway',
      '--random_agent', 'True', '--env.minatar.sticky', '0.25'])
  logdir = tmp_path / 'logdir'
  logdir.mkdir()
  config.save(elements.Path(str(logdir / 'config.yaml')))
  for name in ('a.h5', 'b.h5'):
    assert run('rollout', '--from', logdir, '--trajectories', 2, '--length',
               40, '--limit', 15, '--out', tmp_path / name) == 0
  first, second = load(tmp_path / 'a.h5')
  assert first['is_first'].sum() == 3
  assert (first['action'] != second['action']).any()
  for left, right in zip(load(tmp_path / 'a.h5'), load(tmp_path / 'b.h5')):
    for key, value in left.items():
      np.testing.assert_array_equal(value, right[key])
  env = build.make_raw_env(config, 0)
  with store.Store(tmp_path / 'a.h5') as demos:
    store.validate(demos, env.obs_space, env.act_space, 'minatar_freeway')
    eyes = json.loads(demos.attrs['preprocessing'])
    assert eyes['sticky'] == 0.25
    assert demos.attrs['source'] == 'agent of the run logdir'
  refused(capsys, tmp_path, 'rollout', '--from', tmp_path, '--out',
          tmp_path / 'c.h5', parts=['config.yaml: not found'])
