"""The tables of a study: what its runs say of each method.

Scores are expert-normalised: 0 is random play and 1 the demonstrations that
are bundled for the task, both under the same limits.
"""

import numpy as np

from ..errors import UserError
from ..evaluate import references
from ..evaluate import stats
from . import suites


class Scores:
  """Mean scores of all runs of a study.

  `results` are those of `results.merge`, `policy` the one whose score counts
  as that of a run, 'sampled' or 'greedy'; random play has the first only.
  `rows` are the settings and methods that occur, `tasks` the names of the
  tasks, and `marks` maps a task to the scores (random, expert).

  Raises UserError for unknown methods, for two results of one run, and where
  runs on one task name unlike experts.
  """

  def __init__(self, results, policy='sampled'):
    self.policy, self.runs = policy, {}
    for x in results:
      key = x.get('setting', ''), x['method'], x['task'], x['seed']
      if x['method'] not in suites.METHODS:
        raise UserError(
            f'There is a result of {x["method"]}, which is no method; there '
            f'are {", ".join(suites.METHODS)}.')
      if key in self.runs:
        raise UserError(
            f'There are two results of {" ".join(map(str, key)).strip()}; '
            f'remove one.')
      if x['evaluations']:
        self.runs[key] = x
    settings = list(dict.fromkeys(x[0] for x in self.runs))
    self.rows = sorted(
        {x[:2] for x in self.runs},
        key=lambda x: (settings.index(x[0]), suites.place(x[1])))
    self.tasks = sorted({x[2] for x in self.runs}, key=suites.place)
    self.seeds = sorted({x[3] for x in self.runs})
    self.marks = {x: self._marks(x) for x in self.tasks}

  def _marks(self, task):
    runs = [x for x in self.runs.values() if x['task'] == task]
    # Studies round them.
    experts = {x['expert'] and round(x['expert'], 6) for x in runs}
    if len(experts) > 1:
      raise UserError(
          f'{task}: the results name {len(experts)} scores of the expert '
          f'({", ".join(map(str, experts))}), expected one. Show them apart.')
    # Random play of a seed is the same in all of its runs.
    random = {
        x['seed']: x['evaluations']['sampled']['summary']['random_mean']
        for x in runs}
    expert = experts.pop()
    return (
        float(np.mean(list(random.values()))),
        np.nan if expert is None else expert)

  def found(self, row, task):
    """Return the results of a row's runs on a task, in order of the seeds."""
    runs = [self.runs.get((*row, task, x)) for x in self.seeds]
    return [x for x in runs if x]

  def of(self, row, task, policy=None):
    """Return the mean scores (seeds,) of a row's runs on a task."""
    found = [x['evaluations'] for x in self.found(row, task)]
    return np.array([
        x.get(policy or self.policy, x['sampled'])['summary']['mean']
        for x in found])

  def steps(self, row):
    """Return the set of the steps in the environment of a row's runs.

    Empty for a method that learns without playing.
    """
    if not suites.METHODS[row[1]].plays:
      return set()
    return {x['steps'] for k, x in self.runs.items() if k[:2] == row}

  def normalised(self, row, task):
    """Return the expert-normalised scores (seeds,)."""
    return np.array([
        references.normalised(x, *self.marks[task])
        for x in self.of(row, task)])

  def strata(self, row):
    """Return the normalised scores of each task that has some."""
    found = [self.normalised(row, x) for x in self.tasks]
    return [x for x in found if len(x)]

  def iqm(self, row):
    """Return IQM and the ends of its 95 % interval, over tasks and seeds.

    All are NaN for a row that lacks a task, as means over other tasks do not
    compare. The interval is NaN where a task has a single run, whose seed it
    cannot draw anew.
    """
    strata = self.strata(row)
    if len(strata) < len(self.tasks):
      return np.nan, np.nan, np.nan
    ends = _known(strata, lambda: stats.bootstrap(strata, stats.iqm, seed=0))
    return stats.iqm(np.concatenate(strata)), *ends

  def improvement(self, row, other):
    """Return the probability that a row's run scores higher than another's.

    And its 95 % interval, as that of `iqm`. Over the tasks that both have;
    None if there is none.
    """
    pairs = [
        (self.normalised(row, x), self.normalised(other, x))
        for x in self.tasks]
    pairs = [(x, y) for x, y in pairs if len(x) and len(y)]
    if not pairs:
      return None
    xs, ys = zip(*pairs)
    ends = _known(
        xs + ys, lambda: stats.improvement_interval(xs, ys, seed=0))
    return stats.improvement(xs, ys), *ends


def _known(strata, interval):
  return interval() if min(map(len, strata)) > 1 else (np.nan, np.nan)


def lines(scores):
  """Return a row a method and a column a task as lines of Markdown."""
  steps = {x: scores.steps(x) for x in scores.rows}
  several = len(set().union(*steps.values())) > 1
  head = _head(scores, 'method', *['steps'] * several, *map(
      name, scores.tasks), 'IQM [95 %]')
  rows = [(
      *_cells(scores, row), *[_range(steps[row])] * several,
      *(_spread(scores.of(row, x)) for x in scores.tasks),
      interval(*scores.iqm(row))) for row in scores.rows]
  rows.append(_expert(head, scores))
  about = f'Mean scores of the {scores.policy} policy'
  if not several:
    about += f' after {_range(set().union(*steps.values()))} steps'
  return markdown(head, rows) + [
      '', f'{about}; in brackets the standard deviation over several seeds.']


def _head(scores, *names):
  return (*['setting'] * any(x for x, _ in scores.rows), *names)


def _cells(scores, row):
  return row if any(x for x, _ in scores.rows) else row[1:]


def _expert(head, scores):
  marks = [scores.marks[x][1] for x in scores.tasks]
  cells = [''] * len(head)
  cells[head.index('method')] = 'expert'
  known = '' if np.isnan(marks).any() else '1.00'
  cells[-1 - len(marks):] = [*map(_number, marks), known]
  return cells


def details(scores, other):
  """Return lines: each method on each task, then against the method `other`.

  Raises UserError if there is no run of `other`.
  """
  head = _head(
      scores, 'method', 'task', 'seeds', 'steps', 'hours', 'sampled',
      'greedy', 'normalised')
  rows = []
  for row in scores.rows:
    for task in scores.tasks:
      found = scores.found(row, task)
      if found:
        hours = np.mean([
            x['wall_seconds'].get('train', np.nan) for x in found]) / 3600
        greedy = '' if row[1] == 'random' else _spread(
            scores.of(row, task, 'greedy'))
        rows.append((
            *_cells(scores, row), name(task), str(len(found)),
            _range(scores.steps(row)), interval(hours),
            _spread(scores.of(row, task, 'sampled')), greedy,
            interval(scores.normalised(row, task).mean())))
  return markdown(head, rows) + [''] + _against(scores, other)


def _against(scores, other):
  found = {label(x): x for x in scores.rows}
  if other not in found:
    raise UserError(f'--against {other}: there are runs of {", ".join(found)}')
  head = _head(
      scores, 'method', 'what', 'runs', f'P(better than {other}) [95 %]')
  rows = []
  for row in scores.rows:
    better = None
    if label(row) != other:
      better = scores.improvement(row, found[other])
    rows.append((
        *_cells(scores, row), suites.METHODS[row[1]].what,
        str(sum(map(len, scores.strata(row)))),
        interval(*better) if better else ''))
  return markdown(head, rows)


def label(row):
  """Return how a row is called: its method after its setting."""
  return ': '.join(filter(None, row))


def name(task):
  """Return a task's name without its suite's."""
  return task.partition('_')[2]


def interval(value, low=np.nan, high=np.nan):
  """Return text of a value and its interval; what is NaN is left out."""
  ends = '' if np.isnan(low + high) else f' [{low:z.2f}, {high:z.2f}]'
  return '' if np.isnan(value) else f'{value:z.2f}{ends}'


def _spread(values):
  if not len(values):
    return ''
  mean, digits = values.mean(), _digits(values.mean())
  sd = f' ({values.std(ddof=1):.{digits}f})' if len(values) > 1 else ''
  return f'{mean:z.{digits}f}{sd}'


def _number(value):
  return '' if np.isnan(value) else f'{value:z.{_digits(value)}f}'


def _digits(value):
  return 2 if abs(round(value, 1)) < 10 else 1


def _range(steps):
  if not steps:
    return ''
  return ' to '.join(f'{x:,}' for x in sorted({min(steps), max(steps)}))


def markdown(head, rows):
  """Return a table as lines of Markdown, aligned."""
  widths = [max(3, *map(len, x)) for x in zip(head, *rows)]
  line = lambda cells: '| ' + ' | '.join(
      x.ljust(w) for x, w in zip(cells, widths)) + ' |'
  return [line(head), line(['-' * w for w in widths]), *map(line, rows)]
