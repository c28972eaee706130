"""Videos: boards in colour, and which frames were imagined."""

import elements
import numpy as np
import pytest

from dreamer_gail_plugin.running import videos

GREEN, RED = (0, 255, 0), (255, 0, 0)


class TestColour:

  def test_grey(self):
    images = np.array([[[0.0], [0.5]]])
    assert videos.colour(images).tolist() == [[[0, 0, 0], [0.5, 0.5, 0.5]]]

  def test_rgb_is_kept(self):
    images = np.random.default_rng(0).uniform(size=(2, 4, 5, 3))
    np.testing.assert_array_equal(videos.colour(images), images)

  def test_a_hue_for_each_channel(self):
    colours = videos.colour(np.eye(4)[None])[0]
    np.testing.assert_allclose(
        colours, [[1, 0, 0], [0.5, 1, 0], [0, 1, 1], [0.5, 0, 1]], atol=1e-9)

  def test_overlaps_add_up(self):
    pixel = np.array([[[1.0, 1.0, 0.0, 0.0]]])
    np.testing.assert_allclose(videos.colour(pixel), [[[1, 1, 0]]])

  @pytest.mark.parametrize('channels', [1, 2, 4, 7, 10])
  def test_every_channel_is_seen(self, channels):
    colours = videos.colour(np.eye(channels)[None])[0]
    assert colours.shape == (channels, 3)
    assert colours.min() >= 0 and colours.max() <= 1
    assert len(np.unique(colours.round(3), axis=0)) == channels
    assert not videos.colour(np.zeros((1, 1, channels))).any()


class TestGrid:

  @pytest.mark.parametrize('channels', [1, 3, 4, 10])
  def test_layout(self, channels):
    B, T, h, w = 2, 4, 6, 5
    rng = np.random.default_rng(0)
    true = rng.uniform(size=(B, T, h, w, channels)).astype(np.float32)
    video = np.asarray(videos.grid(true, 0 * true, half=1))
    assert video.dtype == np.uint8
    assert video.shape == (T, 3 * h + 4, B * (w + 4), 3)
    want = (255 * videos.colour(true)).astype(int)
    for row in range(B):
      left = row * (w + 4)
      tile = video[:, :, left: left + w + 4].astype(int)
      inner = tile[:, 2: -2, 2: -2]
      assert abs(inner[:, :h] - want[row]).max() <= 1
      assert not inner[:, h: 2 * h].any()
      assert abs(inner[:, 2 * h:] - (255 - want[row]) / 2).max() <= 1
      for time, colour in enumerate([GREEN, RED, RED, RED]):
        assert (tile[time, :2] == colour).all()
        assert (tile[time, -2:] == colour).all()
        assert (tile[time, :, :2] == colour).all()
        assert (tile[time, :, -2:] == colour).all()

  def test_equal_images_have_a_grey_difference(self):
    true = np.full((1, 2, 3, 3, 3), 0.25, np.float32)
    video = np.asarray(videos.grid(true, true, half=1))
    assert (video[:, 2 + 6: -2, 2: -2] == 127).all()

  def test_predictions_out_of_range(self):
    true = np.zeros((1, 1, 2, 2, 3), np.float32)
    for value, seen in ((-3.0, 0), (3.0, 255)):
      video = np.asarray(videos.grid(true, true + value, half=1))
      assert (video[:, 2 + 2: 2 + 4, 2: -2] == seen).all()


class TestColourOutput:

  def output(self, value):
    seen = []
    videos.ColourOutput(seen.extend)(((7, 'name', value),))
    ((step, name, value),) = seen
    assert (step, name) == (7, 'name')
    return value

  @pytest.mark.parametrize('channels', [2, 4, 10])
  def test_boards_become_rgb(self, channels):
    video = np.zeros((3, 5, 6, channels), np.uint8)
    video[:, :, :, 0] = 255
    result = self.output(video)
    assert result.dtype == np.uint8 and result.shape == (3, 5, 6, 3)
    assert (result == [255, 0, 0]).all()

  @pytest.mark.parametrize('value', [
      'text', np.float32(3), np.arange(5), np.zeros((4, 5, 10), np.uint8),
      np.zeros((2, 4, 5, 1), np.uint8), np.zeros((2, 4, 5, 3), np.uint8),
      np.zeros((2, 4, 5, 10), np.float32)], ids=str)
  def test_all_else_is_passed_on(self, value):
    assert self.output(value) is value

  def test_waits_where_the_output_does(self):
    class Output:
      waited = False
      def __call__(self, summaries):
        pass
      def wait(self):
        self.waited = True
    output = Output()
    videos.ColourOutput(output).wait()
    assert output.waited
    # Upstream's logger asks by hasattr.
    assert not hasattr(
        videos.ColourOutput(elements.logger.TerminalOutput()), 'wait')
