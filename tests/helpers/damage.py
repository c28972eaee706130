"""What `demos check` says of damaged demonstrations, as a table.

Run it in the folder of the project: python tests/helpers/damage.py [SOURCE...]
"""

import argparse
import contextlib
import dataclasses
import functools
import io
import pathlib
import sys
import tempfile
from collections.abc import Callable

import h5py
import numpy as np
from PIL import Image

from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos import check
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.check import play
from dreamer_gail_plugin.demos.check import settings
from dreamer_gail_plugin.demos.experts import planner
from helpers.refusals import exit_code

TRIALS = pathlib.Path(__file__).parents[3] / 'shared/data/atari_head'
DAMAGES = {}


def damage(name):
  """Register a function that damages trajectories under a name."""
  def add(function):
    DAMAGES[name] = function
    return function
  return add


def action(data):
  """Return the name of the action of a trajectory."""
  return next(k for k in data if k.startswith('action'))


def seen(data):
  """Return the name of the observation of a trajectory."""
  return 'image' if 'image' in data else 'vector'


def pieces(data):
  """Return the episodes of a trajectory, a list of trajectories."""
  cuts = np.flatnonzero(data['is_first'])
  cuts = sorted({0, *cuts.tolist(), len(data['is_first'])})
  return [
      {k: v[a:b] for k, v in data.items()} for a, b in zip(cuts, cuts[1:])]


def join(parts):
  """Return one trajectory of several."""
  return {k: np.concatenate([x[k] for x in parts]) for k in parts[0]}


def by_episode(function):
  """Return a damage that treats each episode for itself."""
  return lambda trajs, rng: [
      join([function(y, rng) for y in pieces(x)]) for x in trajs]


def moved(values, by):
  """Return values (T, ...) moved to later steps, zeros where none are."""
  result = np.zeros_like(values)
  if by > 0:
    result[by:] = values[:-by]
  else:
    result[:by] = values[-by:]
  return result


@damage('actions one step late')
@by_episode
def late(data, rng):
  """Store each action with the observation after it."""
  return {**data, action(data): moved(data[action(data)], 1)}


@damage('actions one step early')
@by_episode
def early(data, rng):
  """Store each action with the observation before its own."""
  return {**data, action(data): moved(data[action(data)], -1)}


@damage('every second step left out')
@by_episode
def dropped(data, rng):
  """Keep every second step, and both of their rewards."""
  if len(data['is_first']) < 4:
    return data
  result = {k: v[::2].copy() for k, v in data.items()}
  sums = data['reward'].copy()
  sums[1:] += data['reward'][:-1] * (np.arange(1, len(sums)) % 2 == 0)
  result['reward'] = sums[::2]
  for key in ('is_last', 'is_terminal'):
    result[key][-1] = data[key][-1]
  return result


@damage('one observation in ten repeats the last')
@by_episode
def repeated(data, rng):
  """Show the observation before at a tenth of the steps."""
  values = data[seen(data)].copy()
  for step in np.flatnonzero(rng.random(len(values)) < 0.1):
    values[step] = values[max(0, step - 1)]
  return {**data, seen(data): values}


@damage('one observation in a hundred is of another time')
def odd(trajs, rng):
  """Show at a hundredth of the steps what belongs elsewhere."""
  result = []
  for data in trajs:
    values = data[seen(data)].copy()
    where = np.flatnonzero(rng.random(len(values)) < 0.01)
    values[where] = values[rng.integers(0, len(values), len(where))]
    result.append({**data, seen(data): values})
  return result


@damage('table of actions in another order')
def permuted(trajs, rng):
  """Give each action the number of the next; turn continuous ones round."""
  key = action(trajs[0])
  if trajs[0][key].dtype.kind == 'f':
    return [{**x, key: -x[key]} for x in trajs]
  most = max(int(x[key].max()) for x in trajs) + 1
  return [{**x, key: (x[key] + 1) % most} for x in trajs]


@damage('actions in no relation')
def unrelated(trajs, rng):
  """Shuffle the actions of each trajectory."""
  key = action(trajs[0])
  return [{**x, key: rng.permutation(x[key])} for x in trajs]


@damage('borders of episodes lost')
def borderless(trajs, rng):
  """Join all to one trajectory without a border in it."""
  data = join(trajs)
  for key, at in (('is_first', 0), ('is_last', -1)):
    flags = np.zeros(len(data[key]), bool)
    flags[at] = data[key][at]
    data[key] = flags
  data['is_terminal'] = data['is_terminal'] & data['is_last']
  return [data]


@damage('borders where none are')
def cut(trajs, rng):
  """Start an episode every hundred steps."""
  result = []
  for data in trajs:
    data = {k: v.copy() for k, v in data.items()}
    data['is_first'][100::100] = True
    data['is_last'][99:-1:100] = True
    result.append(data)
  return result


@damage('time limit stored as the end of the task')
def limits(trajs, rng):
  """Call each end terminal, and stop episodes after 100 steps at most."""
  result = []
  for data in trajs:
    episodes = [{k: v[:100].copy() for k, v in x.items()} for x in pieces(data)
                if len(x['is_first']) >= 100 and x['is_first'][0]]
    if not episodes:
      continue
    for episode in episodes:
      episode['is_last'][-1] = episode['is_terminal'][-1] = True
    result.append(join(episodes))
  # One game has no limit that it shares with others.
  return result if sum(len(pieces(x)) for x in result) > 2 else None


@damage('rewards one step early')
@by_episode
def paid(data, rng):
  """Store each reward with the action that earned it."""
  return {**data, 'reward': moved(data['reward'], -1)}


@damage('the task is another')
def other(trajs, rng):
  """Leave the data as they are; `Source.other` names the task."""
  return trajs


@damage('contrast halved')
def contrast(trajs, rng):
  """Halve all numbers that are seen."""
  key = seen(trajs[0])
  return [{**x, key: (x[key] // 2 if x[key].dtype == np.uint8 else x[key] / 2)}
          for x in trajs]


@damage('pictures without their rim')
def cropped(trajs, rng):
  """Cut a tenth off each side of images and resize them."""
  if seen(trajs[0]) != 'image':
    return None

  def crop(image):
    height, width = (max(1, x // 10) for x in image.shape[:2])
    inner = image[height:-height, width:-width]
    return np.stack([
        np.asarray(Image.fromarray(inner[..., c]).resize(
            image.shape[1::-1], Image.Resampling.BILINEAR if len(image) > 16
            else Image.Resampling.NEAREST))
        for c in range(image.shape[-1])], -1)
  return [
      {**x, 'image': np.stack([crop(y) for y in x['image']])} for x in trajs]


@damage('channels or numbers in another order')
def reordered(trajs, rng):
  """Reverse the last axis of what is seen."""
  key = seen(trajs[0])
  if trajs[0][key].shape[-1] == 1:
    return None
  return [{**x, key: x[key][..., ::-1]} for x in trajs]


@damage('actions out of range')
def beyond(trajs, rng):
  """Put an action that the task does not have into each trajectory."""
  key, result = action(trajs[0]), []
  for data in trajs:
    values = data[key].copy()
    values[len(values) // 2] = 99
    result.append({**data, key: values})
  return result


@damage('NaN')
def nan(trajs, rng):
  """Put a NaN into observations, or into rewards where those are bytes."""
  key, result = seen(trajs[0]), []
  key = 'reward' if trajs[0][key].dtype == np.uint8 else key
  for data in trajs:
    values = data[key].copy()
    values[len(values) // 2] = np.nan
    result.append({**data, key: values})
  return result


@damage('a trajectory twice')
def twice(trajs, rng):
  """Add the first trajectory again."""
  return [*trajs, trajs[0]]


@dataclasses.dataclass
class Source:
  """Where good demonstrations come from; `make` is a function of a path."""
  make: Callable
  other: str
  flags: tuple = ()


def bundled(name):
  """Return a function that gives the path of a bundled store."""
  return lambda path: upstream.resource('expert_data') / f'{name}.h5'


def recorded(task, policy, trajectories, length, limit=0):
  """Return a function that records a policy into a path and returns it."""
  def make(path):
    found = record.record(
        lambda seed: tasks.make_env(task, seed), policy, trajectories, length,
        0, limit)
    store.write(path, found, {
        'task': task, 'preprocessing': tasks.options(task)})
    return path
  return make


def trial(path):
  """Import the trial of Seaquest into a path and return it."""
  with contextlib.redirect_stdout(io.StringIO()):
    assert exit_code(demos.main, [
        'atari_head', '--source', str(TRIALS), '--game', 'seaquest', '--out',
        str(path), '--trials', '54', '--averaged', 'match']) == 0
  return path


class Swing:
  """Swings the pendulum up by its energy and holds it there, with noise."""

  def __init__(self, env, seed):
    self.random = np.random.default_rng(seed)

  def __call__(self, obs):
    """Return the torque for an observation."""
    x, y, speed = obs['vector']
    energy = speed ** 2 / 2 + 15 * (x - 1)
    force = -10 * y - 2 * speed if x > 0.9 else -np.sign(energy * speed)
    force = force + self.random.normal(0, 0.5)
    return {'action': np.float32([np.clip(force, -2, 2)])}


SOURCES = {
    'MinAtar': Source(bundled('minatar_seaquest'), 'minatar_breakout'),
    'Seaquest trial': Source(trial, 'atari_alien'),
    'CartPole': Source(bundled('gym_CartPole-v1'), 'gym_Acrobot-v1'),
    'Pendulum': Source(
        recorded('gym_Pendulum-v1', Swing, 20, 201),
        'gym_MountainCarContinuous-v0'),
    'Crafter': Source(
        recorded('crafter_reward', planner.PLANNERS['crafter_reward'], 6,
                 512), 'atari100k_seaquest'),
}


class Patient:
  """Good demonstrations of a source, and random play of their task."""

  def __init__(self, name, folder):
    self.source = SOURCES[name]
    self.folder = folder
    path = self.source.make(folder / 'good.h5')
    with store.Store(path) as good:
      self.task = good.attrs['task']
      self.attrs = {
          k: v for k, v in good.attrs.items()
          if k not in ('format', 'version')}
      self.options = settings.adopted(
          good, tasks.options(self.task))
      self.trajs = [good.read(i) for i in range(len(good))]
    self.play = self._play(self.task, self.options)
    self.found = functools.cache(self.examine)

  def examine(self, name=None):
    """Return (problems, notes) about the data with or without a damage.

    Returns None where the damage does not apply.
    """
    trajs, task = self.trajs, self.task
    if name:
      trajs = DAMAGES[name](trajs, np.random.default_rng(0))
    if trajs is None:
      return None
    played, options = self.play, self.options
    if name == 'the task is another':
      task, options = self.source.other, tasks.options(self.source.other)
      played = self._play(task, options)
    path = self.folder / 'damaged.h5'
    self._write(path, trajs, task)
    with store.Store(path) as damaged:
      found = check.find(damaged, task, played, options)
    return [[x.text for x in found if x.level == level]
            for level in ('problem', 'note')]

  def cell(self, name):
    """Return found, noted, missed, or - where a damage does not apply.

    Without a damage, whether there is a false alarm.
    """
    good, bad = self.found(None), self.found(name)
    if name is None:
      return 'FALSE ALARM' if good[0] else 'no alarm'
    if bad is None:
      return '-'
    if bad[0]:
      return 'found'
    kinds = lambda notes: {''.join(filter(str.isalpha, x))[:40] for x in notes}
    return 'noted' if kinds(bad[1]) - kinds(good[1]) else 'missed'

  def _play(self, task, options):
    # The table must not depend on how fast this machine is.
    play.SECONDS = np.inf
    return play.Play(tasks.make_env(task, 0, **options))

  def _write(self, path, trajs, task):
    # A store refuses some faults when it is written, but others write it.
    clean = [{**x, 'reward': np.nan_to_num(x['reward'])} for x in trajs]
    store.write(path, clean, {**self.attrs, 'task': task})
    with h5py.File(path, 'r+') as file:
      for group, data in zip(file['trajectories'].values(), trajs):
        group['reward'][:] = data['reward']


def main(argv=None):
  """Print the table of the sources that are named, or of all."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('sources', nargs='*', default=list(SOURCES))
  parser.add_argument('--why', action='store_true', help='print the findings')
  args = parser.parse_args(argv)
  columns = []
  for name in args.sources:
    with tempfile.TemporaryDirectory() as folder:
      patient = Patient(name, pathlib.Path(folder))
      columns.append([name, *map(patient.cell, (None, *DAMAGES))])
      for damage_ in (None, *DAMAGES) if args.why else ():
        print(f'{name}, {damage_}: {patient.found(damage_)}')
  rows = zip(['damage', 'none', *DAMAGES], *columns)
  for i, row in enumerate(rows):
    print(f'| {" | ".join(row)} |')
    if not i:
      print('|---' * len(row) + '|')


if __name__ == '__main__':
  sys.exit(main())
