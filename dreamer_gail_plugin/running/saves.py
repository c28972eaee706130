"""The saves of a run: folders that are whole, and found to be so when read.

  DIRECTORY/
    latest           the name of the last save
    TIME-STEP/       a save; the names sort in the order of the saves
      agent.pkl ...  pickles, as upstream writes them
      done           the SHA-256 of each, as `sha256sum --check` reads them

Upstream's own saves, and ours of before, have an empty `done`.
"""

import ctypes
import datetime
import hashlib
import os
import pathlib
import shutil
from numbers import Integral

import elements
import numpy as np

from .. import atomic
from ..errors import UserError
from . import unpickle

LATEST, DONE = 'latest', 'done'
TIME = '%Y%m%dT%H%M%SF%f'  # How the name of a save begins.


def write(directory, savefns, step=None):
  """Write a save, {name: function that returns the data}; return its name.

  It has its name only when all of it is on the disk, and `latest` names it
  only then. Raises OSError, and leaves nothing of it, if that fails.
  """
  directory = pathlib.Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  for part in directory.glob('.*.part'):  # Of a run that was killed.
    shutil.rmtree(part) if part.is_dir() else part.unlink()
  name = next_name(directory, step)
  part = directory / f'.{name}.part'
  try:
    elements.checkpoint.save(part, savefns)
    seal(part)
    part.rename(directory / name)
  except BaseException:
    shutil.rmtree(part, ignore_errors=True)
    raise
  atomic.sync(directory)
  with atomic.write(directory / LATEST) as file:
    file.write_text(name)
  trim_memory()
  return name


def trim_memory():
  """Give back the memory that a save took, which the C library keeps.

  Its heap has holes then, and grows by some MB with every save.
  """
  trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)  # Of glibc alone.
  if trim:
    trim(0)


def load(folder, loadfns):
  """Call the functions, by name, with what a save holds under these names.

  As `elements.checkpoint.load`, but no code of the file's maker runs. Raises
  UserError if the save lacks one or holds what no run saves.
  """
  folder = pathlib.Path(folder)
  for name, loadfn in loadfns.items():
    parts = sorted(folder.glob(f'{name}-????.pkl'))
    path = folder / f'{name}.pkl'
    if parts and not path.exists():
      loadfn(unpickle.load(x) for x in parts)
      continue
    data = unpickle.load(path)
    if not FORMS.get(name, lambda _: True)(data):
      raise UserError(f'{path}: is not what a run saves under this name')
    loadfn(data)


def is_agent(data):
  """Return whether data are an agent's: {params: {name: array}, ...}.

  Those of random play are None.
  """
  counts = lambda x: isinstance(x, dict) and all(
      isinstance(y, Integral) for y in x.values())
  return data is None or (
      isinstance(data, dict) and isinstance(data.get('params'), dict)
      and all(isinstance(x, np.ndarray | np.generic)
              for x in data['params'].values())
      and counts(data.get('counters', {})))


FORMS = {'agent': is_agent, 'step': lambda x: isinstance(x, Integral)}


def next_name(directory, step=None):
  """Return a name after those of all saves, even if the clock went back."""
  when = datetime.datetime.now()
  last = max(map(time, folders(directory)), default=when)
  when = max(when, last + datetime.timedelta(microseconds=1))
  return when.strftime(TIME) + ('' if step is None else f'-{int(step):012d}')


def time(folder):
  """Return the datetime in the name of a save, None if it has none."""
  try:
    return datetime.datetime.strptime(folder.name.partition('-')[0], TIME)
  except ValueError:
    return None


def folders(directory):
  """Return the paths of all saves, whole or not, the oldest first."""
  found = [x for x in pathlib.Path(directory).glob('2*') if time(x)]
  return sorted(found, key=lambda x: x.name)


def seal(folder):
  """Write the checksums of the files to `done`; wait for the disk."""
  files = sorted(folder.glob('*.pkl'))
  (folder / DONE).write_text(
      ''.join(f'{digest(x)}  {x.name}\n' for x in files))
  for path in (*files, folder / DONE, folder):
    atomic.sync(path)


def digest(path):
  """Return the SHA-256 of a file in hexadecimal digits."""
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def problem(folder):
  """Return in what way a save is not whole, '' if it is."""
  folder = pathlib.Path(folder)
  if not (folder / DONE).is_file():
    return f'has no file {DONE!r}'
  lines = (folder / DONE).read_text(errors='replace').splitlines()
  for line in lines:
    known, _, name = line.partition('  ')
    if not (folder / name).is_file():
      return f'lacks {name}'
    if digest(folder / name) != known:
      return f'{name} is not as it was written'
  if not lines:
    cut = [x.name for x in folder.glob('*.pkl') if not _ends(x)]
    return f'{cut[0]} is cut off' if cut else ''
  return ''


def _ends(path):
  """Return whether a pickle has its end, all that can be seen of it."""
  with path.open('rb') as file:
    file.seek(-min(1, path.stat().st_size), os.SEEK_END)
    return file.read() == b'.'


def newest(directory):
  """Return the folder to go on from, and {name: what is wrong} of others.

  The folder is the one that `latest` names if that is whole, else the last
  whole one, or None. Only saves that come before it in this order are in the
  dict, and `latest` itself if it names none.
  """
  directory, wrong = pathlib.Path(directory), {}
  there = folders(directory)[::-1]
  if (directory / LATEST).exists():
    name = (directory / LATEST).read_text(errors='replace').strip()
    there.sort(key=lambda x: x.name != name)
    if not there or there[0].name != name:
      wrong[LATEST] = 'names no save'
  for folder in there:
    found = problem(folder)
    if not found:
      return folder, wrong
    wrong[folder.name] = found
  return None, wrong


def choose(directory):
  """Return what `newest` does, None if nothing was ever saved.

  Says so if the folder is not the last save. Raises UserError if there have
  been saves and none is whole.
  """
  found, wrong = newest(directory)
  why = '; '.join(f'{k} {v}' for k, v in wrong.items())
  if found and wrong:
    elements.print(
        f'Warning: {directory}: {why}. The newest save that is whole is '
        f'{found.name}', color='yellow')
  if not found and (pathlib.Path(directory) / LATEST).exists():
    raise UserError(
        f'{directory}: no save there is whole: {why}. Copy one back, or start '
        f'with another --logdir.')
  return found, wrong


def clean(directory, keep, damaged=()):
  """Remove all but the last `keep` saves, None for none.

  Those that are `damaged` (names) do not count. What `latest` names stays.
  """
  if keep is None:
    return
  directory = pathlib.Path(directory)
  there = folders(directory)
  stay = [x for x in there if x.name not in damaged][-keep:]
  latest = (directory / LATEST).read_text()
  for folder in there:
    if folder not in stay and folder.name != latest:
      # No half of a save has the name of one.
      part = folder.rename(folder.with_name(f'.{folder.name}.part'))
      shutil.rmtree(part)
