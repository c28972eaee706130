"""One run as a job of a cluster, on the machine where it runs.

submitit calls it there. SLURM ends a job at its time limit and where it needs
the machine, and tells it so by signals:

- SIGUSR2, near the time limit: submitit calls `checkpoint`, which ends the
  run with a save, and has SLURM queue the job again.
- SIGTERM: SLURM needs the machine, or somebody cancels the job. SLURM sends
  it to the run, too, which saves and ends.
"""

import os
import signal
import subprocess
import sys
import time

import submitit

from ..errors import UserError
from . import jobs
from . import plans

PAUSE = 1  # Seconds between looks at the process.
ENDED = (-signal.SIGTERM, 128 + signal.SIGTERM)  # Exit codes.
SAVE = 300  # Seconds before the end of a job at which it is told to save.


class Task:
  """Does a plan when it is called, in a job that lasts `seconds`."""

  def __init__(self, plan, seconds):
    self.plan, self.seconds = plan, seconds
    self.job, self.start, self.first = None, None, None

  def __call__(self):
    """Do what is left of the run; return whether it succeeded.

    Raises UserError if another process is at work on it.
    """
    if plans.check(self.plan):
      return True
    self.start = time.time()
    signal.signal(signal.SIGTERM, self._hand_on)
    self.job = jobs.Job(self.plan)
    self.first = self._place()
    while (good := self.job.poll()) is None:
      time.sleep(PAUSE)
    if self.job.process.returncode in ENDED:
      self._again()
    return good

  def checkpoint(self):
    """End the run with a save; return what goes on with it, or None.

    None where that would come no step further: it had half of its time until
    SAVE or more, and is where it was.
    """
    if self.job:
      self.job.stop(SAVE - 60)
      if (self._place() == self.first
          and time.time() - self.start > (self.seconds - SAVE) / 2):
        print(
            f'{self.plan.name}: came no step further in '
            f'{time.time() - self.start:,.0f} seconds, so it would never '
            f'end. Give a longer --timeout.', file=sys.stderr)
        return None
    return submitit.helpers.DelayedSubmission(Task(self.plan, self.seconds))

  def _place(self):
    # How far it is; what cannot go on where it was stopped has no steps.
    goes_on = self.job.stage == 'train' and self.plan.resumes
    return self.job.stage, jobs.steps(self.plan) if goes_on else 0

  def _hand_on(self, number, frame):
    if self.job:
      self.job.process.send_signal(number)

  def _again(self):
    # While a job has time to end, SLURM takes an end for its own. After that
    # SLURM itself queues it again, or not where somebody has cancelled it.
    job = submitit.JobEnvironment()
    if states().get(job.job_id) == 'RUNNING':
      os.kill(os.getpid(), signal.Signals[f'SIG{job.USR_SIG}'])
    sys.exit(1)


def states():
  """Return {id: state} of this user's jobs that SLURM has not ended.

  By squeue: sacct, which submitit asks, needs a data base that not every
  cluster has. Raises UserError if SLURM does not answer.
  """
  command = [
      'squeue', '--array', '--noheader', f'--user={os.getuid()}',
      '--format=%i %T']
  try:
    text = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60).stdout
  except (OSError, subprocess.SubprocessError) as error:
    why = getattr(error, 'stderr', None) or error
    raise UserError(
        f'SLURM does not say which jobs there are: {last(why)}') from None
  return dict(line.split() for line in text.splitlines())


def last(error):
  """Return the last line of what a program says."""
  return str(error).strip().splitlines()[-1]
