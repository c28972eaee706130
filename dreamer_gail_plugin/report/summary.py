"""Computes the report's numbers: scores of runs and methods, curves."""

import dataclasses

import numpy as np

from ..evaluate import stats
from ..evaluate.scores import WINDOW
from . import evaluations
from . import methods as methodlib

BINS = 30  # As many as upstream's plot.py has.
SHARE = 0.1  # Last part of the training steps, whose games count.
SAMPLES = 2000
DONE = ('complete', 'imported')


@dataclasses.dataclass
class Score:
  """The score of a run: from its evaluation, or from its last training games.

  `source` says which. `strata` is a list of arrays, the scores of the games
  of each chunk. `lengths` and `limits` are per game and None for training
  games. `about` is the summary of the evaluation.
  """

  source: str
  strata: list
  step: float
  lengths: np.ndarray = None
  limits: np.ndarray = None
  about: dict = dataclasses.field(default_factory=dict)

  @property
  def games(self):
    """Return the scores (N,) of all games."""
    return np.concatenate(self.strata)


def score(run):
  """Return the Score of a run, None if no game counts.

  It is of the latest evaluation of the sampled policy, else of the greedy
  one, else of the training games in the last tenth of the steps, or in the
  last WINDOW steps if that is more.
  """
  found = evaluations.best(run.evals)
  if found:
    strata = [
        found['scores'][found['chunks'] == x]
        for x in np.unique(found['chunks'])]
    return Score(
        f'evaluation, {found["policy"]}', strata, found['step'],
        found['lengths'], found['limits'], found['summary'])
  keep = run.steps > run.last - max(WINDOW, SHARE * run.last)
  if not keep.any():
    return None
  return Score('training', [run.scores[keep]], run.last)


@dataclasses.dataclass
class Row:
  """One row of the table: a method on a task, over all of its runs.

  `values` are the mean scores of the runs and `sd` is their deviation (None
  for one run). `iqm` is of all games together, `low` and `high` are its 95 %
  bootstrap interval, whose strata are the runs' chunks. `normalised` is 0 for
  random play and 1 for the expert, `human` the same for human play of Atari,
  `crafter` the score of Crafter in percent, `hours` the mean over runs. None
  stands for unknown.
  """

  task: str
  method: str
  seeds: list
  sources: list
  values: np.ndarray
  mean: float
  sd: float
  iqm: float
  low: float
  high: float
  games: int
  length: float
  limits: float
  steps: float
  hours: float
  uses_reward: bool
  human: float
  crafter: float
  flags: tuple
  normalised: float = None


def table(runs, methods, experts):
  """Return the Rows of all tasks, tasks and methods in their order.

  `experts` maps a task to the mean score of its demonstrations. If some runs
  of a method are complete, only those count, as scores at other steps cannot
  be averaged with them; nor can those of other options of the environment. A
  run whose games equal another's does not count either. Runs that do not count
  get a sentence in their `problems`.
  """
  rows = []
  for task in tasks(runs):
    part = []
    for method in methods:
      members = _alike(_finished([
          x for x in runs if (x.task, x.method) == (task, method)]))
      scored = _distinct([(x, score(x)) for x in members])
      if scored:
        part.append(_row(task, method, *zip(*scored)))
    _normalise(part, experts.get(task))
    rows += part
  return rows


def _finished(runs):
  done = [x for x in runs if x.state in DONE]
  for run in runs:
    if done and run.state not in DONE:
      run.problems.append(
          'not in the scores of its method, whose other runs are complete')
  return done or runs


def _alike(runs):
  # Other options of the environment make another task of it.
  options = [_options(x) for x in runs]
  usual = max(options, key=options.count, default=None)
  found = []
  for run, own in zip(runs, options):
    # Runs of before do not have all of them.
    differ = [k for k in own if k in usual and own[k] != usual[k]]
    if not differ:
      found.append(run)
      continue
    run.problems.append(
        'not in the scores of its method, whose other runs have another '
        f'{", ".join(differ)}')
  return found


def _options(run):
  prefix = f'env.{run.task.partition("_")[0]}.'
  return {
      k: str(v) for k, v in run.flat.items()
      if k.startswith(prefix) and not k.endswith('.traceback')}


def _distinct(scored):
  # Copies of a run, or random play from one seed, would narrow the interval.
  found = []
  for run, own in scored:
    if own is None:
      continue
    same = [
        x.name for x, y in found
        if np.ptp(own.games) and np.array_equal(own.games, y.games)]
    if same:
      run.problems.append(
          f'not in the scores, since its games are those of {same[0]}')
    else:
      found.append((run, own))
  return found


def tasks(runs):
  """Return the tasks of the runs in alphabetical order."""
  return sorted({x.task for x in runs})


def _row(task, method, runs, scores):
  values = np.array([x.games.mean() for x in scores])
  strata = sum([x.strata for x in scores], [])
  games = np.concatenate(strata)
  low, high = stats.bootstrap(strata, stats.iqm, seed=0, n=SAMPLES)
  return Row(
      task, method, seeds=sorted(x.seed for x in runs),
      sources=sorted({x.source for x in scores}), values=values,
      mean=float(values.mean()),
      sd=float(values.std(ddof=1)) if len(values) > 1 else None,
      iqm=stats.iqm(games), low=low, high=high, games=len(games),
      length=_mean([x.lengths for x in scores]),
      limits=_mean([x.limits for x in scores]),
      steps=float(np.mean([x.step for x in scores])),
      hours=_mean([_hours(x) for x in runs]),
      uses_reward=runs[0].uses_reward,
      human=_mean([x.about.get('human_normalised') for x in scores]),
      crafter=_mean([x.about.get('crafter_score') for x in scores]),
      normalised=_mean([x.about.get('expert_normalised') for x in scores]),
      flags=tuple(sorted({
          str(y) for x in scores for y in x.about.get('flags', ())})))


def _mean(parts):
  if any(x is None for x in parts):
    return None
  return float(np.mean([np.mean(x) for x in parts]))


def _hours(run):
  hours = run.hours(np.float64(run.last))
  return None if hours is None else float(hours)


def _normalise(rows, expert):
  random = [x.mean for x in rows if x.method == methodlib.RANDOM]
  if not random or expert is None or expert == random[0]:
    return
  for row in rows:
    row.normalised = (row.mean - random[0]) / (expert - random[0])


@dataclasses.dataclass
class Curve:
  """Runs of a method at the points `x` (P,): `ys` (R, P), NaN if not reached.

  At least one run reaches each point. The mean is defined only at the points
  that all runs reach, `full` (P,): elsewhere it would jump where a run ends.
  """

  x: np.ndarray
  ys: np.ndarray

  @property
  def full(self):
    """Return which points all runs reach."""
    return np.isfinite(self.ys).all(0)

  @property
  def mean(self):
    """Return the mean over runs (P,), NaN where one is missing."""
    return self.ys.mean(0)

  @property
  def end(self):
    """Return the mean of the runs' last values."""
    return float(np.mean([y[np.isfinite(y)][-1] for y in self.ys]))


def curve(series, limit, bins=BINS):
  """Return the Curve of [(xs, ys), ...], one pair for a run, or None.

  Each run is averaged in `bins` bins up to `limit`. Empty bins between others
  are interpolated, those before the first and after the last stay empty.
  """
  series = [(x, y) for x, y in series if len(x)]
  if not series or not limit > 0:
    return None
  edges = np.linspace(0, limit, bins + 1)
  centres = (edges[1:] + edges[:-1]) / 2
  ys = np.stack([_binned(x, y, edges, centres) for x, y in series])
  keep = np.isfinite(ys).any(0)
  return Curve(centres[keep], ys[:, keep])


def _binned(xs, ys, edges, centres):
  count = np.histogram(xs, edges)[0]
  total = np.histogram(xs, edges, weights=ys)[0]
  full = np.flatnonzero(count)
  if not len(full):
    return np.full(len(centres), np.nan)
  means = total[full] / count[full]
  return np.interp(
      centres, centres[full], means, left=np.nan, right=np.nan)
