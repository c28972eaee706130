"""Which games of an evaluation are filmed, and from which image."""

import numpy as np

from dreamer_gail_plugin.evaluate import highlights


def games(*scores):
  """Return games of these scores."""
  return [{'score': x} for x in scores]


class TestPick:

  def test_by_score(self):
    assert highlights.pick(games(3, 9, 1, 5, 4)) == {
        'best': 1, 'median': 4, 'worst': 2}

  def test_first_of_equal_ones(self):
    assert highlights.pick(games(1, 7, 7, 1)) == {
        'best': 1, 'median': 0, 'worst': 0}

  def test_one(self):
    assert highlights.pick(games(2)) == {'best': 0, 'median': 0, 'worst': 0}


class TestImages:

  def test_first_image(self):
    class Space:
      def __init__(self, dtype, *shape):
        self.dtype, self.shape = dtype, shape
    assert highlights.image_key({
        'vector': Space(np.float32, 3), 'log/image': Space(np.uint8, 4, 4, 3),
        'board': Space(np.uint8, 4, 4, 3)}) == 'board'
    assert highlights.image_key({'vector': Space(np.float32, 3)}) is None
