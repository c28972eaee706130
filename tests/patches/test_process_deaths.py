"""A process that dies ends the run, in one line that names it."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent import futures

import cloudpickle
import elements
import embodied
import numpy as np
import portal
import psutil
import pytest

from dreamer_gail_plugin import errors
from dreamer_gail_plugin.errors import RunError
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.patches import child_processes
from dreamer_gail_plugin.patches import env_watchdog
from dreamer_gail_plugin.patches import parallel_end
from dreamer_gail_plugin.patches import process_deaths
from dreamer_gail_plugin.running import checkpoint
from helpers import dummies


class Worker:
  """Stands in for a process."""

  def __init__(self, name, exitcode=None, pid=1):
    self.name, self.exitcode, self.pid = name, exitcode, pid
    self.killed = False

  def start(self):
    pass

  def kill(self):
    self.killed = True


# The children of the parallel loop and what they are called.
CHILDREN = {
    'parallel_logger': 'The logger', 'ActorBatcher': 'The batching process',
    'parallel_env': 'Environment 0', 'parallel_replay': 'The replay'}


@pytest.fixture(autouse=True)
def nothing_failed():
  yield
  process_deaths.FAILED.clear()
  env_watchdog.Limit.seconds = 0


ORPHAN = """
import os
from dreamer_gail_plugin.patches import process_deaths
from portal import batching
from embodied.run import parallel

def dies():
  print(child.process.pid, flush=True)
  os._exit(0)

if __name__ == '__main__':
  child = {}.Process(print, 'done')
  child.ready.wait = dies  # The child waits for the other one.
  child.start()
"""


@pytest.mark.slow
@pytest.mark.parametrize('module', ['parallel.portal', 'batching.process'])
def test_a_child_waits_for_no_dead_parent(tmp_path, module):
  script = tmp_path / 'script.py'
  script.write_text(ORPHAN.format(module))
  with (tmp_path / 'output').open('w') as file:  # Which the child has, too.
    subprocess.run(
        [sys.executable, str(script)], stdout=file,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
  child = psutil.Process(int((tmp_path / 'output').read_text()))
  assert not psutil.wait_procs([child], timeout=30)[1]


class TestWatch:

  @pytest.mark.parametrize('name, code, words', [
      ('parallel_env', 3, 'Environment 0 has ended with exit code 3'),
      ('parallel_env', 0, 'Environment 0 has ended with exit code 0'),
      ('parallel_env', -9, 'Environment 0 was ended by SIGKILL'),
      ('parallel_replay', -11, 'The replay was ended by SIGSEGV'),
      ('parallel_logger', -15, 'The logger was ended by SIGTERM'),
      ('parallel_agent', 1, 'The agent has ended with exit code 1'),
      ('ActorBatcher', -9, 'The batching process was ended by SIGKILL')])
  def test_tells_who_and_how(self, name, code, words):
    workers = [Worker(name, code)]
    workers += [Worker(x, None, 2) for x in ('parallel_env', 'other')]
    with pytest.raises(RunError, match=f'^{words}, .* last save.$'):
      parallel_end.run(workers)

  def test_of_an_environment_that_hangs(self):
    env_watchdog.Limit.set({'env_timeout': 7, 'task': 'a_b'})
    workers = [
        Worker('parallel_env', None, 1), Worker('parallel_env', -14, 2)]
    with pytest.raises(UserError, match='Environment 1 of a_b .* 7 seconds'):
      process_deaths.Watch(workers).check('')

  def test_the_logger_may_end(self):
    workers = [Worker('parallel_env'), Worker('parallel_logger', 0)]
    parallel_end.run(workers)
    assert all(x.killed for x in workers)

  def test_they_start_together(self):
    names = ['parallel_logger', 'parallel_env', 'parallel_replay']
    workers, started = [Worker(x) for x in names], []
    meeting = threading.Barrier(len(workers), timeout=10)
    for worker in workers:
      worker.start = lambda x=worker: [started.append(x.name), meeting.wait()]
    watch = process_deaths.Watch(workers)
    watch.starter.join()
    assert not meeting.broken and sorted(started) == sorted(names)

  def test_environments_start_last(self, monkeypatch):
    names = ['parallel_env', 'parallel_logger', 'parallel_replay']
    workers, started = [Worker(x) for x in names], []
    for worker in workers:
      worker.start = lambda x=worker: started.append(x.name)
    pool = functools.partial(futures.ThreadPoolExecutor, 1)
    monkeypatch.setattr(process_deaths.futures, 'ThreadPoolExecutor', pool)
    process_deaths.Watch(workers).starter.join()
    assert started[-1] == 'parallel_env' and len(started) == 3

  def test_who_has_told_is_not_told_of(self):
    code = process_deaths.TOLD + UserError.code
    with pytest.raises(SystemExit) as caught:
      parallel_end.run([Worker('parallel_replay', code)])
    assert caught.value.code == 2

  def test_what_others_have_started(self, monkeypatch):
    # As the batching process: portal starts it, not the loop.
    child, watch = Worker('ActorBatcher'), process_deaths.Watch([])
    monkeypatch.setattr(
        process_deaths.multiprocessing, 'active_children', lambda: [
            child] if child.exitcode is None else [])
    watch.check('')
    child.exitcode = -9
    with pytest.raises(RunError, match='batching process .* SIGKILL'):
      watch.check('')


class TestErrors:

  def error(self):
    """Return what a server raises where a method raises UserError."""
    try:
      try:
        raise UserError('wrong')
      except UserError:
        raise RuntimeError('Error in server method: wrong')  # noqa: B904
    except RuntimeError as error:
      return error

  @pytest.mark.parametrize('wrapped', [False, True])
  def test_of_a_thread(self, monkeypatch, wrapped):
    monkeypatch.setattr(time, 'sleep', lambda _: None)
    error = self.error() if wrapped else UserError('wrong')
    process_deaths.tell(lambda *_: None, error)
    with pytest.raises(UserError, match='^wrong$'):
      process_deaths.Watch([]).check('')

  def test_of_a_child(self, monkeypatch, capsys):
    monkeypatch.setattr(
        process_deaths.multiprocessing, 'parent_process', lambda: True)
    codes = []
    def shutdown(code):
      codes.append(code)
      raise SystemExit
    monkeypatch.setattr(portal.context, 'shutdown', shutdown)
    with pytest.raises(SystemExit):
      process_deaths.tell(None, self.error())
    assert codes == [process_deaths.TOLD + 2]
    assert capsys.readouterr().err == 'error: wrong\n'

  def test_all_else_is_a_traceback(self, monkeypatch):
    monkeypatch.setattr(time, 'sleep', lambda _: None)
    told, error = [], ValueError()
    process_deaths.tell(lambda *x: told.append(x), error, 'name')
    assert told == [(error, 'name')]
    process_deaths.Watch([]).check('')

  def test_exit_code(self, capsys):
    def main(argv):
      raise RunError('It was ended')
    with pytest.raises(SystemExit) as caught:
      errors.run(main)
    assert caught.value.code == 1
    assert capsys.readouterr().err == 'error: It was ended\n'


@pytest.mark.slow
class TestProcesses:

  def child(self, logdir, **given):
    """Return a process in which the parallel loop runs."""
    given = cloudpickle.dumps({'steps': 10 ** 6, **given})
    return child_processes.Process(
        dummies.shown_parallel, elements.Path(logdir), given, start=True)

  def start(self, logdir):
    """Return such a process and {name: process} of its children."""
    process, alive, start = self.child(logdir), {}, time.time()
    while len(alive) < 4 or not list((logdir / 'replay').glob('*.npz')):
      assert process.running and time.time() - start < 120
      time.sleep(0.2)
      files = {x: logdir / f'{x}.pid' for x in CHILDREN}
      alive = {
          k: psutil.Process(int(v.read_text()))
          for k, v in files.items() if v.exists() and v.read_text()}
    return process, alive

  def test_each_is_killed(self, tmp_path, capfd):
    for name, words in CHILDREN.items():
      process, children = self.start(tmp_path / name)
      capfd.readouterr()
      children[name].kill()
      process.join(10)
      assert process.exitcode == process_deaths.TOLD + 1
      error = capfd.readouterr().err
      assert error.startswith(f'error: {words} was ended by SIGKILL, ')
      assert error.count('\n') == 1 and 'Traceback' not in error
      assert not psutil.wait_procs(children.values(), timeout=2)[1]

  def test_the_parent_is_killed(self, tmp_path):
    process, children = self.start(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    assert not psutil.wait_procs(children.values(), timeout=10)[1]

  def test_an_environment_hangs(self, tmp_path, capfd):
    process = self.child(
        tmp_path, make_env=dummies.Hanging, task='a_b', env_timeout=1)
    assert process.join(120).exitcode == process_deaths.TOLD + 2
    error = capfd.readouterr().err
    assert 'error: Environment 0 of a_b has made no step for 1 sec' in error
    assert 'Traceback' not in error

  @pytest.mark.parametrize('given, words', [
      ({'loss': True}, 'loss/dyn are NaN'), ({'acts': True}, 'pol/w are NaN')])
  def test_the_agent_diverges(self, tmp_path, capfd, given, words):
    make = functools.partial(dummies.make_diverging, **given)
    process = self.child(tmp_path, make_agent=make, save_every=10 ** 6)
    assert process.join(120).exitcode == process_deaths.TOLD + 2
    error = capfd.readouterr().err
    assert 'error: The training has diverged: ' + words in error
    assert 'Traceback' not in error and len(checkpoint.saves(tmp_path)) == 1

  def test_an_environment_of_a_driver_is_killed(self):
    driver = embodied.Driver([dummies.Dummy, dummies.Dummy], parallel=True)
    policy = lambda carry, obs: (carry, {'action': np.zeros(2, int)}, {})
    driver.reset(lambda size: ())
    driver(policy, steps=10)
    threading.Timer(1, lambda: os.kill(driver.procs[1].pid, 9)).start()
    with pytest.raises(RunError, match='Environment 1 was ended by SIGKILL'):
      driver(policy, steps=10 ** 9)
