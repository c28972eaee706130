"""The Atari-HEAD importer: same eyes, right alignment, clear refusals."""

import bz2
import io
import json
import os
import pathlib
import shutil
import tarfile
import zipfile

import ale_py
import numpy as np
import pytest
from ale_py import roms
from PIL import Image

from dreamer_gail_plugin import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos import atari_head
from dreamer_gail_plugin.demos import atari_head_files as files
from dreamer_gail_plugin.envs.atari import Atari

REAL = pathlib.Path(__file__).parent.parent / '../shared/data/atari_head'
HEADER = (
    'frame_id,episode_id,score,duration(ms),unclipped_reward,action,'
    'gaze_positions')
META = (
    'GameName,trial_id,subject_id,load_trial,highest_score,total_frame,'
    'total_game_play_time,total_episode,max_error,avg_error,'
    'low_sample_rate,frame_averaging,fps')


def play(game, seed, frames, repeat=4):
  """Play at random by plain ale-py; return screens and label values.

  As the recorder of Atari-HEAD: reset after a game over, save the screen,
  then act. An action is held for `repeat` frames of an episode.
  """
  ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
  ale = ale_py.ALEInterface()
  ale.setInt('random_seed', 0)
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


@pytest.fixture
def trial(tmp_path):
  return Trial(tmp_path / 'source', 'seaquest', *blank(41))


def run(trial, *flags, game='seaquest', out=None, number=7):
  out = out or trial.root.parent / 'demos.h5'
  base = [
      'atari_head', '--source', trial.root, '--game', game, '--out', out]
  base += ['--trials', number] if number else []
  code = demos.main([str(x) for x in [*base, *flags]])
  return code, out


def load(path):
  with store.Store(path) as demo:
    return [demo.read(i) for i in range(len(demo))]


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


@pytest.fixture(scope='module')
def played(tmp_path_factory):
  # Of this seed, some rewards come with the first and the last frame of a
  # step, and a game ends within a step.
  screens, rows = play('breakout', seed=17, frames=1502)
  root = tmp_path_factory.mktemp('breakout') / 'source'
  return Trial(root, 'breakout', screens, rows), rows


class TestSameEyes:

  @pytest.mark.parametrize('flags, looks', [
      ([], {}),
      (['--task', 'atari100k_breakout', '--actions', 'all'],
       dict(size=(64, 64), gray=False)),
      (['--size', '40', '32', '--aggregate', 'mean', '--pooling', '3'],
       dict(size=(40, 32), aggregate='mean', pooling=3)),
  ])
  def test_equal_to_the_environment_byte_for_byte(self, played, flags, looks):
    trial, rows = played
    code, out = run(
        trial, '--length', 5000, '--overwrite', *flags, game='breakout')
    assert code == 0
    data, = load(out)
    env = Atari('breakout', noops=0, sticky=False, seed=0, **looks)
    assert {'size': env.looks['size'], 'gray': env.looks['gray']} == {
        'size': data['image'].shape[1:3], 'gray': data['image'].shape[3] == 1}
    total, reset = len(data['action']), True
    episode, at, ends = 1, 0, []
    for t in range(total):
      obs = env.step({'reset': reset, 'action': data['action'][t - 1]})
      reset = obs['is_last']
      # The row of the labels that this step stands on.
      at = next(
          (i for i, x in enumerate(rows) if x[0] == episode), at) \
          if obs['is_first'] else at + 4
      episode += reset
      ends += [t] if reset else []
      for key in ('reward', 'is_first'):
        assert data[key][t] == obs[key], (t, key)
      if t == total - 1:
        # The record stops here, the game does not.
        assert data['is_last'][t] and not data['is_terminal'][t]
        assert not reset
      else:
        assert data['is_last'][t] == data['is_terminal'][t] == reset
      if reset:
        assert data['action'][t] == 0
      else:
        np.testing.assert_array_equal(data['image'][t], obs['image'], str(t))
        if t < total - 1:
          assert data['action'][t] == rows[at][4]
    assert len(ends) >= 1 and total > 370
    assert data['reward'].sum() > 0

  def test_last_screens_stand_in_for_the_one_after_game_over(self, played):
    trial, rows = played
    _, out = run(trial, '--length', 5000, '--overwrite', game='breakout')
    data, = load(out)
    step = np.flatnonzero(data['is_terminal'])[0]
    last = next(i for i, x in enumerate(rows) if x[0] == 2) - 1
    with tarfile.open(trial.frames) as tar:
      screens = [
          np.asarray(Image.open(tar.extractfile(
              f'{trial.stem}/RZ_77_{x + 1}.png'))) for x in (last - 1, last)]
    wanted = atari_head.atari.preprocess(screens)
    np.testing.assert_array_equal(data['image'][step], wanted)

  def test_fits_the_task(self, played):
    _, out = run(played[0], '--length', 5000, '--overwrite', game='breakout')
    env = Atari('breakout')
    with store.Store(out) as demo:
      store.validate(demo, env.obs_space, env.act_space, 'atari_breakout')
      assert json.loads(demo.attrs['action_meanings']) == env.action_meanings
      assert json.loads(demo.attrs['preprocessing']) == {
          'repeat': 4, 'size': [96, 96], 'gray': True, 'pooling': 2,
          'aggregate': 'max', 'resize': 'pillow', 'actions': 'all'}
      assert demo.attrs['source'] == 'Atari-HEAD v4 (Zenodo 3451402)'
      assert demo.attrs['licence'] == 'CC-BY-4.0'
      assert 'Zhang' in demo.attrs['citation']

  def test_needed_actions_are_renumbered(self, tmp_path, capsys):
    screens, rows = blank(9)
    for row in rows:
      row[4] = 3  # RIGHT, the third of the four that Breakout needs.
    trial = Trial(tmp_path / 'source', 'breakout', screens, rows)
    _, out = run(trial, '--actions', 'needed', game='breakout')
    assert load(out)[0]['action'].tolist() == [2, 2, 0]
    rows[5][4] = 8
    trial.write_labels(labels(rows))
    refused(capsys, trial, trial.labels, 'actions 8', '--actions all',
            game='breakout', flags=['--actions', 'needed', '--overwrite'])


def steps(rows, rule='majority', repeat=4, pooling=2, resumed=False):
  names = [f'a_{i}' for i in range(len(rows))]
  values = np.array([
      [np.nan if x is None else x for x in row] for row in rows], float)
  episode, score, reward, action = values.T
  return atari_head.make_steps(
      files.Labels(names, episode, score, reward, action), repeat, pooling,
      atari_head.RULES[rule], resumed)


class TestSteps:

  def rows(self, actions, rewards=None, episodes=None, scores=None):
    count = len(actions)
    columns = [episodes or [None] * count, scores or [None] * count,
               rewards or list(range(count)), actions]
    return list(zip(*columns))

  def test_alignment(self):
    # Rows 8 and 9 cannot make a step: nobody saw where it led.
    made, counts = steps(self.rows([5] * 4 + [6] * 6))
    assert made.screens.tolist() == [[0, 0], [4, 3], [8, 7]]
    assert made.action.tolist() == [5, 6, 0]
    assert made.reward.tolist() == [0, 0 + 1 + 2 + 3, 4 + 5 + 6 + 7]
    assert made.is_first.tolist() == [True, False, False]
    assert made.is_last.tolist() == [False, False, True]
    assert made.is_terminal.tolist() == [False, False, False]
    assert counts['tail'] == 1

  def test_no_skip(self):
    made, _ = steps(self.rows([1, 2, 3]), repeat=1, pooling=1)
    assert made.screens.tolist() == [[0], [1], [2]]
    assert made.action.tolist() == [1, 2, 0]
    assert made.reward.tolist() == [0, 0, 1]

  @pytest.mark.parametrize('rows', [9, 10, 11, 12])
  def test_end_of_a_record(self, rows):
    made, counts = steps(self.rows([1] * rows))
    assert len(made.action) == 3
    assert counts['tail'] == rows - 9

  @pytest.mark.parametrize('key', ['episodes', 'scores'])
  @pytest.mark.parametrize('end, screens', [
      (5, [[0, 0], [4, 3], [4, 3]]),
      (6, [[0, 0], [4, 3], [5, 4]]),
      (8, [[0, 0], [4, 3], [7, 6]]),
  ])
  def test_game_over(self, key, end, screens):
    values = {
        'episodes': [1] * end + [2] * 5, 'scores': [30] * end + [0] * 5}
    made, counts = steps(self.rows(
        [7] * end + [8] * 5, [10] * end + [1] * 5, **{key: values[key]}))
    assert counts['episodes'] == 2
    assert made.screens.tolist() == [
        *screens, [end, end], [end + 4, end + 3]]
    assert made.action.tolist() == [7, 7, 0, 8, 0]
    assert made.reward.tolist() == [0, 40, 10 * (end - 4), 0, 4]
    assert made.is_first.tolist() == [True, False, False, True, False]
    assert made.is_last.tolist() == [False, False, True, False, True]
    assert made.is_terminal.tolist() == [False, False, True, False, False]

  def test_null_episode_is_no_border(self):
    made, counts = steps(self.rows(
        [1] * 9, episodes=[1, 1, None, 1, 1, None, 1, 1, None]))
    assert counts['episodes'] == 1

  def test_resumed_game_does_not_start(self):
    made, _ = steps(self.rows([1] * 9), resumed=True)
    assert not made.is_first.any()

  @pytest.mark.parametrize('rule, wanted', [
      ('first', [1, 4, 0]), ('last', [3, 5, 0]), ('majority', [2, 4, 0])])
  def test_rules(self, rule, wanted):
    made, counts = steps(self.rows([1, 2, 2, 3, 4, 4, 5, 5, 0]), rule)
    assert made.action.tolist() == wanted
    assert counts['mixed'] == 2

  def test_null_rows(self):
    null = None
    made, counts = steps(self.rows(
        [null, 2, 2, 3, null, null, null, null, 5, 5, 5, 5, null],
        [null, 1, 1, 1, null, null, null, null, 2, 2, 2, 2, null]))
    assert made.action.tolist() == [2, -1, 5, 0]
    assert made.reward.tolist() == [0, 3, 0, 8]
    assert counts['empty'] == 1
    assert counts['null'] == 6


class TestCut:

  def test_parts_are_spread_evenly(self):
    assert atari_head.cut(4300, 5, 1024) == [
        (0, 1024), (819, 1843), (1638, 2662), (2457, 3481), (3276, 4300)]
    assert atari_head.cut(100, 3, 10) == [(0, 10), (45, 55), (90, 100)]
    assert atari_head.cut(100, 1, 10) == [(0, 10)]

  def test_short_trials(self):
    assert atari_head.cut(10, 5, 10) == [(0, 10)]
    assert atari_head.cut(7, 5, 10) == [(0, 7)]
    assert atari_head.cut(12, 5, 10) == [(0, 10), (1, 11), (2, 12)]

  def test_split_at_unknown_actions(self):
    action = np.array([-1, 1, 1, -1, 1, -1, -1, 1, 1, 1])
    assert atari_head.split(0, 10, action) == [(1, 3), (7, 10)]
    assert atari_head.split(1, 9, action) == [(1, 3), (7, 9)]
    assert atari_head.split(0, 1, action) == []


class TestParts:

  def test_five_cuts_of_a_trial(self, trial):
    _, out = run(trial, '--length', 3)
    parts = load(out)
    assert [len(x['action']) for x in parts] == [3] * 5
    # 11 steps, the last one has no action.
    starts = [0, 2, 4, 6, 8]
    for part, start in zip(parts, starts):
      assert part['image'][:, 0, 0, 0].tolist() == [
          4 * x for x in range(start, start + 3)]
      assert part['is_first'].tolist() == [start == 0, False, False]
      assert part['is_last'].tolist() == [False, False, start == 8]
      assert not part['is_terminal'].any()
    with store.Store(out) as demo:
      assert demo.infos[1]['source_id'] == 'trial 7 steps 2 to 4'
      assert demo.attrs['trials'] == '[7]'

  def test_gap_ends_a_trajectory(self, trial, capsys):
    rows = blank(41)[1]
    for row in rows[20:24]:
      row[3] = row[4] = 'null'
    trial.write_labels(labels(rows))
    _, out = run(trial)
    first, second = load(out)
    assert first['image'][:, 0, 0, 0].tolist() == [0, 4, 8, 12, 16]
    assert second['image'][:, 0, 0, 0].tolist() == [24, 28, 32, 36, 40]
    assert not first['is_last'].any() and not second['is_first'].any()
    text = capsys.readouterr().out
    assert '4 rows without action; 1 steps had no action' in text
    assert '1 steps of the trial are left out' in text

  def test_summary(self, trial, capsys):
    run(trial, '--length', 4)
    text = capsys.readouterr().out
    assert '41 frames make 11 steps of 4; 1 episode(s)' in text
    assert '5 parts in 5 trajectories, 20 steps; 9 of them are there' in text
    assert '10 steps (90.9%) had more than one action' in text
    assert 'WARNING: trial 7: not in a meta_data.csv' in text


class TestTrials:

  @pytest.fixture
  def three(self, tmp_path):
    root = tmp_path / 'source'
    for number, value in ((5, 10), (6, 30), (7, 20)):
      screens, rows = blank(9)
      trial = Trial(root, 'seaquest', screens + np.uint8(value), rows, number)
    rows = [
        f'{game},{number}, R,{load},{score},9,450,1,1,0.5,0.6%,{mean},20'
        for game, number, load, score, mean in [
            ('seaquest', 5, 0, 100, 'FALSE'), ('seaquest', 6, 0, 300, 'TRUE'),
            ('seaquest', 7, 0, 200, 'FALSE'),
            ('seaquest_highscore', 8, 6, 900, 'FALSE'),
            ('seaquest', 9, 5, 800, 'FALSE'), ('alien', 1, 0, 999, 'FALSE')]]
    (root / 'meta_data.csv').write_text('\n'.join([META, *rows]) + '\n')
    return trial

  def test_best_normal_ones(self, three, capsys):
    _, out = run(three, number=None)
    parts = load(out)
    assert [x['image'][0, 0, 0, 0] for x in parts] == [30, 20]
    with store.Store(out) as demo:
      assert demo.attrs['expert_score'] == 250
      assert demo.infos[0]['trial_score'] == 300
    text = capsys.readouterr().out
    assert 'WARNING: trial 6: its recorder averaged' in text
    assert 'WARNING: trial 7' not in text

  def test_named_ones(self, three):
    _, out = run(three, number=5)
    assert [x['image'][0, 0, 0, 0] for x in load(out)] == [10]

  def test_meta_beside_the_game_folder(self, three):
    three.root = three.root / 'seaquest'
    _, out = run(three, '--best', 1, number=None)
    assert [x['image'][0, 0, 0, 0] for x in load(out)] == [30]

  def test_highscore_trials_start_in_mid_game(self, three):
    high = three.folder / 'highscore'
    high.mkdir()
    for path in (three.labels, three.frames):
      path.rename(high / path.name)
    (three.root / 'meta_data.csv').unlink()
    _, out = run(three)
    assert not load(out)[0]['is_first'].any()

  def test_best_one_is_not_there(self, three, capsys):
    three.root.joinpath('seaquest', three.labels.name).unlink()
    refused(capsys, three, 'the 2 best by', 'are 6 7, but there is no trial 7',
            '--trials (5 6)', number=None)

  def test_named_one_is_not_there(self, three, capsys):
    refused(capsys, three, 'no trial 8', '--trials (5 6 7)', number=8)

  def test_meta_is_needed_only_without_trials(self, three, capsys):
    (three.root / 'meta_data.csv').unlink()
    refused(capsys, three, 'no meta_data.csv', '--trials (there are 5 6 7)',
            number=None)
    code, _ = run(three)
    assert code == 0

  def test_bad_meta(self, three, capsys):
    path = three.root / 'meta_data.csv'
    text = path.read_text()
    path.write_text(text.replace('highest_score', 'Score'))
    refused(capsys, three, path, 'columns missing: highest_score')
    path.write_text(text.replace('0,200,', '0,x,'))
    refused(capsys, three, path, 'line 4', "'x'")


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


class TestRefuses:

  def test_source_and_game(self, trial, capsys):
    refused(capsys, trial, trial.root, 'neither a folder alien nor alien.zip',
            'it has seaquest', game='alien')
    refused(capsys, trial, 'Unknown Atari game', game='seaqest')
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


class TestCommand:

  def test_unknown_importer(self, capsys):
    with pytest.raises(SystemExit) as info:
      demos.main(['nothing'])
    assert info.value.code == 2
    assert 'atari_head' in capsys.readouterr().err

  @pytest.mark.parametrize('name', demos.IMPORTERS)
  def test_help(self, name, capsys):
    with pytest.raises(SystemExit) as info:
      demos.main([name, '--help'])
    assert info.value.code == 0
    assert '--out' in capsys.readouterr().out


@pytest.fixture(scope='module')
def imported(tmp_path_factory):
  out = tmp_path_factory.mktemp('real') / 'demos.h5'
  assert demos.main([
      'atari_head', '--source', str(REAL), '--game', 'seaquest', '--out',
      str(out), '--trials', '54', '--length', '400']) == 0
  return out


@pytest.mark.skipif(
    not REAL.exists(), reason='the real trial is not beside the project')
class TestRealTrial:

  def test_whole_trial(self):
    trial = files.find_trials(files.find_game(REAL, 'seaquest'))[54]
    steps, counts = atari_head.make_steps(
        files.read_labels(trial.labels), 4, 2, atari_head.RULES['majority'],
        resumed=False)
    assert len(steps.action) == 4300
    assert counts == {
        'episodes': 1, 'null': 226, 'mixed': 903, 'empty': 10, 'tail': 3}
    assert steps.reward.sum() == 51560
    assert steps.is_last.sum() == steps.is_first.sum() == 1
    assert not steps.is_terminal.any()

  def test_rewards_arrive_with_the_screen_that_shows_them(self, imported):
    found = 0
    for data in load(imported):
      digits = data['image'][:, 2:9].astype(int)
      change = np.abs(np.diff(digits, axis=0)).max((1, 2, 3)) > 8
      rewarded = data['reward'] > 0
      for step in range(3, len(rewarded) - 3):
        near = rewarded[step - 3: step + 4]
        if rewarded[step] and near.sum() == 1:
          # change[i] is from i to i + 1.
          assert change[step - 3: step].tolist() == [False, False, True]
          found += 1
    assert found > 80

  def test_store(self, imported):
    env = Atari('seaquest')
    with store.Store(imported) as demo:
      store.validate(demo, env.obs_space, env.act_space, 'atari_seaquest')
      assert demo.attrs['expert_score'] == 53140
      assert sum(demo.lengths) > 1980
      starts = [demo.read(i, 0, 1)['is_first'][0] for i in range(len(demo))]
      assert starts == [True] + [False] * (len(demo) - 1)
      assert demo.read(len(demo) - 1)['is_last'][-1]
