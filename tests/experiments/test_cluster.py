"""`experiments run --cluster slurm`, with stand-ins for SLURM and programs.

One sweep is real, where there is a SLURM.
"""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import types

import pytest
import submitit
from submitit.core import submission

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.experiments import __main__ as experiments
from dreamer_gail_plugin.experiments import cluster
from dreamer_gail_plugin.experiments import plans
from dreamer_gail_plugin.experiments import task
from helpers.sweeps import ENV
from helpers.sweeps import FAKE
from helpers.sweeps import GAIL
from helpers.sweeps import flags
from helpers.sweeps import result
from helpers.sweeps import started

SIGNALS = (signal.SIGTERM, signal.SIGCONT, signal.SIGUSR2)
PROGRAMS = {
    'sbatch': 'echo $1 >> {0}/sbatch; echo Submitted batch job '
              '$(wc -l < {0}/sbatch)',
    'srun': 'exit 1', 'scontrol': 'echo $* >> {0}/scontrol'}


class Slurm:
  """Runs a job in this process whenever it is asked for its jobs.

  `idle` says that it runs none, `ended` has the ids of those that it knows no
  longer.
  """

  def __init__(self, folder):
    self.folder, self.idle, self.ended = folder, False, []
    for name, text in PROGRAMS.items():
      path = folder / name
      path.write_text(f'#!/bin/sh\n{text.format(folder / "asked")}\n')
      path.chmod(0o755)
    (folder / 'asked').mkdir()

  def asked(self, program):
    """Return what a program was asked for, a list of lines."""
    path = self.folder / 'asked' / program
    return path.read_text().splitlines() if path.exists() else []

  def states(self):
    """Return {id: state}, as `task.states` does."""
    waiting = []
    for number, script in enumerate(self.asked('sbatch'), 1):
      array = re.search(r'--array=0-(\d+)', pathlib.Path(script).read_text())
      waiting += [f'{number}_{x}' for x in range(int(array[1]) + 1)] if (
          array) else [str(number)]
    waiting = [x for x in waiting if x not in self.ended]
    if waiting and not self.idle:
      self.run(waiting[0], pathlib.Path(script).parent)
    return {x: 'PENDING' for x in waiting}

  def run(self, job, folder):
    """Run a job, as sbatch's script does; return whether it was queued again.
    """
    number, _, index = job.partition('_')
    given = {'SUBMITIT_EXECUTOR': 'slurm', 'SLURM_JOB_ID': number}
    if index:
      given |= {'SLURM_ARRAY_JOB_ID': number, 'SLURM_ARRAY_TASK_ID': index}
    handlers = {x: signal.getsignal(x) for x in SIGNALS}
    with pytest.MonkeyPatch.context() as patch:
      [patch.setenv(k, v) for k, v in given.items()]
      try:
        submission.process_job(folder)
      except SystemExit:  # Ended by a signal.
        return True
      except (UserError, submitit.core.utils.UncompletedJobError):
        pass
      finally:
        [signal.signal(k, v) for k, v in handlers.items()]
    self.ended.append(job)
    return False


@pytest.fixture
def slurm(tmp_path, monkeypatch):
  """Return a Slurm that takes the place of the machine's."""
  folder = tmp_path / 'slurm'
  folder.mkdir()
  found = Slurm(folder)
  monkeypatch.setenv('PATH', f'{folder}:{os.environ["PATH"]}')
  monkeypatch.setattr(task, 'states', found.states)
  monkeypatch.setattr(task, 'PAUSE', 0.02)
  monkeypatch.setattr(cluster, 'LOOK', 0)
  monkeypatch.setattr(cluster, 'SHOW', -1)
  monkeypatch.setattr(plans, 'PYTHON', (sys.executable, FAKE))
  return found


@pytest.fixture
def start(slurm, tmp_path):
  """Return a function that runs experiments on the Slurm."""
  return lambda *args: experiments.main(
      flags(tmp_path, '--cluster', 'slurm', *args))


def logs(folder):
  """Return the folder of the jobs."""
  return folder / 'logs' / cluster.FOLDER


class TestSweep:

  def test_is_one_array_with_the_results_of_this_machine(
      self, start, slurm, tmp_path, capsys):
    assert start(
        '--partition', 'p1', '--gpus', '1', '--cpus', '4', '--jobs', '7',
        '--timeout', '2d') == 0
    printed = capsys.readouterr()
    assert '2 jobs submitted, 0 were there: 1. ' in printed.out
    assert '2 of 2 runs done, 0 failed' in printed.out
    assert '| env    | 1 queued |' in printed.err
    assert printed.err.count('| env    | 1 done   |') == 1
    script, = slurm.asked('sbatch')
    text = pathlib.Path(script).read_text()
    for line in (
        'array=0-1%2', 'partition=p1', 'gpus-per-node=1', 'cpus-per-task=4',
        'time=2880', 'requeue', 'signal=USR2@300', 'job-name=minatar'):
      assert f'#SBATCH --{line}\n' in text
    assert ' --cpus-per-task=4 ' in text.split('\nsrun')[1]
    assert experiments.main(flags(tmp_path / 'local')) == 0
    for name in (GAIL, ENV):
      found, same = result(tmp_path, name), result(tmp_path / 'local', name)
      for x in (found, same):
        del x['wall_seconds'], x['flags'], x['config']['logdir']
      assert found == same

  def test_defaults(self, start, slurm, tmp_path):
    assert start('--methods', 'gail') == 0
    text = pathlib.Path(slurm.asked('sbatch')[0]).read_text()
    assert '--time=1440\n' in text and '--array' not in text
    assert 'gpus' not in text and 'partition' not in text
    assert result(tmp_path, GAIL)

  def test_again_while_jobs_are_there(
      self, start, slurm, tmp_path, monkeypatch, capsys):
    slurm.idle = True
    with monkeypatch.context() as patch:
      patch.setattr(cluster.time, 'sleep', ctrl_c)
      assert start('--methods', 'gail') == 130
    assert 'The jobs go on.' in capsys.readouterr().err
    with pytest.raises(UserError, match='is job 1 of SLURM, with other flags'):
      start('--methods', 'gail', '--steps', '30000')
    slurm.idle = False
    assert start() == 0
    assert '1 jobs submitted, 1 were there: 1 2.' in capsys.readouterr().out
    assert len(slurm.asked('sbatch')) == 2
    assert started(tmp_path, GAIL) == ['train', 'evaluate']
    assert result(tmp_path, ENV)

  def test_two_jobs_of_one_run(self, start, slurm, tmp_path):
    # As after a crash between sbatch and the note of it.
    slurm.idle = True
    job = tmp_path / 'logs' / cluster.FOLDER / f'{GAIL}.json'
    for _ in range(2):
      with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster.time, 'sleep', ctrl_c)
        start('--methods', 'gail')
      job.rename(job.with_suffix('.was'))
    for number in '12':
      assert not slurm.run(number, job.parent)
      path = job.parent / f'{number}_0_result.pkl'
      assert submitit.SlurmJob(job.parent, number).result() and path.exists()
    assert started(tmp_path, GAIL) == ['train', 'evaluate']

  def test_failure_names_its_log(
      self, start, slurm, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('FAKE_FAIL', GAIL)
    assert start() == 1
    printed = capsys.readouterr()
    log = f'failed: {GAIL}, see {tmp_path / "logs" / GAIL / "output.log"}\n'
    assert f'  {log}' in printed.out and f'\n{log}' in printed.err
    assert 'boom, it said' in printed.err
    monkeypatch.delenv('FAKE_FAIL')
    assert start() == 0
    assert '1 jobs submitted, 0 were there: 2.' in capsys.readouterr().out
    assert started(tmp_path, GAIL) == ['train', 'train', 'evaluate']
    assert started(tmp_path, ENV) == ['train', 'evaluate']

  def test_error_of_the_job(self, start, slurm, tmp_path, capsys):
    logdir = tmp_path / 'logs' / GAIL
    logdir.mkdir(parents=True)
    with (logdir / plans.LOCK).open('w') as file:
      fcntl.flock(file, fcntl.LOCK_EX)
      assert start() == 1
    assert f'failed: {GAIL}, see {logs(tmp_path) / "1_0_0_log.err"}' in (
        capsys.readouterr().out)
    assert not (logdir / 'started.txt').exists()
    assert result(tmp_path, ENV)

  def test_lost(self, start, slurm, tmp_path, monkeypatch, capsys):
    slurm.ended.append('1_0')  # As by scancel.
    start_wait = cluster.SHARED
    monkeypatch.setattr(cluster, 'SHARED', 0)
    assert start() == 1
    assert start_wait >= 60
    assert f'lost: {GAIL}, see {logs(tmp_path) / "1_0_0_log.err"}' in (
        capsys.readouterr().out)
    assert start() == 0
    assert started(tmp_path, GAIL) == ['train', 'evaluate']

  def test_slurm_that_does_not_answer_for_a_while(
      self, start, slurm, monkeypatch, capsys):
    answers = iter([True, False])

    def states():
      if next(answers, True):
        return slurm.states()
      raise UserError('squeue: not now')
    monkeypatch.setattr(task, 'states', states)
    assert start() == 0
    assert capsys.readouterr().err.count('squeue: not now') == 1


def ctrl_c(seconds):
  """Stand in for time.sleep while somebody presses Ctrl+C."""
  raise KeyboardInterrupt


class TestMistakes:

  @pytest.mark.parametrize('args, text', [
      (['--partition', 'p'], '--partition: needs --cluster slurm'),
      (['--timeout', '1h'], '--timeout: needs --cluster slurm'),
      (['--cluster', 'slrm'], 'Did you mean slurm'),
      (['--cluster', 'slurm', '--timeout', '5m'], '10 minutes or more'),
      (['--cluster', 'slurm', '--timeout', '24'], '10 minutes or more'),
  ])
  def test_flags(self, tmp_path, args, text):
    with pytest.raises(UserError, match=text):
      experiments.main(flags(tmp_path, *args))

  def test_no_slurm(self, start, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(UserError, match='there is no program `sbatch`'):
      start()

  def test_refused(self, start, slurm, tmp_path):
    (slurm.folder / 'sbatch').write_text(
        '#!/bin/sh\necho invalid partition specified: p1 >&2; exit 1\n')
    with pytest.raises(UserError, match='no jobs were submitted.*partition'):
      start('--partition', 'p1')
    assert not list(logs(tmp_path).glob('*.json'))

  def test_damaged_note(self, start, tmp_path):
    logs(tmp_path).mkdir(parents=True)
    (logs(tmp_path) / f'{ENV}.json').write_text('[]')
    with pytest.raises(UserError, match='(?s)json: cannot be read.*squeue'):
      start()

  def test_squeue(self, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    path = tmp_path / 'squeue'
    with pytest.raises(UserError, match='SLURM does not say.*squeue'):
      task.states()
    path.write_text('#!/bin/sh\necho no controller >&2; exit 1\n')
    path.chmod(0o755)
    with pytest.raises(UserError, match='no controller'):
      task.states()
    path.write_text('#!/bin/sh\necho 1_0 RUNNING; echo 2 PENDING\n')
    assert task.states() == {'1_0': 'RUNNING', '2': 'PENDING'}


class TestSignals:

  @pytest.fixture
  def job(self, start, slurm, tmp_path, monkeypatch):
    """Return a function that runs the job of a run until signals end it."""
    slurm.idle = True
    with monkeypatch.context() as patch:
      patch.setattr(cluster.time, 'sleep', ctrl_c)
      start('--methods', 'gail')

    def run(*signals):
      """`signals` are pairs of a signal and whether the run gets it."""
      monkeypatch.setenv('FAKE_HANG', GAIL)
      (tmp_path / 'logs' / GAIL / 'hangs').unlink(missing_ok=True)
      thread = threading.Thread(
          target=send, args=(tmp_path / 'logs' / GAIL, signals))
      thread.start()
      try:
        return slurm.run('1', logs(tmp_path))
      finally:
        thread.join()
        monkeypatch.delenv('FAKE_HANG')
    return run

  def test_time_limit(self, job, slurm, tmp_path):
    # Of those that SLURM sends the run gets both.
    assert job((signal.SIGUSR2, True), (signal.SIGUSR2, False))
    assert slurm.asked('scontrol') == ['requeue 1']
    assert not slurm.run('1', logs(tmp_path))
    assert started(tmp_path, GAIL) == ['train', 'train', 'evaluate']
    assert result(tmp_path, GAIL)['training']['episodes'] == [2, 1]

  @pytest.mark.parametrize('both', [True, False])
  @pytest.mark.parametrize('state, asked', [
      ('RUNNING', ['requeue 1']), ('COMPLETING', []), ('PENDING', [])])
  def test_preemption(
      self, job, slurm, tmp_path, monkeypatch, state, asked, both):
    monkeypatch.setattr(task, 'states', lambda: {'1': state})
    assert job((signal.SIGTERM, both))
    assert slurm.asked('scontrol') == asked
    assert not (logs(tmp_path) / '1_0_result.pkl').exists()
    assert not slurm.run('1', logs(tmp_path))
    assert started(tmp_path, GAIL) == ['train', 'train', 'evaluate']

  def test_no_step_further(self, job, slurm, tmp_path, capsys):
    plan = plans.Plan(
        'minatar', 'gail', 'minatar_breakout', 0, 20_000, (),
        tmp_path / 'logs', tmp_path / 'results')
    path = logs(tmp_path) / '1_submitted.pkl'
    work = submitit.helpers.DelayedSubmission(task.Task(plan, 0))
    work.set_timeout(0, 9)
    work.dump(path)
    # The stand-in stops at 15,000 steps, and a step before when it goes on.
    assert job((signal.SIGUSR2, False)) and job((signal.SIGUSR2, False))
    assert not job((signal.SIGUSR2, False))
    assert 'Give a longer --timeout' in capsys.readouterr().err
    assert slurm.asked('scontrol') == 2 * ['requeue 1']
    assert 'not requeued' in str(
        submitit.SlurmJob(logs(tmp_path), '1').exception())

  @pytest.mark.parametrize('stage, ran, goes_on', [
      ('evaluate', 100, True), ('evaluate', 200, False), ('train', 200, True)])
  def test_shortest_jobs(self, stage, ran, goes_on):
    # Of ten minutes, of which SLURM gives it less than five.
    plan = types.SimpleNamespace(name='one', resumes=True)
    work = task.Task(plan, 600)
    work.start, work.first = time.time() - ran, ('evaluate', 0)
    work.job = types.SimpleNamespace(stage=stage, stop=lambda seconds: None)
    work.plan.logdir, work.plan.total = pathlib.Path('nowhere'), 9
    assert (work.checkpoint() is not None) == goes_on


def send(logdir, signals):
  """Send signals to the run in a logdir or to this process."""
  end = time.time() + 60
  while not (logdir / 'hangs').exists() or not (logdir / 'hangs').read_text():
    assert time.time() < end
    time.sleep(0.02)
  for number, run in signals:
    os.kill(int((logdir / 'hangs').read_text()) if run else os.getpid(),
            number)
    time.sleep(0.1)


@pytest.mark.slow
def test_real_slurm(tmp_path):
  # Three runs of random play, of which one is queued again. The command is
  # killed in between.
  if not shutil.which('sinfo') or subprocess.run(['sinfo']).returncode:
    pytest.skip('there is no SLURM')
  given = flags(
      tmp_path, '--methods', 'random', '--seeds', '3', '--scale', '0.01',
      '--cluster', 'slurm', '--timeout', '1h')
  command = [sys.executable, '-m', 'dreamer_gail_plugin.experiments', *given]
  output = tmp_path / 'output'
  with output.open('w') as file:
    first = subprocess.Popen(command, stdout=file, stderr=file)
  names = [f'minatar_breakout-random-{x}' for x in range(3)]
  lock = tmp_path / 'logs' / names[0] / plans.LOCK
  end = time.time() + 300
  while not lock.exists():
    assert first.poll() is None and time.time() < end, output.read_text()
    time.sleep(0.5)
  first.kill()  # The jobs go on, and the same command finds them.
  job = re.search(r'were there: (\d+)', output.read_text())[1]
  subprocess.run(['scontrol', 'requeue', f'{job}_0'], check=True)
  found = subprocess.run(command, capture_output=True, text=True, timeout=900)
  assert found.returncode == 0, found.stdout + found.stderr
  assert f'0 jobs submitted, 3 were there: {job}.' in found.stdout
  assert [x for x in names if not result(tmp_path, x)] == []
