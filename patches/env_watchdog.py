"""An environment that hangs hangs the run for ever.

Wrong: the driver waits for a step without a limit, and says nothing. Where the
process of an environment was killed, a traceback does not say which.
Versions: dreamer 3.3.0 and upstream's git.
Mended: the loops' drivers wait for `env_timeout` seconds, a key of their
`args`; 0 or none is for ever. After that the run ends with an error that names
the environment, and so it does where the process has ended. The first step of
a process has no limit, as it is still being started.
"""

import contextlib
import functools
import math
import signal
import time
from unittest import mock

from . import loops


class Watched:
  """An environment in this process whose steps have a limit."""

  def __init__(self, env, index):
    self.env, self.index = env, index

  def __getattr__(self, name):
    return getattr(self.env, name)

  def step(self, action):
    with alarm(self.index):
      return self.env.step(action)


class Limit:
  """What the loop that runs now has set."""

  seconds, task = 0, ''

  @classmethod
  def set(cls, args):
    cls.seconds, cls.task = args.get('env_timeout', 0), args.get('task', '')


def needed():
  """Return whether the driver's wait has no limit."""
  import embodied
  pipe = mock.Mock(**{'recv.return_value': ('result', 1)})
  embodied.Driver._receive(
      mock.Mock(pipes=[pipe], procs=[], answered=set()), pipe)
  return not pipe.poll.called


def apply():
  """Let the loops set the limit and the drivers keep it."""
  import embodied
  embodied.Driver.__init__ = watching(embodied.Driver.__init__)
  embodied.Driver._receive = receiving(embodied.Driver._receive)
  embodied.Driver._step = stepping(embodied.Driver._step)
  for name in ('train', 'train_eval', 'eval_only'):
    loops.wrap(name, name, limited)


def limited(loop, given):
  """Run the loop with the limit of its flags."""
  Limit.set(given['args'])
  try:
    return loop(**given)
  finally:
    Limit.seconds = 0


def watching(init):
  """Return the driver's constructor such that its environments are watched."""
  @functools.wraps(init)
  def wrapper(self, *args, **kwargs):
    self.answered = set()
    init(self, *args, **kwargs)
    if not self.parallel:
      self.envs = [Watched(x, i) for i, x in enumerate(self.envs)]
  return wrapper


def receiving(receive):
  """Return the driver's wait for a process such that it ends with that."""
  @functools.wraps(receive)
  def wrapper(self, pipe):
    index, start = self.pipes.index(pipe), time.time()
    limit = Limit.seconds if pipe in self.answered else math.inf
    while not pipe.poll(min(1, limit or 1)):
      if self.procs[index].exitcode is not None:
        raise died(self, index)
      if limit and time.time() - start > limit:
        self.close()
        raise error(index)
    try:
      result = receive(self, pipe)
    except (EOFError, ConnectionError):
      raise died(self, index) from None
    self.answered.add(pipe)
    return result
  return wrapper


def stepping(step):
  """Return the driver's step such that it tells of a process that died."""
  @functools.wraps(step)
  def wrapper(self, *args, **kwargs):
    try:
      return step(self, *args, **kwargs)
    except BrokenPipeError:
      dead = [i for i, x in enumerate(self.procs) if not x.running]
      raise died(self, dead[0]) from None
  return wrapper


def died(driver, index):
  """End a driver; return the RunError on one of its processes."""
  process = driver.procs[index].join(1)
  driver.close()
  return ended(f'Environment {index}', process.exitcode)


def ended(name, code):
  """Return the RunError on a process that has ended with an exit code."""
  from dreamer_gail_plugin.errors import RunError
  how = (
      f'was ended by {signal.Signals(-code).name}' if code < 0
      else f'has ended with exit code {code}')
  return RunError(
      f'{name} {how}, and so the run ends. The same command goes on from the '
      'last save.')


@contextlib.contextmanager
def alarm(index):
  """Raise UserError in what takes longer than the limit."""
  if not Limit.seconds:
    yield
    return

  def ring(number, frame):
    raise error(index)
  old = signal.signal(signal.SIGALRM, ring)
  signal.setitimer(signal.ITIMER_REAL, Limit.seconds)
  try:
    yield
  finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, old)


def error(index):
  """Return the UserError on an environment that hangs."""
  from dreamer_gail_plugin.errors import UserError
  return UserError(
      f'Environment {index} of {Limit.task} has made no step for '
      f'{Limit.seconds} seconds. If its steps may take that long, raise '
      f'--env.timeout; 0 is no limit.')
