"""Films of a game become demonstrations without actions."""

import av
import numpy as np
import pytest

from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.importers import screens
from dreamer_gail_plugin.demos.importers import video
from dreamer_gail_plugin.demos.play import game as games
from dreamer_gail_plugin.envs import atari
from dreamer_gail_plugin.running import videos
from helpers.refusals import refused


def film(path, images, rate=10, codec='libx264', **options):
  """Write images (H, W, 3) as the frames of a film; return its path."""
  with av.open(str(path), 'w') as out:
    stream = out.add_stream(codec, rate=rate)
    stream.height, stream.width = images[0].shape[:2]
    stream.pix_fmt = 'yuv420p' if codec == 'libx264' else 'bgr0'
    stream.options = options
    for image in images:
      frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), 'rgb24')
      out.mux(stream.encode(frame))
    out.mux(stream.encode())
  return path


def larger(image, factor):
  return image.repeat(factor, 0).repeat(factor, 1)


def run(path, tmp_path, *flags, task='minatar_breakout'):
  """Import a film; return the arrays of its trajectory."""
  out = tmp_path / 'film.h5'
  assert demos.main([
      'video', '--source', str(path), '--task', task, '--out', str(out),
      *flags]) == 0
  with store.Store(out) as found:
    assert len(found) == 1 and 'action' not in found.keys
    assert found.attrs['task'] == task
    return found.read(0)


def boards(task, steps=60):
  """Return boards (T, 10, 10, C) of random play and how it is shown."""
  game = games.make(task, 0)
  rng = np.random.default_rng(0)
  found, shown = [game.reset()['image']], [game.screen()]
  for _ in range(steps - 1):
    obs = game.step(rng.integers(len(game.names)))
    obs = game.reset() if obs['is_last'] else obs
    found.append(obs['image'])
    shown.append(game.screen())
  return np.stack(found), shown


class TestBoards:

  @pytest.mark.parametrize('task', [
      'minatar_breakout', 'minatar_space_invaders', 'minatar_freeway'])
  def test_of_the_page_that_records(self, tmp_path, task, capsys):
    # Through a lossy film, beside other things on the screen.
    true, shown = boards(task)
    images = [
        np.pad(larger(x, 13), ((40, 18), (20, 50), (0, 0)),
               constant_values=90) for x in shown]
    path = film(tmp_path / 'a.mp4', images)
    found = run(
        path, tmp_path, '--crop', '20', '40', '130', '130', task=task)['image']
    assert found.shape == true.shape and found.dtype == np.uint8
    # An object that another one hides is not on the screen.
    visible = np.where(
        true.any(-1), true.argmax(-1), -1)  # The first of a field's objects.
    seen = np.where(found.any(-1), found.argmax(-1), -1)
    assert np.mean(visible == seen) > 0.999
    # Of aliens that go left and right it shows no difference.
    least = 0.9 if task == 'minatar_space_invaders' else 0.99
    assert np.mean((true == found).all(-1)) > least
    assert 'cannot be seen in random play' in capsys.readouterr().out

  def test_a_crop_that_is_wrong_is_told(self, tmp_path, capsys):
    _, shown = boards('minatar_breakout', 20)
    images = [
        np.pad(larger(x, 13), ((40, 18), (20, 150), (0, 0)),
               constant_values=90) for x in shown]
    path = film(tmp_path / 'a.mp4', images)
    run(path, tmp_path)
    said = capsys.readouterr().out
    assert 'the frames are wider than what the agent sees: is --crop' in said
    assert '% of the fields have no colour of the game: is --crop' in said
    run(path, tmp_path, '--crop', '20', '40', '130', '130', '--overwrite')
    assert 'WARNING' not in capsys.readouterr().out

  def test_of_our_films(self, tmp_path):
    true, _ = boards('minatar_breakout')
    images = [
        larger(np.uint8(255 * videos.colour(x / 255)), 12) for x in true]
    found = run(film(tmp_path / 'a.mp4', images), tmp_path)['image']
    assert np.mean((true == found).all(-1)) > 0.999


class TestTime:

  def ramp(self, tmp_path, rate, each):
    # Step k has the brightness 10 k, in `each` frames in a row.
    images = [np.full((64, 64, 3), 10 * (i // each), np.uint8)
              for i in range(20 * each)]
    return film(tmp_path / 'a.mkv', images, rate, 'ffv1')

  def values(self, data):
    return data['image'][:, 0, 0, 0].tolist()

  @pytest.mark.parametrize('rate, each, fps', [(10, 1, 10), (30, 5, 6)])
  def test_a_step_lasts_so_many_frames(self, tmp_path, rate, each, fps):
    path = self.ramp(tmp_path, rate, each)
    data = run(path, tmp_path, '--fps', str(fps), task='crafter_reward')
    assert self.values(data) == [10 * x for x in range(20)]

  def test_each_frame_is_a_step(self, tmp_path):
    data = run(self.ramp(tmp_path, 10, 2), tmp_path, task='crafter_reward')
    assert self.values(data) == [10 * (x // 2) for x in range(40)]

  def test_each_change_is_a_step(self, tmp_path):
    data = run(
        self.ramp(tmp_path, 10, 4), tmp_path, '--changes',
        task='crafter_reward')
    assert self.values(data) == [10 * x for x in range(20)]
    assert data['is_first'].tolist() == [True] + 19 * [False]
    assert not data['is_last'].any()

  @pytest.mark.parametrize('flags, times', [
      ([], 10 * [1]),
      (['--fps', '6'], [1, 1, 3, 1, 2, 1, 1, 1, 4, 1])])
  def test_an_image_that_stands_is_several_steps(
      self, tmp_path, flags, times, capsys):
    # At 30 images a second for 6 steps, some early and late; the game waits
    # before it begins and after the film.
    frames = [40, 6, 15, 4, 9, 5, 5, 5, 21, 30]
    images = [np.full((64, 64, 3), 10 * i, np.uint8)
              for i, n in enumerate(frames) for _ in range(n)]
    data = run(
        film(tmp_path / 'a.mkv', images, 30, 'ffv1'), tmp_path, '--changes',
        *flags, task='crafter_reward')
    assert self.values(data) == [
        10 * i for i, n in enumerate(times) for _ in range(n)]
    told = capsys.readouterr().out
    assert ('38% of the images stand for two steps or more' in told) == (
        not flags)
    assert ('add --fps 6\n' in told) == (not flags)

  @pytest.mark.parametrize('fps, slow', [(5, False), (2.5, True)])
  def test_a_game_slower_than_said(self, tmp_path, fps, slow, capsys):
    each = round(30 / fps)
    run(self.ramp(tmp_path, 30, each), tmp_path, '--changes', '--fps', '6',
        task='crafter_reward')
    told = capsys.readouterr().out
    assert ('image changes 2.5 times a second and --fps says 6' in told) == (
        slow)

  def test_repeats_are_told(self, tmp_path, capsys):
    run(self.ramp(tmp_path, 10, 4), tmp_path, task='crafter_reward')
    assert '76% of the images repeat the one before: ' in (
        capsys.readouterr().out)

  @pytest.mark.parametrize('end, over', [('1.55', True), ('9', False)])
  def test_games_are_where_it_is_said(self, tmp_path, end, over):
    data = run(
        self.ramp(tmp_path, 10, 1), tmp_path, '--games', '0.15', '0.55',
        '0.95', end, task='crafter_reward')
    last = 150 if over else 190
    assert self.values(data) == [
        20, 30, 40, 50, *range(100, last + 10, 10)]
    assert np.flatnonzero(data['is_first']).tolist() == [0, 4]
    assert np.flatnonzero(data['is_last']).tolist() == [3] + over * [9]
    assert np.array_equal(data['is_last'], data['is_terminal'])

  @pytest.mark.parametrize('seconds', [
      ['1'], ['2', '1'], ['0', '1', '1', '2']])
  def test_games_that_cannot_be(self, tmp_path, seconds):
    with refused(f'--games {" ".join(seconds)}: expected the second'):
      run(self.ramp(tmp_path, 10, 1), tmp_path, '--games', *seconds,
          task='crafter_reward')
    assert not (tmp_path / 'film.h5').exists()


def test_atari_is_as_the_emulator_has_it(tmp_path):
  # A film of every frame, three times as large.
  env = tasks.make_env('atari_pong', 0, noops=0, sticky=False)
  play = record.rollout(env, record.Random(env), 12)
  ale = atari.emulator('pong', 0)
  ale.reset_game()
  frames = [ale.getScreenRGB()]
  for act in play['action'][:-1]:
    for _ in range(4):
      ale.act(env.actions[act])
      frames.append(ale.getScreenRGB())
  # Step k shows the last two up to 4 k, in the middle of its four frames.
  path = film(
      tmp_path / 'a.mkv', [larger(frames[0], 3)] * 3 + [
          larger(x, 3) for x in frames[1:]], 60, 'ffv1')
  data = run(path, tmp_path, task='atari_pong')
  assert len(data['image']) == 12
  assert np.array_equal(data['image'], play['image'])


class TestMistakes:

  def test_no_film(self, tmp_path):
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'nothing of a film')
    with refused('--source', 'cannot be read as a film'):
      run(path, tmp_path)

  def test_no_such_film(self, tmp_path):
    with refused('no such file or folder'):
      run(tmp_path / 'a.mp4', tmp_path)

  def test_frames_too_large(self, tmp_path, monkeypatch):
    path = film(tmp_path / 'a.mkv', [np.zeros((64, 64, 3), np.uint8)] * 3,
                codec='ffv1')
    monkeypatch.setattr(video, 'LARGEST', 64 * 64 - 1)
    with refused('frames of 64 x 64 pixels'):
      run(path, tmp_path, task='crafter_reward')

  @pytest.mark.parametrize('flags, words', [
      (['--crop', '1', '0', '64', '64'], '--crop 1 0 64 64: is not inside'),
      (['--games', '9', '10'], 'has no game of two steps or more')])
  def test_flags_beyond_it(self, tmp_path, flags, words):
    path = film(tmp_path / 'a.mkv', [np.zeros((64, 64, 3), np.uint8)] * 3,
                codec='ffv1')
    with refused(words):
      run(path, tmp_path, *flags, task='crafter_reward')

  def test_a_task_without_image(self):
    env = tasks.make_env('gym_CartPole-v1', 0)
    with refused('a film shows one image, and the agent sees vector'):
      screens.look('gym_CartPole-v1', env)
