"""The page: its figures, its texts and its HTML."""

import collections
import datetime
import json
import os
import pathlib
import tempfile
import urllib.parse
from functools import partial as bind

import jinja2
import numpy as np
import tqdm

from ..evaluate import stats
from ..running import provenance
from . import command
from . import figures
from . import methods as methodlib
from . import runs as runlib
from . import scorefiles
from . import strips
from . import style
from . import summary
from . import tables

MARK = '<meta name="generator" content="dreamer_gail_plugin.report">'
SHAPES = dict(zip(style.MARKERS, '●■◆▲▼✚✖'))
PACKAGES = (
    'dreamer_gail_plugin', 'dreamer', 'jax', 'numpy', 'ninjax', 'elements',
    'matplotlib')

Figure = collections.namedtuple('Figure', 'src alt pdf')


def build(runs, out):
  """Write the report of the Runs into the folder; return the page's path.

  It also writes results.json with the numbers, `figures` as PDF and `scores`
  in upstream's format. All of it is made beside the folder first, so a report
  that fails leaves the folder as it was.
  """
  report = Report([x for x in runs if x.usable])
  with tempfile.TemporaryDirectory(
      dir=out.parent, prefix=f'.{out.name}.') as folder:
    folder = pathlib.Path(folder)
    (folder / 'figures').mkdir()
    (folder / 'results.json').write_text(json.dumps(
        tables.plain(runs, report.rows, report.experts), indent=1) + '\n')
    (folder / 'index.html').write_text(
        _render(_context(runs, report, folder, out)), encoding='utf-8')
    for path in sorted(x for x in folder.rglob('*') if x.is_file()):
      target = out / path.relative_to(folder)
      target.parent.mkdir(parents=True, exist_ok=True)
      os.replace(path, target)
  return out / 'index.html'


def _context(runs, report, folder, out):
  made = datetime.datetime.now()
  plain = tables.plain(runs, report.rows, report.experts)
  commands, rows = command.describe(report.runs), tables.results(report.rows)
  films = {
      x: strips.strips(report.of(x), report.experts.get(x))
      for x in report.tasks}
  return {
      'mark': MARK, 'made': made.strftime('%d %B %Y, %H:%M'),
      'runs': tables.runs(runs), 'states': _states(runs),
      'methods': {x['name']: x for x in report.legend()},
      'tasks': report.tasks, 'shows': report.shows,
      'rows': rows, 'columns': {k for x in rows for k, _ in x['cells']},
      'headlines': tables.headlines(report.rows, report.experts),
      'notes': report.notes, 'figures': _draw(report, folder / 'figures'),
      'films': films, 'captioned': any(
          ' ' in text for x in films.values() for y in x
          for _, text in y['frames'][:1]),
      'commands': commands, 'explained': report.explained,
      'repeat': {y: i for i, x in enumerate(commands) for y in x['names']},
      'sections': {
          (x['task'], x['method']): i for i, x in enumerate(commands)},
      'folders': {x.name: _link(x.path, out) for x in runs if x.path},
      'downloads': _downloads(plain),
      'scorefiles': scorefiles.save(report.runs, folder / 'scores'),
      'versions': provenance.versions(PACKAGES), 'window': summary.WINDOW}


def _link(path, out):
  place = os.path.relpath(path.resolve(), out.resolve())
  return urllib.parse.quote(place) + '/'


def _downloads(plain):
  parts = {'runs': plain['runs'], 'comparisons': plain['comparisons']}
  for row in plain['results']:
    parts.setdefault(row['task'], []).append(row)
  return {
      k: tables.downloads(scorefiles.plain(k), v)
      for k, v in parts.items() if v}


class Report:
  """The usable runs, and what is computed from them once.

  `experts` maps a task to the Play of its demonstrations. `notes` are
  sentences on those that could not be read. `shows` names what the captions
  explain where it is to be seen; `explained` are their sentences on the
  diagnostics, in order.
  """

  def __init__(self, runs):
    self.runs = runs
    self.methods = methodlib.assign(runs)
    self.tasks = summary.tasks(runs)
    self.notes, self.explained = [], []
    self.experts = strips.experts(runs, self.notes)
    self.rows = summary.table(
        runs, self.methods, {x: self.score(x) for x in self.tasks})
    self.shown = strips.shown(runs, self.experts)
    self.shows = {k for k, v in {
        'spread': [x for x in self.rows if x.sd is not None],
        'reward': [x for x in self.rows if x.uses_reward],
        'training': [x for x in self.rows if 'training' in x.sources],
    }.items() if v}

  def legend(self):
    """Return the legend of the methods, a dict for each."""
    paint, shapes = style.colours(self.methods), style.markers(self.methods)
    return [
        dict(
            name=x.name, colour=paint[x.name], shape=SHAPES[shapes[x.name]],
            uses_reward=x.uses_reward, variant=x.variant)
        for x in self.methods.values()]

  def learners(self, task):
    """Return the runs of a task that learn something."""
    return [
        x for x in self.runs
        if x.task == task and x.method != methodlib.RANDOM]

  def score(self, task):
    """Return the expert's mean score on a task, or None."""
    value = self.experts[task].score if task in self.experts else np.nan
    return value if np.isfinite(value) else None

  def of(self, task):
    """Return {method: (run, Play)} of the runs shown for a task."""
    return {
        method: self.shown[task, method] for method in self.methods
        if (task, method) in self.shown}

  def jobs(self):
    """Yield (section, name, alternative text, drawing function)."""
    for task in self.tasks:
      rows = [x for x in self.rows if x.task == task]
      if rows:
        texts = [f'{x.method} {stats.number(x.mean)}' for x in rows]
        yield 'bars', task, f'Scores on {task}: {", ".join(texts)}', bind(
            figures.bars, task, rows, self.methods, self.score(task))
      yield from self._curves(task)
      yield from self._diagnostics(task)
      yield from self._shares(task)

  def _curves(self, task):
    runs = [x for x in self.learners(task) if len(x.steps)]
    paint, curved = style.colours(self.methods), {x.method for x in runs}
    marks = [
        figures.Line(x.mean, x.method, paint[x.method]) for x in self.rows
        if x.task == task and x.method not in curved]
    if self.score(task) is not None:
      marks.append(figures.Line(
          self.score(task), f'expert {stats.number(self.score(task))}',
          style.EXPERT))
    if marks:
      self.shows.add('dashed')
    frames = any(runlib.repeat(x.flat) > 1 for x in runs)
    unit = 'environment frames' if frames else 'environment steps'
    episodes = lambda x: (x.steps, x.scores)
    yield from self._panel(
        'curves', task, task, {'solid': episodes}, runs,
        dict(xlabel=unit, marks=marks))
    timed = [x for x in runs if x.hours(x.steps) is not None]
    yield from self._panel(
        'hours', task, task,
        {'solid': lambda x: (x.hours(x.steps), x.scores)}, timed,
        dict(xlabel='hours of training', marks=marks))

  def _diagnostics(self, task):
    for name, title, keys, look, text in DIAGNOSTICS:
      series = {
          dashes: (lambda x, key=key: _metric(x, key))
          for dashes, key in keys.items()}
      runs = [
          x for x in self.learners(task) if len(_metric(x, keys['solid'])[0])]
      if runs and text not in self.explained:
        self.explained.append(text)
      yield from self._panel(
          'diagnostics', f'{task} {name}', title, series, runs,
          dict(xlabel='environment steps', **look))

  def _panel(self, section, name, title, series, runs, look):
    groups = {}
    for run in runs:
      groups.setdefault(run.method, []).append(run)
    lines = {}
    for dashes, get in series.items():
      limit = max([x for y in runs for x in get(y)[0][-1:]], default=0)
      for method in [x for x in self.methods if x in groups]:
        curve = summary.curve([get(x) for x in groups[method]], limit)
        if curve:
          lines[method, dashes] = curve
          self._note(section, curve)
    if lines:
      yield section, name, f'{title}, by {look["xlabel"]}', bind(
          figures.curves, title, lines, self.methods, **look)

  def _note(self, section, curve):
    kind = 'diagnostics' if section == 'diagnostics' else 'curves'
    if len(curve.ys) > 1:
      self.shows.add(f'{kind} band')
    if not curve.full.all():
      self.shows.add(f'{kind} dotted')

  def _shares(self, task):
    shares = strips.actions(self.of(task), self.experts.get(task))
    if shares:
      names, series, expert = shares
      yield 'actions', task, f'Actions on {task}', bind(
          figures.shares, task, names, series, self.methods,
          'share of steps in %', expert)
    rates = tables.achievements(self.runs, task)
    if rates:
      names, series = rates
      yield 'achievements', task, f'Achievements on {task}', bind(
          figures.shares, task, names, series, self.methods,
          'games in which it is unlocked, in %')


# Name, title, metrics, looks, and what the caption says of it.
DIAGNOSTICS = (
    ('accuracy', 'Accuracy of D (dashed: on imagined pairs)',
     {'solid': 'train/disc/acc_expert', 'dashed': 'train/disc/acc_imag'},
     dict(ylabel='share told right', marks=[
         figures.Line(0.5, 'chance', style.EXPERT)]),
     "D tells expert from agent. Accuracy: solid on the expert's pairs, "
     'dashed on imagined ones; both near 1 means that D has won and its '
     'reward fades, both near one half that it cannot tell.'),
    ('cross-entropy', 'Cross-entropy of D', {'solid': 'train/disc/bce'},
     dict(ylabel='nats', marks=[
         figures.Line(float(np.log(2)), 'a guess', style.EXPERT)]),
     'D wins with a cross-entropy near 0 and guesses with one near 0.69.'),
    ('reward', 'Reward from D', {'solid': 'train/disc/rew_mean'},
     dict(ylabel='mean of imagined pairs'), ''),
    ('randomness', 'Randomness of the policy', {'solid': 'train/rand/'},
     dict(ylabel='entropy, 1 is uniform'),
     'A policy of randomness 0 always does the same in the same state.'),
    ('image', 'Image loss of the world model', {'solid': 'train/loss/image'},
     dict(ylabel='loss', log=True), ''),
)


def _metric(run, prefix):
  # The first key of that prefix: `train/rand/` is followed by a name.
  keys = sorted(k for k in run.metrics if k.startswith(prefix))
  empty = np.zeros(0), np.zeros(0)
  return run.metrics[keys[0]] if keys else empty


def _draw(report, folder):
  drawn = {}
  jobs = list(report.jobs())
  for section, name, alt, draw in tqdm.tqdm(jobs, 'Figures', unit='figure'):
    pdf = folder / f'{section}_{scorefiles.plain(name)}.pdf'
    src = style.save(draw(), pdf)
    drawn.setdefault(section, {}).setdefault(name.split()[0], []).append(
        Figure(src, alt, f'figures/{pdf.name}'))
  return drawn


def _states(runs):
  count = collections.Counter(x.state for x in runs)
  return [(k, count[k], runlib.STATES[k]) for k in runlib.STATES if count[k]]


def _render(context):
  loader = jinja2.FileSystemLoader(pathlib.Path(__file__).parent)
  env = jinja2.Environment(
      loader=loader, autoescape=True, undefined=jinja2.StrictUndefined,
      trim_blocks=True, lstrip_blocks=True)
  return env.get_template('page.html').render(context)
