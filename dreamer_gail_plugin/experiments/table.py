"""The table of a benchmark: what its results say of each method.

Scores are expert-normalised: 0 is random play and 1 the demonstrations, both
on the same task under the same limits.
"""

import numpy as np

from ..errors import UserError
from ..evaluate import references
from ..evaluate import stats
from . import suites

ABOUT = 'gail'  # The method that the last line and comparisons are about.


class Scores:
  """Mean scores of all runs of a benchmark.

  `results` are those of `results.merge`, `policy` the one whose score counts
  as that of a run, 'sampled' or 'greedy'; random play has the first only.
  `methods` and `tasks` are the names that occur, in the order of the suite,
  and `marks` maps a task to the scores (random, expert).

  Raises UserError for tasks and methods that are not of the suite, and where
  runs on one task were compared with unlike demonstrations.
  """

  def __init__(self, results, suite, policy='sampled'):
    self.suite, self.policy, self.runs = suite, policy, {}
    for x in results:
      key = x['method'], x['task'], x['seed']
      if x['method'] not in suites.METHODS or x['task'] not in suite.tasks:
        raise UserError(f'The result of {key} is not of this benchmark.')
      if key in self.runs:
        raise UserError(f'There are two results of {key}; remove one.')
      self.runs[key] = x
    occurs = lambda i, names: [
        x for x in names if any(k[i] == x for k in self.runs)]
    self.methods = occurs(0, suites.METHODS)
    self.tasks = occurs(1, suite.tasks)
    self.seeds = sorted({k[2] for k in self.runs})
    self.marks = {x: self._marks(x) for x in self.tasks}

  def _marks(self, task):
    runs = [x for k, x in self.runs.items() if k[1] == task]
    experts = {x['expert'] for x in runs}
    if len(experts) > 1 or None in experts:
      raise UserError(
          f'{task}: the results name {len(experts)} scores of the expert '
          f'({", ".join(map(str, experts))}), expected one. Make them with '
          f'the same demonstrations, or remove those of the others.')
    # Random play of a seed is the same in all of its runs.
    random = {
        x['seed']: x['evaluations']['sampled']['summary']['random_mean']
        for x in runs}
    return float(np.mean(list(random.values()))), experts.pop()

  def of(self, method, task, policy=None):
    """Return the mean scores (seeds,) of a method's runs on a task."""
    found = []
    for seed in self.seeds:
      if (method, task, seed) in self.runs:
        x = self.runs[method, task, seed]['evaluations']
        found.append(
            x.get(policy or self.policy, x['sampled'])['summary']['mean'])
    return np.array(found)

  def effort(self, method, task):
    """Return the mean environment steps and hours of training of a run.

    Steps are 0 where a method learns without playing.
    """
    runs = [x for k, x in self.runs.items() if k[:2] == (method, task)]
    steps = [x['steps'] * suites.METHODS[method].plays for x in runs]
    hours = [x['wall_seconds']['train'] / 3600 for x in runs]
    return float(np.mean(steps)), float(np.mean(hours))

  def normalised(self, method, task):
    """Return the expert-normalised scores (seeds,)."""
    return np.array([
        references.normalised(x, *self.marks[task])
        for x in self.of(method, task)])

  def strata(self, method):
    """Return the normalised scores of each task that has some."""
    found = [self.normalised(method, x) for x in self.tasks]
    return [x for x in found if len(x)]

  def iqm(self, method):
    """Return IQM and the ends of its 95 % interval, over tasks and seeds.

    The interval is of NaN where a task has a single run, whose seed it cannot
    draw anew.
    """
    strata = self.strata(method)
    ends = _known(strata, lambda: stats.bootstrap(strata, stats.iqm, seed=0))
    return stats.iqm(np.concatenate(strata)), *ends

  def improvement(self, method, other):
    """Return the probability of improvement and its 95 % interval.

    Over the tasks that both have; None if there is none. The interval is as
    that of `iqm`.
    """
    pairs = [
        (self.normalised(method, x), self.normalised(other, x))
        for x in self.tasks]
    pairs = [(x, y) for x, y in pairs if len(x) and len(y)]
    if not pairs:
      return None
    xs, ys = zip(*pairs)
    ends = _known(
        xs + ys, lambda: stats.improvement_interval(xs, ys, seed=0))
    return stats.improvement(xs, ys), *ends

  def missing(self):
    """Return what there is not: (method, task, seed), methods, tasks.

    Of the methods and tasks that there are, and those without any run.
    """
    runs = [
        (method, task, seed) for method in self.methods
        for task in self.tasks for seed in self.seeds
        if (method, task, seed) not in self.runs]
    return (
        runs, [x for x in suites.DEFAULT if x not in self.methods],
        [x for x in self.suite.tasks if x not in self.tasks])


def _known(strata, interval):
  return interval() if min(map(len, strata)) > 1 else (np.nan, np.nan)


def lines(scores, markdown=False):
  """Return the table as lines of text; the last one is its figure."""
  layout = _markdown if markdown else _text
  result = layout(*_tasks(scores)) + [''] + layout(*_methods(scores)) + ['']
  runs, *others = scores.missing()
  for names in filter(None, others):
    result += [f'No runs of: {", ".join(names)}.', '']
  if runs:
    names = ', '.join('{1}-{0}-{2}'.format(*x) for x in runs)
    result += [f'{len(runs)} missing runs: {names}.', '']
  return result + [figure(scores)]


def figure(scores):
  """Return the line that sums up the benchmark."""
  if ABOUT not in scores.methods:
    return f'expert-normalised IQM: none, there is no run of {ABOUT}'
  return f'expert-normalised IQM: {_interval(scores.iqm(ABOUT))}'


def _tasks(scores):
  head = (
      'task', 'method', 'seeds', 'steps', 'hours', 'sampled', 'sd', 'greedy',
      'sd', 'normalised')
  rows = []
  for task in scores.tasks:
    for method in scores.methods:
      values = scores.normalised(method, task)
      if not len(values):
        continue
      cells = []
      for policy in ('sampled', 'greedy'):
        greedy = policy == 'greedy' and method == 'random'
        cells += ['-', '-'] if greedy else _spread(
            scores.of(method, task, policy))
      steps, hours = scores.effort(method, task)
      rows.append((
          task, method, str(len(values)), f'{steps:,.0f}', f'{hours:.2f}',
          *cells, f'{values.mean():z.2f}'))
    rows.append((
        task, 'expert', '', '', '', f'{scores.marks[task][1]:.2f}', '', '', '',
        '1.00'))
  return head, rows


def _methods(scores):
  head = (
      'method', 'what', 'tasks', 'runs', f'IQM of {scores.policy} [95 %]',
      f'P({ABOUT} better) [95 %]')
  rows = []
  for method in scores.methods:
    better = None
    if method != ABOUT and ABOUT in scores.methods:
      better = scores.improvement(ABOUT, method)
    strata = scores.strata(method)
    rows.append((
        method, suites.METHODS[method].title, str(len(strata)),
        str(sum(map(len, strata))),
        _interval(scores.iqm(method)), _interval(better) if better else '-'))
  return head, rows


def _spread(values):
  sd = f'{values.std(ddof=1):.2f}' if len(values) > 1 else '-'
  return [f'{values.mean():.2f}', sd]


def _interval(values):
  value, *ends = values
  if np.isnan(ends).any():
    return f'{value:z.2f} [single runs]'
  return '{:z.2f} [{:z.2f}, {:z.2f}]'.format(*values)


def _text(head, rows):
  widths = [max(map(len, x)) for x in zip(head, *rows)]
  line = lambda cells: '  '.join(
      x.ljust(w) for x, w in zip(cells, widths)).rstrip()
  return [line(head), '-' * len(line(head)), *map(line, rows)]


def _markdown(head, rows):
  line = lambda cells: f'| {" | ".join(cells)} |'
  return [line(head), line(['---'] * len(head)), *map(line, rows)]
