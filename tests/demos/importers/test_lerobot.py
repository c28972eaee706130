"""LeRobot datasets, made by the library lerobot."""

import json
import pathlib
import shutil
import sys

import numpy as np
import pytest

from helpers.demotools import load
from helpers.demotools import refused
from helpers.demotools import run
from helpers.lerobotfiles import LENGTHS
from helpers.lerobotfiles import PUSH
from helpers.lerobotfiles import action
from helpers.lerobotfiles import image
from helpers.lerobotfiles import place
from helpers.lerobotfiles import success

pyarrow = pytest.importorskip('pyarrow')
parquet = pytest.importorskip('pyarrow.parquet')
HERE = pathlib.Path(__file__).parent
# By LeRobotDataset of lerobot 0.4.0, with videos, and of 0.3.3, with images;
# files of statistics, which are not read, were left out.
VIDEOS, IMAGES = HERE / 'lerobot_v30', HERE / 'lerobot_v21'
FLAGS = ['--task', PUSH, '--size', 0, 0]


@pytest.fixture
def out(tmp_path):
  return tmp_path / 'demos.h5'


@pytest.fixture
def copy(tmp_path):
  """Return a function that copies a dataset to change it."""
  def fn(source):
    shutil.copytree(source, tmp_path / 'set')
    return tmp_path / 'set'
  return fn


def same(found, episode, worst):
  """Compare a trajectory with what was recorded; `worst` is of images."""
  steps, ended = LENGTHS[episode], success(episode)
  assert len(found['is_first']) == steps + ended
  shown = [*range(steps), *[steps - 1] * ended]
  for index, step in enumerate(shown):
    wrong = found['pixels'][index].astype(int) - image(episode, step)
    assert np.abs(wrong).mean() <= worst, (episode, index)
    assert (found['agent_pos'][index] == place(episode, step)).all()
  moves = len(shown) - 1
  np.testing.assert_array_equal(found['action'], [
      *[action(episode, x) for x in range(moves)], [0, 0]])
  assert found['reward'].tolist() == [0, *range(moves)]
  assert found['is_last'].tolist() == [False] * moves + [True]
  assert found['is_terminal'].tolist() == [False] * moves + [ended]


class TestImport:

  # In this video neighbours differ by 8 in one colour and by the block.
  @pytest.mark.parametrize('source, worst', [(IMAGES, 0), (VIDEOS, 1.5)])
  def test_equal_to_what_was_recorded(self, out, capsys, source, worst):
    assert run('lerobot', '--source', source, *FLAGS, '--out', out) == 0
    demos = load(out)
    assert len(demos) == len(LENGTHS)
    for episode, found in enumerate(demos):
      same(found, episode, worst)
    text = capsys.readouterr().out
    assert ('observation.image: stored with loss' in text) == (worst > 0)

  def test_best_skips_frames_of_a_video(self, out):
    run('lerobot', '--source', VIDEOS, *FLAGS, '--out', out, '--best', 1)
    [found] = load(out)
    same(found, 1, 1.5)

  @pytest.mark.parametrize('keys', [
      [], ['--keys', 'observation=observation.image']])
  def test_image_alone_and_channels_first(self, out, keys):
    flags = ['--task', 'gym_ImportBare-v0', '--size', 0, 0, *keys]
    run('lerobot', '--source', IMAGES, *flags, '--out', out)
    np.testing.assert_array_equal(load(out)[2]['image'][3], image(2, 3))

  def test_without_success_the_time_limit_decides(self, copy, out):
    source = copy(IMAGES)
    change(source, ['next.success'])
    run('lerobot', '--source', source, *FLAGS, '--out', out)
    assert all(x['is_terminal'][-1] for x in load(out))

  def test_jpeg_is_told_by_its_bytes(self, copy, out, capsys):
    from PIL import Image
    source = copy(IMAGES)
    Image.fromarray(image(0, 0)).save(source / 'a.jpg')
    data = {'bytes': (source / 'a.jpg').read_bytes(), 'path': 'a.png'}
    change(source, image=lambda column: [data] * len(column))
    run('lerobot', '--source', source, *FLAGS, '--out', out)
    assert 'stored with loss' in capsys.readouterr().out


def change(source, drop=(), **columns):
  """Change columns of all parquet files; drop features altogether."""
  info = source / 'meta' / 'info.json'
  data = json.loads(info.read_text())
  data['features'] = {
      k: v for k, v in data['features'].items() if k not in drop}
  info.write_text(json.dumps(data))
  for file in source.glob('data/*/*.parquet'):
    table = parquet.read_table(file).drop_columns(drop)
    for key, fn in columns.items():
      key = {'image': 'observation.image', 'frames': 'frame_index'}[key]
      at = table.column_names.index(key)
      table = table.set_column(at, table.schema.field(key), [
          pyarrow.array(fn(table[key].to_pylist()), table[key].type)])
    parquet.write_table(table, file)


class TestRefuses:

  def check(self, capsys, tmp_path, source, *parts, flags=()):
    refused(capsys, tmp_path, 'lerobot', '--source', source, *FLAGS, *flags,
            '--out', tmp_path / 'x.h5', parts=parts)

  @pytest.mark.parametrize('info, message', [
      ({'codebase_version': 'v1.6'}, 'expected v2.0, v2.1, v3.0'),
      ({'fps': 0}, 'fps and chunks_size above 0'),
      ({'fps': 'a'}, 'cannot be read'),
      ({'features': []}, 'cannot be read'),
      ({'features': {'action': {}}}, 'which feature is the observation'),
      ({'total_episodes': 9}, 'has 3 of the 9 episodes')])
  def test_info(self, tmp_path, capsys, copy, info, message):
    source = copy(IMAGES)
    path = source / 'meta' / 'info.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **info}))
    self.check(capsys, tmp_path, source, message)

  def test_no_info(self, tmp_path, capsys):
    self.check(capsys, tmp_path, tmp_path, 'has no meta/info.json')

  def test_dropped_frames(self, tmp_path, capsys, copy):
    source = copy(IMAGES)
    change(source, frames=lambda x: [2 * y for y in x])
    self.check(capsys, tmp_path, source, 'frames were left out')

  def test_lost_episode(self, tmp_path, capsys, copy):
    source = copy(IMAGES)
    (source / 'data/chunk-000/episode_000001.parquet').unlink()
    self.check(capsys, tmp_path, source, 'episode 2 comes where 1')

  def test_image_without_bytes(self, tmp_path, capsys, copy):
    source = copy(IMAGES)
    change(source, image=lambda x: [{'bytes': None, 'path': '/a'}] * len(x))
    self.check(capsys, tmp_path, source, 'has no image in it')

  def test_video_is_too_short(self, tmp_path, capsys, copy):
    source = copy(VIDEOS)
    path = source / 'meta/episodes/chunk-000/file-000.parquet'
    table = parquet.read_table(path)
    key = 'videos/observation.image/from_timestamp'
    table = table.set_column(table.column_names.index(key), key, [
        pyarrow.array([0.0, 0.5, 1.4])])
    parquet.write_table(table, path)
    self.check(capsys, tmp_path, source, 'has no frame 16')

  def test_no_video(self, tmp_path, capsys, copy):
    source = copy(VIDEOS)
    shutil.rmtree(source / 'videos')
    self.check(capsys, tmp_path, source, 'file-000.mp4: cannot be read')

  def test_features_out_of_the_folder(self, tmp_path, capsys, copy):
    source = copy(VIDEOS)
    path = source / 'meta' / 'info.json'
    path.write_text(path.read_text().replace(
        'observation.image', '../observation.image'))
    self.check(
        capsys, tmp_path, source, 'is no name of a folder',
        flags=['--keys', 'pixels=../observation.image'])

  def test_another_size(self, tmp_path, capsys):
    refused(
        capsys, tmp_path, 'lerobot', '--source', IMAGES, '--task',
        'gym_ImportPair-v0', '--out', tmp_path / 'x.h5', '--keys',
        '0=observation.image,1=observation.state',
        parts=['images of 64 x 96, the task has 40 x 48'])

  @pytest.mark.parametrize('keys, message', [
      ('pixels', 'expected KEY=FEATURE'),
      ('pixels=observation.eye', "has no feature 'observation.eye'"),
      ('pixels=observation.state', 'shape (5, 2)')])
  def test_keys(self, tmp_path, capsys, keys, message):
    self.check(capsys, tmp_path, IMAGES, message, flags=['--keys', keys])

  def test_without_pyarrow(self, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    self.check(capsys, tmp_path, IMAGES, 'dreamer_gail_plugin[lerobot]')
