"""An environment that hangs hangs the run for ever.

Wrong: the driver waits for a step without a limit, and says nothing.
Versions: dreamer 3.3.0 and upstream's git.
Mended: the loops' drivers wait for `env_timeout` seconds, a key of their
`args`; 0 or none is for ever. After that the run ends with an error that names
the environment. The first step of a process has no limit, as it is still being
started.
"""

import contextlib
import functools
import inspect
import signal

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


def needed():
  """Return whether the driver's wait has no limit."""
  import embodied
  return 'poll(' not in inspect.getsource(embodied.Driver._receive)


def apply():
  """Let the loops set the limit and the drivers keep it."""
  import embodied
  embodied.Driver.__init__ = watching(embodied.Driver.__init__)
  embodied.Driver._receive = receiving(embodied.Driver._receive)
  for name in ('train', 'train_eval', 'eval_only'):
    loops.wrap(name, name, limited)


def limited(loop, given):
  """Run the loop with the limit of its flags."""
  Limit.seconds = given['args'].get('env_timeout', 0)
  Limit.task = given['args'].get('task', '')
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
  """Return the driver's wait for a process such that it has a limit."""
  @functools.wraps(receive)
  def wrapper(self, pipe):
    if Limit.seconds and pipe in self.answered:
      if not pipe.poll(Limit.seconds):
        self.close()
        raise error(self.pipes.index(pipe))
    result = receive(self, pipe)
    self.answered.add(pipe)
    return result
  return wrapper


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
