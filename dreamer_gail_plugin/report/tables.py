"""The tables of the page: results, runs, achievements, headlines."""

import csv
import dataclasses
import io
import json

import numpy as np

from ..evaluate.stats import number
from . import conclusions
from . import evaluations
from . import summary
from .style import uri

SOURCES = {
    'evaluation, sampled': 'evaluation', 'training': 'training games',
    'evaluation, greedy': 'evaluation, greedy'}


def results(rows):
  """Return a dict for each Row: its task, its cells and its warnings.

  Cells are [(column, text)]. Columns that are empty in all rows are left out.
  """
  lines = [dict(task=x.task, cells=_cells(x), flags=x.flags) for x in rows]
  empty = {
      name for cells in zip(*[x['cells'] for x in lines])
      for name in {x for x, _ in cells} if all(y == '-' for _, y in cells)}
  for line in lines:
    line['cells'] = [x for x in line['cells'] if x[0] not in empty]
  return lines


def _cells(row):
  spread = '' if row.sd is None else f' ± {number(row.sd)}'
  return [
      ('method', row.method),
      ('seeds', ', '.join(map(str, row.seeds))),
      ('score', number(row.mean) + spread),
      ('IQM [95 %]',
       f'{number(row.iqm)} [{number(row.low)}, {number(row.high)}]'),
      ('expert = 1', '-' if row.normalised is None else
       f'{row.normalised:z.2f}'),
      ('human = 1', '-' if row.human is None else f'{row.human:.2f}'),
      ('Crafter score',
       '-' if row.crafter is None else f'{row.crafter:.1f} %'),
      ('games', f'{row.games:,}'),
      ('from', ', '.join(SOURCES[x] for x in row.sources)),
      ('length', number(row.length)),
      ('time limit', '-' if row.limits is None else f'{row.limits:.0%}'),
      ('steps', f'{row.steps:,.0f}'),
      ('hours', number(row.hours))]


def headlines(rows, experts):
  """Return [(task, text)]: what can be said of its methods."""
  lines = []
  for task in dict.fromkeys(x.task for x in rows):
    own = [x for x in rows if x.task == task]
    text = f'{conclusions.sentence(own)} {conclusions.shares(own)}'.strip()
    if task in experts and np.isfinite(experts[task].score):
      text += f' The demonstrations have {number(experts[task].score)}.'
    lines.append((task, text))
  return lines


def downloads(name, lines):
  """Return a table to download: [(kind, file name, URI)].

  `lines` is a list of dicts, one a row, of the same keys.
  """
  buffer = io.StringIO()
  writer = csv.DictWriter(buffer, lines[0], lineterminator='\n')
  writer.writeheader()
  writer.writerows(
      {k: ' '.join(map(str, v)) if isinstance(v, list) else v
       for k, v in x.items()} for x in lines)
  text = json.dumps(lines, indent=1) + '\n'
  return [
      ('CSV', f'{name}.csv', uri(buffer.getvalue().encode(), 'text/csv')),
      ('JSON', f'{name}.json', uri(text.encode(), 'application/json'))]


def runs(runs):
  """Return a dict of texts for each run, also of those with problems."""
  lines = []
  for run in runs:
    evals = {
        x: evaluations.latest(run.evals, x) for x in evaluations.POLICIES}
    mean = {k: v and float(v['scores'].mean()) for k, v in evals.items()}
    keep = run.steps > run.last - max(
        summary.WINDOW, summary.SHARE * run.last)
    training = run.scores[keep].mean() if keep.any() else None
    hours = run.hours(np.float64(run.last)) if run.usable else None
    lines.append(dict(
        name=run.name, task=run.task or '-', method=run.method or '-',
        seed=run.seed if run.task else '-', state=run.state,
        steps=f'{run.last:,.0f}', hours=number(hours),
        training=number(training), sampled=number(mean['sampled']),
        greedy=number(mean['greedy']), problems=run.problems))
  return lines


def achievements(runs, task):
  """Return (names, {method: rates (N,)}) of Crafter, or None without any.

  The rates are means over the runs of a method whose evaluation has them.
  """
  rates = {}
  for run in [x for x in runs if x.task == task]:
    found = evaluations.best(run.evals)
    if found and found['summary'].get('success'):
      rates.setdefault(run.method, []).append(found['summary']['success'])
  if not rates:
    return None
  names = sorted(set().union(*[x for y in rates.values() for x in y]))
  series = {
      k: np.array([np.mean([x.get(n, 0) for x in v]) for n in names])
      for k, v in rates.items()}
  order = np.argsort(-np.mean(list(series.values()), 0), kind='stable')
  return (
      [names[i].replace('_', ' ') for i in order],
      {k: v[order] for k, v in series.items()})


def plain(runs, rows, experts):
  """Return the numbers of the report as a dict for JSON."""
  return {
      'results': [
          {k: v.tolist() if isinstance(v, np.ndarray) else
           list(v) if isinstance(v, tuple) else v
           for k, v in dataclasses.asdict(x).items()} for x in rows],
      'comparisons': [
          {'task': task, **dataclasses.asdict(x)}
          for task in dict.fromkeys(x.task for x in rows)
          for x in conclusions.leads([x for x in rows if x.task == task])],
      'experts': {
          k: v.score if np.isfinite(v.score) else None
          for k, v in experts.items()},
      'runs': [
          {k: getattr(x, k) for k in (
              'name', 'task', 'method', 'seed', 'state', 'problems')}
          | {'last': float(x.last)} for x in runs]}
