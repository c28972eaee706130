"""The files of results, one a run: see docs/benchmark.md."""

import json
import os

from ..errors import UserError

FORMAT = 1
KEYS = (
    'method', 'task', 'seed', 'steps', 'expert', 'training', 'evaluations',
    'wall_seconds')


def save(path, result):
  """Write a dict as JSON with a line a key, whole or not at all."""
  path.parent.mkdir(parents=True, exist_ok=True)
  lines = [
      f'{json.dumps(k)}: {json.dumps(v, allow_nan=False)}'
      for k, v in result.items()]
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  with part.open('w') as file:
    file.write('{' + ',\n '.join(lines) + '}\n')
    file.flush()
    os.fsync(file.fileno())
  part.replace(path)


def load(folder):
  """Return the results in a folder, a list in the order of their names.

  Raises UserError if there are none, or for a file that is not one.
  """
  found = []
  for path in sorted(folder.glob('*.json')):
    try:
      result = json.loads(path.read_text())
      missing = [x for x in KEYS if x not in result]
      version = result.get('format')
    except (OSError, ValueError, AttributeError, TypeError) as error:
      raise UserError(
          f'{path}: cannot be read ({type(error).__name__}), expected a '
          f'result of the benchmark; remove it.') from None
    if missing or version != FORMAT:
      raise UserError(
          f'{path}: is no result of the benchmark: format {version}, expected '
          f'{FORMAT}; missing: {", ".join(missing) or "nothing"}. Remove it.')
    found.append(result)
  if not found:
    raise UserError(
        f'{folder}: holds no results (*.json). Make some by `python -m '
        f'dreamer_gail_plugin.experiments run`, or name another folder.')
  return found


def merge(folders):
  """Return the results in several folders, as `load` does for one.

  A method is taken from the first folder that has it, since runs that are
  averaged must have the same settings.
  """
  found, taken = [], set()
  for folder in folders:
    found += [x for x in load(folder) if x['method'] not in taken]
    taken.update(x['method'] for x in found)
  return found
