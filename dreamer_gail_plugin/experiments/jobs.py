"""One run at work: its processes, what is kept of it, and its result.

A run trains, then it is evaluated, each in a process of its own. `STATE` in
its logdir says how far it is, so that a run that was killed goes on.
"""

import ctypes
import fcntl
import json
import math
import os
import platform
import re
import shutil
import signal
import subprocess
import time

import numpy as np

from ..errors import UserError
from ..evaluate import protocol
from ..evaluate import results
from ..report import runs
from ..running import provenance
from . import plans

LOG = 'output.log'
WINDOW = 10_000  # Steps of a mean training score.
KEEP = 10  # Seconds between notes of the time used.
LIBC = ctypes.CDLL(None)


class Job:
  """Runs a Plan; `poll` until it returns whether the run succeeded.

  Its processes run on one core only if `core` is its number, and end with
  this process. Raises UserError if another process is at work on the run.
  """

  def __init__(self, plan, core=None):
    self.plan, self.core = plan, core
    self.process, self.stage = None, None
    plan.logdir.mkdir(parents=True, exist_ok=True)
    self.lock = _lock(plan.logdir / plans.LOCK)
    self.state = self._load()
    self.begin = self.kept = time.time()
    self._next()

  def poll(self):
    """Return None while it works, then whether it succeeded."""
    code, now = self.process.poll(), time.time()
    if code is None:
      if now - self.kept > KEEP:
        self._save(now)
      return None
    if code:
      self._end()
      return False
    self.state['done'].append(self.stage)
    self._save(now)
    if self.stage == 'train':
      self._next()
      return None
    results.save(self.plan.result, self._result())
    self._end()
    return True

  def kill(self):
    """End it; it can go on later."""
    self.process.kill()
    self.process.wait()
    self._end()

  def stop(self, seconds):
    """End it with a save, for which it has so many seconds."""
    self.process.terminate()
    try:
      self.process.wait(seconds)
      self._save(time.time())
    except subprocess.TimeoutExpired:
      self.kill()

  def _next(self):
    done = self.state['done']
    self.stage = 'evaluate' if 'train' in done else 'train'
    if self.stage == 'evaluate':
      # One that was half done is done again.
      shutil.rmtree(self.plan.logdir / 'eval', ignore_errors=True)
    elif not self.plan.resumes:
      self._clear()
    commit = provenance.commit()
    if commit not in self.state['commits']:
      self.state['commits'].append(commit)
    self._save(time.time())
    command = getattr(self.plan, self.stage)()
    with (self.plan.logdir / LOG).open('ab') as log:
      self.process = subprocess.Popen(
          command, stdin=subprocess.DEVNULL, stdout=log,
          stderr=subprocess.STDOUT, preexec_fn=self._child,
          pass_fds=[self.lock.fileno()])

  def _clear(self):
    # What a run left that was stopped and cannot go on. Its time is lost.
    self.state['wall']['train'] = 0
    for path in self.plan.logdir.iterdir():
      if path.name not in (LOG, plans.LOCK, plans.STATE):
        shutil.rmtree(path) if path.is_dir() else path.unlink()

  def _child(self):
    # PR_SET_PDEATHSIG: killed with its parent, which else starts it twice.
    LIBC.prctl(1, signal.SIGKILL)
    # A cluster sends it to all processes of a job, for submitit's.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    if self.core is not None:
      os.sched_setaffinity(0, {self.core})

  def _end(self):
    self.lock.close()

  def _load(self):
    path = self.plan.logdir / plans.STATE
    if path.exists():
      state = json.loads(path.read_text())
      if plans.extends(state['config'], self.plan):
        state.update(config=self.plan.config, done=[])
        state['wall']['evaluate'] = 0
      return state
    return {
        'name': self.plan.name, 'config': self.plan.config, 'commits': [],
        'done': [], 'wall': {'train': 0, 'evaluate': 0}}

  def _save(self, now):
    self.state['wall'][self.stage] += now - self.kept
    self.kept = now
    results.save(self.plan.logdir / plans.STATE, self.state)

  def _result(self):
    plan, found = self.plan, evaluations(self.plan.logdir)
    first = next(iter(found.values()))
    return {
        'format': results.FORMAT,
        **({'setting': plan.setting} if plan.setting else {}),
        'suite': plan.suite, 'method': plan.method,
        'task': plan.task, 'seed': plan.seed, 'steps': plan.total,
        'expert': plan.expert(), 'flags': list(plan.flags),
        'commits': self.state['commits'], 'versions': first['versions'],
        'machine': machine(plan, first, self.core),
        'wall_seconds': {
            k: round(v, 1) for k, v in self.state['wall'].items()},
        'training': training(plan.logdir, plan.total),
        'evaluations': {k: _brief(x) for k, x in found.items()},
        'config': self.state['config']}


def _lock(path):
  # Children hold it, too.
  file = path.open('w')
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError:
    raise UserError(
        f'{path.parent}: another process is at work on this run. Wait for '
        f'it, or end it.') from None
  return file


def steps(plan):
  """Return how many steps the logs of a run tell of."""
  found = [0]
  for name in ('scores.jsonl', 'metrics.jsonl'):
    path = plan.logdir / name
    if path.exists():
      with path.open('rb') as file:
        file.seek(max(0, path.stat().st_size - 4096))
        found += re.findall(rb'"step": (\d+)', file.read())[-1:]
  return min(plan.total, max(map(int, found)))


def evaluations(logdir):
  """Return the evaluations {policy: result} that lie in a logdir."""
  found = {}
  for kind in protocol.POLICIES:
    for path in (logdir / 'eval').glob(f'*_{kind}.json'):
      found[kind] = json.loads(path.read_text())
  return found


def _brief(result):
  return {
      'step': result['step'], 'command': result['command'],
      'summary': result['summary'],
      'scores': [x['score'] for x in result['episodes']]}


def training(logdir, total):
  """Return mean training scores over every WINDOW steps until `total`.

  A dict of lists: `steps` where a window ends, `scores` (None where no
  episode ended) and `episodes`.
  """
  run = runs.load(logdir, logdir.name)
  ends = WINDOW * np.arange(1, math.ceil(total / WINDOW) + 1)
  scores = [
      run.scores[(run.steps > x - WINDOW) & (run.steps <= x)] for x in ends]
  return {
      'steps': [int(x) for x in ends],
      'scores': [float(x.mean()) if len(x) else None for x in scores],
      'episodes': [len(x) for x in scores]}


def machine(plan, evaluation, core):
  """Return what is known of the machine, a dict."""
  device = evaluation['config'].get('jax', {}).get('platform')
  if not device:  # Baselines say so when they start.
    starts = provenance.load(plan.logdir / provenance.NAME)
    device = starts[-1]['machine']['device']
  cpuinfo = '/proc/cpuinfo'
  names = re.findall(
      r'^model name\s*: (.*)$', open(cpuinfo).read(), re.M
  ) if os.path.exists(cpuinfo) else []
  return {
      'cpu': names[0] if names else platform.machine(),
      'cores': 1 if core is not None else len(os.sched_getaffinity(0)),
      'system': f'{platform.system()} {platform.machine()}',
      'device': device, **provenance.gpu(device)}


def tail(path, lines=15):
  """Return the end of what was printed into a file."""
  text = path.read_text(errors='replace') if path.exists() else ''
  return '\n'.join(f'  {x}' for x in text.splitlines()[-lines:])
