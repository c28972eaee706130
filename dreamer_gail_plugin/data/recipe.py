"""Recipes: demonstrations kept as seeds and actions, which are played again.

Frames of Atari and Crafter take megabytes, actions take kilobytes. A recipe is
a JSON file. It has the attributes of the store and, for each trajectory, the
environment's seed, the number of steps, the actions as text (one letter each)
and the SHA-256 of the resulting arrays. Playing it gives the same store on any
machine, or a clear error. The last step of an episode has no action.
"""

import hashlib
import importlib.metadata
import os
import pathlib
import string

import numpy as np
import tqdm

from .. import arguments
from .. import atomic
from .. import envs
from .. import upstream
from ..errors import UserError
from . import recipe_file
from . import record
from . import store
from .recipe_file import FORMAT
from .recipe_file import VERSION

LETTERS = string.ascii_letters + string.digits  # One for every action.
# The packages that the pixels depend on.
PACKAGES = {
    'atari': ('ale-py', 'pillow', 'numpy'),
    'crafter': ('crafter', 'opensimplex', 'pillow', 'numpy'),
}


def save(path, trajectories, attrs):
  """Write the recipe of trajectories that `record.record` made.

  `attrs` are the root attributes of the store, with `task`, `preprocessing`
  (the options of the environment) and the `limit` of the recorder. Raises
  UserError for a suite that is not among PACKAGES.
  """
  suite = suited(path, attrs['task'])
  data = {
      'format': FORMAT, 'version': VERSION, 'made_with': _versions(suite),
      'attrs': attrs, 'trajectories': [_describe(x) for x in trajectories]}
  atomic.write_json(path, data)


def suited(path, task):
  """Return the suite of a task; raises UserError if recipes are not for it."""
  suite = task.partition('_')[0]
  if suite not in PACKAGES:
    raise UserError(
        f'{path}: recipes are for {" and ".join(PACKAGES)}, not for '
        f'{task}; name an .h5 file')
  return suite


def load(path):
  """Return the content of a recipe; raises UserError if it is none.

  See `recipe_file.load`.
  """
  return recipe_file.load(path, tuple(PACKAGES), LETTERS)


def stored(name):
  """Return the path of a store; if `name` is a recipe, play it first."""
  path = pathlib.Path(name)
  return cached(path) if path.suffix == '.json' and path.exists() else path


def bundled(task):
  """Return the path of the store that is bundled for a task.

  Where a recipe is bundled, it is played first. Raises UserError if nothing
  is bundled.
  """
  folder = upstream.resource('expert_data')
  for path in (folder / f'{task}.json', folder / f'{task}.h5'):
    if path.exists():
      return stored(path)
  known = ', '.join(sorted(
      x.stem for x in folder.iterdir() if x.suffix in ('.h5', '.json')))
  raise UserError(
      f'--agent.gail.expert auto: no demonstrations are bundled for '
      f'{task} (there are: {known}). Import some with '
      f'`{arguments.typed("demos")}` and name the file by this flag.')


def cached(path):
  """Return the path of the store of a recipe; play it if it is not there yet.

  The store is kept in dreamer_gail_plugin/expert in $XDG_CACHE_HOME or
  ~/.cache, under a name that changes with the recipe.
  """
  path = pathlib.Path(path)
  load(path)
  digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
  cache = pathlib.Path(
      os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser()
  target = cache / 'dreamer_gail_plugin/expert' / f'{path.stem}-{digest}.h5'
  if not target.exists():
    try:
      target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
      raise UserError(
          f'{target.parent}: cannot make this folder ({error}); set '
          'XDG_CACHE_HOME to one that can be written') from None
    rebuild(path, target)
  return target


def rebuild(path, target):
  """Play a recipe and write its store to `target`.

  Raises UserError, and writes nothing, if the arrays are not those that were
  recorded.
  """
  data = load(path)
  steps = sum(len(x['actions']) for x in data['trajectories'])
  print(f'Playing the bundled demonstrations {path} once, into {target}')
  # Several processes may start at once; each writes under its own name.
  with tqdm.tqdm(total=steps, unit='step', unit_scale=True) as bar:
    store.write(target, _play(path, data, bar), data['attrs'])


def digest(data):
  """Return the SHA-256 of the arrays of a trajectory, as hexadecimal text."""
  result = hashlib.sha256()
  for key in sorted(data):
    value = np.ascontiguousarray(data[key])
    result.update(f'{key} {value.dtype.str} {value.shape}\n'.encode())
    result.update(value.tobytes())
  return result.hexdigest()


class Playback:
  """The policy that repeats the actions of a recipe, then action 0.

  Args:
    actions: text, one of LETTERS for each action.
    bar: a tqdm bar of steps, or None.
  """

  def __init__(self, actions, bar=None):
    self.actions = iter(actions)
    self.bar = bar

  def __call__(self, obs):
    """Return the next action."""
    if self.bar is not None:
      self.bar.update()
    return {'action': np.int32(LETTERS.index(next(self.actions, LETTERS[0])))}


def _play(path, data, bar):
  attrs = data['attrs']
  suite, _, name = attrs['task'].partition('_')
  for number, info in enumerate(data['trajectories']):
    env = envs.make(suite, name, **attrs['preprocessing'], seed=info['seed'])
    known = LETTERS[:len(env.action_meanings)]
    if set(info['actions']) - set(known):
      raise UserError(
          f'{path}: trajectory {number} has actions that {attrs["task"]} '
          f'does not have; expected letters of {known}')
    made = record.rollout(
        env, Playback(info['actions'], bar), info['length'], attrs['limit'])
    env.close()
    if digest(made) != info['sha256']:
      again = attrs['command'].replace(
          'python -m', arguments.typed('-m'), 1)
      raise UserError(
          f'{path}: trajectory {number}, played on this machine, is not what '
          f'was recorded (SHA-256 {digest(made)}, expected {info["sha256"]}). '
          f'It was recorded with {data["made_with"]}, here are '
          f'{_versions(suite)}. Install those, or record your own by '
          f'`{again}` and name the file by --agent.gail.expert')
    yield {**made, 'attrs': {k: info[k] for k in ('seed', 'source_id')}}


def _describe(trajectory):
  data = {k: v for k, v in trajectory.items() if k != 'attrs'}
  actions = data['action'][~data['is_last']]
  return {
      **trajectory['attrs'], 'length': len(data['action']),
      'sha256': digest(data),
      'actions': ''.join(LETTERS[x] for x in actions)}


def _versions(suite):
  found = [f'{x} {importlib.metadata.version(x)}' for x in PACKAGES[suite]]
  return ', '.join(found)
