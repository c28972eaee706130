"""A column of Scope's log cannot be read after a kill or on a full disk.

Wrong: its files are rows of a fixed size, to which `table_append` adds. Where
that was cut off, half a row stays, after which no row can be read. An error of
the disk ends the run with a traceback.
Versions: scope 0.8.1.
Mended: half a row is cut off before more are added. Rows that cannot be
written are left out, and so are their files, and a line says so.
"""

import functools
import importlib.util
import os
import pathlib
import struct
import tempfile

import elements


def needed():
  """Return whether what is added to half a row cannot be read."""
  if not importlib.util.find_spec('scope'):
    return False
  from scope import formats
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, 'x')
    path.write_bytes(b'half')
    formats.table_append(path, '>qd', [1], [2.0])
    return formats.table_length(path, '>qd') * 16 != path.stat().st_size


def apply():
  """Replace the functions that write rows, and files with a row each."""
  from scope import formats
  formats.table_append = whole(formats.table_append)
  formats.files_write = told(formats.files_write, unknown)


def whole(append):
  """Return `append` such that there are whole rows only."""
  @functools.wraps(append)
  def wrapper(filename, fmt, *cols):
    # Runs give paths of `elements`, which know less than those of Python.
    size = os.path.getsize(filename) if filename.exists() else 0
    size -= size % struct.calcsize(fmt)
    try:
      if filename.exists():
        os.truncate(filename, size)
      append(filename, fmt, *cols)
    except OSError:
      if filename.exists():
        os.truncate(filename, size)
      raise
  return told(wrapper)


def unknown(folder, steps):
  """Remove the files of some steps that no row names."""
  from scope import formats
  known = formats.files_read(folder)[1] if (folder / 'index').exists() else ()
  for step in steps:
    for path in {*folder.glob(f'{step:020}-*')} - {*known}:
      os.remove(path)


def told(write, clean=None):
  """Return a function such that it says where the disk is full.

  `clean(path, steps)` then removes what is left of it.
  """
  @functools.wraps(write)
  def wrapper(path, *args):
    try:
      write(path, *args)
    except OSError as error:
      clean and clean(path, args[0])
      elements.print(
          f'Warning: values of {path} are lost: {error.strerror}',
          color='yellow')
  return wrapper
