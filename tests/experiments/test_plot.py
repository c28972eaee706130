"""The figure of a study, by hand-made results."""

import numpy as np
import pytest
from PIL import Image

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import results
from dreamer_gail_plugin.experiments import __main__ as experiments
from dreamer_gail_plugin.experiments import plot
from dreamer_gail_plugin.experiments import table
from helpers.runresults import BREAKOUT
from helpers.runresults import all_results
from helpers.runresults import make


def run(steps, scores, end, score):
  """Return a run with a curve that ends at `end` with an evaluation."""
  return make('gail', BREAKOUT, 0, score, steps=end, training={
      'steps': steps, 'scores': scores, 'episodes': []})


def test_draws(tmp_path):
  folder, path = tmp_path / 'results', tmp_path / 'figure.png'
  for x in all_results():
    results.save(folder / f'{x["task"]}-{x["method"]}-{x["seed"]}.json', x)
  args = ['plot', str(folder), '--out', str(path)]
  assert experiments.main(args) == 0
  image = np.asarray(Image.open(path))
  # Three panels beside each other, each with something in it.
  for panel in np.array_split(image, 3, 1):
    assert len(np.unique(panel.reshape(-1, 3), axis=0)) > 50
  with pytest.raises(UserError, match='is there already'):
    experiments.main(args)


def test_settings_are_for_tables(tmp_path):
  found = table.Scores([make('gail', BREAKOUT, 0, 1, setting='penalty 10')])
  with pytest.raises(UserError, match='print its table'):
    plot.draw(found, tmp_path / 'x.png')
  assert not list(tmp_path.iterdir())


def test_bars_name_what_was_not_run():
  ax = plot.bars(table.Scores(all_results()))
  notes = [x.get_text() for x in ax.texts]
  assert notes == ['1 of 2 tasks', '0.50', '0.65']
  names = [x.get_text() for x in ax.get_yticklabels()]
  assert names == ['random', 'env', 'gail']


class TestCurve:

  def test_ends_at_the_evaluation(self):
    # The last window of 10,000 is not over, no game ended in the second.
    curve = plot.curve([run(
        [10000, 20000, 30000, 40000], [1.0, None, 3.0, 9.0], 35000, 8)],
        'sampled')
    np.testing.assert_array_equal(curve.x, [5000, 15000, 25000, 35000])
    np.testing.assert_array_equal(curve.ys, [[1, 2, 3, 8]])

  def test_no_game_ended_for_long(self):
    curve = plot.curve([run(
        [10000, 20000, 30000], [None, 0.0, None], 30000, 18)], 'greedy')
    np.testing.assert_array_equal(curve.x, [15000, 25000, 30000])
    np.testing.assert_allclose(curve.ys, [[0, 19 * 2 / 3, 19]])

  def test_seeds_of_unlike_length(self):
    curve = plot.curve([
        run([10000, 20000], [1.0, 2.0], 20000, 3),
        run([10000], [4.0], 10000, 5)], 'sampled')
    np.testing.assert_array_equal(curve.x, [5000, 10000, 15000, 20000])
    np.testing.assert_array_equal(
        curve.ys, [[1, 1.5, 2, 3], [4, 5, np.nan, np.nan]])
