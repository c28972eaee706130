"""Statistics of scores: interquartile mean, intervals, numbers as text.

Agarwal et al. (2021), *Deep reinforcement learning at the edge of the
statistical precipice*, recommend both for few and skewed scores.
"""

import warnings

import numpy as np
import scipy.stats


def iqm(x):
  """Return the interquartile mean of the values x (N,) as a float.

  A quarter of the values is dropped at either end and the rest averaged. The
  quarter is rounded down to whole values, so of three values none is dropped.
  Raises ValueError if there are no values.
  """
  x = np.sort(np.asarray(x, np.float64), axis=None)
  if not x.size:
    raise ValueError('The interquartile mean of no values is not defined.')
  cut = x.size // 4
  return float(x[cut: x.size - cut].mean())


def bootstrap(strata, statistic, seed, n=2000, level=0.95):
  """Return the ends (low, high) of a stratified bootstrap interval.

  It is the percentile interval of a statistic of all values together. Each of
  `n` samples draws from every stratum as many values as it has, with
  replacement. Of few values the interval is too narrow, of equal ones a point.

  Args:
    strata: list of arrays (N_i,) of values that belong together, such as the
      scores of one task or one seed. Empty ones do not count.
    statistic: maps an array (N,) to a number, such as `iqm` or `np.mean`.
    seed: of np.random.default_rng.
    n: number of samples.
    level: share of such intervals that contain the true value.

  Raises ValueError if there are no values or `level` is not between 0 and 1.
  """
  strata = [np.asarray(x, np.float64).reshape(-1) for x in strata]
  strata = [x for x in strata if x.size]
  if not strata:
    raise ValueError('A bootstrap interval of no values is not defined.')
  if not 0 < level < 1:
    raise ValueError(f'level is between 0 and 1, not {level}.')
  rng = np.random.default_rng(seed)
  samples = np.concatenate([
      x[rng.integers(x.size, size=(n, x.size))] for x in strata], 1)  # (n, N)
  values = [statistic(x) for x in samples]
  tail = 50 * (1 - level)
  low, high = np.percentile(values, [tail, 100 - tail])
  return float(low), float(high)


def improvement(xs, ys):
  """Return the probability of improvement of X over Y, from 0 to 1.

  That is the chance that a run of X scores higher than one of Y on the same
  task, averaged over tasks; equal scores count half. On one task it is the
  Mann-Whitney U statistic over the number of pairs (Agarwal et al., 2021,
  section 4.3).

  `xs` and `ys` are lists of arrays (N_i,), their scores on each task.
  Raises ValueError if the lists differ in length or an array is empty.
  """
  xs, ys = [[np.asarray(x, np.float64) for x in z] for z in (xs, ys)]
  if len(xs) != len(ys) or not xs or not all(x.size for x in xs + ys):
    raise ValueError('Improvement needs scores of both on every task.')
  chance = lambda x, y: np.mean(
      (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None]))
  return float(np.mean([chance(x, y) for x, y in zip(xs, ys)]))


def improvement_interval(xs, ys, seed, n=2000, level=0.95):
  """Return the ends (low, high) of a bootstrap interval of `improvement`.

  It is the percentile interval. Each sample draws runs of X and of Y, on every
  task, with replacement. The other arguments are those of `bootstrap`.
  """
  improvement(xs, ys)  # Its errors.
  rng = np.random.default_rng(seed)
  draw = lambda z: [rng.choice(x, len(x)) for x in z]
  values = [improvement(draw(xs), draw(ys)) for _ in range(n)]
  tail = 50 * (1 - level)
  low, high = np.percentile(values, [tail, 100 - tail])
  return float(low), float(high)


def welch(xs, ys, level=0.95):
  """Return the ends (low, high) of Welch's interval of a difference of means.

  `xs` and `ys` are arrays of two values or more.
  """
  xs, ys = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
  if not (np.ptp(xs) or np.ptp(ys)):  # Else Welch's t is 0 / 0.
    return (float(xs.mean() - ys.mean()),) * 2
  with warnings.catch_warnings():  # Those of one of them may be all equal.
    warnings.simplefilter('ignore', RuntimeWarning)
    low, high = scipy.stats.ttest_ind(
        xs, ys, equal_var=False).confidence_interval(level)
  return float(low), float(high)


def rank_correlation(one, two):
  """Return Spearman's rho of two lists, None if one of them is constant."""
  if len(set(one)) < 2 or len(set(two)) < 2:
    return None
  return float(scipy.stats.spearmanr(one, two).statistic)


def number(value, sign=3):
  """Return a number as text: 0.41, 30.3, 1,240, or - for none."""
  if value is None or not np.isfinite(value):
    return '-'
  if abs(value) >= 1000:
    return f'{value:,.0f}'
  digits = sign - 1 - int(np.floor(np.log10(abs(value)))) if value else 0
  return f'{value:.{max(0, min(2, digits))}f}'
