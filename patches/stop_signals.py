"""Ctrl+C or SIGTERM loses what came after the last save.

Wrong: nothing handles them, so that a run ends in the middle of a step, with
tracebacks of it and of all its environments, which get the signal, too.
Versions: dreamer 3.3.0 and upstream's git.
Mended: the driver looks after each step at what `running.signals` was asked
for, and the loops end there. Child processes leave the signals to their
parent, which ends them.
"""

import functools
import signal

from . import dryrun
from . import final_save
from . import loops
from . import proxies


def needed():
  """Return whether no loop handles a signal."""
  return dryrun.run('train').handlers == {signal.getsignal(signal.SIGTERM)}


def apply():
  """Let drivers, loops and processes obey."""
  import embodied
  embodied.Driver._step = obeying(embodied.Driver._step)
  for name in ('train', 'train_eval', 'eval_only'):
    loops.wrap(name, name, ended)
  for module in (embodied.core.driver, loops.module('parallel')):
    process = shielded(module.portal.Process)
    module.portal = proxies.Proxy(module.portal, Process=process)


def obeying(step):
  """Return the driver's step such that it then obeys signals."""
  @functools.wraps(step)
  def wrapper(*args, **kwargs):
    from dreamer_gail_plugin.running import hosts
    from dreamer_gail_plugin.running import signals
    result = step(*args, **kwargs)
    signals.LISTENER.obey(final_save.save, hosts.share)
    return result
  return wrapper


def ended(loop, given):
  """Run the loop until its end, or until a signal ends it."""
  from dreamer_gail_plugin.running import signals
  make_logger, made = given['make_logger'], []

  def remembered():
    made.append(make_logger())
    return made[-1]

  given['make_logger'] = remembered
  try:
    loop(**given)
  except signals.Stop:
    made[-1].close()


def shielded(process):
  """Return the class of processes with one that gets no signals but SIGKILL.

  What a process blocks when it starts another one is blocked there, too.
  """

  class Shielded(process):

    def start(self):
      from dreamer_gail_plugin.running import signals
      old = signal.pthread_sigmask(signal.SIG_BLOCK, signals.ALL)
      try:
        return super().start()
      finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)

    def kill(self, timeout=0):
      super().kill(0)  # It would not hear SIGTERM.
      return self.join(1)

  return Shielded
