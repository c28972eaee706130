"""`--script parallel` never ends.

Wrong: unlike the other loops, it does not look at `run.steps`. It goes on
until it is killed.
Versions: dreamer 3.3.0 and upstream's git.
Mended: the process that counts the steps, the logger, ends at `run.steps`, or
where the main process has got a signal that ends the run (stop_signals.py) and
sends it SIGUSR1. The main process then saves the agent, where that is its own
(that is, without `run.agent_process`), and stops the others.
"""

import contextlib
import inspect
import io
import os
import signal
import threading
import time

import cloudpickle
import portal

from . import final_save
from . import loops
from . import process_deaths
from . import proxies

LOGGER = 'parallel_logger'


def needed():
  """Return whether the code of the parallel loop reads no `steps`.

  To see what it does, servers and processes would have to be started.
  """
  functions = filter(
      inspect.isfunction, vars(loops.module('parallel')).values())
  codes = [inspect.unwrap(x).__code__ for x in functions]
  return not any('steps' in x.co_names for x in codes)


def apply():
  """Replace the logger's function and the wait for all workers."""
  module = loops.module('parallel')
  parallel_logger.original = module.parallel_logger
  module.parallel_logger = parallel_logger
  module.portal = proxies.Proxy(module.portal, run=run)


def parallel_logger(make_logger, args):
  """Run upstream's logger process until it has counted run.steps.

  Or until it gets SIGUSR1, which its parent has blocked when it started it.
  """
  stop = threading.Event()
  signal.signal(signal.SIGUSR1, lambda *_: stop.set())
  signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
  if isinstance(make_logger, bytes):
    make_logger = cloudpickle.loads(make_logger)
  logger = make_logger()
  portal.Thread(
      parallel_logger.original, lambda: logger, args, start=True)
  # An error in the thread ends the process, by portal's own doing.
  while logger.step < args.steps and not stop.wait(0.1):
    pass
  final_save.save()
  logger.write()
  logger.close()


def run(workers):
  """Run the workers until the logger is done, or one has died.

  A signal that ends the run ends the logger.
  """
  watch, asked, done = process_deaths.Watch(workers), False, False
  try:
    while not done:
      time.sleep(0.1)
      watch.check(may_end=LOGGER)
      logger = [x for x in workers if x.name == LOGGER]
      done = any(x.exitcode == 0 for x in logger)
      if logger and watch.started and not asked and ending():
        asked = True
        os.kill(logger[0].pid, signal.SIGUSR1)
  finally:
    # So that the learner is not killed in the middle of a save.
    with final_save.Checkpoint.saving:
      if done:
        final_save.save()
      watch.end()
  with contextlib.redirect_stdout(io.StringIO()):  # Where each thread was.
    [x.kill() for x in workers]


def ending():
  """Obey signals; return whether one ends the run."""
  from dreamer_gail_plugin.running import signals
  try:
    signals.LISTENER.obey(final_save.save)
  except signals.Stop:
    return True
