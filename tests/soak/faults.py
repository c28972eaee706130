"""What is done to a run: clocks that are off, and a disk that fills."""

import collections
import contextlib
import datetime
import os
import subprocess

import elements

STEADY = 'two hours back or ahead at a start'
JUMPS = 'two hours back or ahead at every look'


class Table:
  """How many times there was a fault, and how many it was survived.

  `losses` counts what was lost, by kind; a fault is survived where none of
  them grew.
  """

  def __init__(self):
    self.times = collections.Counter()
    self.survived = collections.Counter()
    self.losses = collections.Counter()

  def add(self, faults, losses):
    """Count the faults of one life of a run, and what {kind: n} it lost."""
    self.times.update(faults)
    if not any(losses.values()):
      self.survived.update(faults)
    self.losses.update(losses)

  def __str__(self):
    rows = [
        f'| {k} | {v} | {self.survived[k]} |' for k, v in self.times.items()]
    lost = [f'{k}: {v}' for k, v in sorted(self.losses.items())]
    return '\n'.join([
        '| Fault | Times | Survived |', '| --- | --- | --- |', *rows,
        '', *lost])


def set_clock(kind, rng):
  """Let the saves and logs of this process see a clock that is off."""
  fixed = rng.choice((-2, 2))

  class Clock(datetime.datetime):

    @classmethod
    def now(cls, tz=None):
      hours = fixed if kind == STEADY else rng.choice((-2, 0, 2))
      return super().now(tz) + datetime.timedelta(hours=hours)

  datetime.datetime = elements.utils.datetime = Clock


@contextlib.contextmanager
def disk(folder, megabytes):
  """Yield a Disk of so many MB in a folder; it needs the right to mount."""
  subprocess.run(
      ['mount', '-t', 'tmpfs', '-o', f'size={megabytes}m', 'tmpfs', folder],
      check=True)
  try:
    yield Disk(folder)
  finally:
    subprocess.run(['umount', '--lazy', folder], check=True)


class Disk:
  """A disk that can be filled."""

  def __init__(self, folder):
    self.ballast = folder / 'ballast'

  def fill(self, left):
    """Fill it but for `left` bytes."""
    state = os.statvfs(self.ballast.parent)
    room = state.f_bavail * state.f_frsize - left
    if room > 0:
      with self.ballast.open('ab') as file:
        with contextlib.suppress(OSError):  # The run may be faster.
          os.posix_fallocate(file.fileno(), file.tell(), room)

  def free(self):
    """Give the space back."""
    self.ballast.unlink(missing_ok=True)
