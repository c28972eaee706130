"""Shows what is in a store: a table, and with --out pictures and films.

The folder has contact.png, a row of eight frames for each trajectory, and for
each trajectory a film and a strip of every eighth frame.

examples:
  dreamer-gail demos show mine.h5
  dreamer-gail demos show mine.h5 --out pictures
"""

import collections
import json
import os
import shutil

import numpy as np
import tqdm
from PIL import Image

from .. import arguments
from ..data import recipe
from ..data import store
from ..errors import UserError
from ..evaluate import film

COLUMNS = film.COLUMNS  # Frames of a trajectory on the contact sheet.
ROWS = 40  # Trajectories on it at most.
BAR = 40  # Letters of the longest bar.
KINDS = 1000  # Actions are counted if there are fewer of them.

Row = collections.namedtuple('Row', 'steps games score counts source')


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('file', help='the .h5 file, or the .json file of a recipe')
  add('--out', type=arguments.out_folder,
      help='folder for pictures and films; none if not given')
  add('--overwrite', action='store_true', help='write into a folder in use')


def run(args):
  """Print the table and write pictures; raises UserError for mistakes."""
  out = folder(args)
  with store.Store(recipe.stored(args.file)) as demos:
    print(describe(demos))
    if out:
      for written in pictures(demos, out):
        print(f'Written: {written}')


def folder(args):
  """Return the Path of the folder to write to, or None.

  Raises UserError if it is in use or cannot be made.
  """
  if not args.out:
    return None
  out = args.out
  if out.exists() and any(out.iterdir()) and not args.overwrite:
    raise UserError(
        f'--out {out}: is not empty; choose another name or add --overwrite')
  if not out.parent.is_dir():
    raise UserError(f'--out {out}: there is no folder {out.parent}; make it')
  return out


def describe(demos):
  """Return a description of an open store, a text of several lines."""
  names = json.loads(demos.attrs['action_meanings'] or '[]')
  rows = [summary(demos, i) for i in range(len(demos))]
  idle = bool(names) and str(names[0]).upper() == 'NOOP'
  lines = [str(demos.path)]
  for key in ('task', 'source', 'licence'):
    lines.append(f'{key:<9}{demos.attrs[key] or "unknown"}')
  if 'expert_score' in demos.attrs:
    lines.append(f'{"score":<9}{demos.attrs["expert_score"]:g}, of the whole '
                 'games that the trajectories are from')
  for key, (dtype, shape) in demos.spec.items():
    if key not in (*store.FLAGS, 'reward'):
      lines.append(f'{key:<9}{np.dtype(dtype).name} {tuple(shape)}')
  return '\n'.join([*lines, '', *table(rows, idle), *histogram(rows, names)])


def summary(demos, index):
  """Return the Row of a trajectory.

  `games` counts those that end in it. `counts` (A,) is how often each action
  occurs, None unless actions are single whole numbers below KINDS.
  """
  keys = [k for k in ('is_last', 'action') if k in demos.keys]
  data = demos.read(index, keys=keys)
  action = data.get('action', np.zeros(0))
  # The action of the last step of an episode means nothing.
  known = action.ndim == 1 and action.dtype.kind in 'iu' and (
      action.max(initial=0) < KINDS)
  counts = np.bincount(
      np.maximum(0, action[~data['is_last']])) if known else None
  info = demos.infos[index]
  return Row(
      len(data['is_last']), int(data['is_last'].sum()),
      float(info.get('score', np.nan)), counts,
      str(info.get('source_id', '')))


def table(rows, idle):
  """Return lines of text, one for each trajectory and one for all.

  `idle` tells whether action 0 does nothing.
  """
  def line(name, row):
    known = idle and row.counts is not None and row.counts.sum()
    share = f'{row.counts[0] / row.counts.sum():.0%}' if known else '-'
    score = '-' if np.isnan(row.score) else f'{row.score:.2f}'
    return (
        f'{name:>10}{row.steps:>9,}{row.games:>7,}{score:>10}{share:>9}  '
        f'{row.source}').rstrip()
  scores = [x.score for x in rows if not np.isnan(x.score)]
  whole = Row(
      sum(x.steps for x in rows), sum(x.games for x in rows),
      np.mean(scores) if scores else np.nan, total(rows), '')
  return [
      f'{"trajectory":>10}{"steps":>9}{"games":>7}{"score":>10}{"no-ops":>9}'
      '  from', *[line(i, x) for i, x in enumerate(rows)], line('all', whole)]


def total(rows):
  """Return the counts (A,) of all trajectories together, or None."""
  if any(x.counts is None for x in rows):
    return None
  size = max(len(x.counts) for x in rows)
  return sum(np.pad(x.counts, (0, size - len(x.counts))) for x in rows)


def histogram(rows, names):
  """Return lines of text, a bar for each action."""
  counts = total(rows)
  if counts is None or not counts.sum():
    return []
  names = [
      str(names[i]) if i < len(names) else str(i)
      for i in range(max(len(counts), len(names)))]
  shares = np.pad(counts, (0, len(names) - len(counts))) / counts.sum()
  wide = max(map(len, names))
  return ['', *[
      f'{name:>{wide}} {share:>6.1%} '
      f'{"#" * round(BAR * share / shares.max())}'.rstrip()
      for name, share in zip(names, shares)]]


def pictures(demos, out):
  """Write contact sheet, films and strips to a folder; return their paths.

  For a store without images it says so and returns []. Raises UserError if
  the folder cannot be written.
  """
  key = next((
      k for k, (dtype, shape) in demos.spec.items()
      if dtype == np.uint8 and len(shape) == 3), None)
  if key is None:
    print('No pictures: there are no images in it.')
    return []
  # All or none: the last frame may turn out to be damaged.
  part = out.with_name(f'.{out.name}.{os.getpid()}.part')
  try:
    part.mkdir()
    found = [sheet(demos, key, part / 'contact.png')]
    for index in tqdm.trange(len(demos), desc='films', unit='trajectory'):
      found += movie(demos, key, index, part / f'{index:05}')
    out.mkdir(exist_ok=True)
    return [x.replace(out / x.name) for x in found]
  except OSError as error:
    raise UserError(f'{out}: cannot write pictures: {error}') from None
  finally:
    shutil.rmtree(part, ignore_errors=True)


def sheet(demos, key, path):
  """Write the contact sheet, a row for each trajectory; return its path."""
  tiles = []
  for index, length in enumerate(demos.lengths[:ROWS]):
    for step in np.linspace(0, length - 1, COLUMNS).astype(int):
      image = demos.read(index, step, step + 1, [key])[key][0]
      tiles.append(film.tile(image, [f'{index}: step {step}']))
  title = f'{demos.path.name}: {COLUMNS} frames of each trajectory'
  if len(demos) > ROWS:
    title += f', the first {ROWS} of {len(demos)}'
  Image.fromarray(film.strip(tiles, title)).save(path, 'png')
  return path


def movie(demos, key, index, path):
  """Write film and strip of a trajectory; return their paths."""
  keys = [key, *(k for k in ('reward',) if k in demos.keys)]
  data = demos.read(index, keys=keys)
  reel = film.Reel(path, f'{demos.path.name}, trajectory {index}')
  rewards = data.get('reward', np.full(len(data[key]), np.nan))
  try:
    for image, reward in zip(data[key], rewards):
      reel.add(image, float(reward))
    return reel.close()
  finally:
    reel.discard()
