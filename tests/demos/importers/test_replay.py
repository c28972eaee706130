"""A DreamerV3 agent's replay as demonstrations: whole episodes, in order."""

import json

import elements
import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.envs import common as envs_common
from helpers.demotools import load
from helpers.demotools import refused
from helpers.demotools import run
from helpers.replays import config
from helpers.replays import record


@pytest.fixture
def out(tmp_path):
  return tmp_path / 'demos.h5'


@pytest.fixture
def logdir(tmp_path):
  path = tmp_path / 'logdir'
  (path / 'replay').mkdir(parents=True)
  return path


class TestImport:

  def check(self, data, episode, acts):
    assert len(data['is_first']) == len(episode)
    for t, step in enumerate(episode):
      for key in data:
        value = step[key]
        if key in acts and t == len(episode) - 1:
          value = np.zeros_like(value)
        np.testing.assert_array_equal(data[key][t], value, f'{key} {t}')

  def test_whole_episodes_across_chunks(self, logdir, out):
    found = record(logdir / 'replay', 'gym_ImportReach-v0', 60)
    config(logdir, task='gym_ImportReach-v0', env={'gym': {'size': [32, 32]}})
    assert run('replay', '--source', logdir, '--out', out) == 0
    demos = load(out)
    assert len(demos) == len(found) > 15
    match = {x[0]['vector'].tobytes(): x for x in found}
    acts = ('action_arm', 'action_mode')
    for data in demos:
      self.check(data, match[data['vector'][0].tobytes()], acts)
    assert max(x['action_arm'].max() for x in demos) > 6
    env = envs.make('gym', 'ImportReach-v0')
    with store.Store(out) as demo:
      store.validate(demo, env.obs_space, env.act_space, demo.attrs['task'])
      made = json.loads(demo.attrs['preprocessing'])
      assert (made['size'], made['image']) == ([32, 32], 'last')
      assert set(demo.keys) == {
          *acts, 'vector', 'reward', *store.FLAGS}

  def test_best_and_latest(self, logdir, out):
    record(logdir / 'replay', 'gym_ImportReach-v0', 60, workers=1)
    flags = ['--source', logdir / 'replay', '--out', out, '--overwrite']
    run('replay', *flags, '--task', 'gym_ImportReach-v0')
    everything = load(out)
    scores = [x['reward'].sum() for x in everything]
    run('replay', *flags, '--task', 'gym_ImportReach-v0', '--best', 3)
    assert sorted(x['reward'].sum() for x in load(out)) == sorted(scores)[-3:]
    run('replay', *flags, '--task', 'gym_ImportReach-v0', '--latest', 3)
    for data, wanted in zip(load(out), everything[-3:], strict=True):
      np.testing.assert_array_equal(data['vector'], wanted['vector'])

  def test_one_hot_actions_of_older_versions_are_named(
      self, logdir, out, capsys):
    record(logdir / 'replay', 'minatar_breakout', 60, workers=1)
    config(logdir, task='minatar_breakout', env={})
    for path in (logdir / 'replay').iterdir():
      with np.load(path) as file:
        data = dict(file)
      data['action'] = np.eye(3, dtype=np.float32)[data['action']]
      np.savez(path, **data)
    refused(capsys, logdir, 'replay', '--source', logdir, '--out', out,
            parts=['action is one-hot', 'DreamerV3 before 2024'])

  def test_lost_chunk_costs_its_episodes_alone(self, logdir, out, capsys):
    found = record(logdir / 'replay', 'gym_ImportReach-v0', 60, workers=1)
    config(logdir, task='gym_ImportReach-v0')
    sorted((logdir / 'replay').iterdir())[3].unlink()
    assert run('replay', '--source', logdir, '--out', out) == 0
    demos = load(out)
    assert len(found) - 4 <= len(demos) < len(found)
    match = {x[0]['vector'].tobytes(): x for x in found}
    for data in demos:
      self.check(
          data, match[data['vector'][0].tobytes()],
          ('action_arm', 'action_mode'))
    assert 'cut ones were left out' in capsys.readouterr().out

  def test_images(self, logdir, out):
    found = record(logdir / 'replay', 'minatar_breakout', 120)
    config(logdir, task='minatar_breakout', env={'minatar': {'sticky': 0.1}})
    run('replay', '--source', logdir, '--out', out)
    demos = load(out)
    assert len(demos) == len(found) > 2
    match = {x[5]['image'].tobytes() for x in found if len(x) > 5}
    assert sum(
        x['image'][5].tobytes() in match for x in demos
        if len(x['image']) > 5) > 2


class TestRestore:

  @pytest.mark.parametrize('low, high', [(-1.4, 0.8), (-0.3, 2.9)])
  def test_never_beyond_the_bounds(self, low, high):
    # (1 + 1) / 2 * (high - low) + low is above 0.8 in float32.
    space = elements.Space(np.float32, (), np.float32(low), np.float32(high))
    value = np.linspace(-1, 1, 999, dtype=np.float32)
    found = envs_common.restore(value, space)
    assert (space.low <= found).all() and (found <= space.high).all()
    assert found.dtype == np.float32

  def test_beyond_the_bounds(self):
    # Upstream clips unbounded ones, too.
    space = elements.Space(np.float32, (2,), [-2, -np.inf], [2, np.inf])
    value = envs_common.restore(np.float32([[3, 3], [-9, -9]]), space)
    assert value.tolist() == [[2, 1], [-2, -1]]


class TestRefuses:

  def check(self, capsys, logdir, *parts, flags=()):
    refused(capsys, logdir.parent, 'replay', '--source', logdir, '--out',
            logdir.parent / 'x.h5', *flags, parts=parts)

  def test_sources(self, logdir, capsys):
    self.check(capsys, logdir, 'no config.yaml that names the task')
    task = ['--task', 'minatar_breakout']
    self.check(capsys, logdir, 'no chunks of a replay', flags=task)
    (logdir / 'config.yaml').write_text('a: [')
    self.check(capsys, logdir, logdir / 'config.yaml', 'not the config')
    (logdir / 'config.yaml').write_text('[1]')
    self.check(capsys, logdir, 'expected keys and values')
    (logdir / 'config.yaml').write_text('task: minatar_breakout')
    self.check(capsys, logdir, 'no chunks')
    (logdir / 'replay' / 'a.npz').write_bytes(b'')
    self.check(capsys, logdir, 'expected the name of a chunk')

  @pytest.mark.parametrize('task, env, text', [
      ('minatar_breakout', {'minatar': {'actions': 3}}, 'actions is 3'),
      ('minatar_breakout', {'minatar': {'sticky': 2}}, 'sticky is 2'),
      ('crafter_reward', {'crafter': {'size': 64}}, 'size is 64'),
      ('atari_pong', {'atari': {'repeat': 'four'}}, "repeat is 'four'"),
      ('atari_pong', {'atari': {'pooling': 10 ** 12}}, 'pooling is 1000')])
  def test_options(self, logdir, capsys, task, env, text):
    config(logdir, task=task, env=env)
    self.check(capsys, logdir, logdir / 'config.yaml', text)

  def test_suites(self, logdir, capsys):
    config(logdir, task='gym_ImportReach-v0', env={'gym': {'size': [0, 0]}})
    self.check(capsys, logdir, 'no chunks of a replay')
    config(logdir, task='dmc_walker_walk', env={'dmc': {'size': [64, 64]}})
    self.check(capsys, logdir, "'dmc'", 'minatar')

  def test_other_task(self, logdir, capsys):
    record(logdir / 'replay', 'gym_ImportReach-v0', 30)
    self.check(capsys, logdir, 'image is missing', flags=[
        '--task', 'minatar_breakout'])

  def test_no_whole_episode(self, logdir, capsys):
    record(logdir / 'replay', 'gym_ImportReach-v0', 3)
    self.check(capsys, logdir, 'no episode that is there from its start',
               flags=['--task', 'gym_ImportReach-v0'])

  def test_chunks(self, logdir, capsys):
    record(logdir / 'replay', 'gym_ImportReach-v0', 30, workers=1)
    config(logdir, task='gym_ImportReach-v0')
    paths = sorted((logdir / 'replay').iterdir())
    time, uuid, succ, _ = paths[1].stem.split('-')
    longer = paths[1].with_name(f'{time}-{uuid}-{succ}-9.npz')
    paths[1].rename(longer)
    self.check(capsys, logdir, longer, 'expected 9 steps as in its name')
    ring = paths[1].with_name(f'{time}-{uuid}-{uuid}-7.npz')
    longer.rename(ring)
    paths[0].unlink()
    self.check(capsys, logdir, ring, 'follows itself')
    ring.write_bytes(ring.read_bytes()[:500])
    for path in (logdir / 'replay').iterdir():
      if path != ring:
        path.unlink()
    whole = ring.with_name(f'{time}-{uuid}-0-7.npz')
    ring.rename(whole)
    self.check(capsys, logdir, whole, 'copy it again')
