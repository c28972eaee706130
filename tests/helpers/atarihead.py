"""Trials in the layout of Atari-HEAD, for the tests of its importer."""

import io
import os
import tarfile

import ale_py
import numpy as np
from ale_py import roms
from PIL import Image

from dreamer_gail_plugin.demos import __main__ as demos
from helpers.refusals import exit_code

HEADER = (
    'frame_id,episode_id,score,duration(ms),unclipped_reward,action,'
    'gaze_positions')
META = (
    'GameName,trial_id,subject_id,load_trial,highest_score,total_frame,'
    'total_game_play_time,total_episode,max_error,avg_error,'
    'low_sample_rate,frame_averaging,fps')


def play(game, seed, frames, repeat=4, average=False):
  """Play at random by plain ale-py; return screens and label values.

  As the recorder of Atari-HEAD: reset after a game over, save the screen,
  then act. An action is held for `repeat` frames of an episode.
  """
  ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
  ale = ale_py.ALEInterface()
  ale.setInt('random_seed', 0)
  ale.setBool('color_averaging', average)
  ale.setFloat('repeat_action_probability', 0.0)
  ale.loadROM(roms.get_rom_path(game))
  rng = np.random.default_rng(seed)
  screens, rows, episode, score, held = [], [], 1, 0, 0
  for _ in range(frames):
    if ale.game_over():
      ale.reset_game()
      episode, score, held = episode + 1, 0, 0
    screens.append(ale.getScreenRGB())
    if held % repeat == 0:
      action = int(rng.integers(18))
    held += 1
    reward = ale.act(ale_py.Action(action))
    score += reward
    rows.append([episode, score, 50, reward, action])
  rows[-1] = [episode, *['null'] * 4]
  return screens, rows


def png(screen):
  data = io.BytesIO()
  Image.fromarray(screen).save(data, 'png', compress_level=1)
  return data.getvalue()


def add(tar, name, data):
  info = tarfile.TarInfo(name)
  info.size = len(data)
  tar.addfile(info, io.BytesIO(data))


def labels(rows):
  return [HEADER] + [
      f'RZ_77_{i},{",".join(str(x) for x in row)},10.50,20.25,30.00,40.00'
      for i, row in enumerate(rows, 1)]


class Trial:
  """Files of one trial in the layout of the data set, ready to be spoilt."""

  def __init__(self, root, game, screens, rows, number=7):
    self.stem = f'{number}_RZ_77_Aug-11-09-35-18'
    self.root = root
    self.folder = root / game
    self.folder.mkdir(exist_ok=True, parents=True)
    self.labels = self.folder / f'{self.stem}.txt'
    self.frames = self.folder / f'{self.stem}.tar.bz2'
    self.write_labels(labels(rows))
    self.write_frames({i: png(x) for i, x in enumerate(screens, 1)})

  def write_meta(self, *rows):
    path = self.root / 'meta_data.csv'
    path.write_text('\n'.join([META, *rows]) + '\n')

  def write_labels(self, lines):
    self.labels.write_text('\n'.join(lines) + '\n')

  def write_frames(self, frames, extra=()):
    # In the order of the names as text, like the published archives.
    with tarfile.open(self.frames, 'w:bz2', compresslevel=1) as tar:
      for member in extra:
        tar.addfile(member)
      for number in sorted(frames, key=str):
        add(tar, f'{self.stem}/RZ_77_{number}.png', frames[number])


def blank(count):
  screens = np.zeros((count, 210, 160, 3), np.uint8)
  screens += np.arange(count, dtype=np.uint8)[:, None, None, None]
  return screens, [[1, 0, 50, 0, i % 18] for i in range(count)]


def run(trial, *flags, game='seaquest', out=None, number=7):
  out = out or trial.root.parent / 'demos.h5'
  base = [
      'atari_head', '--source', trial.root, '--game', game, '--out', out]
  base += ['--trials', number] if number else []
  code = exit_code(demos.main, [str(x) for x in [*base, *flags]])
  return code, out


def refused(capsys, trial, *parts, flags=(), **kw):
  before = sorted(os.listdir(trial.root.parent))
  code, _ = run(trial, *flags, **kw)
  text = capsys.readouterr().err
  error = text[text.index('error: '):]
  assert code == 2
  assert 'Traceback' not in text
  for part in parts:
    assert str(part) in error, error
  assert sorted(os.listdir(trial.root.parent)) == before
