"""The film of expert and agent side by side."""

import numpy as np
import pytest
from PIL import Image

from dreamer_gail_plugin import build
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.evaluate import beside
from dreamer_gail_plugin.evaluate import film
from helpers import savedruns
from helpers.refusals import refused


def frames(path):
  """Return the frames (T, H, W, 3) of a GIF and their durations in ms."""
  with Image.open(path) as file:
    found = []
    for index in range(file.n_frames):
      file.seek(index)
      found.append((np.array(file.convert('RGB')), file.info['duration']))
  images, durations = zip(*found)
  return np.stack(images), durations


def test_parts_stand_side_by_side_and_short_ones_stay(tmp_path):
  parts = [
      np.full((count, 20, 30, 3), 10 * part, np.uint8)
      + np.arange(count, dtype=np.uint8)[:, None, None, None]
      for part, count in ((1, 2), (9, 5))]
  beside.write(tmp_path / 'a.gif', parts)
  images, durations = frames(tmp_path / 'a.gif')
  assert images.shape[1:] == (20, 60 + beside.GAP, 3)
  assert images[:5, 5, 5, 0].tolist() == [10, 11, 11, 11, 11]
  assert images[:5, 5, -5, 0].tolist() == [90, 91, 92, 93, 94]
  assert (images[:, :, 30:30 + beside.GAP] == 255).all()
  frame = 10 * (100 // film.FPS)  # GIF counts hundredths of a second.
  assert sum(durations) == pytest.approx(
      frame * (5 + beside.HOLD), abs=frame)


def test_score_is_that_of_the_game(monkeypatch):
  shown = []
  monkeypatch.setattr(
      beside.film, 'tile', lambda image, lines: shown.append(lines) or image)
  beside.tiles({
      'image': np.zeros((4, 2, 2, 3), np.uint8),
      'reward': np.float32([0, 1, 0, 3]),
      'is_first': np.array([1, 0, 1, 0], bool)}, 'image', 'expert')
  assert shown == [['expert', f'score {x}'] for x in (0, 1, 0, 3)]


class TestCommand:

  def test_expert_and_agent(self, tmp_path, monkeypatch, capsys):
    logdir = savedruns.random(tmp_path / 'run')
    flags = ['--logdir', str(logdir), '--out', str(tmp_path / 'a.gif')]
    monkeypatch.setattr(build, 'needs_expert', lambda config: True)
    assert beside.main([*flags, '--steps', '6']) == tmp_path / 'a.gif'
    first = frames(tmp_path / 'a.gif')[0]
    assert first.shape[2] == 2 * 130 + beside.GAP and len(first) >= 6
    assert 'a.gif, 0.0 MB' in capsys.readouterr().out
    with refused('a.gif', '--overwrite'):
      beside.main(flags)
    beside.main([*flags, '--steps', '6', '--overwrite'])
    np.testing.assert_array_equal(frames(tmp_path / 'a.gif')[0], first)
    with refused('.gif'):
      beside.main([*flags[:2], '--out', str(tmp_path / 'a.mp4')])
    with refused('99'):
      beside.main([*flags, '--overwrite', '--checkpoints', '99'])

  def test_an_expert_that_was_filmed(self, tmp_path, monkeypatch):
    # Its store has no rewards.
    logdir, path = savedruns.random(tmp_path / 'run'), tmp_path / 'a.h5'
    steps = np.arange(4)
    store.write(path, [{
        'image': np.zeros((4, 10, 10, 4), np.uint8), 'is_first': steps == 0,
        'is_last': steps == 3, 'is_terminal': steps == 3}], {})
    monkeypatch.setattr(build, 'needs_expert', lambda config: True)
    monkeypatch.setattr(build, 'expert_path', lambda config: path)
    tile, shown = film.tile, set()
    monkeypatch.setattr(
        film, 'tile', lambda image, lines: (
            shown.add(tuple(lines)), tile(image, lines))[1])
    beside.main([
        '--logdir', str(logdir), '--out', str(tmp_path / 'a.gif'),
        '--steps', '4'])
    assert ('expert', 'score unknown') in shown and len(shown) > 1

  def test_no_images(self, tmp_path):
    logdir = savedruns.random(tmp_path / 'run', '--task', 'gym_CartPole-v1')
    with refused('gym_CartPole-v1 has no images'):
      beside.main(['--logdir', str(logdir), '--out', str(tmp_path / 'a.gif')])
