"""Stable-Baselines, D4RL and d3rlpy: the last observation was not saved."""

import pathlib

import gymnasium
import h5py
import numpy as np
import pytest

from dreamer_gail_plugin.demos.importers import simple
from helpers.demotools import load
from helpers.demotools import refused
from helpers.demotools import run
from helpers.flatfiles import save_buffer
from helpers.flatfiles import save_hdf5
from helpers.flatfiles import save_npz
from helpers.flatfiles import steps
from helpers.gymepisodes import PAIR

HERE = pathlib.Path(__file__).parent
TASK = ['--task', 'gym_CartPole-v1']
SAVE = {
    'stable_baselines': save_npz, 'd4rl': save_hdf5, 'd3rlpy': save_hdf5}


@pytest.fixture
def out(tmp_path):
  return tmp_path / 'demos.h5'


def check(demos, spans, data, ended):
  """Compare with spans of rows: what ended has its last one twice."""
  assert len(demos) == len(spans)
  for found, (start, stop), end in zip(demos, spans, ended):
    rows = [*range(start, stop), *[stop - 1] * end]
    moves = len(rows) - 1
    np.testing.assert_array_equal(
        found['vector'], data['observations'][rows])
    assert found['action'].tolist() == [
        *np.ravel(data['actions'])[start: start + moves], 0]
    assert found['reward'].tolist() == [
        0, *np.ravel(data['rewards'])[start: start + moves]]
    assert found['is_last'].tolist() == [False] * moves + [True]
    assert found['is_terminal'].tolist() == [False] * moves + [end]


class TestAlignment:

  @pytest.mark.parametrize('name', SAVE)
  def test_rows_become_steps(self, tmp_path, out, capsys, name):
    path = SAVE[name](tmp_path / 'a.npz')
    assert run(name, '--source', path, *TASK, '--out', out) == 0
    # The npz calls the last row an end, as the program stops there.
    last = name == 'stable_baselines'
    check(load(out), [(0, 3), (3, 5), (5, 7)], steps(), [True, True, last])
    text = capsys.readouterr().out
    assert f'{2 + last} ended, with their last observation twice' in text
    assert last or '1 cut, one step shorter' in text

  def test_whole_with_next_observations(self, tmp_path, out):
    # The third row goes on elsewhere: a cut, though nothing says so.
    data = steps(ends=())
    later = np.roll(data['observations'], -1, 0)
    later[2], later[6] = 50, 60
    path = save_hdf5(
        tmp_path / 'a.hdf5', **data, next_observations=later,
        timeouts=np.zeros(7, bool))
    assert run('d4rl', '--source', path, *TASK, '--out', out) == 0
    first, second = load(out)
    np.testing.assert_array_equal(
        first['vector'], [*data['observations'][:3], [50] * 4])
    np.testing.assert_array_equal(
        second['vector'], [*data['observations'][3:], [60] * 4])
    assert first['action'].tolist() == [0, 1, 0, 0]
    assert second['reward'].tolist() == [0, 4, 5, 6, 7]
    assert not first['is_terminal'].any() and first['is_last'][-1]

  def test_timeouts_are_cuts(self, tmp_path, out):
    path = save_hdf5(
        tmp_path / 'a.hdf5', timeouts=np.isin(np.arange(7), (1, 4, 6)))
    run('d4rl', '--source', path, *TASK, '--out', out)
    check(load(out), [(0, 2), (3, 5), (5, 7)][:0] + [
        (0, 1 + 1), (2, 3), (3, 5), (5, 7)], steps(),
        [False, True, True, False])

  def test_without_timeouts_the_time_limit_cuts(self, tmp_path, out):
    data = steps(ends=(99,), total=650)
    data['observations'] %= 4
    path = save_hdf5(tmp_path / 'a.hdf5', **data)
    run('d4rl', '--source', path, *TASK, '--out', out)
    check(load(out), [(0, 100), (100, 600), (600, 650)], data,
          [True, False, False])

  def test_end_at_the_time_limit_is_a_cut(self, tmp_path, out, capsys):
    data = steps(ends=(499,), total=510)
    path = save_npz(
        tmp_path / 'a.npz', obs=data['observations'] % 4,
        actions=data['actions'], rewards=data['rewards'],
        episode_starts=np.isin(np.arange(510), (0, 500)))
    run('stable_baselines', '--source', path, *TASK, '--out', out)
    assert [bool(x['is_terminal'][-1]) for x in load(out)] == [False, True]
    assert '1 end at the time limit of 500' in capsys.readouterr().out

  def test_cut_of_one_row_is_left_out(self, tmp_path, out, capsys):
    path = save_hdf5(tmp_path / 'a.hdf5', timeouts=np.arange(7) == 5)
    run('d4rl', '--source', path, *TASK, '--out', out)
    assert [len(x['action']) for x in load(out)] == [4, 3]
    assert '2 of one step left out' in capsys.readouterr().out

  def test_newer_d3rlpy(self, tmp_path, out):
    for terminated in (True, False):
      path = save_buffer(tmp_path / 'a.h5', terminated_0=terminated)
      run('d3rlpy', '--source', path, *TASK, '--out', out, '--overwrite')
      check(load(out), [(0, 5)], steps(), [terminated])

  def test_older_d3rlpy(self, tmp_path, out):
    path = save_hdf5(
        tmp_path / 'a.h5', episode_terminals=np.isin(np.arange(7), (2, 4, 6)),
        terminals=np.isin(np.arange(7), 4).astype(np.float32))
    run('d3rlpy', '--source', path, *TASK, '--out', out)
    check(load(out), [(0, 3), (3, 5), (5, 7)], steps(), [False, True, False])

  def test_tuples_and_channels_first(self, tmp_path, out):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (3, 3, 40, 48), dtype=np.uint8)
    place = rng.random((3, 2), np.float32)
    path = save_buffer(
        tmp_path / 'a.h5', observations_0=None, observations_0_0=image,
        observations_0_1=place, actions_0=np.int64([[0], [1], [2]]),
        rewards_0=np.ones((3, 1)), terminated_0=False)
    assert run('d3rlpy', '--source', path, '--task', PAIR, '--out', out,
               '--size', 0, 0) == 0
    [found] = load(out)
    np.testing.assert_array_equal(
        found['part_0'], image.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(found['part_1'], place)
    assert found['action'].tolist() == [0, 1, 0]

  @pytest.mark.parametrize('name', SAVE)
  def test_best(self, tmp_path, out, name):
    path = SAVE[name](tmp_path / 'a.npz')
    run(name, '--source', path, *TASK, '--out', out, '--best', 1)
    [found] = load(out)
    assert found['reward'][1] == 6


class TestMadeByThem:

  def test_stable_baselines(self, out):
    # By generate_expert_traj of version 2.10.2, random play of four games.
    path = HERE / 'stable_baselines_cartpole.npz'
    with np.load(path) as file:
      data = dict(file)
    starts = [*np.flatnonzero(data['episode_starts']), len(data['obs'])]
    assert run('stable_baselines', '--source', path, *TASK, '--out', out) == 0
    check(load(out), list(zip(starts[:-1], starts[1:])), {
        **data, 'observations': data['obs']}, [True] * 4)

  def test_d3rlpy(self, out):
    # By ReplayBuffer.dump of version 2.8.1, random play of three games.
    path = HERE / 'd3rlpy_cartpole.h5'
    assert run('d3rlpy', '--source', path, *TASK, '--out', out) == 0
    demos = load(out)
    assert len(demos) == 3
    with h5py.File(path) as file:
      for i, found in enumerate(demos):
        data = {k: file[f'{k}_{i}'][()] for k in (
            'observations', 'actions', 'rewards')}
        check([found], [(0, len(data['actions']))], data, [True])

  @pytest.mark.parametrize('name, file', [
      ('stable_baselines', 'stable_baselines_cartpole.npz'),
      ('d3rlpy', 'd3rlpy_cartpole.h5')])
  def test_actions_lead_to_the_next_step(self, out, name, file):
    # By CartPole's own physics: nothing is a step off.
    run(name, '--source', HERE / file, *TASK, '--out', out)
    env = gymnasium.make('CartPole-v1').unwrapped
    for data in load(out):
      for t in range(len(data['action']) - 2):
        env.reset()
        env.state = data['vector'][t].astype(float)
        after = env.step(int(data['action'][t]))[0]
        np.testing.assert_allclose(data['vector'][t + 1], after, atol=1e-5)


class TestRefuses:

  @pytest.mark.parametrize('change, message', [
      (dict(obs=np.zeros((3, 4))), 'do not fit together'),
      (dict(obs=np.zeros((7, 3))), 'shape (3, 3), expected (3, 4)'),
      (dict(actions=np.full(7, 2)), 'the value 2'),
      (dict(actions=np.zeros((7, 2), int)), 'shape (3, 2)'),
      (dict(rewards=np.zeros((7, 2))), 'expected one value for every step'),
      (dict(episode_starts=np.zeros(7, bool)), 'False at the first step'),
      (dict(episode_starts=np.arange(7)), 'other values than 0 and 1'),
      (dict(episode_starts=None), 'where episodes part is not known'),
      (dict(obs=np.array(['a.jpg'] * 7)), 'names of image files'),
      (dict(acts=np.zeros(7)), 'demos imitation'),
      (dict(actions=None), 'actions is missing'),
      (dict(obs=np.array([None] * 7)), 'never unpickled')])
  def test_stable_baselines(self, tmp_path, capsys, change, message):
    path = save_npz(tmp_path / 'a.npz', **change)
    refused(capsys, tmp_path, 'stable_baselines', '--source', path, *TASK,
            '--out', tmp_path / 'x.h5', parts=[path, message])

  @pytest.mark.parametrize('name, change, message', [
      ('d4rl', dict(observations=np.zeros((3, 4))), 'do not fit together'),
      ('d4rl', dict(actions=np.zeros(7)), 'type float64, expected int64'),
      ('d4rl', dict(terminals=None), 'terminals is missing'),
      ('d4rl', dict(terminals=np.full(7, .5)), 'other values than 0 and 1'),
      ('d4rl', dict(next_observations=np.zeros((7, 3))), 'do not fit'),
      ('d4rl', dict(rewards=np.full(7, np.nan)), 'not all finite'),
      ('d4rl', dict(observations='text'), 'expected plain numbers'),
      ('d3rlpy', dict(terminals=None), 'has neither num_episodes'),
      ('d3rlpy', dict(num_episodes=[1, 2]), 'expected a number'),
      ('d3rlpy', dict(num_episodes=1), 'observations_0 is missing')])
  def test_hdf5(self, tmp_path, capsys, name, change, message):
    path = save_hdf5(tmp_path / 'a.h5', **change)
    refused(capsys, tmp_path, name, '--source', path, *TASK, '--out',
            tmp_path / 'x.h5', parts=[path, message])

  @pytest.mark.parametrize('change, message', [
      (dict(terminated_0=2), 'expected True or False'),
      (dict(actions_0=np.zeros((4, 1), int)), 'do not fit together'),
      (dict(observations_0=np.zeros((6, 4))), 'shape (6, 4)'),
      (dict(num_episodes=2), 'observations_1 is missing')])
  def test_newer_d3rlpy(self, tmp_path, capsys, change, message):
    path = save_buffer(tmp_path / 'a.h5', **change)
    refused(capsys, tmp_path, 'd3rlpy', '--source', path, *TASK, '--out',
            tmp_path / 'x.h5', parts=[path, message])

  def test_no_ends_and_no_time_limit(self, tmp_path, capsys):
    path = save_hdf5(tmp_path / 'a.h5', **steps(ends=()))
    refused(capsys, tmp_path, 'd4rl', '--source', path, '--task', PAIR,
            '--out', tmp_path / 'x.h5', parts=['where episodes part is not'])


class TestFit:

  @pytest.mark.parametrize('shape, space, wanted', [
      ((5, 1), (), (5,)), ((5,), (1,), (5, 1)), ((5, 1, 3), (3,), (5, 3)),
      ((5, 3), (3, 1), (5, 3, 1)), ((5, 2), (3,), (5, 2)), ((5,), (), (5,)),
      ((5, 3, 2), (2, 3), (5, 3, 2))])
  def test_axes_of_one(self, shape, space, wanted):
    box = gymnasium.spaces.Box(0, 1, space)
    assert simple.fit(np.zeros(shape), box).shape == wanted
