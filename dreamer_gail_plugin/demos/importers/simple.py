"""All of an importer but its reader.

An importer of episodes of a Gymnasium environment is a function that yields
Episodes. The flags, the checks, the conversion, the store and what is printed
are here. See docs/adding.md.
"""

import pathlib

import numpy as np
import tqdm

from ...data import store
from ...errors import UserError
from .. import flags
from . import episodes


def add_arguments(parser, source):
  """Add the flags that `run` needs; `source` says what --source is."""
  add = parser.add_argument
  add('--source', required=True, help=source)
  flags.add_output(add)
  episodes.add_arguments(add, 'as in gym_CartPole-v1 (required)')
  add('--name', default='', help='where the data is from, for the store')
  add('--licence', default='', help='what it may be used for')


def run(args, read, **attrs):
  """Write a store of the Episodes that `read(path, task)` yields.

  `path` is that of --source, `task` an `episodes.Task`. With --best it is
  called twice, the first time for the scores. An Episode whose `truncated` is
  None has ends of an unknown kind: one at the task's time limit is a cut, as
  any other a task's own end. `attrs` are further attributes of the store.
  """
  out = flags.output(args)
  task = episodes.task_spaces(args)
  options = episodes.options(args)
  path = flags.source(args, 'a file or folder')
  convert = episodes.Converter(
      task.obs_space, task.act_space, options['size'], options['image'])
  chosen = None
  if args.best:
    scores = [_score(x) for x in read(path, task)]
    chosen = set(episodes.pick(scores, args.best))
  counts = {'all': 0, 'limited': 0}

  def trajectories():
    bar = tqdm.tqdm(read(path, task), 'read', unit=' episodes')
    for counts['all'], episode in enumerate(bar, 1):
      if chosen is None or counts['all'] - 1 in chosen:
        found, limited = _decide(episode, task.limit)
        counts['limited'] += limited
        data = convert(found)
        if data is not None:
          name = pathlib.PurePath(episode.place).name
          yield {**data, 'attrs': {'source_id': name}}
  count = store.write(out, trajectories(), {
      'task': args.task, 'source': args.name, 'licence': args.licence,
      'preprocessing': options, 'arrays': convert.texts,
      'action_meanings': task.meanings, **attrs})
  print(f'{out}: {count} of {counts["all"]} episodes')
  if counts['limited']:
    print(
        f'  {counts["limited"]} end at the time limit of {task.limit} steps, '
        'which the source does not tell apart: taken as cut there')
  convert.report()


def fit(value, space):
  """Return an array (T, ...) in the shape of a space, up to axes of one.

  Many sources add such an axis to choices and to single numbers, or drop it.
  Other arrays are returned as they are.
  """
  if not hasattr(space, 'shape') or space.shape is None:
    return value
  plain = lambda shape: [x for x in shape if x != 1]
  same = value.ndim and plain(value.shape[1:]) == plain(space.shape)
  return value.reshape((len(value), *space.shape)) if same else value


def single(value, place):
  """Return an array (T,) of one that is (T,) or (T, 1)."""
  if value.size != len(value):
    raise UserError(
        f'{place} has shape {value.shape}, expected one value for every step')
  return value.reshape(-1)


def flag(value, place):
  """Return bool (T,) of bool or numbers 0 and 1, (T,) or (T, 1)."""
  if not np.isin(value, (0, 1)).all():
    raise UserError(f'{place} has other values than 0 and 1')
  return single(value, place).astype(bool)


def steps(place, arrays):
  """Return how many steps the arrays of a dict have, equally and at least one.

  Raises UserError if they do not.
  """
  lengths = {v.shape[:1] for v in arrays.values()}
  if len(lengths) != 1 or lengths & {(), (0,)}:
    shapes = ', '.join(f'{k} {v.shape}' for k, v in arrays.items())
    raise UserError(
        f'{place}: the shapes do not fit together: {shapes}; expected one '
        'value of each for every step')
  return lengths.pop()[0]


def split(episode, ends):
  """Yield the Episodes of one in which they stand end to end.

  All of its arrays have T steps, so none has the observation after its last
  action. `ends` (T,) marks the last step of each; the rest after the last of
  these is an episode, too.
  """
  edges = sorted(
      {0, *(np.flatnonzero(ends) + 1).tolist(), len(episode.terminated)})
  for number, (start, stop) in enumerate(zip(edges[:-1], edges[1:])):
    part = slice(start, stop)
    arrays = {
        k: None if v is None else episodes.at(v, part)
        for k, v in episode._asdict().items() if k not in ('place', 'whole')}
    yield episodes.Episode(
        f'{episode.place}: episode {number}', **arrays, whole=False)


def _decide(episode, limit):
  # Some sources call any end terminal, a time limit as well.
  if episode.truncated is not None:
    return episode, False
  done = episode.terminated
  cut = np.zeros_like(done)
  limited = bool(len(done) == limit and done[-1])
  if limited:
    done, cut = cut, done
  return episode._replace(terminated=done, truncated=cut), limited


def _score(episode):
  if episode.rewards is None:
    raise UserError(
        f'--best: {episode.place} has no rewards; import all of them')
  return float(episode.rewards.sum())
