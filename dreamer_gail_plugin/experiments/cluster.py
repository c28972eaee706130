"""Runs as jobs of a SLURM cluster, by submitit: a job a run, in one array.

A job does what this machine would do, see `task`. Results and logdirs are
files that all machines share. FOLDER among the logdirs has submitit's files
and NAME.json of each run that was submitted, so that the same command finds
the jobs that there are.
"""

import collections
import json
import shutil
import time

import filelock
import submitit

from .. import atomic
from ..errors import UserError
from . import jobs
from . import runner
from . import table
from . import task

FOLDER = '.cluster'
LOOK = 15  # Seconds between questions to SLURM.
SHOW = 60  # Seconds between tables, at least.
# Seconds until other machines see a file, at most (60 is the default of NFS).
SHARED = 90
REQUEUE = {'requeue': True}  # Else some clusters refuse it.
RESTARTS = 10_000  # `Task` knows when to end.
QUEUED = ('PENDING', 'REQUEUED', 'REQUEUE_HOLD', 'CONFIGURING')
STATES = ('queued', 'running', 'done', 'failed', 'lost')


def work(parameters, minutes, waiting):
  """Do the plans as jobs of `minutes`; as `work` of `runner.run`.

  Those that are queued or running stay as they are. `parameters` are those
  of submitit for SLURM, None for its default. Ctrl+C leaves all jobs there.
  """
  cells = submit(parameters, minutes, waiting)
  bar = runner.Bar(waiting)
  shown, last = None, 0
  try:
    while True:
      _look(cells, bar)
      counts = collections.Counter(x.state for x in cells)
      active = counts['queued'] + counts['running']
      if _states(cells) != shown and (
          not active or time.time() - last > SHOW):
        shown, last = _states(cells), time.time()
        bar.write('\n'.join(lines(cells)))
      if not active:
        return {x.plan: x.text for x in cells if x.text}
      bar.show(
          [x.plan for x in cells if x.state == 'running'],
          ', '.join(f'{counts[x]} {x}' for x in STATES if counts[x]))
      time.sleep(LOOK)
  finally:
    bar.close()


def submit(parameters, minutes, waiting):
  """Return a Cell for each plan, whose job there is or is made.

  Raises UserError without SLURM, if it refuses the jobs, and if there are
  jobs of runs of the same name with other flags.
  """
  if not shutil.which('sbatch'):
    raise UserError(
        '--cluster slurm: there is no program `sbatch`. Run this on a machine '
        'from which jobs of a SLURM cluster are submitted.')
  folder = waiting[0].logdirs.absolute() / FOLDER
  folder.mkdir(parents=True, exist_ok=True)
  with filelock.FileLock(folder / 'lock'):
    states = task.states()
    cells = {x: _there(folder, x, states) for x in waiting}
    new = [x for x in waiting if not cells[x]]
    for plan, job in zip(new, _sbatch(folder, parameters, minutes, new)):
      atomic.write_json(folder / f'{plan.name}.json', {
          'job': job.job_id, **_what(plan)})
      cells[plan] = Cell(plan, job)
  print(
      f'{len(new)} jobs submitted, {len(waiting) - len(new)} were there: '
      f'{_names(cells.values())}. Their logs: {folder}')
  return list(cells.values())


def _there(folder, plan, states):
  # The Cell of a job that SLURM has, or None.
  path = folder / f'{plan.name}.json'
  if not path.exists():
    return None
  try:
    old = dict(json.loads(path.read_text()))
    job = old.pop('job')
    if job not in states:
      return None
  except (OSError, ValueError, LookupError, TypeError) as error:
    raise UserError(
        f'{path}: cannot be read ({type(error).__name__}). See by `squeue` '
        f'whether there is a job of this run, and remove the file.') from None
  if old != _what(plan):
    raise UserError(
        f'{plan.name}: is job {job} of SLURM, with other flags or --results. '
        f'Give those again, or wait for it, or end it: scancel {job}')
  return Cell(plan, submitit.SlurmJob(folder, job))


def _what(plan):
  return {
      'result': str(plan.result.absolute()),
      'config': {k: v for k, v in plan.config.items() if k != 'logdir'}}


def _sbatch(folder, parameters, minutes, new):
  if not new:
    return []
  executor = submitit.SlurmExecutor(folder, max_num_timeout=RESTARTS)
  executor.update_parameters(**{
      'time': minutes, 'signal_delay_s': task.SAVE, 'job_name': new[0].suite,
      'array_parallelism': len(new), 'additional_parameters': REQUEUE,
      **{k: v for k, v in parameters.items() if v}})
  try:
    with executor.batch():
      return [executor.submit(task.Task(x, 60 * minutes)) for x in new]
  except submitit.core.utils.FailedJobError as error:
    raise UserError(
        f'--cluster slurm: no jobs were submitted, as SLURM refuses them: '
        f'{task.last(error)}') from None


def _names(cells):
  # An array is one name.
  return ' '.join(dict.fromkeys(
      x.job.job_id.partition('_')[0] for x in cells))


class Cell:
  """A plan and its job; `look` says how it is, `text` what went wrong."""

  def __init__(self, plan, job):
    self.plan, self.job = plan, job
    self.state, self.text, self.output = 'queued', '', ''
    self.seen = time.time()

  def look(self, states):
    """Set `state`, one of STATES, from those of SLURM's jobs."""
    now = states.get(self.job.job_id)
    if self.plan.result.exists():
      self.state = 'done'
    elif now:
      self.state = 'queued' if now in QUEUED else 'running'
      self.seen = time.time()
    elif self.job.paths.result_pickle.exists():
      self._ended()
    elif time.time() - self.seen > SHARED:
      self._lost()

  def _ended(self):
    # It has told how it ended.
    error = self.job.exception()
    log = self.job.paths.stderr if error else self.plan.logdir / jobs.LOG
    if error or not self.job.result():
      self._set('failed', log)
    elif time.time() - self.seen > SHARED:
      self._lost()

  def _lost(self):
    self._set('lost', self.job.paths.stderr)

  def _set(self, state, log):
    self.state, self.output = state, jobs.tail(log)
    self.text = f'{state}: {self.plan.name}, see {log}'


def _look(cells, bar):
  try:
    states = task.states()
  except UserError as error:  # SLURM may be back soon.
    bar.write(str(error))
    return
  for cell in cells:
    if cell.state in ('queued', 'running'):
      cell.look(states)
      if cell.state not in ('queued', 'running'):
        bar.ended(cell.plan)
      if cell.text:
        bar.failed(cell.plan, cell.output)


def _states(cells):
  return [x.state for x in cells]


def lines(cells):
  """Return lines of Markdown: how many runs of each cell are how far."""
  found = collections.defaultdict(collections.Counter)
  for x in cells:
    found[x.plan.method, x.plan.task][x.state] += 1
  methods = dict.fromkeys(x for x, _ in found)
  tasks = dict.fromkeys(x for _, x in found)
  text = lambda counts: ', '.join(
      f'{counts[x]} {x}' for x in STATES if counts[x])
  return table.markdown(
      ('method', *map(table.name, tasks)),
      [(x, *(text(found[x, y]) for y in tasks)) for x in methods]) + [
          x.text for x in cells if x.text]
