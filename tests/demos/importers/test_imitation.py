"""Trajectories of the `imitation` library, old and new, never unpickled."""

import json
import pathlib
import pickle

import numpy as np
import pytest

from helpers import hostile
from helpers.demotools import load
from helpers.demotools import refused
from helpers.demotools import run
from helpers.imitationfiles import save_flat
from helpers.imitationfiles import save_folder
from helpers.imitationfiles import trajectories

FIXTURE = pathlib.Path(__file__).parent / 'imitation_cartpole'
TASK = ['--task', 'gym_CartPole-v1']


@pytest.fixture
def out(tmp_path):
  return tmp_path / 'demos.h5'


def check(demos, rewards=True):
  for data, wanted in zip(demos, trajectories(), strict=True):
    np.testing.assert_array_equal(data['vector'], wanted['obs'])
    assert data['action'].tolist() == [*wanted['acts'], 0]
    if rewards:
      assert data['reward'].tolist() == [0, *wanted['rews']]
    else:
      assert 'reward' not in data
    assert data['is_terminal'][-1] == wanted['terminal']
    assert data['is_last'].tolist() == [*[False] * len(wanted['acts']), True]


class TestImport:

  def test_older_npz(self, tmp_path, out, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save_flat(tmp_path / 'a.npz')
    with pytest.raises(ValueError):  # The infos really are pickles.
      np.load(path)['infos']
    assert run('imitation', '--source', path, *TASK, '--out', out) == 0
    check(load(out))
    assert not (tmp_path / 'unpickled').exists()

  def test_terminal_at_the_time_limit_is_a_cut(self, tmp_path, out, capsys):
    rows = [dict(
        obs=np.zeros((n + 1, 4), np.float32), acts=np.arange(n) % 2,
        rews=np.ones(n), terminal=end)
        for n, end in ((500, True), (499, True), (500, False))]
    path = save_folder(tmp_path / 'a', rows=rows)
    assert run('imitation', '--source', path, *TASK, '--out', out) == 0
    found = load(out)
    assert [bool(x['is_terminal'][-1]) for x in found] == [False, True, False]
    assert all(x['is_last'][-1] for x in found)
    assert '1 end at the time limit of 500' in capsys.readouterr().out

  @pytest.mark.parametrize('parts', [1, 2])
  def test_folder(self, tmp_path, out, parts):
    path = save_folder(tmp_path / 'a', parts=parts)
    assert run('imitation', '--source', path, *TASK, '--out', out) == 0
    check(load(out))

  @pytest.mark.parametrize('save, name', [
      (save_flat, 'a.npz'), (save_folder, 'a')])
  def test_without_rewards(self, tmp_path, out, save, name, capsys):
    path = save(tmp_path / name, rews=None)
    run('imitation', '--source', path, *TASK, '--out', out)
    check(load(out), rewards=False)
    refused(capsys, tmp_path, 'imitation', '--source', path, *TASK, '--best',
            1, '--out', tmp_path / 'x.h5', parts=['has no rewards'])

  def test_best(self, tmp_path, out):
    run('imitation', '--source', save_flat(tmp_path / 'a.npz'), *TASK,
        '--best', 1, '--out', out)
    assert len(load(out)[0]['action']) == 6

  @pytest.mark.skipif(not FIXTURE.exists(), reason='no fixture')
  def test_saved_by_hugging_face(self, out):
    # Made by datasets 5.2.0: Dataset.from_dict(...).save_to_disk(...) of the
    # same trajectories, with the features that `imitation` gives it.
    pytest.importorskip('pyarrow')
    assert run('imitation', '--source', FIXTURE, *TASK, '--out', out) == 0
    check(load(out))


class TestRefuses:

  def check(self, capsys, tmp_path, source, *parts):
    refused(capsys, tmp_path, 'imitation', '--source', source, *TASK, '--out',
            tmp_path / 'x.h5', parts=parts)

  def test_pickles(self, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps([hostile.Bomb()]))
    self.check(capsys, tmp_path, path, 'Pickles run code')
    path = save_flat(tmp_path / 'b.npz', obs=np.array([hostile.Bomb()] * 10))
    self.check(capsys, tmp_path, path, 'obs has type object')
    assert not (tmp_path / 'unpickled').exists()

  @pytest.mark.parametrize('change', [
      dict(indices=np.array([3, 2])), dict(indices=np.array([9])),
      dict(indices=np.array([0])), dict(indices=np.array([[3]])),
      dict(indices=np.array([3.5])), dict(indices=np.array([-1])),
      dict(terminal=np.ones(3, bool)), dict(obs=np.zeros((8, 4))),
      dict(rews=np.zeros(7)), dict(acts=np.array(3))])
  def test_shapes_of_npz(self, tmp_path, capsys, change):
    path = save_flat(tmp_path / 'a.npz', **change)
    self.check(capsys, tmp_path, path, path, 'do not fit together')

  @pytest.mark.parametrize('change, message', [
      (dict(obs=None), 'no column obs'),
      (dict(terminal=['a', 'b']), 'terminal has type string'),
      (dict(acts=[['a'], ['b']]), 'holds string, expected numbers'),
      (dict(acts=[1, 2]), 'expected a list'),
      (dict(acts=[[0, None, 1], [0] * 5]), 'without gaps'),
      (dict(obs=[[[1.] * 4, [1.]], [[1.] * 4] * 6]), 'unequal length'),
      (dict(obs=[[[1.] * 4, None], [[1.] * 4] * 6]), 'unequal length'),
      (dict(obs=[None, [[1.] * 4] * 6]), 'expected a list'),
      (dict(acts=[[0] * 4, [0] * 5]), 'rewards has shape (3,)'),
  ])
  def test_columns(self, tmp_path, capsys, change, message):
    path = save_folder(tmp_path / 'a', **change)
    self.check(capsys, tmp_path, path, path, message)

  @pytest.mark.parametrize('state, message', [
      ('{', 'cannot be read'), ('[]', 'cannot be read'),
      ('{"_data_files": [{"filename": "../b.arrow"}]}', 'in this folder'),
      ('{"_data_files": [{"filename": "/etc/passwd"}]}', 'in this folder'),
      ('{"_data_files": [{"filename": 7}]}', 'in this folder'),
      ('{"_data_files": []}', 'in this folder'),
      ('{"_data_files": [{"filename": "no.arrow"}]}', 'cannot be read as'),
      ('{"_data_files": [{"filename": "state.json"}]}', 'cannot be read as'),
  ])
  def test_state(self, tmp_path, capsys, state, message):
    path = save_folder(tmp_path / 'a')
    (path / 'state.json').write_text(state)
    self.check(capsys, tmp_path, path, message)

  def test_selected_rows(self, tmp_path, capsys):
    path = save_folder(tmp_path / 'a')
    state = json.loads((path / 'state.json').read_text())
    state['_indices_files'] = [{'filename': 'indices.arrow'}]
    (path / 'state.json').write_text(json.dumps(state))
    self.check(capsys, tmp_path, path, 'flatten_indices')
