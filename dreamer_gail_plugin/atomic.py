"""Files that are written whole or not at all, a loss of power included."""

import contextlib
import json
import os
import pathlib

from .errors import UserError


@contextlib.contextmanager
def write(path):
  """Yield a path to write to, which takes the name `path` at the end.

  If anything fails, nothing of it is left and what was at `path` stays.
  """
  path = pathlib.Path(path)
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  try:
    yield part
    sync(part)
    os.replace(part, path)
    sync(path.parent)
  finally:
    part.unlink(missing_ok=True)


def sync(path):
  """Wait until the disk has what was written to a file or folder."""
  number = os.open(path, os.O_RDONLY)
  try:
    os.fsync(number)
  finally:
    os.close(number)


def write_json(path, data):
  """Write data as JSON, and make the folder if it is not there.

  Raises UserError if that cannot be done, and ValueError for numbers that
  JSON does not have.
  """
  path = pathlib.Path(path)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with write(path) as part:
      part.write_text(json.dumps(data, indent=1, allow_nan=False) + '\n')
  except OSError as error:
    raise UserError(f'{path}: cannot be written: {error}') from None
