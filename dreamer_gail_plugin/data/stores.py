"""Several stores of one task, read as if they were one."""

import pathlib

from ..errors import UserError
from . import store as storelib

# What stores that are read together must have alike.
ALIKE = ('task', 'action_meanings', 'arrays')


class Paths:
  """The paths of several stores, in the place of one path."""

  def __init__(self, paths):
    self.paths = tuple(map(pathlib.Path, paths))

  def __str__(self):
    return ', '.join(map(str, self.paths))

  def exists(self):
    """Return whether all are there."""
    return all(x.exists() for x in self.paths)

  def is_file(self):
    """Return whether all are files."""
    return all(x.is_file() for x in self.paths)


def named(text, places=(pathlib.Path(),)):
  """Return the path that a text names, or Paths where it has several.

  Several have commas between them; a path that is there may have some, too.
  Each is looked up in the folders `places`, and stands for the first one if it
  is in none.
  """
  def find(name):
    found = [x / pathlib.Path(name).expanduser() for x in places]
    return next((x for x in found if x.exists()), found[0])
  whole = find(text)
  if ',' not in text or whole.exists():
    return whole
  return Paths(find(x.strip()) for x in text.split(',') if x.strip())


def opened(path):
  """Return the open Store of a path, or Stores of Paths."""
  return Stores(path) if isinstance(path, Paths) else storelib.Store(path)


class Stores:
  """Several stores as one Store, their trajectories one after the other.

  `parts` are the stores. `attrs` are those of the first one, without the score
  of its expert, which the infos of its trajectories have instead. Raises
  UserError where the stores are not of one task.
  """

  def __init__(self, paths):
    self.path, self.parts = paths, []
    try:
      for path in paths.paths:
        self.parts.append(storelib.Store(path))
      first, *others = self.parts
      for other in others:
        _compare(first, other)
    except UserError:
      self.close()
      raise
    self.attrs = {k: v for k, v in first.attrs.items() if k != 'expert_score'}
    self.spec, self.keys = first.spec, first.keys
    self.infos = [_scored(x, y) for x in self.parts for y in x.infos]
    self.lengths = [y for x in self.parts for y in x.lengths]
    self.places = [(x, i) for x in self.parts for i in range(len(x))]

  @property
  def name(self):
    """Return the names of the files."""
    return ', '.join(x.name for x in self.parts)

  def __enter__(self):
    return self

  def __exit__(self, *args):
    self.close()

  def __len__(self):
    return len(self.places)

  def close(self):
    """Close the files; reading afterwards is an error."""
    [x.close() for x in self.parts]

  def read(self, index, *args, **kwargs):
    """Return what `Store.read` does of one of all trajectories."""
    part, index = self.places[index]
    return part.read(index, *args, **kwargs)

  def read_into(self, index, start, key, out):
    """Read the steps from `start` on into a contiguous array (T, ...)."""
    part, index = self.places[index]
    part.read_into(index, start, key, out)


def _scored(part, info):
  score = part.attrs.get('expert_score', info.get('score'))
  return info if score is None else {**info, 'score': score}


def _compare(first, other):
  diffs = [
      (k, first.attrs.get(k), other.attrs.get(k)) for k in ALIKE
      if first.attrs.get(k) != other.attrs.get(k)]
  if not (first.attrs['task'] and other.attrs['task']):
    diffs = [x for x in diffs if x[0] != 'task']  # One fits any.
  diffs += [
      (k, first.spec.get(k), other.spec.get(k))
      for k in sorted({*first.spec, *other.spec})
      if first.spec.get(k) != other.spec.get(k)]
  if diffs:
    key, one, two = diffs[0]
    raise UserError(
        f'--agent.gail.expert: {first.path} and {other.path} are not of one '
        f'task: {key} is {one or "absent"!s:.100} and {two or "absent"!s:.100}'
        '; name stores that were made for the same task with the same options')
