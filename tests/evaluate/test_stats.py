"""The statistics against scipy's, hand-made values and simulation."""

import numpy as np
import pytest
import scipy.stats

from dreamer_gail_plugin.evaluate import stats


class TestIqm:

  def test_by_hand(self):
    assert stats.iqm([100, 1, 2, 3, 4, 5, 6, -100]) == 3.5
    assert stats.iqm([7]) == 7
    assert stats.iqm([1, 2, 9]) == 4  # A quarter of three is no whole value.

  @pytest.mark.parametrize('size', [1, 2, 3, 4, 5, 7, 8, 50, 250])
  def test_equals_trimmed_mean_of_scipy(self, size):
    x = np.random.default_rng(size).standard_cauchy(size)
    np.testing.assert_allclose(
        stats.iqm(x), scipy.stats.trim_mean(x, 0.25), rtol=1e-12)

  def test_refuses_no_values(self):
    with pytest.raises(ValueError, match='no values'):
      stats.iqm([])


class TestBootstrap:

  @pytest.mark.parametrize('sizes', [[250], [50] * 5, [3, 2, 4]])
  def test_equals_that_of_scipy(self, sizes):
    # To the last digit, as both draw alike. Ours takes strata of one value.
    rng = np.random.default_rng(0)
    strata = [rng.gamma(2.0, size=x) for x in sizes]
    found = scipy.stats.bootstrap(
        strata, lambda *x, axis: scipy.stats.trim_mean(
            np.concatenate(x, axis), 0.25, axis=axis),
        n_resamples=2000, method='percentile',
        random_state=np.random.default_rng(1))
    np.testing.assert_allclose(
        stats.bootstrap(strata, stats.iqm, seed=1), found.confidence_interval,
        rtol=1e-12)

  def test_strata_keep_their_share(self):
    # Within each stratum all values are equal, so nothing can vary. A plain
    # bootstrap of the same values would.
    strata = [np.zeros(30), np.full(10, 8.0)]
    assert stats.bootstrap(strata, np.mean, seed=0, n=200) == (2, 2)
    low, high = stats.bootstrap([np.concatenate(strata)], np.mean, 0, n=200)
    assert low < 1.5 and high > 2.5

  def test_level(self):
    x = np.random.default_rng(0).normal(size=100)
    wide = stats.bootstrap([x], np.mean, seed=0, level=0.95)
    narrow = stats.bootstrap([x], np.mean, seed=0, level=0.5)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    # Normal theory: 2 * 1.96 and 2 * 0.674 standard errors.
    error = x.std() / 10
    np.testing.assert_allclose(np.diff(wide), 3.92 * error, rtol=0.1)
    np.testing.assert_allclose(np.diff(narrow), 1.349 * error, rtol=0.1)

  def test_repeats_with_its_seed(self):
    x = np.arange(20.0)
    one, two, other = [
        stats.bootstrap([x], stats.iqm, seed, n=100) for seed in (3, 3, 4)]
    assert one == two != other

  def test_empty_strata_do_not_count(self):
    x = np.arange(9.0)
    assert stats.bootstrap([x, []], np.mean, 0) == (
        stats.bootstrap([x], np.mean, 0))

  def test_refuses_nonsense(self):
    with pytest.raises(ValueError, match='no values'):
      stats.bootstrap([[]], np.mean, 0)
    with pytest.raises(ValueError, match='between 0 and 1'):
      stats.bootstrap([[1.0]], np.mean, 0, level=95)


# Name: (draw of a shape, quantile function at p (N,)).
DISTRIBUTIONS = {
    'normal': (
        lambda rng, shape: rng.normal(size=shape), None),
    'exponential': (
        lambda rng, shape: rng.exponential(size=shape),
        lambda p: -np.log1p(-p)),
    # Scores as of Atari: many small ones and a long tail.
    'pareto, shape 2.5': (
        lambda rng, shape: rng.pareto(2.5, shape),
        lambda p: (1 - p) ** (-1 / 2.5) - 1),
    # Whole numbers, as of MinAtar: mean 4.
    'geometric': (
        lambda rng, shape: rng.geometric(0.2, shape) - 1.0,
        lambda p: np.floor(np.log1p(-p) / np.log(0.8))),
    # Half of the games are lost at once.
    'two ways, 0 or 5 + exponential': (
        lambda rng, shape: (rng.uniform(size=shape) < 0.5) * (
            5 + rng.exponential(size=shape)),
        lambda p: (p > 0.5) * (5 - np.log1p(-np.maximum(0, 2 * p - 1)))),
}


def true_iqm(quantile):
  """Return the interquartile mean of a distribution: the mean of its
  quantiles from 0.25 to 0.75. The normal one is symmetric around 0."""
  if quantile is None:
    return 0.0
  p = 0.25 + 0.5 * (np.arange(1_000_000) + 0.5) / 1_000_000
  return float(quantile(p).mean())


def coverage(name, evaluations, samples, chunks=5, games=50):
  """Return the share of intervals that hold the true interquartile mean."""
  draw, quantile = DISTRIBUTIONS[name]
  truth = true_iqm(quantile)
  # Or the distributions would share their luck.
  rng = np.random.default_rng([0, list(DISTRIBUTIONS).index(name)])
  hits = 0
  for number in range(evaluations):
    low, high = stats.bootstrap(
        draw(rng, (chunks, games)), stats.iqm, number, samples)
    hits += low <= truth <= high
  return hits / evaluations


class TestCoverage:

  @pytest.mark.parametrize('name', ['normal', 'exponential'])
  def test_about_95_percent(self, name):
    # Three standard errors of 400 trials at 95 %.
    share = coverage(name, evaluations=400, samples=200)
    assert 0.917 < share < 0.983

  def test_true_values(self):
    # Known ones: for the exponential, the integral of -ln(1 - p).
    exact = (lambda q: q * np.log(q) - q)
    assert true_iqm(
        DISTRIBUTIONS['exponential'][1]) == pytest.approx(
            2 * (exact(0.25) - exact(0.75)), abs=1e-6)
    rng = np.random.default_rng(0)
    for draw, quantile in DISTRIBUTIONS.values():
      sample = stats.iqm(draw(rng, 400_000))
      assert sample == pytest.approx(true_iqm(quantile), abs=0.02)


class TestImprovement:

  def test_by_hand(self):
    # 3 of 4 pairs and a tie; then none of 2.
    assert stats.improvement([[1, 3]], [[0, 1]]) == (3 + 0.5) / 4
    assert stats.improvement([[1, 3], [0]], [[0, 1], [5, 6]]) == 3.5 / 8

  @pytest.mark.parametrize('seed', range(5))
  def test_equals_mann_whitney_of_scipy(self, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 9, 7), rng.integers(0, 9, 12)  # With ties.
    found = scipy.stats.mannwhitneyu(x, y).statistic / (7 * 12)
    assert stats.improvement([x], [y]) == pytest.approx(found, rel=1e-12)

  def test_of_itself_and_the_other_way_round(self):
    rng = np.random.default_rng(0)
    xs, ys = [[rng.normal(size=n) for n in (3, 5)] for _ in range(2)]
    assert stats.improvement(xs, xs) == 0.5
    assert stats.improvement(xs, ys) == pytest.approx(
        1 - stats.improvement(ys, xs))

  def test_interval(self):
    rng = np.random.default_rng(0)
    x, y = rng.normal(0.5, 1, 60), rng.normal(0, 1, 60)
    low, high = stats.improvement_interval([x], [y], seed=0, n=500)
    assert low < stats.improvement([x], [y]) < high
    # Its standard error by Hanley and McNeil (1982) for normal scores, A 0.64:
    # about 0.05, so 0.2 from end to end.
    assert high - low == pytest.approx(0.2, abs=0.05)
    assert stats.improvement_interval([x], [y], seed=0, n=500) == (low, high)
    # Runs of one task never stand for those of another.
    assert stats.improvement_interval(
        [[1, 1], [5]], [[0], [9]], seed=0, n=50) == (0.5, 0.5)

  def test_refuses_nonsense(self):
    for xs, ys in (([], []), ([[1]], [[]]), ([[1]], [[1], [2]])):
      with pytest.raises(ValueError, match='every task'):
        stats.improvement(xs, ys)


@pytest.mark.parametrize('value, wanted', [
    (0.4081, '0.41'), (30.27, '30.3'), (1240, '1,240'), (0, '0'),
    (-21, '-21.0'), (345731.4, '345,731'), (None, '-'),
    (float('nan'), '-'), (0.0042, '0.00')])
def test_numbers(value, wanted):
  assert stats.number(value) == wanted
