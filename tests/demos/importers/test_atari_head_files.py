"""The files of Atari-HEAD: zips, damage and what is refused."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import zipfile

import numpy as np
import pytest

from helpers.atarihead import HEADER
from helpers.atarihead import Trial
from helpers.atarihead import blank
from helpers.atarihead import labels
from helpers.atarihead import png
from helpers.atarihead import refused
from helpers.atarihead import run
from helpers.demotools import load


@pytest.fixture
def trial(tmp_path):
  return Trial(tmp_path / 'source', 'seaquest', *blank(41))


class TestZip:

  def pack(self, trial):
    path = trial.root.parent / 'seaquest.zip'
    with zipfile.ZipFile(path, 'w') as file:
      for name in (trial.labels, trial.frames):
        file.write(name, f'seaquest/{name.name}')
    return path

  def test_equal_to_the_folder(self, trial):
    path = self.pack(trial)
    _, out = run(trial, out=trial.root.parent / 'one.h5')
    wanted, = load(out)
    trial.root = path
    _, out = run(trial, out=path.parent / 'two.h5')
    for key, value in load(out)[0].items():
      np.testing.assert_array_equal(value, wanted[key])
    trial.root = path.parent / 'source'
    shutil.rmtree(trial.root)
    trial.root = path.parent
    assert run(trial, out=path.parent / 'three.h5')[0] == 0

  def test_other_game(self, trial, capsys):
    trial.root = self.pack(trial)
    refused(capsys, trial, trial.root, 'no folder alien; it has seaquest',
            game='alien')

  def test_truncated(self, trial, capsys):
    trial.root = self.pack(trial)
    trial.root.write_bytes(trial.root.read_bytes()[:-100])
    refused(capsys, trial, trial.root, 'not a whole zip')

  def test_damaged_inside(self, trial, capsys):
    trial.root = self.pack(trial)
    data = bytearray(trial.root.read_bytes())
    data[-1200:-900] = bytes(300)
    trial.root.write_bytes(data)
    refused(capsys, trial, trial.stem, 'copy it again')


class TestPackings:

  def wanted(self, trial):
    code, out = run(trial, out=trial.root.parent / 'wanted.h5')
    assert code == 0
    return load(out)[0]

  def equal(self, trial, wanted):
    code, out = run(trial, out=trial.root.parent / 'got.h5')
    assert code == 0
    for key, value in load(out)[0].items():
      np.testing.assert_array_equal(value, wanted[key])

  @pytest.mark.parametrize('end, opened', [
      ('.tar', open), ('.tar.gz', gzip.open), ('.tgz', gzip.open),
      ('.tar.xz', lzma.open), ('.tar.bz2', open), ('.tar.bz2', gzip.open)])
  def test_told_by_the_first_bytes(self, trial, end, opened):
    wanted = self.wanted(trial)
    plain = bz2.decompress(trial.frames.read_bytes())
    trial.frames.unlink()
    with opened(trial.folder / (trial.stem + end), 'wb') as file:
      file.write(plain)
    self.equal(trial, wanted)

  @pytest.mark.parametrize('prefix', ['./{}/', '', './', 'a/{}/', '{}/{}/'])
  def test_wherever_frames_lie_in_the_archive(self, trial, prefix):
    wanted = self.wanted(trial)
    with tarfile.open(trial.frames) as old:
      files = [(x, old.extractfile(x).read()) for x in old if x.isfile()]
    with tarfile.open(trial.frames, 'w:bz2') as new:
      for entry, data in files:
        name = entry.name.rpartition('/')[2]
        entry.name = prefix.format(trial.stem, trial.stem) + name
        new.addfile(entry, io.BytesIO(data))
    self.equal(trial, wanted)

  @pytest.mark.parametrize('end', ['\r\n', '\n'])
  def test_ends_of_lines(self, trial, end):
    wanted = self.wanted(trial)
    lines = trial.labels.read_text().splitlines()
    trial.labels.write_bytes(end.join(lines).encode())
    self.equal(trial, wanted)

  @pytest.mark.parametrize('zipped', [False, True])
  def test_unpacked_beside_the_labels(self, trial, zipped):
    wanted = self.wanted(trial)
    with tarfile.open(trial.frames) as tar:
      tar.extractall(trial.folder, filter='data')
    trial.frames.unlink()
    (trial.folder / trial.stem / 'notes.txt').write_text('other')
    if zipped:
      path = trial.root.parent / 'seaquest.zip'
      with zipfile.ZipFile(path, 'w', strict_timestamps=False) as file:
        for x in trial.root.rglob('*'):
          file.write(x, x.relative_to(trial.root))
      trial.root = path
    self.equal(trial, wanted)

  def test_links_among_unpacked_frames_are_not_followed(self, trial, capsys):
    with tarfile.open(trial.frames) as tar:
      tar.extractall(trial.folder, filter='data')
    trial.frames.unlink()
    frame = trial.folder / trial.stem / 'RZ_77_9.png'
    frame.rename(trial.root / 'RZ_77_9.png')
    frame.symlink_to(trial.root / 'RZ_77_9.png')
    refused(capsys, trial, 'no frame for the row RZ_77_9')

  def test_mark_in_front_of_the_labels(self, trial):
    wanted = self.wanted(trial)
    text = trial.labels.read_text()
    trial.labels.write_text(text, 'utf-8-sig')
    self.equal(trial, wanted)

  def test_folder_of_highscores_given_directly(self, trial):
    wanted = self.wanted(trial)
    folder = trial.folder / 'highscore'
    folder.mkdir()
    trial.labels.rename(folder / trial.labels.name)
    trial.frames.rename(folder / trial.frames.name)
    trial.root = folder
    code, out = run(trial, out=trial.folder / 'got.h5')
    data, = load(out)
    assert code == 0 and not data['is_first'].any()  # In mid-game.
    np.testing.assert_array_equal(data['image'], wanted['image'])


class TestRefuses:

  def test_source_and_game(self, trial, capsys):
    refused(capsys, trial, trial.root, 'neither a folder alien nor alien.zip',
            'it has seaquest', game='alien')
    refused(capsys, trial, 'Did you mean seaquest', game='seaqest')
    trial.root = trial.root.parent / 'none'
    refused(capsys, trial, trial.root, 'no such file or folder')

  def test_task_of_another_game(self, trial, capsys):
    for task in ('atari_alien', 'minatar_seaquest', 'seaquest'):
      refused(capsys, trial, f'--task {task}', flags=['--task', task])

  def test_existing_output(self, trial, capsys):
    run(trial)
    capsys.readouterr()
    refused(capsys, trial, 'demos.h5', '--overwrite')
    assert run(trial, '--overwrite')[0] == 0
    refused(capsys, trial, 'make it', out=trial.root / 'no' / 'demos.h5')

  @pytest.mark.parametrize('flag', ['--parts', '--length'])
  def test_numbers(self, trial, capsys, flag):
    refused(capsys, trial, flag, 'at least 1', flags=[flag, 0])

  @pytest.mark.parametrize('change, message', [
      ('RZ_77_4,1,0,50,0', '5 fields, expected frame_id,episode_id,score'),
      ('RZ_77_4,1,0,50,0,x,null', "action is 'x', expected a whole number"),
      ('RZ_77_4,1,0,50,0,18,null', 'action is 18, expected 0 to 17 or null'),
      ('RZ_77_4,1,0,50,0.5,1,null', "unclipped_reward is '0.5'"),
      ('RZ_77_4,1,0,50,0,-1,null', 'action is -1'),
      ('RZ_77_5,1,0,50,0,1,null', 'RZ_77_5 follows RZ_77_3'),
      ('four,1,0,50,0,1,null', "frame_id is 'four'"),
      ('', 'has 1 fields'),
  ])
  def test_bad_row(self, trial, capsys, change, message):
    lines = labels(blank(41)[1])
    lines[4] = change
    trial.write_labels(lines)
    refused(capsys, trial, trial.labels, 'line 5', message)

  def test_bad_label_files(self, trial, capsys):
    trial.write_labels(['frame_id,action', *labels(blank(41)[1])[1:]])
    refused(capsys, trial, trial.labels, 'line 1', HEADER[:40])
    trial.write_labels([HEADER])
    refused(capsys, trial, trial.labels, 'no rows')
    trial.labels.write_bytes(b'\xff\xfe\x00')
    refused(capsys, trial, trial.labels, 'not a text file')
    trial.write_labels(labels(blank(3)[1]))
    refused(capsys, trial, trial.labels, '3 rows make no step')

  def test_header_is_optional(self, trial):
    trial.write_labels(labels(blank(41)[1])[1:])
    assert run(trial)[0] == 0

  def test_trial_without_frames(self, trial, capsys):
    trial.write_frames({})
    refused(capsys, trial, trial.frames, 'no frames', '41 PNG files')
    trial.frames.unlink()
    refused(capsys, trial, trial.frames, 'no such file', 'labels')

  def test_frame_counts(self, trial, capsys):
    frames = {i: png(x) for i, x in enumerate(blank(41)[0], 1)}
    trial.write_frames({k: v for k, v in frames.items() if k != 11})
    refused(capsys, trial, 'has 40 frames, the labels have 41 rows',
            'no frame for the row RZ_77_11')
    trial.write_frames({**frames, 42: frames[1]})
    refused(capsys, trial, 'has 42 frames, the labels have 41 rows',
            'no row for the frame RZ_77_42')

  def test_bad_frames(self, trial, capsys):
    frames = {i: png(x) for i, x in enumerate(blank(41)[0], 1)}
    small = png(np.zeros((84, 84, 3), np.uint8))
    trial.write_frames({**frames, 12: small})
    refused(capsys, trial, 'RZ_77_12 has 84 x 84', 'expected 160 x 210')
    trial.write_frames({**frames, 12: frames[12][:-60]})
    refused(capsys, trial, 'RZ_77_12 is not a whole PNG')
    trial.write_frames({**frames, 12: b'JPEG?'})
    refused(capsys, trial, 'RZ_77_12 is not a whole PNG')

  @pytest.mark.parametrize('part', [0.0, 0.3, 0.9, 0.99])
  def test_truncated_archive(self, trial, capsys, part):
    data = trial.frames.read_bytes()
    trial.frames.write_bytes(data[:int(len(data) * part)])
    refused(capsys, trial, trial.frames, 'damaged after', 'whole tar.bz2')

  def test_archive_cut_between_files(self, trial, capsys):
    data = bz2.decompress(trial.frames.read_bytes())
    trial.frames.write_bytes(bz2.compress(data[:20 * 1024]))
    refused(capsys, trial, trial.frames)

  def test_what_an_archive_must_not_do(self, trial, capsys):
    frames = {i: png(x) for i, x in enumerate(blank(41)[0], 1)}
    link = tarfile.TarInfo(f'{trial.stem}/RZ_77_50.png')
    link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
    hard = tarfile.TarInfo(f'{trial.stem}/RZ_77_51.png')
    hard.type, hard.linkname = tarfile.LNKTYPE, '/etc/passwd'
    extra = [link, hard, tarfile.TarInfo('../RZ_77_52.png'),
             tarfile.TarInfo('/RZ_77_53.png'), tarfile.TarInfo('._x_54.png')]
    trial.write_frames(frames, extra)
    assert run(trial)[0] == 0
    assert '5 other entries in the archive' in capsys.readouterr().out
    assert sorted(os.listdir(trial.root.parent)) == ['demos.h5', 'source']
