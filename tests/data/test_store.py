"""The demonstration store: what is written, refused and compared."""

import os
import pathlib
import re

import elements
import h5py
import numpy as np
import pytest

from dreamer_gail_plugin.data import recipe
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
BOOL = elements.Space(bool)
OBS = {
    'image': elements.Space(np.uint8, (4, 5, 1)),
    'reward': elements.Space(np.float32),
    'is_first': BOOL,
    'is_last': BOOL,
    'is_terminal': BOOL,
    'log/extra': elements.Space(np.float32),
}
ACT = {'action': elements.Space(np.int32, (), 0, 3), 'reset': BOOL}
ATTRS = {
    'task': 'toy_task',
    'preprocessing': {'size': [4, 5]},
    'action_meanings': ['stay', 'left', 'right'],
}


def trajectory(length=10, **change):
  """Two episodes, the first of 4 steps; values count up."""
  steps = np.arange(length)
  data = {
      'image': np.broadcast_to(
          steps[:, None, None, None], (length, 4, 5, 1)).astype(np.uint8),
      'action': (steps % 3).astype(np.int32),
      'is_first': np.isin(steps, [0, 4]),
      'is_last': np.isin(steps, [3, length - 1]),
      'is_terminal': steps == 3,
      'reward': steps.astype(np.float32),
  }
  data = {**data, **change}
  return {k: v for k, v in data.items() if v is not None}


@pytest.fixture
def path(tmp_path):
  return tmp_path / 'demos.h5'


def fails(fn, *parts):
  with pytest.raises(UserError) as info:
    fn()
  for part in parts:
    assert part in str(info.value), str(info.value)
  return str(info.value)


class TestWrite:

  def test_reads_back_what_was_written(self, path):
    trajs = [trajectory(), trajectory(7, attrs={'source_id': 'b'})]
    assert store.write(path, iter(trajs), ATTRS) == 2
    with store.Store(path) as demos:
      assert demos.lengths == [10, 7]
      assert demos.attrs['task'] == 'toy_task'
      assert demos.attrs['preprocessing'] == '{"size": [4, 5]}'
      assert demos.attrs['version'] == 1
      assert demos.spec['image'] == (np.uint8, (4, 5, 1))
      for index, traj in enumerate(trajs):
        data = demos.read(index)
        assert set(data) == set(demos.keys) == set(trajectory())
        for key, value in data.items():
          assert value.dtype == traj[key].dtype
          np.testing.assert_array_equal(value, traj[key])
      part = demos.read(1, 2, 5, ['action'])
      assert part['action'].tolist() == [2, 0, 1]
      assert demos.infos[1] == {'score': 10.5, 'length': 7, 'source_id': 'b'}

  def test_reward_is_optional(self, path):
    store.write(path, [trajectory(reward=None)], ATTRS)
    with store.Store(path) as demos:
      assert 'reward' not in demos.keys
      assert np.isnan(demos.infos[0]['score'])

  def test_failure_leaves_nothing_and_keeps_the_old_file(self, path):
    store.write(path, [trajectory()], ATTRS)
    old = path.read_bytes()

    def broken():
      yield trajectory()
      raise RuntimeError('importer broke')

    with pytest.raises(RuntimeError):
      store.write(path, broken(), ATTRS)
    assert os.listdir(path.parent) == ['demos.h5']
    assert path.read_bytes() == old

  @pytest.mark.parametrize('change, message', [
      ({'is_last': None}, 'is_last is missing'),
      ({'action': np.array(['a'] * 10, object)}, 'has type object'),
      ({'action': np.zeros(9, np.int32)}, 'action has 9 steps'),
      ({'is_last': np.zeros(10, bool)}, 'step 3 has is_last False'),
  ])
  def test_refuses_bad_arrays(self, path, change, message):
    data = trajectory(**change)
    fails(lambda: store.write(path, [data], ATTRS), 'trajectory 0', message)
    assert not os.listdir(path.parent)

  @pytest.mark.parametrize('value', [np.nan, np.inf])
  def test_a_reward_that_is_no_number_is_no_score(self, path, value):
    reward = np.zeros(10, np.float32)
    reward[6] = value
    fails(lambda: store.write(path, [trajectory(reward=reward)], ATTRS),
          'trajectory 0', 'reward at step 6', str(value))
    assert not path.exists()

  def test_refuses_nothing_and_no_folder(self, path):
    fails(lambda: store.write(path, [], ATTRS), 'no trajectories')
    away = path.parent / 'away' / 'demos.h5'
    fails(lambda: store.write(away, [trajectory()], ATTRS), 'does not exist')


class TestAppend:

  def test_makes_and_adds(self, path):
    assert store.append(path, [trajectory()], ATTRS) == 1
    with store.Store(path) as demos:
      first = demos.read(0)
    more = [trajectory(7), trajectory(5, attrs={'source_id': 'c'})]
    assert store.append(path, iter(more), {'mean_score': 3.0}) == 3
    with store.Store(path) as demos:
      assert demos.lengths == [10, 7, 5]
      assert demos.infos[2]['source_id'] == 'c'
      assert demos.attrs['mean_score'] == 3 and demos.attrs['task'] == (
          'toy_task')
      for key, value in demos.read(0).items():
        assert value.tobytes() == first[key].tobytes()
      np.testing.assert_array_equal(
          demos.read(2)['action'], trajectory(5)['action'])
      store.validate(demos, OBS, ACT, 'toy_task')

  def test_failure_keeps_the_old_file(self, path):
    def breaks():
      yield trajectory()
      raise OSError(28, 'No space left on device')
    store.write(path, [trajectory()], ATTRS)
    whole = path.read_bytes()
    with pytest.raises(OSError):
      store.append(path, breaks(), ATTRS)
    other = trajectory(image=np.zeros((10, 3, 3, 1), np.uint8))
    fails(lambda: store.append(path, [other], ATTRS),
          'trajectory 1', '(3, 3, 1)', '(4, 5, 1)')
    fails(lambda: store.append(path, [], ATTRS), 'no trajectories to write')
    assert path.read_bytes() == whole
    assert list(path.parent.iterdir()) == [path]

  def test_only_to_a_store(self, path):
    path.write_text('mine')
    fails(lambda: store.append(path, [trajectory()], ATTRS), str(path))
    assert path.read_text() == 'mine'


class TestScore:

  def score(self, reward, first, last):
    steps = np.arange(len(reward))
    return store.score(
        np.array(reward, np.float32), np.isin(steps, first),
        np.isin(steps, last))

  def test_mean_of_complete_episodes(self):
    # The tail 100 belongs to an episode without an end, the head to one
    # without a start.
    assert self.score([7, 7, 0, 1, 2, 0, 5, 0, 100], [2, 5, 7], [1, 4, 6]) == 4

  def test_sum_of_a_cut(self):
    assert self.score([1, 2, 3], [], []) == 6
    assert self.score([1, 2, 3], [], [2]) == 6
    assert self.score([1, 2, 3], [0], []) == 6


class TestOpen:

  def test_missing_and_folder(self, path):
    fails(lambda: store.Store(path), str(path), 'no such file')
    fails(lambda: store.Store(path.parent), 'not a file')

  @pytest.mark.parametrize('name', ['mine', 'mine.json', 'mime.h5'])
  def test_near_names(self, tmp_path, name):
    (tmp_path / 'mine.h5').write_bytes(b'')
    (tmp_path / 'mine').with_suffix('.txt').write_bytes(b'')
    fails(lambda: store.Store(tmp_path / name),
          f'Did you mean {tmp_path}/mine.h5? ')
    fails(lambda: store.Store(recipe.stored(tmp_path / name)), 'mine.h5? ')
    with pytest.raises(UserError) as caught:
      store.Store(tmp_path / 'elsewhere' / name)
    assert 'Did you mean' not in str(caught.value)

  def test_not_hdf5(self, path):
    path.write_text('hello')
    fails(lambda: store.Store(path), str(path), 'whole HDF5 file')

  @pytest.mark.parametrize('part', [0.1, 0.5, 0.9, 0.999])
  def test_truncated(self, path, part):
    store.write(path, [trajectory() for _ in range(5)], ATTRS)
    data = path.read_bytes()
    path.write_bytes(data[:int(len(data) * part)])
    fails(lambda: store.Store(path), str(path), 'copy or import it again')

  def test_damaged_chunk(self, path):
    store.write(path, [trajectory()], ATTRS)
    with h5py.File(path) as file:
      chunk = file['trajectories/00000/image'].id.get_chunk_info(0)
    with path.open('r+b') as file:
      file.seek(chunk.byte_offset)
      file.write(b'\xff' * chunk.size)
    with store.Store(path) as demos:
      fails(lambda: demos.read(0), str(path), 'import it again')

  @pytest.mark.parametrize('name, value, message', [
      ('format', 'other', "expected 'dreamer_gail_plugin/demonstrations'"),
      ('version', 2, 'update dreamer_gail_plugin'),
      ('version', 'x', 'expected 1'),
      ('task', 3, 'text attributes missing: task'),
      ('preprocessing', '{', 'preprocessing is not JSON'),
      ('action_meanings', '3', 'not a list'),
  ])
  def test_header(self, path, name, value, message):
    store.write(path, [trajectory()], ATTRS)
    with h5py.File(path, 'r+') as file:
      file.attrs[name] = value
    fails(lambda: store.Store(path), str(path), message)

  @pytest.mark.parametrize('kind', [
      'object', 'soft', 'external', 'raw', 'group', 'length', 'empty'])
  def test_refuses_what_is_not_plain_data(self, path, kind):
    store.write(path, [trajectory()], ATTRS)
    with h5py.File(path, 'r+') as file:
      group = file['trajectories/00000']
      if kind == 'empty':
        del file['trajectories/00000']
      else:
        del group['action']
      if kind == 'object':
        group.create_dataset('action', (10,), h5py.string_dtype())
      if kind == 'soft':
        group['action'] = h5py.SoftLink('/trajectories/00000/reward')
      if kind == 'external':
        group['action'] = h5py.ExternalLink('other.h5', '/x')
      if kind == 'raw':
        group.create_dataset(
            'action', (10,), np.int32, external=[('secret', 0, 40)])
      if kind == 'group':
        group.create_group('action')
      if kind == 'length':
        group['action'] = np.zeros(9, np.int32)
    fails(lambda: store.Store(path), str(path), {
        'object': 'has type object', 'soft': 'is missing or a link',
        'external': 'is missing or a link', 'raw': 'points outside',
        'group': 'is not a dataset', 'length': 'expected 10 steps',
        'empty': 'holds no trajectories'}[kind])


class TestValidate:

  def check(self, path, obs=OBS, act=ACT, task='toy_task', attrs=ATTRS, **kw):
    store.write(path, [trajectory(**kw)], attrs)
    with store.Store(path) as demos:
      store.validate(demos, obs, act, task)

  def test_accepts(self, path):
    self.check(path)
    self.check(path, task=None)
    self.check(path, attrs={}, task='any_task')

  def test_lists_every_difference(self, path):
    obs = {**OBS, 'image': elements.Space(np.uint8, (96, 96, 1)),
           'vector': elements.Space(np.float32, 3)}
    act = {'action': elements.Space(np.int32, (), 0, 18), 'reset': BOOL}
    message = fails(
        lambda: self.check(path, obs, act, 'other_task'), str(path))
    assert [x for x in message.split('\n') if x.startswith('  - ')] == [
        '  - task: store has toy_task, task wants other_task',
        '  - image: store has uint8 (4, 5, 1), task wants uint8 (96, 96, 1)',
        '  - vector: store has no such key (it has action, image, reward), '
        'task wants it',
        '  - action: store has 3 actions (stay left right), task wants 18']
    assert '--task toy_task' in message
    assert '--env.toy.size 4 5' in message

  def test_image_type(self, path):
    image = np.zeros((10, 4, 5, 1), np.float32)
    fails(lambda: self.check(path, image=image),
          'image: store has float32 (4, 5, 1), task wants uint8 (4, 5, 1)')

  def test_action_type_and_shape(self, path):
    fails(lambda: self.check(path, action=np.zeros((10, 3), np.float32)),
          'action: store has float32 (3,), task wants int32 ()')

  @pytest.mark.parametrize('value', [-1, 3])
  def test_action_out_of_range(self, path, value):
    action = np.zeros(10, np.int32)
    action[5] = value
    fails(lambda: self.check(path, action=action),
          f'from {min(value, 0)} to {max(value, 0)} in trajectory 0, task '
          'wants 0 to 2')

  def test_action_of_a_last_step_is_free(self, path):
    action = np.zeros(10, np.int32)
    action[3] = action[9] = 17
    self.check(path, action=action)

  def test_float_action_range(self, path):
    act = {'action': elements.Space(np.float32, (2,), -1, 1), 'reset': BOOL}
    action = np.ones((10, 2), np.float32)
    self.check(path, act=act, action=action, attrs={})
    action[2, 1] = 1.5
    fails(lambda: self.check(path, act=act, action=action, attrs={}),
          'from 1.0 to 1.5 in trajectory 0, task wants -1 to 1')
    action[2, 1] = np.nan
    fails(lambda: self.check(path, act=act, action=action, attrs={}),
          'not finite')

  def test_observation_range(self, path):
    obs = {**OBS, 'image': elements.Space(np.uint8, (4, 5, 1), 0, 255)}
    image = np.full((10, 4, 5, 1), 255, np.uint8)
    self.check(path, obs=obs, image=image)
    obs = {**OBS, 'image': elements.Space(np.uint8, (4, 5, 1), 0, 9)}
    fails(lambda: self.check(path, obs=obs, image=image),
          'image: store has values from 255 to 255')

  def test_border_flags(self, path):
    store.write(path, [trajectory()], ATTRS)
    with h5py.File(path, 'r+') as file:
      file['trajectories/00000/is_first'][6] = True
    with store.Store(path) as demos:
      fails(lambda: store.validate(demos, OBS, ACT, 'toy_task'),
            'trajectory 0: step 5 has is_last False and step 6 has is_first '
            'True')


class TestDocs:

  def test_the_example_runs(self, tmp_path, monkeypatch):
    text = (ROOT / 'docs' / 'demonstrations.md').read_text()
    code, = re.findall(r'```python\n(.*?)```', text, re.S)
    assert len([x for x in code.split('\n') if x.strip()]) <= 12
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    obs = {**OBS, 'image': elements.Space(np.uint8, (64, 64, 3))}
    with store.Store('mine.h5') as demos:
      store.validate(demos, obs, ACT, 'gym_Mine-v0')
