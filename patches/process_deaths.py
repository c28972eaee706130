"""The death of a process of `parallel` is a traceback, or nobody sees it.

Wrong: nobody watches the process that batches observations, nor any while the
others are being started. These are started one after another, the replay last,
so that 16 environments make no step for minutes. An environment that hangs is
waited for for ever. Children outlive a parent that was killed. Errors of
threads and children are tracebacks, also where one line says all.
Versions: portal 3.5 to 3.8, dreamer 3.3.0 and upstream's git.
Mended: all start together. Each process watches all that it has started, and
its parent. The first death ends the run, and one line says whose it was; see
parallel_end.py.
"""

import functools
import multiprocessing
import signal
import threading
import time
from concurrent import futures

import cloudpickle
import portal
import psutil

from . import env_watchdog
from . import loops
from . import proxies

# The exit code of a child that has said itself why is the run's and this.
TOLD = 40
NAMES = {
    'parallel_agent': 'The agent', 'parallel_replay': 'The replay',
    'parallel_logger': 'The logger', 'ActorBatcher': 'The batching process'}
FAILED = []  # What a thread of this process has raised.


def needed():
  """Return whether portal's wait for workers sees these and no others."""
  return 'active_children' not in portal.run.__code__.co_names


def apply():
  """Let threads and processes of the parallel loop watch each other."""
  import embodied
  for module in (embodied.core.driver, loops.module('parallel')):
    process = watching(module.portal.Process)
    module.portal = proxies.Proxy(module.portal, Process=process)
  batching = portal.batching
  batching.process = proxies.Proxy(
      batching.process, Process=watching(batching.process.Process))
  for name in ('combined', 'parallel_envs'):
    loops.wrap('parallel', name, prepared)
  loops.wrap('parallel', 'parallel_agent', shielded)
  loops.wrap('parallel', 'parallel_env', limited)


def prepared(loop, given):
  """Run the loop such that its errors, and its children's, are one line."""
  FAILED.clear()
  env_watchdog.Limit.set(given['args'])
  portal.initfn(prepare)
  return loop(**given)


def prepare():
  """Tell portal's errors in our way; in a child, end with the parent."""
  portal.context.error = functools.partial(
      tell, type(portal.context).error.__get__(portal.context))
  follow()


def follow():
  """Let this process, if it is a child, end with its parent."""
  parent = multiprocessing.parent_process()

  def wait():
    parent.join()
    portal.context.shutdown(1)

  if parent:
    threading.Thread(target=wait, daemon=True).start()


def followed(target, *args):
  """Call what a child is for; it would wait for ever for a dead parent."""
  follow()
  target(*args)


def tell(traceback, error, name=None):
  """Tell of an error that ends this process afterwards."""
  from dreamer_gail_plugin import errors
  # A server wraps what its methods raise.
  for cause in (error, error.__context__):
    if isinstance(cause, errors.SHOWN):
      if multiprocessing.parent_process():
        portal.context.shutdown(TOLD + errors.show(cause))
      FAILED.append(cause)
      time.sleep(60)  # The main thread ends the process.
  time.sleep(2)  # If this comes from a death, what sees that ends it first.
  traceback(error, name)


def watching(process):
  """Return the class of processes with one that may die while it starts."""

  class Watching(process):

    def start(self):
      threading.Thread(target=self._watch, daemon=True).start()
      self.process._target = functools.partial(
          followed, self.process._target)
      try:
        return super().start()
      except threading.BrokenBarrierError:
        self.thepid = self.process.pid
        return self

    def _watch(self):
      while not self.thepid and self.process.exitcode is None:
        time.sleep(0.1)
      if not self.thepid:
        self.ready.abort()

  return Watching


def shielded(loop, given):
  """Run the agent such that the processes it starts get no signals."""
  from dreamer_gail_plugin.running import signals
  signal.pthread_sigmask(signal.SIG_BLOCK, signals.ALL)
  return loop(**given)


def limited(loop, given):
  """Run an environment whose process dies by SIGALRM where it hangs."""
  env_watchdog.Limit.set(given['args'])
  make = given['make_env']
  make = cloudpickle.loads(make) if isinstance(make, bytes) else make
  given['make_env'] = lambda index: Alarmed(make(index), index)
  return loop(**given)


class Alarmed(env_watchdog.Watched):
  """An environment that ends its process where it hangs, also in C."""

  def step(self, action):
    signal.setitimer(signal.ITIMER_REAL, env_watchdog.Limit.seconds)
    try:
      return self.env.step(action)
    finally:
      signal.setitimer(signal.ITIMER_REAL, 0)


class Watch:
  """Starts workers, and sees when one of this process' children has died."""

  def __init__(self, workers):
    self.workers = workers
    self.known = {}
    self.ending = False
    self.starter = threading.Thread(target=self._start, daemon=True)
    self.starter.start()

  def _start(self):
    # Each takes seconds to import what it needs, and no environment makes a
    # step before there is a replay.
    order = sorted(self.workers, key=lambda x: x.name == 'parallel_env')
    with futures.ThreadPoolExecutor() as pool:
      list(pool.map(lambda x: self.ending or x.start(), order))

  @property
  def started(self):
    return not self.starter.is_alive()

  def check(self, may_end):
    """Raise what ends the run; one of the name `may_end` may have ended."""
    if FAILED:
      raise FAILED[0]
    # The main thread watches what the agent's thread has started, too.
    if threading.current_thread() is threading.main_thread():
      self.known.update({x.pid: x for x in multiprocessing.active_children()})
    # What ends a thread is in FAILED, or has ended it on purpose.
    processes = [x for x in self.workers if not isinstance(x, portal.Thread)]
    for child in (*self.known.values(), *processes):
      code = child.exitcode
      if code is not None and (code or child.name != may_end):
        raise self.death(child)

  def death(self, child):
    """Return the exception that tells of a child that has ended."""
    code, name = child.exitcode, child.name
    if code > TOLD:
      return SystemExit(code - TOLD)
    envs = [x.pid for x in self.workers if x.name == 'parallel_env']
    if name == 'parallel_env':
      index = envs.index(child.pid)
      if code == -signal.SIGALRM:
        return env_watchdog.error(index)
      name = f'Environment {index}'
    return env_watchdog.ended(NAMES.get(name, name), code)

  def end(self):
    """End all children and theirs."""
    self.ending = True
    while True:
      for child in multiprocessing.active_children():
        kill(child.pid)
      if self.started:
        break
      self.starter.join(0.2)


def kill(pid):
  """Kill a process and its children."""
  try:
    process = psutil.Process(pid)
    children = process.children(recursive=True)
  except psutil.NoSuchProcess:
    return
  for each in (process, *children):
    try:
      each.kill()
    except psutil.NoSuchProcess:
      pass
