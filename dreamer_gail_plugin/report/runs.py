"""Reads runs from the disk: upstream's logs, and what is wrong with them.

A damaged run raises no error: a report is wanted most when something went
wrong. What cannot be read is left out, and `problems` says so.
"""

import dataclasses
import json
import math
import pathlib
import time

import numpy as np

from .. import configs
from .. import errors
from ..errors import UserError
from ..evaluate.scores import kept
from ..running import lock
from ..running import provenance
from . import evaluations

# The metrics that are kept; docs/metrics.md explains them.
KEYS = (
    'fps/policy', 'train/disc/acc_expert', 'train/disc/acc_imag',
    'train/disc/acc_replay', 'train/disc/bce', 'train/disc/rew_mean',
    'train/disc/rew_std', 'train/disc/logit_gap', 'train/loss/image',
    'train/loss/dyn')
PREFIXES = ('train/rand/',)  # An action's name follows.
FRESH = 600  # Seconds; a run whose last line is younger is running.
LOGS = ('config.yaml', 'scores.jsonl', 'metrics.jsonl')
STATES = {
    'complete': 'has reached its number of steps',
    'running': 'is still running',
    'stopped': 'stopped before its number of steps',
    'imported': 'was read from a score file',
    'empty': 'has no scores',
    'broken': 'cannot be read',
}


@dataclasses.dataclass
class Run:
  """What is known of one run.

  `steps` (frames) and `scores` (sums of the environment's rewards) are arrays
  (N,) of the training episodes. `metrics` maps a key to such a pair of arrays.
  `flat` is the flattened config, `state` one of STATES, `target` the frames
  to train (0: unknown), `expert` the mean score of its demonstrations where
  that is known without them, `age` the seconds since it last wrote, `starts`
  as from provenance.load and `problems` sentences for people.
  """

  name: str
  path: pathlib.Path = None
  task: str = ''
  seed: int = 0
  method: str = ''
  uses_reward: bool = True
  flat: dict = dataclasses.field(default_factory=dict)
  steps: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
  scores: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
  metrics: dict = dataclasses.field(default_factory=dict)
  evals: list = dataclasses.field(default_factory=list)
  starts: list = dataclasses.field(default_factory=list)
  state: str = 'broken'
  target: float = 0
  expert: float = None
  age: float = 0
  problems: list = dataclasses.field(default_factory=list)

  @property
  def usable(self):
    """Return whether it has anything to show."""
    return self.state not in ('broken', 'empty')

  @property
  def last(self):
    """Return the last frame that the run is known to have reached."""
    ends = [x[0][-1] for x in self.metrics.values() if len(x[0])]
    ends += [x['step'] for x in self.evals]
    return max([*ends, self.steps[-1] if len(self.steps) else 0])

  def hours(self, steps):
    """Return the hours of training until these frames, None if unknown.

    They are computed from the speed that upstream logs, so pauses between a
    stop and a resume do not count.
    """
    xs, fps = self.metrics.get('fps/policy', (np.zeros(0), np.zeros(0)))
    xs, fps = xs[fps > 0], fps[fps > 0]
    if not len(xs):
      return None
    rate = 3600 * fps * repeat(self.flat)  # Frames an hour.
    hours = np.cumsum(np.diff(xs, prepend=0) / rate)
    beyond = np.maximum(0, steps - xs[-1]) / rate[-1]
    return np.interp(steps, np.append(0, xs), np.append(0, hours)) + beyond


def find(paths):
  """Return the logdirs among the paths and in folders among them, each once.

  A folder with neither logs nor logdirs counts as an empty run.
  """
  found = {}
  for path in paths:
    path = pathlib.Path(path).expanduser()
    inside = [] if islogdir(path) else sorted(
        x for x in path.iterdir() if x.is_dir() and islogdir(x))
    for logdir in inside or [path]:
      found[logdir.resolve()] = logdir
  return list(found.values())


def islogdir(path):
  """Return whether the folder has a file that a run writes."""
  return any((path / x).exists() for x in LOGS)


def repeat(flat):
  """Return the action repeat of the task's suite, as upstream's logger does.

  Upstream counts `run.steps` in actions and logs in frames.
  """
  suite = flat.get('task', '').partition('_')[0]
  return flat.get(f'env.{suite}.repeat', 1)


def target(flat):
  """Return the steps to train, in frames as logged; 0 if a config has none."""
  baseline = flat.get('baseline')
  if baseline == 'bc':  # Its steps are updates.
    return float(flat['steps.bc'])
  key = f'steps.{baseline}' if baseline else 'run.steps'
  return float(flat.get(key, 0)) * repeat(flat)


def load(path, name, now=None):
  """Return the Run of a logdir."""
  now = time.time() if now is None else now
  run = Run(errors.plain(name, ''), path)
  written = [(path / x).stat().st_mtime for x in LOGS if (path / x).exists()]
  run.age = max(0, now - max(written, default=now))
  if not written:
    run.state = 'empty'
    run.problems.append('the folder holds no logs of a run')
    return run
  if not _read_config(run):
    return run
  _read_logs(run)
  run.evals = evaluations.load(path, run.problems)
  _read_starts(run)
  run.state = _state(run)
  return run


def _read_config(run):
  filename = run.path / 'config.yaml'
  if not filename.exists():
    run.problems.append(
        'config.yaml is missing, so its task and method are unknown')
    return False
  try:
    run.flat = configs.read(filename).flat
    run.task, run.seed = str(run.flat['task']), int(run.flat['seed'])
    run.target = target(run.flat)
  except (UserError, KeyError, TypeError, ValueError) as error:
    text = str(error).removeprefix(f'{filename}: ')[:100]
    run.problems.append(
        f'config.yaml cannot be read ({text}), so its task and method are '
        'unknown')
  return bool(run.task)


def _read_starts(run):
  try:
    run.starts = provenance.load(run.path / provenance.NAME)
  except UserError:
    run.problems.append(
        f'{provenance.NAME} cannot be read, so its command and versions are '
        'unknown')


def _read_logs(run):
  scores = _Columns(run, 'scores.jsonl', ('episode/score',))
  metrics = _Columns(run, 'metrics.jsonl', (*KEYS, 'episode/score'))
  run.metrics = metrics.arrays
  episodes = run.metrics.pop('episode/score', None)
  if 'episode/score' in scores.arrays:
    episodes = scores.arrays['episode/score']
  if episodes:
    run.steps, run.scores = episodes


class _Columns:
  """Some keys of a file of JSON lines as {key: (steps, values)}."""

  def __init__(self, run, filename, keys):
    self.keys = set(keys)
    self.rows = {}
    self.bad = []
    self.total = 0
    try:
      with (run.path / filename).open('rb') as file:
        self._read(file)
    except FileNotFoundError:
      pass
    except OSError as error:
      run.problems.append(f'{filename}: cannot be read ({error.strerror})')
    self._complain(run, filename)
    self.arrays = self._finish(run, filename)

  def _read(self, file):
    for self.total, line in enumerate(file, 1):
      try:
        row = json.loads(line)
        step = row['step']
        found = {
            k: float(v) for k, v in row.items()
            if k in self.keys or k.startswith(PREFIXES)}
        if not all(map(math.isfinite, [step, *found.values()])):
          raise ValueError
      except (
          ValueError, KeyError, TypeError, AttributeError, OverflowError,
          RecursionError):
        self.bad.append(self.total)
        continue
      for key, value in found.items():
        self.rows.setdefault(key, []).append((step, value))

  def _complain(self, run, filename):
    # A run that goes on may be writing its last line.
    bad = [
        x for x in self.bad
        if x != self.total or not self.rows or run.age >= FRESH]
    if bad:
      run.problems.append(
          f'{filename}: {len(bad)} of {self.total} lines are damaged or cut '
          f'off, as by a kill, and left out, the first is line {bad[0]}')

  def _finish(self, run, filename):
    arrays = {}
    for key, rows in self.rows.items():
      steps, values = np.array(rows, np.float64).T
      keep = kept(steps)
      if key == 'episode/score' and not keep.all():
        run.problems.append(
            f'{filename}: resumed from a save, {np.sum(~keep)} scores of the '
            'part that was repeated are left out')
      arrays[key] = (steps[keep], values[keep])
    return arrays


def _state(run):
  if not len(run.steps) and not run.evals:
    state = 'broken' if run.problems else 'empty'
    run.problems.append(
        'no score can be read' if run.problems else
        f'no episode has ended yet; last written {ago(run.age)}')
    return state
  gaps = np.diff(run.steps, prepend=0)
  slack = max(0.01 * run.target, 2 * gaps.max(initial=0))
  fresh = run.age < max(FRESH, 3 * run.flat.get('run.log_every', 0))
  going = fresh and (run.path / lock.NAME).exists()
  if run.target and run.last >= run.target - slack and not going:
    return 'complete'
  where = f'at step {run.last:,.0f}'
  if run.target:
    where += f' of {run.target:,.0f}'
  if fresh and not _ended(run):
    run.problems.append(
        f'still running, {where}; last written {ago(run.age)}')
    return 'running'
  run.problems.append(f'stopped {where}, {ago(run.age)}')
  return 'stopped'


def _ended(run):
  # Runs of `train`, which have a run.json, hold a lock. A kill leaves it.
  locks = (run.path / provenance.NAME).exists() and (
      'baseline' not in run.flat)
  return locks and not (run.path / lock.NAME).exists()


def ago(seconds):
  """Return a span of time in words."""
  for size, unit in ((86400, 'day'), (3600, 'hour'), (60, 'minute')):
    if seconds >= size:
      count = int(seconds // size)
      return f'{count} {unit}{"s" * (count > 1)} ago'
  return 'less than a minute ago'
