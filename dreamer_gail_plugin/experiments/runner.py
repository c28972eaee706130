"""Does many runs, one or several at a time."""

import collections
import os
import subprocess
import sys
import time

import tqdm

from ..errors import UserError
from . import jobs
from . import plans

PAUSE = 0.2  # Seconds between looks at the processes.


def run(todo, work):
  """Do the plans that are not done yet; return those that failed.

  `work` does a list of plans and returns {plan: text} of those that failed,
  where the text says how and names the log.
  """
  # All of them first, so that nothing starts where something is wrong.
  open_ = [x for x in todo if not plans.check(x)]
  print(f'{len(todo)} runs, {len(todo) - len(open_)} of them done already')
  if not open_:
    return {}
  _demonstrate(open_)
  failed = work(open_)
  done = len(open_) - len(failed)
  print(f'{done} of {len(open_)} runs done, {len(failed)} failed')
  for text in failed.values():
    print(f'  {text}')
  return failed


def _demonstrate(todo):
  # Make the demonstrations that are not there yet.
  for path, plan in {x.demonstrations: x for x in todo}.items():
    if path and not path.exists():
      print(f'{path}: {plan.shown} steps of the planner', flush=True)
      path.parent.mkdir(parents=True, exist_ok=True)
      if subprocess.run(plan.show(), stdout=subprocess.DEVNULL).returncode:
        raise UserError(f'{path}: could not be made, see above.')


def local(count, waiting):
  """Do the plans on this machine, `count` at a time; as `work` of `run`.

  Those that failed are told with the end of their output, and the others go
  on.
  """
  waiting, active = collections.deque(waiting), {}
  cores, failed = sorted(os.sched_getaffinity(0)), {}
  bar = Bar(waiting)

  def fail(plan, text):
    log = plan.logdir / jobs.LOG
    bar.failed(plan, text)
    failed[plan] = f'failed: {plan.name}, see {log}'

  try:
    while waiting or active:
      for slot in range(count):
        if slot not in active and waiting:
          core = cores[slot % len(cores)] if count > 1 else None
          plan = waiting.popleft()
          try:
            active[slot] = jobs.Job(plan, core)
          except (UserError, OSError) as error:
            fail(plan, f'  {error}')
      bar.show([x.plan for x in active.values()], ', '.join(
          f'{x.plan.name} {x.stage}' for x in active.values()))
      time.sleep(PAUSE)
      for slot, job in list(active.items()):
        good = job.poll()
        if good is None:
          continue
        del active[slot]
        bar.ended(job.plan)
        if not good:
          fail(job.plan, jobs.tail(job.plan.logdir / jobs.LOG))
  finally:
    for job in active.values():
      job.kill()
    bar.close()
  return failed


class Bar:
  """Steps of all runs, with rate and time left.

  Evaluations count as the time that they take and not as steps.
  """

  def __init__(self, waiting):
    self.runs, self.over = len(waiting), 0
    self.open = {x: jobs.steps(x) for x in waiting}
    total, before = sum(x.total for x in waiting), sum(self.open.values())
    # A log file has no need of a line a second.
    self.every, self.last = 1 if sys.stderr.isatty() else 60, 0
    self.bar = tqdm.tqdm(
        total=total, initial=before, unit='step', unit_scale=True,
        smoothing=0, mininterval=self.every)

  def show(self, active, text):
    """Show the steps of the plans that are at work, and a text on them."""
    if time.time() - self.last < self.every:
      return
    self.last = time.time()
    for plan in active:
      steps = jobs.steps(plan)
      # A run that was killed goes on from its last save, before its last log.
      self.bar.initial -= max(0, self.open[plan] - steps)
      self.open[plan] = steps
    self.bar.set_postfix_str(
        f'{self.over}/{self.runs} runs, {text}', refresh=False)
    self.bar.n = sum(self.open.values())
    self.bar.refresh()

  def write(self, text):
    """Print a text above the line."""
    self.bar.write(text, file=sys.stderr)

  def ended(self, plan):
    """Tell that a run has ended."""
    self.over += 1
    self.open[plan] = plan.total
    self.write(f'{plan.name}: ended')

  def failed(self, plan, text):
    """Tell that a run has failed, with the end of its output."""
    self.open[plan] = plan.total
    self.write(f'{plan.name}: FAILED\n{text}')

  def close(self):
    """End the line."""
    self.bar.n = sum(self.open.values())
    self.bar.close()
