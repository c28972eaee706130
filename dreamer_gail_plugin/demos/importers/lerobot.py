"""Imports a LeRobot dataset of version 2.0, 2.1 or 3.0.

Frames are in parquet files, images in these or in mp4 videos. The observation
after the last action of an episode is not in it.

examples:
  dreamer-gail demos lerobot --source pusht --task gym_my:PushT-v0 \\
      --out pusht.h5
  dreamer-gail demos lerobot --source arm --task gym_my:Arm-v0 \\
      --keys top=observation.images.top --out arm.h5
"""

import json

import numpy as np
from gymnasium import spaces

from ...errors import UserError
from . import arrow
from . import episodes
from . import lerobot_images
from . import simple

LARGEST = 1 << 32  # Bytes of one column of one file.
INFO = 1 << 26  # Bytes of info.json.
VERSIONS = ('v2.0', 'v2.1', 'v3.0')
# What LeRobot calls the observations of its own environments.
NAMES = {
    'pixels': 'observation.image', 'agent_pos': 'observation.state',
    'observation': 'observation.state'}
MARKS = ('episode_index', 'frame_index')


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  simple.add_arguments(parser, 'the folder of the dataset')
  parser.add_argument(
      '--keys', default='',
      help='what each observation is in the dataset, as in '
      'pixels=observation.images.top, more with commas between')


def run(args):
  """Import the episodes and write the store to `args.out`."""
  keys = parse_keys(args.keys)
  images = lerobot_images.Images()
  simple.run(args, lambda path, task: read(path, task, keys, images))
  images.report()


def parse_keys(text):
  """Return the dict of a flag such as a=observation.a,b=observation.b."""
  pairs = [x.split('=') for x in filter(None, text.split(','))]
  if not all(len(x) == 2 and all(x) for x in pairs):
    raise UserError(
        f'--keys {text}: expected KEY=FEATURE for each, with commas between')
  return dict(pairs)


def read(path, task, keys, images):
  """Yield the Episodes of a dataset: row t has what was seen and done at t.

  `next.done` and `next.success` say whether the task ended: of the last row
  where there is a success, by the time limit where there is none.
  """
  info = _info(path)
  observed = _spaces(task.obs_space, 'observations')
  sources = {
      k: _feature(path, info, k, v, keys) for k, v in observed.items()}
  videos = images.open(path, info, observed, sources)
  columns = [x for x in sources.values() if x not in videos] + [
      _known(path, info, x.replace('/', '.'))
      for x in _spaces(task.act_space, 'action')]
  more = [x for x in info['features'] if x in (
      'next.reward', 'next.done', 'next.success', 'next.truncated')]
  expected = 0
  for file in sorted((path / 'data').glob('*/*.parquet')):
    table = _table(file, [*dict.fromkeys([*columns, *MARKS, *more])])
    for number, part in _parts(file, table):
      if number != expected:
        raise UserError(
            f'{file}: episode {number} comes where {expected} is expected; '
            'download the dataset again')
      expected += 1
      yield _episode(
          f'{path}: episode {number}', number, part, task, sources, images)
  if expected != info.get('total_episodes'):
    raise UserError(
        f'{path}: has {expected} of the {info.get("total_episodes")} episodes '
        'of meta/info.json; download it again')


def _episode(place, number, table, task, sources, images):
  get = lambda key: arrow.numbers(
      table[key].combine_chunks(), f'{place}: {key}', LARGEST)
  frames = get('frame_index')
  steps = len(frames)
  if (frames != np.arange(steps)).any():
    raise UserError(
        f'{place}: frame_index is not 0 to {steps - 1}: frames were left out, '
        'so actions do not lead from one to the next')
  flat = _spaces(task.obs_space, 'observations')

  def observation(name):
    key, space = sources[name], flat[name]
    if key in images.keys:
      column = table[key] if key in table.column_names else None
      return images.read(place, number, steps, key, space, column)
    return simple.fit(get(key), space)
  acts = _spaces(task.act_space, 'action')
  has = lambda key: key in table.column_names
  flag = lambda key: simple.flag(get(key), f'{place}: {key}')
  last = np.arange(steps) == steps - 1
  done = flag('next.done') if has('next.done') else np.zeros(steps, bool)
  cut = None
  if has('next.success'):
    done = last & flag('next.success')[-1]
    cut = last & ~done
  elif has('next.truncated'):
    cut = last & flag('next.truncated')[-1]
    done = done & ~cut
  return episodes.Episode(
      place, episodes.read(task.obs_space, 'observations', observation),
      episodes.read(task.act_space, 'action', lambda x: simple.fit(
          get(x.replace('/', '.')), acts[x])),
      simple.single(get('next.reward'), f'{place}: next.reward')
      if has('next.reward') else None, done, cut, whole=False)


def _spaces(space, name):
  # {name: space} of all that is not nested.
  if isinstance(space, spaces.Dict):
    parts = space.spaces.items()
  elif isinstance(space, spaces.Tuple):
    parts = enumerate(space.spaces)
  else:
    return {name: space}
  return {
      k: v for key, part in parts
      for k, v in _spaces(part, f'{name}/{key}').items()}


def _feature(path, info, name, space, keys):
  # The feature of an observation such as observations/pixels/top.
  key = name.removeprefix('observations').removeprefix('/') or 'observation'
  if key in keys:
    return _known(path, info, keys[key])
  own = key.split('/')[-1]
  tries = [
      NAMES.get(own), f'observation.{own}', f'observation.images.{own}',
      f'observation.{key.replace("/", ".")}']
  pictures = [
      k for k, v in info['features'].items()
      if isinstance(v, dict) and v.get('dtype') in ('image', 'video')]
  if len(space.shape or ()) == 3 and len(pictures) == 1:
    tries = pictures
  found = [x for x in tries if x in info['features']]
  if not found:
    have = [x for x in info['features'] if x.startswith('observation')]
    raise UserError(
        f'{path}: which feature is the observation {key!r}? It has '
        f'{", ".join(have)[:300] or "none"}. Say it by --keys {key}=FEATURE')
  return found[0]


def _known(path, info, key):
  if key not in info['features']:
    raise UserError(
        f'{path}: has no feature {key!r:.100}; it has '
        f'{", ".join(map(str, info["features"]))[:300]}')
  return key


def _info(path):
  place = path / 'meta' / 'info.json'
  if not place.is_file():
    raise UserError(
        f'--source {path}: has no meta/info.json; give the folder of a '
        'LeRobot dataset')
  try:
    if place.stat().st_size > INFO:
      raise ValueError(f'more than {INFO:,} bytes')
    info = json.loads(place.read_text('utf-8'))
    version, features = info['codebase_version'], info['features']
    rate, chunk = float(info['fps']), int(info.get('chunks_size', 1000))
    names = list(features.items())
  except (OSError, ValueError, KeyError, TypeError, AttributeError,
          OverflowError, RecursionError) as e:
    raise UserError(
        f'{place}: cannot be read ({e!r:.200}); expected codebase_version, '
        'features and fps') from e
  if version not in VERSIONS:
    raise UserError(
        f'{place}: codebase_version is {version!r:.50}, expected '
        f'{", ".join(VERSIONS)}; convert it by the library lerobot')
  if not 0 < rate < 1e6 or not names or chunk < 1:
    raise UserError(
        f'{place}: expected features, and fps and chunks_size above 0')
  return {**info, 'fps': rate, 'chunks_size': chunk}


def _table(file, columns):
  pyarrow = arrow.library('lerobot')
  try:
    meta = pyarrow.parquet.read_metadata(file)
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    size = max(sum(x.total_byte_size for x in groups), meta.num_rows * 8)
    if size > LARGEST:
      raise ValueError(f'more than {LARGEST:,} bytes')
    table = pyarrow.parquet.read_table(file, columns=columns)
  except (OSError, ValueError, TypeError, NotImplementedError,
          MemoryError) as e:
    raise UserError(
        f'{file}: cannot be read as parquet ({str(e)[:200]}); download it '
        'again') from e
  lost = [x for x in columns if x not in table.column_names]
  if lost:
    raise UserError(f'{file}: has no column {lost[0]}, which meta/info.json '
                    'names; download it again')
  return table


def _parts(file, table):
  # (number, rows) of the episodes in a file, where these stand end to end.
  numbers = arrow.numbers(
      table['episode_index'].combine_chunks(), f'{file}: episode_index',
      LARGEST)
  edges = [
      0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
  for start, stop in zip(edges[:-1], edges[1:]):
    if start < stop:
      yield int(numbers[start]), table.slice(start, stop - start)
