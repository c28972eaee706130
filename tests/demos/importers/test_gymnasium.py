"""Gymnasium episodes, Minari sets and `imitation` trajectories."""

import json

import gymnasium
import h5py
import numpy as np
import pytest

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos.importers import episodes
from dreamer_gail_plugin.demos.importers import gymnasium as files
from dreamer_gail_plugin.demos.importers.gymnasium_record import RecordEpisodes
from helpers.demotools import load
from helpers.demotools import refused
from helpers.demotools import run
from helpers.gymepisodes import MIXED
from helpers.gymepisodes import play
from helpers.gymepisodes import same
from helpers.gymepisodes import save


@pytest.fixture
def out(tmp_path):
  return tmp_path / 'demos.h5'


class TestGymnasium:

  @pytest.mark.parametrize('task', [MIXED, 'gym_CartPole-v1'])
  def test_equal_to_the_environment_byte_for_byte(self, tmp_path, out, task):
    env = gymnasium.make(
        task.removeprefix('gym_'), disable_env_checker=True)
    env = RecordEpisodes(env, tmp_path / 'episodes')
    own, played = play(env, task, 6)
    assert run('gymnasium', '--source', tmp_path / 'episodes', '--task', task,
               '--out', out, '--name', 'me', '--licence', 'MIT') == 0
    same(load(out), played)
    ends = [x[-1][0]['is_terminal'] for x in played]
    assert any(ends) and (task != MIXED or not all(ends))
    with store.Store(out) as demo:
      store.validate(demo, own.obs_space, own.act_space, task)
      assert demo.attrs['source'] == 'me'
      assert json.loads(demo.attrs['preprocessing']) == {
          'size': [-1, -1], 'image': 'auto', 'kwargs': ''}
      assert json.loads(demo.attrs['arrays']) == own.texts

  def test_left_episodes_are_truncated(self, tmp_path, out):
    env = RecordEpisodes(
        gymnasium.make('CartPole-v1'), tmp_path / 'episodes')
    for _ in range(2):
      env.reset(seed=0)
      env.step(0)
    env.reset(seed=0)  # Nothing done in it: not saved.
    env.close()
    run('gymnasium', '--source', tmp_path / 'episodes', '--task',
        'gym_CartPole-v1', '--out', out)
    demos = load(out)
    assert [x['is_last'].tolist() for x in demos] == [[False, True]] * 2
    assert not demos[0]['is_terminal'].any()

  def test_best(self, tmp_path, out):
    folder = tmp_path / 'episodes'
    folder.mkdir()
    for index, steps in enumerate((2, 5, 3, 4)):
      save(folder / f'{index}.npz', steps)
    run('gymnasium', '--source', folder, '--task', 'gym_CartPole-v1', '--out',
        out, '--best', 2)
    assert [len(x['reward']) for x in load(out)] == [6, 5]

  def test_actions_out_of_bounds_are_cut(self, tmp_path, out, capsys):
    save(tmp_path / 'a.npz', 3, obs=3, actions=np.array(
        [[5.], [-1.], [-2.5]], np.float32))
    run('gymnasium', '--source', tmp_path / 'a.npz', '--task',
        'gym_Pendulum-v1', '--out', out)
    assert load(out)[0]['action'].ravel().tolist() == [2, -1, -2, 0]
    assert '2 of 3 actions were outside' in capsys.readouterr().out

  @pytest.mark.parametrize('change, message', [
      (dict(observations=np.zeros((3, 4))), 'observations: shape (3, 4)'),
      (dict(observations=np.zeros((4, 4), int)), None),
      (dict(observations=np.full((4, 4), np.nan)), 'not finite'),
      (dict(observations=np.full((4, 4), 1e60)), 'not finite'),
      (dict(observations=np.zeros((4, 4), 'U3')), 'expected numbers'),
      (dict(observations=np.array([[None] * 4] * 4)), 'never unpickled'),
      (dict(actions=np.array([0, 1, 2])), 'the value 2, expected 0 to'),
      (dict(actions=np.zeros((3, 1), int)), 'actions: shape (3, 1)'),
      (dict(actions=np.zeros(3)), 'type float64, expected int64'),
      (dict(rewards=np.zeros(4)), 'rewards has shape (4,)'),
      (dict(rewards=np.array([0, np.inf, 0])), 'rewards are not all finite'),
      (dict(terminations=np.array([1, 0, 0], bool)), 'ends at step 0 of 3'),
      (dict(terminations=np.zeros(0, bool)), 'expected one value for each of'),
      (dict(terminations=np.zeros(3)), 'type float64, expected bool'),
      (dict(truncations=None), 'truncations is missing'),
  ])
  def test_refuses(self, tmp_path, capsys, change, message):
    save(tmp_path / 'a.npz', 3, **change)
    flags = ['--source', tmp_path / 'a.npz', '--task', 'gym_CartPole-v1',
             '--out', tmp_path / 'demos.h5']
    if message:
      refused(capsys, tmp_path, 'gymnasium', *flags, parts=[
          tmp_path / 'a.npz', message])
    else:
      assert run('gymnasium', *flags) == 0

  def test_refuses_flags(self, tmp_path, capsys):
    save(tmp_path / 'a.npz', 3)
    check = lambda flags, *parts: refused(
        capsys, tmp_path, 'gymnasium', '--source', tmp_path / 'a.npz',
        '--out', tmp_path / 'x.h5', *flags, parts=parts)
    check([], 'expected gym_ID')
    check(['--task', 'minatar_breakout'], 'expected gym_ID')
    check(['--task', 'gym_Nothing-v0'], 'Cannot make')
    check(['--task', 'gym_CartPole-v1', '--best', 0], '--best 0')

  def test_step_after_the_end_is_an_error(self, tmp_path):
    env = RecordEpisodes(gymnasium.make('CartPole-v1'), tmp_path)
    with pytest.raises(gymnasium.error.ResetNeeded):
      env.step(0)


class TestPick:

  def test_keeps_the_order(self):
    assert episodes.pick([3, 9, 5, 9], 2) == [1, 3]
    assert episodes.pick([3, 9, 5], 5) == [0, 1, 2]


class TestSave:

  def test_nothing_half_written(self, tmp_path, monkeypatch):
    def fail(file, **arrays):
      file.write(b'half')
      raise OSError('disk full')
    monkeypatch.setattr(np, 'savez_compressed', fail)
    with pytest.raises(OSError):
      files.save(tmp_path / 'a.npz', [0, 0], [0], [0], [True], [False])
    assert not list(tmp_path.iterdir())


class TestHdf5Claims:

  def test_store_of_claims_is_refused(self, tmp_path, capsys):
    path = tmp_path / 'demos.h5'
    data = dict(
        image=np.zeros((4, 8, 8, 1), np.uint8), action=np.zeros(4, np.int32),
        is_first=np.arange(4) == 0, is_last=np.arange(4) == 3,
        is_terminal=np.zeros(4, bool))
    store.write(path, [data], {})
    with h5py.File(path, 'a') as file:
      group = file['trajectories/00000']
      for key in list(group):
        shape, dtype = group[key].shape, group[key].dtype
        del group[key]
        group.create_dataset(
            key, (10 ** 11, *shape[1:]), dtype, chunks=(16, *shape[1:]))
    with pytest.raises(Exception, match='claims the shape'):
      store.Store(path)
