"""Reads the file of a recipe, which may be malicious.

A recipe decides which environment is made, how often it steps and how large
its images are. So all of that is checked before anything is played.
"""

import importlib
import inspect
import json
import pathlib
import re
import reprlib

from .. import envs
from ..errors import UserError

FORMAT = 'dreamer_gail_plugin/recipe'
VERSION = 1
LARGEST = 1 << 24  # Bytes of the file; a bundled one has some ten thousand.
STEPS = 1 << 20  # Of a trajectory.
MOST = {'size': 1024, 'pooling': 64, 'repeat': 64, 'noops': 1000}
# Options of environments that a recipe must not choose: the seed, and those
# that add keys which a store does not have.
OWN = ('task', 'seed', 'logs')


def load(path, suites, letters):
  """Return the content of a recipe, a dict.

  `suites` are those that recipes are for, `letters` those that stand for
  actions. Raises UserError if it is no recipe, if anything is missing or of
  another type, or if it asks for more than a game could need.
  """
  path = pathlib.Path(path)
  try:
    if path.stat().st_size > LARGEST:
      raise ValueError(f'it has more than {LARGEST:,} bytes')
    data = json.loads(path.read_text('utf-8'))
  except (OSError, ValueError, RecursionError) as error:
    raise UserError(
        f'{path}: cannot be read as a recipe ({error}); install the plugin '
        'again') from None
  found = [
      data.get(k) if isinstance(data, dict) else None
      for k in ('format', 'version')]
  if found != [FORMAT, VERSION]:
    raise UserError(
        f'{path}: expected format {FORMAT!r} version {VERSION}, found '
        f'{found[0]!r:.50} version {found[1]!r:.50}; install the plugin again')
  wrong = _root(data, suites) or _trajectories(data, letters)
  if wrong:
    raise UserError(f'{path}: {wrong}; install the plugin again')
  return data


def _root(data, suites):
  # Return what is wrong with all but the trajectories, or None.
  attrs = data.get('attrs')
  if not isinstance(attrs, dict) or not isinstance(data.get('made_with'), str):
    return 'attrs or made_with is missing'
  texts = ('task', 'source', 'licence', 'command')
  lost = [x for x in texts if not isinstance(attrs.get(x), str)]
  if lost:
    return f'attrs: {lost[0]} is missing, expected text'
  suite = attrs['task'].partition('_')[0]
  if suite not in suites or len(attrs['task']) > 100:
    return (f'attrs: task is {attrs["task"]!r:.50}, expected one of the '
            f'suites {", ".join(suites)}')
  names = attrs.get('action_meanings')
  if not isinstance(names, list) or not all(
      isinstance(x, str) for x in names):
    return 'attrs: action_meanings is no list of names'
  if not _whole(attrs.get('limit'), 0, STEPS):
    return f'attrs: limit is {attrs.get("limit")!r:.50}, expected steps'
  if not isinstance(attrs.get('preprocessing'), dict):
    return 'attrs: preprocessing is missing'
  wrong = options(suite, attrs['preprocessing'])
  return f'attrs: preprocessing: {wrong}' if wrong else None


def options(suite, given):
  """Return what is wrong with options of an environment, or None.

  Each must have the type that it has in the signature of the environment and
  a value that a game could need.
  """
  module, name, _ = envs.SUITES[suite]
  module = importlib.import_module(f'{envs.__name__}.{module}')
  known = {
      k: v.default
      for k, v in inspect.signature(getattr(module, name)).parameters.items()
      if k not in OWN}
  # Older recipes may say that `logs` is off, which is the default.
  given = {k: v for k, v in given.items() if k != 'logs' or v}
  for key, value in given.items():
    if key not in known:
      return f'has {key!r:.50}, which {suite} has not'
    # On `gym` tasks 0 and -1 leave images as they are.
    least = -1 if suite == 'gym' else 1
    if not _fits(value, known[key], MOST.get(key, STEPS), least):
      # Aliases in YAML can make a value that is endless in print.
      return (f'{key} is {reprlib.repr(value):.50}, expected something like '
              f'{known[key]!r}')
  return None


def _fits(value, default, most, least):
  if default == ():  # Any count of numbers.
    return isinstance(value, list) and len(value) <= 1000 and all(
        type(x) in (int, float) and 0 <= x < 1e9 for x in value)
  if isinstance(default, tuple):
    return (isinstance(value, list) and len(value) == len(default)
            and all(_whole(x, least, most) for x in value))
  if isinstance(default, bool) or isinstance(default, str):
    return isinstance(value, type(default)) and len(str(value)) < 100
  if isinstance(default, float):  # A chance.
    return type(value) in (int, float) and 0 <= value <= 1
  return _whole(value, 0, most)


def _trajectories(data, letters):
  rows = data.get('trajectories')
  if not isinstance(rows, list) or not rows:
    return 'trajectories is no list of some'
  for number, row in enumerate(rows):
    place = f'trajectory {number}'
    if not isinstance(row, dict):
      return f'{place} is {row!r:.50}, expected an object'
    for key in ('actions', 'sha256', 'source_id'):
      if not isinstance(row.get(key), str):
        return f'{place}: {key} is {row.get(key)!r:.50}, expected text'
    if not re.fullmatch('[0-9a-f]{64}', row['sha256']):
      return (f'{place}: sha256 is {row["sha256"]!r:.50}, expected 64 '
              'hex digits')
    count = len(row['actions'])
    if count > STEPS or set(row['actions']) - set(letters):
      return f'{place}: actions has other than {STEPS:,} letters and digits'
    # Only the last step of an episode has no action.
    if not _whole(row.get('length'), 1, 2 * count + 1):
      return (f'{place}: length is {row.get("length")!r:.50}, with '
              f'{count:,} actions')
    if not _whole(row.get('seed'), 0, 2 ** 31 - 1):
      return f'{place}: seed is {row.get("seed")!r:.50}, expected a number'
  return None


def _whole(value, low, high):
  return type(value) is int and low <= value <= high
