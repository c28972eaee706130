"""Imports the replay that a DreamerV3 agent left in its logdir.

Whole episodes of an agent, ours or upstream's, become demonstrations: the
chunks in LOGDIR/replay hold its observations and actions step by step.

examples:
  dreamer-gail demos replay --source ~/logdir/breakout --out breakout.h5
  dreamer-gail demos replay --source ~/logdir/breakout --best 20 \\
      --out breakout.h5
"""

import collections
import functools
import pathlib
import re

import numpy as np
import tqdm

from ... import arguments
from ... import configs
from ... import envs
from ...data import npz
from ...data import recipe_file
from ...data import store
from ...envs import common as envs_common
from ...errors import UserError
from .. import flags
from .. import tasks
from . import episodes

LARGEST = 1 << 30  # Bytes of one array of one chunk.
SMALL = ('is_first', 'is_last', 'is_terminal', 'reward')

# Steps `start` to `stop` of a stream, which is a list of Chunk.
Piece = collections.namedtuple('Piece', 'stream start stop score time')
Chunk = collections.namedtuple('Chunk', 'path time uuid succ length')


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--source', required=True, help='the logdir, or its folder replay')
  flags.add_output(add)
  add('--task', help='as in minatar_breakout (the one in config.yaml)')
  which = parser.add_mutually_exclusive_group()
  which.add_argument(
      '--best', type=arguments.natural,
      help='so many episodes, by their score')
  which.add_argument(
      '--latest', type=arguments.natural,
      help='so many episodes, the newest (100)')
  add('--licence', default='', help='what the data may be used for')


def run(args):
  """Import the episodes and write the store to `args.out`."""
  out = flags.output(args)
  source = flags.source(args, 'the logdir of a run')
  task, options = settings(source, args.task)
  suite, name = tasks.split(task)
  env = envs.make(suite, name, **options)
  streams = find(source)
  pieces, left = scan(streams)
  if not pieces:
    raise UserError(
        f'--source {source}: has no episode that is there from its start to '
        'its end; let the agent play for longer')
  key = [x.score if args.best else x.time for x in pieces]
  chosen = [
      pieces[i] for i in episodes.pick(key, args.best or args.latest or 100)]
  attrs = {
      'task': task, 'source': f'replay of {pathlib.Path(source).name}',
      'licence': args.licence, 'preprocessing': options,
      'action_meanings': getattr(env, 'action_meanings', []),
      'expert_score': float(np.mean([x.score for x in chosen]))}
  bar = tqdm.tqdm(chosen, 'read', unit=' episodes')
  store.write(out, Reader(streams, env).trajectories(bar), attrs)
  env.close()
  steps = sum(x.stop - x.start for x in chosen)
  print(
      f'{out}: {len(chosen)} of {len(pieces)} whole episodes, {steps:,} '
      f'steps, mean score {attrs["expert_score"]:.2f}; {left} cut ones were '
      'left out')


def settings(source, task):
  """Return the task and the options of its environment.

  Both are those of the run, from its config.yaml, if that is there.
  """
  found = [x for x in (source, source.parent) if (x / 'config.yaml').exists()]
  config = configs.read(found[0] / 'config.yaml').flat if found else {}
  named, task = task, task or config.get('task')
  if not isinstance(task, str):
    raise UserError(
        f'--source {source}: there is no config.yaml that names the task; '
        'name it by --task, as in --task minatar_breakout')
  if not named:
    tasks.of_file(task)
  options = tasks.options(task)
  suite = tasks.split(task)[0]
  prefix = f'env.{suite}.'
  env = {
      k.removeprefix(prefix): list(v) if isinstance(v, tuple) else v
      for k, v in config.items() if k.startswith(prefix)}
  if env:
    # Achievements are not kept.
    given = {k: v for k, v in env.items() if k in options and k != 'logs'}
    wrong = recipe_file.options(
        envs_common.choose('suite', suite, envs.SUITES), given)
    if wrong:
      raise UserError(
          f'{found[0] / "config.yaml"}: env: {wrong}; mend it, or copy the '
          'folder replay elsewhere and name the task by --task')
    if 'image' in options:  # Runs of before took bytes for images.
      options['image'] = 'last'
    options.update(given)
  return task, options


def find(source):
  """Return the streams, each a list of Chunk from its first on.

  Every environment of a run has a stream; the name of a chunk names the one
  that follows. Raises UserError if there is none or a name is wrong.
  """
  folder = source / 'replay' if (source / 'replay').is_dir() else source
  chunks = {}
  for path in sorted(folder.glob('*.npz') if folder.is_dir() else ()):
    match = re.fullmatch(r'([^-]+)-([^-]+)-([^-]+)-(\d{1,7})', path.stem)
    if not match:
      raise UserError(
          f'{path}: expected the name of a chunk, TIME-ID-NEXT-LENGTH.npz')
    chunks[match[2]] = Chunk(path, *match.groups()[:3], int(match[4]))
  if not chunks:
    raise UserError(
        f'--source {source}: has no chunks of a replay (replay/*.npz); give '
        'the logdir of a run')
  later = {x.succ for x in chunks.values()}
  streams = []
  for uuid in chunks.keys() - later:
    stream = []
    while uuid in chunks:
      stream.append(chunks.pop(uuid))
      uuid = stream[-1].succ
    streams.append(stream)
  if chunks:
    raise UserError(
        f'{next(iter(chunks.values())).path}: follows itself; copy the folder '
        'again')
  return sorted(streams, key=lambda x: (x[0].time, x[0].uuid))


def scan(streams):
  """Return the Pieces that are whole episodes, and how many are not."""
  pieces, cut = [], 0
  total = sum(len(x) for x in streams)
  with tqdm.tqdm(total=total, desc='look', unit=' chunks') as bar:
    for number, stream in enumerate(streams):
      parts = []
      for chunk in stream:
        parts.append(_small(chunk))
        bar.update()
      first, last, _, reward = [np.concatenate(x) for x in zip(*parts)]
      edges = [*np.flatnonzero(first).tolist(), len(first)]
      cut += int(not first[0])
      ends = np.cumsum([x.length for x in stream])
      for start, stop in zip(edges[:-1], edges[1:]):
        if not last[stop - 1] or stop - start < 2:
          cut += 1
          continue
        chunk = stream[np.searchsorted(ends, stop - 1, 'right')]
        pieces.append(Piece(
            number, start, stop, float(reward[start: stop].sum()),
            (chunk.time, stop)))
  return pieces, cut


class Reader:
  """Reads episodes from streams, each chunk once if they are in order."""

  def __init__(self, streams, env):
    self.streams = streams
    self.acts = {k: v for k, v in env.act_space.items() if k != 'reset'}
    self.obs = {
        k: v for k, v in env.obs_space.items()
        if k == 'reward' or store.needed(k)}
    self.arrays = functools.lru_cache(maxsize=2)(self._arrays)

  def trajectories(self, pieces):
    """Yield the trajectories of Pieces, ready for `store.write`."""
    for piece in pieces:
      stream = self.streams[piece.stream]
      ends = np.cumsum([x.length for x in stream])
      parts = []
      for chunk, end in zip(stream, ends):
        begin = end - chunk.length
        start, stop = max(piece.start, begin), min(piece.stop, end)
        if start < stop:
          part = slice(start - begin, stop - begin)
          parts.append({
              k: v[part] for k, v in self.arrays(chunk).items()})
      data = {k: np.concatenate([x[k] for x in parts]) for k in parts[0]}
      for key in self.acts:  # Meaningless there.
        data[key][-1] = 0
      yield {**data, 'attrs': {
          'source_id': f'{stream[0].uuid} steps {piece.start} to '
                       f'{piece.stop - 1}'}}

  def _arrays(self, chunk):
    with npz.Npz(chunk.path, str(chunk.path), LARGEST) as data:
      found = {
          k: self._array(chunk, data, k, v) for k, v in self.obs.items()}
      for key, space in self.acts.items():
        value = self._array(chunk, data, key, space)
        found[key] = envs_common.restore(value, space)
    return found

  def _array(self, chunk, data, key, space):
    value = data.read(key)
    shape = (chunk.length, *space.shape)
    same = np.can_cast(value.dtype, space.dtype, 'same_kind')
    if space.discrete and value.dtype.kind == 'f' and (
        value.shape == (*shape, int(np.max(space.classes)))):
      raise UserError(
          f'{chunk.path}: {key} is one-hot, {value.shape}: a replay of '
          'DreamerV3 before 2024, which is not read. Let the agent play again '
          'with a newer one')
    if value.shape != shape or not same:
      raise UserError(
          f'{chunk.path}: {key} has {value.dtype} {value.shape}, the task '
          f'wants {space.dtype} {shape}; name the right one by --task')
    return value.astype(space.dtype)


def _small(chunk):
  with npz.Npz(chunk.path, str(chunk.path), LARGEST) as data:
    found = [
        data.read(k, 'buif' if k == 'reward' else 'b') for k in SMALL]
  wrong = [x.shape for x in found if x.shape != (chunk.length,)]
  if wrong or not chunk.length:
    raise UserError(
        f'{chunk.path}: has arrays of shape {wrong}, expected '
        f'{chunk.length} steps as in its name')
  return found
