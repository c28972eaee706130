"""Statistics of scores: the interquartile mean and bootstrap intervals.

Both as Agarwal et al. (2021), *Deep reinforcement learning at the edge of the
statistical precipice*, recommend for few and skewed scores.
"""

import numpy as np


def iqm(x):
  """Return the interquartile mean of the values x (N,) as a float.

  The mean of what is left when a quarter of the values is dropped at either
  end; a quarter is rounded down to whole values, so up to three values lose
  nothing. In the unit of x. Raises ValueError if there are no values.
  """
  x = np.sort(np.asarray(x, np.float64), axis=None)
  if not x.size:
    raise ValueError('The interquartile mean of no values is not defined.')
  cut = x.size // 4
  return float(x[cut: x.size - cut].mean())


def bootstrap(strata, statistic, seed, n=2000, level=0.95):
  """Return the ends (low, high) of a stratified bootstrap interval.

  The percentile interval of a statistic of all values together. Each of `n`
  samples draws from every stratum as many values as it has, with replacement,
  so that each keeps its share. Few values make it too narrow, and equal
  values make it a point.

  Args:
    strata: list of arrays (N_i,) of values that belong together, such as the
      scores of one task or one seed. Empty ones do not count.
    statistic: maps an array (N,) to a number, such as `iqm` or `np.mean`.
    seed: makes the result repeatable, as of np.random.default_rng.
    n: number of samples.
    level: share of such intervals that hold the true value.

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
