"""The Crafter importer: actions move by one, images stay as they are."""

import io
import json
import pathlib
import zipfile

import crafter
import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.envs import crafter as adapter
from helpers.crafterhuman import episode
from helpers.crafterhuman import save
from helpers.demotools import load
from helpers.demotools import refused
from helpers.demotools import run

SCORES = (
    pathlib.Path(__file__).parents[3]
    / '../shared/data/crafter_reward-human.json')


@pytest.fixture
def source(tmp_path):
  for index, steps in enumerate((3, 9, 5)):
    save(tmp_path / 'dataset' / f'{"cab"[index]}.npz', **episode(steps))
  return tmp_path / 'dataset'


@pytest.fixture
def out(tmp_path):
  return tmp_path / 'demos.h5'


class TestAlignment:

  @pytest.mark.parametrize('old', [True, False])
  def test_action_stands_at_the_image_it_was_chosen_at(
      self, tmp_path, out, old):
    path = save(tmp_path / 'x' / 'a.npz', **episode(
        4, [5, 6, 7, 8], old, reward=np.array([0, .1, .2, .3, 1])))
    assert run('crafter_human', '--source', path, '--out', out) == 0
    data, = load(out)
    assert data['action'].tolist() == [5, 6, 7, 8, 0]
    assert data['action'].dtype == np.int32
    assert data['image'][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(data['reward'], [0, .1, .2, .3, 1])
    assert data['is_first'].tolist() == [True, *[False] * 4]
    assert data['is_last'].tolist() == [*[False] * 4, True]
    assert data['is_terminal'].tolist() == [*[False] * 4, True]

  @pytest.mark.parametrize('change, words', [
      (dict(action=np.arange(5) + 3), 'action 3, reward 0 and discount 0'),
      (dict(reward=np.ones(5)), 'action 0, reward 1 and discount 0'),
      (dict(discount=np.ones(5)), 'action 0, reward 0 and discount 1'),
      (dict(discount=None), 'there is no discount'),
      (dict(action=np.eye(17)[:5], discount=np.ones(5)),
       'action 0, reward 0 and discount 1'),
      (dict(action=np.eye(17)[5:10]), 'action 5, reward 0'),
      (dict(reward=-np.ones(5)), 'action 0, reward -1'),
      (dict(discount=None, action=np.arange(5)), 'there is no discount')])
  def test_other_layouts_have_to_be_named(
      self, tmp_path, capsys, change, words):
    path = save(tmp_path / 'x' / 'a.npz', **episode(4, **change))
    refused(capsys, tmp_path, 'crafter_human', '--source', path, '--out',
            tmp_path / 'x.h5', parts=[path, words, '--layout loop'])

  @pytest.mark.parametrize('change, died', [
      (dict(discount=None), True), ({}, True),
      (dict(discount=np.ones(4)), False),
      (dict(discount=None, done=np.zeros(4, bool)), False)])
  def test_loop(self, tmp_path, out, change, died):
    # Four rows of what was seen, done and paid; the image after is missing.
    path = save(tmp_path / 'x' / 'a.npz', **episode(3, **{
        'action': np.array([5, 6, 7, 8]), 'reward': np.r_[.1, .2, .3, 1],
        **change}))
    assert run('crafter_human', '--source', path, '--out', out, '--layout',
               'loop') == 0
    data, = load(out)
    steps = 4 + died
    assert data['action'].tolist() == [5, 6, 7, 8, 0] if died else [5, 6, 7, 0]
    assert data['image'][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 3][:steps]
    np.testing.assert_allclose(
        data['reward'], np.float32([0, .1, .2, .3, 1])[:steps])
    assert data['is_terminal'].tolist() == [False] * (steps - 1) + [died]
    assert data['is_last'].tolist() == [False] * (steps - 1) + [True]

  @pytest.mark.parametrize('kind', [float, np.uint8, bool])
  def test_codes_with_a_blank_one_at_the_reset(self, tmp_path, out, kind):
    # As DreamerV2 and DreamerV3 of 2023 save them.
    codes = np.eye(17)[[0, 5, 6, 7, 8]]
    codes[0] = 0
    path = save(tmp_path / 'x' / 'a.npz', **episode(
        4, action=codes.astype(kind), discount=np.ones(5)))
    assert run('crafter_human', '--source', path, '--out', out) == 0
    assert load(out)[0]['action'].tolist() == [5, 6, 7, 8, 0]

  def test_recorder_by_name(self, tmp_path, out):
    path = save(tmp_path / 'x' / 'a.npz', **episode(4, discount=None))
    run('crafter_human', '--source', path, '--out', out, '--layout',
        'recorder')
    data, = load(out)
    assert data['action'].tolist() == [1, 2, 3, 4, 0]
    assert len(data['image']) == 5 and data['is_terminal'][4]

  def test_time_limit_is_not_terminal(self, tmp_path, out):
    path = save(tmp_path / 'x' / 'a.npz', **episode(
        3, discount=np.array([0., 1, 1, 1])))
    run('crafter_human', '--source', path, '--out', out)
    data, = load(out)
    assert data['is_last'].tolist() == [False, False, False, True]
    assert not data['is_terminal'].any()

  @pytest.mark.parametrize('seed', [0, 1])
  def test_recorder_of_today(self, tmp_path, out, seed):
    # Random play of the real game, saved by Crafter's own recorder, against
    # what the agent's environment shows for the same seed and actions.
    folder = tmp_path / 'recorded'
    game = crafter.Recorder(
        crafter.Env(seed=seed), folder, save_stats=False, save_video=False)
    rng = np.random.default_rng(seed)
    env = envs.make('crafter', 'reward', seed=seed)
    game.reset()
    # As the environment does it, or chance takes another course.
    adapter._order_creatures(game._world)
    acts = []
    done = False
    while not done:
      acts.append(int(rng.integers(17)))
      done = game.step(acts[-1])[2]
    assert run('crafter_human', '--source', folder, '--length', 10000,
               '--out', out) == 0
    data, = load(out)
    assert data['action'].tolist() == [*acts, 0]
    for t in range(len(data['action'])):
      obs = env.step({'reset': t == 0, 'action': data['action'][t - 1]})
      for key in ('image', 'reward', 'is_first', 'is_last', 'is_terminal'):
        np.testing.assert_array_equal(data[key][t], obs[key], f'{key} {t}')
    with store.Store(out) as demo:
      store.validate(demo, env.obs_space, env.act_space, 'crafter_reward')
    assert obs['is_terminal'] and len(acts) > 20


class TestChoice:

  def test_longest_first_and_cut(self, source, out, capsys):
    assert run('crafter_human', '--source', source, '--out', out,
               '--longest', 2, '--length', 7) == 0
    long, short = load(out)
    assert len(long['action']) == 7 and len(short['action']) == 6
    # Cut in mid-game: the game goes on, and so did the player's action.
    assert not long['is_last'].any() and short['is_last'][-1]
    assert long['action'][-1] == 7
    with store.Store(out) as demo:
      assert demo.infos[0]['source_id'] == 'a.npz'
      assert demo.infos[0]['episode_length'] == 9
      assert demo.infos[0]['episode_score'] == pytest.approx(0.9)
      counts = json.loads(demo.infos[0]['achievements'])
      assert len(counts) == 22
      assert counts['collect_wood'] == 9 and counts['wake_up'] == 0
      assert demo.attrs['expert_score'] == pytest.approx(0.7)
      assert json.loads(demo.attrs['preprocessing']) == {'size': [64, 64]}
      assert demo.attrs['licence'] == 'CC-BY-4.0'
    text = capsys.readouterr().out
    assert '2 of 3 episodes, 12 steps of 17' in text
    assert 'mean achievements 1.0 of 22' in text

  def test_zip_is_equal_to_its_folder(self, source, out, tmp_path):
    path = tmp_path / 'dataset.zip'
    with zipfile.ZipFile(path, 'w') as file:
      for name in source.iterdir():
        file.write(name, f'dataset/{name.name}')
      file.writestr('__MACOSX/dataset/._a.npz', b'resource fork')
      file.writestr('dataset/readme.txt', 'hello')
    run('crafter_human', '--source', source, '--out', out)
    run('crafter_human', '--source', path, '--out', tmp_path / 'b.h5')
    for left, right in zip(load(out), load(tmp_path / 'b.h5'), strict=True):
      for key, value in left.items():
        np.testing.assert_array_equal(value, right[key])

  def test_other_size_is_told(self, tmp_path, out):
    path = save(tmp_path / 'x' / 'a.npz', **episode(
        3, image=np.zeros((4, 48, 96, 3), np.uint8)))
    run('crafter_human', '--source', path, '--out', out)
    with store.Store(out) as demo:
      assert json.loads(demo.attrs['preprocessing']) == {'size': [48, 96]}

  @pytest.mark.skipif(
      not SCORES.exists(), reason='the real scores are not beside the project')
  def test_lengths_and_scores_of_the_real_players(self, tmp_path, out):
    # The images could not be had; lengths, rewards and achievements of all
    # 100 episodes are real. Small images keep the test short.
    runs = json.loads(SCORES.read_text())
    real = [
        {k: x[k][i] for k in x if isinstance(x[k], list)}
        for x in runs for i in range(20)]
    assert len(real) == 100
    folder = tmp_path / 'dataset'
    for index, row in enumerate(real):
      steps = row['length']
      last = np.arange(steps + 1) == steps
      save(folder / f'{index}.npz', **episode(
          steps, image=np.zeros((steps + 1, 2, 2, 3), np.uint8),
          reward=last * row['reward'], semantic=None, **{
              k.replace('achievement', 'achivement'): last * v
              for k, v in row.items() if k.startswith('achievement')}))
    assert run('crafter_human', '--source', folder, '--out', out) == 0
    real.sort(key=lambda x: -x['length'])
    with store.Store(out) as demo:
      assert demo.lengths == [1024] * 10
      lengths = [x['episode_length'] for x in demo.infos]
      assert lengths == [x['length'] for x in real[:10]]
      assert lengths[0] == 3143
      assert demo.attrs['expert_score'] == pytest.approx(
          np.mean([x['reward'] for x in real[:10]]))
      for info, row in zip(demo.infos, real):
        for name, count in json.loads(info['achievements']).items():
          assert count == row[f'achievement_{name}']


class TestRefuses:

  def check(self, capsys, source, *parts, flags=()):
    refused(capsys, source.parent, 'crafter_human', '--source', source,
            '--out', source.parent / 'x.h5', *flags, parts=parts)

  @pytest.mark.parametrize('change, message', [
      (dict(done=None), 'done is missing'),
      (dict(image=None), 'image is missing'),
      (dict(image=np.zeros((7, 64, 64), np.uint8)), 'expected uint8 (steps'),
      (dict(image=np.zeros((7, 64, 64, 3))), 'expected uint8'),
      (dict(image=np.zeros((3, 64, 64, 3), np.uint8)), 'image has shape (3'),
      (dict(action=np.arange(7) * 3), 'actions from 0 to 18, expected 0 to'),
      (dict(action=-np.arange(7)), 'actions from -6'),
      (dict(action=np.arange(3)), 'action has shape (3,), expected 7'),
      (dict(action=np.arange(7.)), 'action has type float64'),
      (dict(action=np.ones((7, 17))), 'expected one-hot codes'),
      (dict(action=np.array([None] * 7)), 'never unpickled'),
      (dict(done=np.ones(7, bool)), 'done at step 0 of 6'),
      (dict(done=np.zeros((7, 2), bool)), 'done has shape (7, 2)'),
      (dict(reward=np.zeros(5)), 'reward has shape (5,)'),
      (dict(discount=np.zeros(5)), 'discount has shape (5,)'),
      (dict(achivement_eat_cow=np.zeros((7, 2))), 'achivement_eat_cow has'),
  ])
  def test_bad_arrays(self, source, capsys, change, message):
    path = save(source / 'b.npz', **episode(**change))
    self.check(capsys, source, path, message)

  def test_mixed_sizes(self, source, capsys):
    save(source / 'b.npz', **episode(
        image=np.zeros((7, 32, 32, 3), np.uint8)))
    self.check(capsys, source, '(32, 32, 3)')

  def test_damaged_files(self, source, capsys):
    path = source / 'b.npz'
    data = path.read_bytes()
    path.write_bytes(data[:len(data) // 2])
    self.check(capsys, source, path, 'copy it again')
    path.write_bytes(b'no zip')
    self.check(capsys, source, path, 'copy it again')
    path.write_bytes(data.replace(b'done.npy', b'gone.npy'))
    self.check(capsys, source, path, 'done is missing')

  def test_claims_of_size(self, source, capsys):
    def array(shape):
      file = io.BytesIO()
      np.lib.format.write_array_header_1_0(
          file, dict(descr='|b1', fortran_order=False, shape=shape))
      return file.getvalue() + bytes(7)
    path = source / 'b.npz'
    save(path, **episode(done=None))
    with zipfile.ZipFile(path, 'a') as file:
      file.writestr('done.npy', array((10 ** 13,)))
    self.check(capsys, source, 'claims the shape', '10,000,000,000,000 bytes')

  def test_bomb(self, source, capsys):
    path = source / 'b.npz'
    save(path, **episode(done=None))
    with zipfile.ZipFile(path, 'a', zipfile.ZIP_DEFLATED) as file:
      with file.open('done.npy', 'w', force_zip64=True) as array:
        for _ in range(300):
          array.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    self.check(capsys, source, 'more than the 268,435,456')

  def test_sources(self, source, tmp_path, capsys):
    self.check(capsys, tmp_path / 'none', 'no such file or folder')
    (tmp_path / 'empty').mkdir()
    self.check(capsys, tmp_path / 'empty', 'has no .npz files')
    text = tmp_path / 'dataset.zip'
    text.write_text('hello')
    self.check(capsys, text, 'not a whole zip')
    self.check(capsys, source, '--longest 0', flags=['--longest', 0])
    self.check(capsys, source, 'crafter_reward or', flags=['--task', 'x'])

  def test_existing_output(self, source, out, capsys):
    out.write_text('mine')
    refused(capsys, source.parent, 'crafter_human', '--source', source,
            '--out', out, parts=['exists', '--overwrite'])
    assert out.read_text() == 'mine'
    assert run('crafter_human', '--source', source, '--out', out,
               '--overwrite') == 0


