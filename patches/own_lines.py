"""The logs end a run, or lose a line, where the disk has no space.

Wrong: `JSONLOutput` appends to what is there. Where a kill or a full disk has
torn the last line, the next one stands in the same line, and neither can be
read. An error of the disk ends the run with a traceback.
Versions: elements 3.17 to 3.22.
Mended: it ends a torn line before it writes. Where it cannot write it says so,
and the run goes on without these lines, of which no half stays.
"""

import contextlib
import functools
import io
import os
import pathlib
import tempfile

import elements
import numpy as np


def needed():
  """Return whether what is written after a torn line goes into that."""
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, 'x')
    path.write_text('torn')
    output = elements.logger.JSONLOutput(folder, 'x', parallel=False)
    with contextlib.redirect_stdout(io.StringIO()):
      output([(0, 'metric', np.array(1.0))])
    return not path.read_text().startswith('torn\n')


def apply():
  """Let the output end torn lines."""
  output = elements.logger.JSONLOutput
  output._write = on_its_own_line(output._write)


def on_its_own_line(write):
  """Return `write` such that it begins a line."""
  @functools.wraps(write)
  def wrapper(self, summaries):
    path = pathlib.Path(self._filename)
    before = path.stat().st_size if path.exists() else 0
    try:
      end_line(path)
      write(self, summaries)
    except OSError as error:
      with contextlib.suppress(OSError):
        os.truncate(path, before)
      elements.print(
          f'Warning: a line of {self._filename} is lost: {error.strerror}',
          color='yellow')
  return wrapper


def end_line(path):
  """Add the end of a line to a file whose last line has none."""
  try:
    with open(path, 'rb+') as file:
      if file.seek(0, os.SEEK_END):
        file.seek(-1, os.SEEK_END)
        if file.read() != b'\n':
          file.write(b'\n')
  except FileNotFoundError:
    pass
