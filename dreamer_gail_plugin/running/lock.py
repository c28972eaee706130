"""One run a logdir: a lock that ends with its process, however that ends."""

import contextlib
import os
import pathlib
import socket

import filelock

from ..errors import UserError

NAME = '.lock'


@contextlib.contextmanager
def held(logdir):
  """Hold a logdir, made if it is not there, for this process.

  The system frees the lock when the process has gone, so that none is ever
  stale. The file says who holds it. A logdir in which nothing was written is
  removed again. Raises UserError if another process holds it, or if it cannot
  be made.
  """
  logdir = pathlib.Path(logdir).expanduser()
  new = not logdir.exists()
  path = logdir / NAME
  lock = filelock.FileLock(path)
  try:
    logdir.mkdir(parents=True, exist_ok=True)
    lock.acquire(timeout=0)
    path.write_text(f'process {os.getpid()} on {socket.gethostname()}\n')
  except filelock.Timeout:
    raise UserError(
        f'--logdir {logdir}: a run is there already, {_owner(path)}. Stop '
        'that one, or name another --logdir.') from None
  except OSError as error:
    raise UserError(
        f'--logdir {logdir}: cannot make this folder, or write to it: '
        f'{error.strerror}') from None
  try:
    yield
  finally:
    path.unlink(missing_ok=True)  # While held, so that nobody else has it.
    lock.release()
    if new:
      with contextlib.suppress(OSError):
        logdir.rmdir()


def _owner(path):
  """Return who holds a lock, as its file says."""
  text = path.read_text(errors='replace').strip() if path.exists() else ''
  return text or 'another process'
