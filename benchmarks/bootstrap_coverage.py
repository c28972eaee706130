"""Coverage of the bootstrap intervals of the interquartile mean.

  python benchmarks/bootstrap_coverage.py benchmarks/bootstrap_coverage.json

draws evaluations (five chunks of 50 scores) from distributions whose
interquartile mean is known and counts how often the 95 % interval holds it.
"""

import json
import os
import pathlib
import platform
import sys

import numpy as np
import tqdm

from dreamer_gail_plugin.evaluate import stats

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


def coverage(name, evaluations, samples, chunks=5, games=50, seed=0):
  """Return the share of intervals that hold the true interquartile mean."""
  draw, quantile = DISTRIBUTIONS[name]
  truth = true_iqm(quantile)
  # Or the distributions would share their luck.
  rng = np.random.default_rng([seed, list(DISTRIBUTIONS).index(name)])
  hits = 0
  for number in tqdm.trange(evaluations, desc=name):
    low, high = stats.bootstrap(
        draw(rng, (chunks, games)), stats.iqm, number, samples)
    hits += low <= truth <= high
  return hits / evaluations


def main(filename, evaluations=1500, samples=1000):
  """Write the coverage for all distributions but those in the file already."""
  path = pathlib.Path(filename)
  result = {
      'command': f'python benchmarks/bootstrap_coverage.py {filename}',
      'level': 0.95, 'chunks': 5, 'games': 50, 'evaluations': evaluations,
      'samples': samples, 'seed': 0, 'numpy': np.__version__,
      'python': platform.python_version(), 'coverage': {}}
  if path.exists():
    result = json.loads(path.read_text())
  for name in [x for x in DISTRIBUTIONS if x not in result['coverage']]:
    result['coverage'][name] = coverage(
        name, result['evaluations'], result['samples'])
    part = path.with_name(f'{path.name}.part')
    part.write_text(json.dumps(result, indent=1) + '\n')
    os.replace(part, path)
  print(json.dumps(result['coverage'], indent=1))


if __name__ == '__main__':
  main(*sys.argv[1:])
