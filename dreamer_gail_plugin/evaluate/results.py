"""The results of runs: one JSON file a run, or a study of many runs.

`run` writes TASK-METHOD-SEED.json into a folder. `pack` puts such a folder
into a study, `scores/STUDY.jsonl.gz`: gzipped JSON lines, one run a line. A
run has these keys:

  suite, method, task, seed: which run.
  steps: in the environment; updates of `bc`; they mean nothing to cloning.
  setting: what tells it from other runs of the method in the same study, as
    in `penalty 10`; absent where nothing does. In a run's file it is how many
    steps were shown.
  expert: mean score of the demonstrations that are bundled for the task.
  flags: of the program that trained it, at the commit it ran at.
  commits: of the checkout; `+` if it was changed, several if the run went on
    after a change.
  versions, machine: of the packages; processor, cores used, device.
  wall_seconds: of `train` and `evaluate`, compiling included.
  training: lists: `steps` where a window of 10,000 ends, `scores`, the mean
    of the games that ended in it (null if none did), and `episodes`.
  evaluations: of the `sampled` and the `greedy` policy: `step`, `scores` of
    all games and their `summary` (random_mean is that of random play).
  config: all keys of the config. In files of `run` only.

In the flags of runs before the block `anchor` was split off, `gail` is what
`gail anchor` is now, and `gail --agent.gail.anchor 0 --agent.gail.world
replay` what `gail` is now. Their methods have the names of now.
"""

import gzip
import json
import pathlib
import zlib

from .. import arguments
from .. import atomic
from ..errors import UserError

FORMAT = 1
SUFFIX = '.jsonl.gz'
STUDIES = pathlib.Path('scores')
LONGEST = 1 << 24  # Bytes of a run in a study.
SUMMARY = ('episodes', 'mean', 'sd', 'length_mean', 'random_mean')
WRONG = (
    OSError, EOFError, ValueError, LookupError, AttributeError, TypeError,
    RecursionError, zlib.error)


def _number(value):
  return isinstance(value, int | float) and abs(value) < 1e15


def _maybe(value):
  return value is None or _number(value)


def _training(value):
  return len(value['steps']) == len(value['scores']) and all(
      map(_maybe, (*value['steps'], *value['scores'])))


def _evaluations(value):
  return all(
      all(map(_number, x['scores'])) and _maybe(x['step'])
      and all(_number(x['summary'][y]) for y in SUMMARY)
      for x in value.values())


_text = lambda value: isinstance(value, str)
# Of a run, and what they have to be.
KEYS = {
    'method': _text, 'task': _text, 'seed': _number, 'steps': _maybe,
    'suite': _text, 'flags': lambda x: all(map(_text, x)),
    'expert': _maybe, 'training': _training, 'evaluations': _evaluations,
    'wall_seconds': lambda x: all(map(_number, x.values()))}


def save(path, result):
  """Write a dict as JSON with a line a key, whole or not at all."""
  lines = [
      f'{json.dumps(k)}: {json.dumps(v, allow_nan=False)}'
      for k, v in result.items()]
  _write(path, ('{' + ',\n '.join(lines) + '}\n').encode())


def load(name):
  """Return the results, a list, of a study, a file of it or a folder.

  `name` is text. Raises UserError if there are none, or for a file that is
  not one.
  """
  path = pathlib.Path(name).expanduser()
  if path.is_dir():
    return folder(path)
  if not path.name.endswith(SUFFIX):
    path = STUDIES / f'{name}{SUFFIX}'
  if not path.exists():
    raise UserError(
        f'{name}: there is no such folder of results and no such study '
        f'({path}). Name one of both; '
        f'`{arguments.typed("experiments", "run")}` makes a folder.')
  return study(path)


def merge(names):
  """Return the results in several places, as `load` does for one.

  A method, with its setting, is taken from the first place that has it, since
  runs that are averaged must have the same settings.
  """
  found, taken = [], set()
  key = lambda x: (x.get('setting', ''), x['method'])
  for name in names:
    found += [x for x in load(name) if key(x) not in taken]
    taken.update(map(key, found))
  return found


def write(path, runs):
  """Write a study; the same runs make the same bytes."""
  text = ''.join(
      json.dumps(x, separators=(',', ':'), allow_nan=False) + '\n'
      for x in runs)
  _write(path, gzip.compress(text.encode(), mtime=0))


def folder(path):
  """Return the results in a folder, in the order of their names."""
  found = []
  for file in sorted(path.glob('*.json')):
    try:
      found.append(_checked(file.read_bytes()))
    except WRONG as error:
      raise _broken(file, error) from None
  if not found:
    raise UserError(
        f'{path}: holds no results (*.json). Make some by '
        f'`{arguments.typed("experiments", "run")}`, or name another folder.')
  return found


def study(path):
  """Return the runs in the file of a study, in their order."""
  try:
    with gzip.open(path) as file:
      found = [_checked(x) for x in iter(lambda: file.readline(LONGEST), b'')]
  except WRONG as error:
    raise _broken(path, error) from None
  if not found:
    raise UserError(f'{path}: holds no runs.')
  return found


def _checked(text):
  # One JSON object; raises ValueError if it is no result.
  result = json.loads(text)
  missing = [x for x in KEYS if x not in result]
  version = result.get('format')
  if missing or version != FORMAT:
    raise ValueError(
        f'format {version!r:.20}, expected {FORMAT}; missing: '
        f'{", ".join(missing) or "nothing"}')
  wrong = [x for x in KEYS if not KEYS[x](result[x])]
  if wrong:
    raise ValueError(f'{wrong[0]} is {result[wrong[0]]!r:.60}')
  return result


def _broken(path, error):
  reason = type(error).__name__
  if type(error) is ValueError:
    reason = str(error)
  return UserError(
      f'{path}: holds something else than results of `experiments run` '
      f'({reason}). Remove it or name another place.')


def _write(path, data):
  path.parent.mkdir(parents=True, exist_ok=True)
  with atomic.write(path) as part:
    part.write_bytes(data)
