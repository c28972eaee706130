"""Films: what is on a frame, and files that are whole."""

import av
import numpy as np
from PIL import Image

from dreamer_gail_plugin.evaluate import film


class TestTile:

  def test_enlarged_by_a_whole_factor(self):
    image = np.zeros((10, 10, 3), np.uint8)
    image[2, 7] = (10, 200, 30)
    frame = film.tile(image, ['text'])
    # 13 pixels a cell are the first to reach WIDTH.
    assert frame.shape == (130 + film.LINE, 130, 3)
    assert (frame[26:39, 91:104] == (10, 200, 30)).all()
    rest = frame[:130].copy()
    rest[26:39, 91:104] = 0
    assert not rest.any()

  def test_large_images_stay_and_sizes_are_even(self):
    image = np.random.default_rng(0).integers(
        0, 256, (201, 161, 1), dtype=np.uint8)
    frame = film.tile(image, ['a', 'b'])
    assert frame.shape == (234, 162, 3)  # Codecs want even sizes.
    np.testing.assert_array_equal(frame[:201, :161], image.repeat(3, -1))

  def test_text_is_under_the_image(self):
    image = np.zeros((128, 128, 1), np.uint8)
    with_text, without = film.tile(image, ['score 5']), film.tile(image, [''])
    np.testing.assert_array_equal(with_text[:128], without[:128])
    assert (with_text[128:] != without[128:]).any()

  def test_boards_of_many_channels_are_coloured(self):
    image = np.zeros((128, 128, 10), np.uint8)
    image[:64, :, 3], image[64:, :, 8] = 255, 255
    frame = film.tile(image, [])
    assert (frame[0, 0] != frame[127, 0]).any()


class TestStrip:

  def test_order(self):
    tiles = [np.full((20, 30, 3), x, np.uint8) for x in range(1, 11)]
    picture = film.strip(tiles, '')
    found = [x for x in np.unique(picture) if 0 < x <= 10]
    assert found == list(range(1, 11))
    places = [np.argwhere((picture == x).all(-1))[0] for x in found]
    rows = [y for y, _ in places]
    assert rows == [rows[0]] * 8 + [rows[8]] * 2 and rows[8] > rows[0]
    assert np.diff([x for _, x in places])[[0, 6]].tolist() == [36, 36]

  def test_long_titles_are_broken(self):
    lines = film.wrap('word ' * 50, 200)
    assert len(lines) > 3 and ' '.join(lines) == ('word ' * 50).strip()
    assert film.wrap('a' * 100, 10) == ['a' * 100]


class TestReel:

  def film(self, path, length, disc=None):
    """Film `length` actions with a reward of 1 each; return the paths."""
    reel = film.Reel(path, 'a title')
    for step in range(length + 1):
      image = np.full((16, 16, 3), 2 * step % 256, np.uint8)
      reel.add(image, float(step > 0), None if step == length else disc)
    return reel, reel.close(' of 3 games')

  def test_files(self, tmp_path):
    reel, paths = self.film(tmp_path / '7_sampled_best', 21)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert {x.name for x in paths} == {
        '7_sampled_best.mp4', '7_sampled_best.png'}
    with av.open(str(paths[0])) as video:
      frames = [x.to_ndarray(format='rgb24') for x in video.decode(video=0)]
    assert len(frames) == 22
    grey = [x[40, 40].mean() for x in frames]
    np.testing.assert_allclose(grey, 2 * np.arange(22), atol=4)
    # Steps 0, 8, 16 and the last one.
    assert [x[40, 40, 0] for x in reel.frames] == [0, 16, 32, 42]
    assert Image.open(paths[1]).size[0] > 4 * 128

  def test_long_games_show_their_end(self, tmp_path):
    reel, _ = self.film(tmp_path / 'long', 8 * 60)
    assert len(reel.frames) == film.FRAMES and reel.seen == 61
    assert reel.frames[-1][40, 40, 0] == (2 * 8 * 60) % 256

  def test_reward_of_the_discriminator(self, tmp_path):
    plain, _ = self.film(tmp_path / 'plain', 8)
    shown, _ = self.film(tmp_path / 'shown', 8, disc=0.71)
    assert (plain.frames[0] != shown.frames[0]).any()
    # No action follows the last observation, so there is no reward for it.
    np.testing.assert_array_equal(plain.frames[-1], shown.frames[-1])

  def test_nothing_is_left_of_a_film_that_is_cut(self, tmp_path):
    reel = film.Reel(tmp_path / 'cut', 'title')
    for _ in range(100):  # The encoder keeps some before it writes.
      reel.add(np.zeros((16, 16, 3), np.uint8), 0.0)
    assert [x.name for x in tmp_path.iterdir()] == ['.cut.mp4.part']
    reel.discard()
    assert not list(tmp_path.iterdir())
