"""Files of a few kilobytes that would fill the memory or write elsewhere.

Each is made for one importer, where test_hostile.py spoils at random.
"""

import bz2
import io
import json
import shutil
import tarfile
import zipfile

import h5py
import numpy as np
import pytest

from dreamer_gail_plugin.data import recipe
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos.importers import atari_head_files
from dreamer_gail_plugin.errors import UserError
from helpers import hostile
from helpers.atarihead import Trial
from helpers.atarihead import blank
from helpers.crafterhuman import episode
from helpers.crafterhuman import save as save_crafter
from helpers.demotools import random_play
from helpers.demotools import refused
from helpers.demotools import run
from helpers.imitationfiles import save_folder
from helpers.replays import config
from helpers.replays import record as record_replay

SMALL = 1 << 22  # Bytes that a limit is lowered to.
BOMB = 1 << 26
MOST = 1 << 25  # Bytes of Python and numpy that may be taken.


@pytest.fixture
def check(tmp_path, capsys):
  """Return a check that a command refuses, in little memory."""
  def check(name, *flags, parts=(), out=True):
    out = ['--out', tmp_path / 'out.h5'] if out else []
    with hostile.memory() as peak:
      refused(capsys, tmp_path, name, *flags, *out, parts=parts)
    assert peak['python'] < MOST, peak
    assert peak['process'] < 8 * MOST, peak
  return check


class TestAtariHead:

  @pytest.fixture
  def trial(self, tmp_path, monkeypatch):
    for name in ('TRIAL', 'TEXT'):
      monkeypatch.setattr(atari_head_files, name, SMALL)
    return Trial(tmp_path / 'source', 'seaquest', *blank(13))

  def check(self, check, trial, *parts, trials=7):
    check('atari_head', '--source', trial.root, '--game', 'seaquest',
          '--trials', trials, parts=parts)

  def test_a_name_in_the_archive(self, check, trial):
    info = tarfile.TarInfo('././@LongLink')
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, BOMB
    trial.frames.write_bytes(
        bz2.compress(info.tobuf(tarfile.GNU_FORMAT))
        + bz2.compress(bytes(BOMB)))
    self.check(check, trial, trial.frames, 'unpacks to more than')

  def test_frames_that_no_label_wants(self, check, trial):
    with tarfile.open(trial.frames, 'w:bz2') as tar:
      for number in range(30):
        info = tarfile.TarInfo(f'x/RZ_77_{number}.png')
        info.size = 1 << 20
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    self.check(check, trial, trial.frames, 'unpacks to more than')

  def test_labels_in_a_zip(self, check, trial):
    name = f'seaquest/{trial.stem}.txt'
    with zipfile.ZipFile(
        trial.root / 'seaquest.zip', 'w', zipfile.ZIP_DEFLATED) as file:
      file.writestr(name, bytes(BOMB))
    shutil.rmtree(trial.folder)
    self.check(check, trial, name, 'more than')

  def test_rows(self, check, trial):
    trial.labels.write_text('\n' * 200_000)
    self.check(check, trial, '200,000 lines')

  @pytest.mark.parametrize('number', [9 * '9', 5000 * '9'])
  def test_numbers_of_frames(self, check, trial, number):
    # Python refuses to read numbers of 5000 digits.
    trial.write_labels([f'RZ_77_{number},1,0,50,0,0,null'])
    self.check(check, trial, trial.labels if len(number) > 9 else 'frame')

  def test_numbers_of_trials(self, check, trial):
    with zipfile.ZipFile(trial.root / 'seaquest.zip', 'w') as file:
      file.writestr(f'seaquest/{5000 * "9"}_x.txt', '')
    shutil.rmtree(trial.folder)
    self.check(check, trial, 'has no label files')

  @pytest.mark.parametrize('offset, value', [(6, 1), (8, 99)])
  def test_zips_that_cannot_be_unpacked(self, check, trial, offset, value):
    # Encrypted, then packed in an unknown way: both fail as they are read.
    path = trial.root / 'seaquest.zip'
    with zipfile.ZipFile(path, 'w') as file:
      for part in (trial.labels, trial.frames):
        file.write(part, f'seaquest/{part.name}')
    data = bytearray(path.read_bytes())
    for mark, at in ((b'PK\3\4', offset), (b'PK\1\2', offset + 2)):
      place = data.index(mark)
      data[place + at] = value
    path.write_bytes(data)
    shutil.rmtree(trial.folder)
    self.check(check, trial, f'{trial.stem}.txt')


class TestImitation:

  @pytest.mark.parametrize('kind', ['zstd', 'dictionary'])
  def test_compressed_columns(self, check, tmp_path, kind):
    pa = pytest.importorskip('pyarrow')
    folder = save_folder(tmp_path / 'source')
    acts = pa.array(np.zeros(BOMB // 8, np.int64))
    acts = acts.dictionary_encode() if kind == 'dictionary' else acts
    table = pa.table({
        'obs': pa.array([[[0.0] * 4] * 2]), 'terminal': [True],
        'acts': pa.ListArray.from_arrays(
            pa.array([0, len(acts)], pa.int32()), acts)})
    packed = 'zstd' if kind == 'zstd' else None
    with pa.OSFile(str(next(folder.glob('*.arrow'))), 'wb') as file:
      with pa.ipc.new_stream(
          file, table.schema,
          options=pa.ipc.IpcWriteOptions(compression=packed)) as writer:
        writer.write_table(table)
    check('imitation', '--source', folder, '--task', 'gym_CartPole-v1',
          parts=['compressed or encoded'])


class TestMinari:

  @pytest.mark.parametrize('space', [
      {'type': 'Box', 'shape': [1 << 33], 'dtype': 'uint8', 'low': 0,
       'high': 255},
      {'type': 'MultiBinary', 'n': 1 << 33},
      {'type': 'MultiBinary', 'n': [1 << 17, 1 << 17]},
      {'type': 'Tuple', 'subspaces': [
          {'type': 'Box', 'shape': [1 << 23], 'dtype': 'uint8', 'low': 0,
           'high': 255}] * 3},
  ])
  def test_spaces(self, check, tmp_path, space):
    pytest.importorskip('minari')
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'metadata.json').write_text(json.dumps({
        'observation_space': json.dumps(space), 'dataset_id': 'x-v0'}))
    check('minari', '--source', tmp_path, parts=['more than', 'elements'])


class TestReplay:

  def test_settings_without_end_in_print(self, tmp_path, capsys):
    folder = tmp_path / 'source'
    (folder / 'replay').mkdir(parents=True)
    record_replay(folder / 'replay', 'gym_ImportReach-v0', 20, 1)
    config(folder, task='gym_ImportReach-v0')
    path = folder / 'config.yaml'
    lines = ['a0: &a0 [64, 64]'] + [
        f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9)}]'
        for i in range(1, 8)]
    path.write_text('\n'.join([
        *lines, 'task: gym_ImportReach-v0', 'env: {gym: {size: *a7}}']))
    with hostile.memory() as peak:
      refused(capsys, tmp_path, 'replay', '--source', folder, '--out',
              tmp_path / 'out.h5', parts=[path, 'has aliases'])
    assert peak['python'] < MOST


class TestRecipe:

  @pytest.fixture
  def path(self, tmp_path):
    return random_play(tmp_path, 'a.json', 'crafter_reward', '1')

  @pytest.mark.parametrize('place, value, message', [
      ('preprocessing', {'logdir': 'evil'}, "has 'logdir', which crafter"),
      ('preprocessing', {'size': [10 ** 5, 10 ** 5]}, 'size is'),
      ('preprocessing', None, 'preprocessing is missing'),
      ('task', 'gym_CartPole-v1', 'expected one of the suites'),
      ('limit', -1, 'limit is -1'),
      ('action_meanings', 3, 'no list of names'),
  ])
  def test_attributes(self, check, path, monkeypatch, place, value, message):
    monkeypatch.setenv('XDG_CACHE_HOME', str(path.parent / 'cache'))
    data = json.loads(path.read_text())
    data['attrs'][place] = value
    path.write_text(json.dumps(data))
    check('show', path, parts=[path, message], out=False)

  @pytest.mark.parametrize('key, value, message', [
      ('length', 10 ** 9, 'length is 1000000000'),
      ('length', '12', "length is '12'"),
      ('seed', -1, 'seed is -1'),
      ('actions', '!!', 'has other than'),
      ('actions', 12 * 'Z', 'actions that crafter_reward does not have'),
      ('sha256', None, 'sha256 is None'),
      ('sha256', 'ab', "sha256 is 'ab'"),
      ('sha256', '\ud800' * 64, 'expected 64 hex digits'),
  ])
  def test_trajectories(self, check, path, monkeypatch, key, value, message):
    monkeypatch.setenv('XDG_CACHE_HOME', str(path.parent / 'cache'))
    data = json.loads(path.read_text())
    data['trajectories'][0][key] = value
    path.write_text(json.dumps(data))
    check('show', path, parts=[path, message], out=False)

  def test_options_that_are_off_may_be_there(self, path):
    data = json.loads(path.read_text())
    assert data['attrs']['preprocessing']['logs'] is False
    assert recipe.load(path) == data


class TestStore:

  @pytest.mark.parametrize('place, key, value, message', [
      ('/', 'action_meanings', '[1, 2]', 'not a list of names'),
      ('/', 'action_meanings', '{"a": 1}', 'not a list of names'),
      ('/', 'preprocessing', '[' * 10 ** 5, 'preprocessing is not JSON'),
      ('/', 'expert_score', 'high', "expert_score is 'high'"),
      ('/trajectories/00000', 'score', 'high', "score is 'high'"),
      ('/trajectories/00000', 'source_id', 3, 'source_id is 3'),
  ])
  def test_attributes(self, check, tmp_path, place, key, value, message):
    path = tmp_path / 'a.h5'
    store.write(path, [dict(
        action=np.zeros(2, int), is_first=[True, False],
        is_last=[False, True], is_terminal=[False, False])], {})
    with h5py.File(path, 'a') as file:
      file[place].attrs[key] = value
    for command in ('check', 'show'):
      check(command, path, parts=[path, message], out=False)

  # Bytes that are no UTF-8, and half of a character behind JSON's own escape.
  @pytest.mark.parametrize('key, value, shown', [
      ('source', b'by \xff', 'by \ufffd'),
      ('action_meanings', b'["by \xff", "x"]', 'by \ufffd'),
      ('action_meanings', b'["by \\ud800", "x"]', 'by \\ud800'),
  ])
  def test_text_that_no_terminal_can_show(
      self, tmp_path, capsys, key, value, shown):
    path = tmp_path / 'a.h5'
    store.write(path, [dict(
        action=np.zeros(2, int), is_first=[True, False],
        is_last=[False, True], is_terminal=[False, False])], {})
    with h5py.File(path, 'a') as file:
      del file.attrs[key]
      file.attrs.create(key, value, dtype=h5py.string_dtype('utf-8'))
    assert run('show', path) == 0
    assert shown in capsys.readouterr().out
    assert run('check', path) in (0, 1)


class TestOutput:
  """HDF5 takes no text with zeros in it, nor halves of characters."""

  @pytest.mark.parametrize('text', ['a\0b', '\ud800'])
  def test_of_a_store(self, tmp_path, text):
    with pytest.raises(UserError, match='the attribute source cannot be'):
      store.write(tmp_path / 'a.h5', [dict(
          action=np.zeros(2, int), is_first=[True, False],
          is_last=[False, True], is_terminal=[False, False])],
          {'source': text})
    assert not list(tmp_path.iterdir())

  def test_a_folder_that_takes_no_file(self, check, tmp_path):
    save_crafter(tmp_path / 'a.npz', **episode(4))
    check('crafter_human', '--source', tmp_path / 'a.npz', '--out',
          '/proc/a.h5', parts=['/proc/a.h5', 'cannot be written'], out=False)
