"""Imports a Minari dataset (Minari 0.5.0 or newer, HDF5 storage).

Images must have been saved as they are, not as JPEG. A set that
`demos minari_export` made gives back its store exactly.

examples:
  dreamer-gail demos minari --source cartpole/expert-v0 --out cartpole.h5
  dreamer-gail demos minari --source datasets/mine-v0 --task gym_CartPole-v1 \\
      --out mine.h5
"""

import json
import math
import pathlib

import h5py
import numpy as np
import tqdm

from ...data import hdf5
from ...data import store
from ...errors import UserError
from .. import flags
from .. import tasks
from . import episodes
from . import minari_sidecar

INSTALL = (
    "Minari is not installed. Run: pip install 'dreamer_gail_plugin[minari]' "
    '(it needs numpy 2)')
LARGEST = 1 << 32  # Bytes of one array of one episode.
METADATA = 1 << 26  # Bytes of the file metadata.json.
ELEMENTS = 1 << 24  # Of a space; Gymnasium makes arrays of its bounds.


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--source', required=True,
      help='folder of the dataset, or its id, as in cartpole/expert-v0')
  flags.add_output(add)
  episodes.add_arguments(
      add, 'task of the store (gym_ID with the id in the dataset)')


def run(args):
  """Import the dataset and write the store to `args.out`."""
  out = flags.output(args)
  folder = find(args.source)
  with Dataset(folder) as data:
    if minari_sidecar.there(folder):
      return rebuild(args, folder, data, out)
    task, kwargs = data.task()
    args.task = task if args.task is None else args.task
    args.kwargs = args.kwargs or kwargs
    convert, options = converter(args, data)
    scores = [data.score(i) if args.best else 0 for i in range(len(data))]
    chosen = episodes.pick(scores, args.best or len(data))
    attrs = {
        'task': args.task, 'source': f'Minari {data.name}',
        'preprocessing': options, 'arrays': convert.texts,
        **{k: data.text(k) for k in ('author', 'algorithm_name')}}
    bar = tqdm.tqdm(chosen, 'read', unit=' episodes')
    count = store.write(out, (
        {**convert(data.read(i)), 'attrs': {'source_id': f'episode {i}'}}
        for i in bar), attrs)
  print(f'{out}: {count} of {len(data)} episodes of {data.name}')
  print(f'  task: {args.task or "any; name it by --task"}. Minari keeps no '
        'licence: see where the set is from')
  convert.report()


def converter(args, data):
  """Return the Converter of an open set, and the options of its task.

  For a task of another suite than `gym` the arrays stay as they are. Raises
  UserError if they are not those of that task.
  """
  options = episodes.options(args)
  spaces = data.obs_space, data.act_space
  if not args.task or args.task.startswith('gym_'):
    return episodes.Converter(
        *spaces, options['size'], options['image']), options
  convert = episodes.Converter(
      *spaces, args.size or (0, 0), args.image or 'last')
  try:
    env = tasks.make_env(args.task, 0)
  except UserError as e:
    print(f'WARNING: {e} So it was not compared with the task')
    return convert, {}
  found = {**convert.obs.spaces, **convert.act.spaces}
  for key, space in {**env.obs_space, **env.act_space}.items():
    if key in (*store.FLAGS, 'reset') or not store.needed(key):
      continue
    have = found.get(key)
    if not have or (have.shape, have.dtype) != (space.shape, space.dtype):
      raise UserError(
          f'{data.place}: {key} is {have or "missing"}, the task {args.task} '
          f'wants {space}; name the task that the set was made in by --task')
  env.close()
  return convert, {}


def rebuild(args, folder, data, out):
  """Write the store that a set was exported from, or the best of it."""
  for flag in ('task', 'size', 'image', 'kwargs'):
    if getattr(args, flag) is not None:
      raise UserError(
          f'--{flag}: {folder} was exported from a store, which is made again '
          'as it was; leave it out')
  read = lambda: minari_sidecar.rebuild(
      folder, (data.read(i) for i in range(len(data))))
  trajectories, attrs = read()
  if args.best:
    scores = [
        store.score(x['reward'], x['is_first'], x['is_last'])
        if 'reward' in x else 0 for x in trajectories]
    chosen = episodes.pick(scores, args.best)
    trajectories = (x for i, x in enumerate(read()[0]) if i in chosen)
  count = store.write(out, trajectories, attrs)
  print(f'{out}: {count} trajectories, as they were before the export')


def find(source):
  """Return the folder with a dataset's files, given that, its parent or id."""
  path = pathlib.Path(source)
  for folder in (path / 'data', path):
    if (folder / 'metadata.json').is_file():
      return folder
    if (folder / 'main_data.hdf5').is_file():
      raise UserError(
          f'{folder}: a dataset of Minari 0.4 or older, whose metadata are in '
          'main_data.hdf5. Download it again with Minari 0.5 or newer, or '
          'make it again')
  if path.exists() or path.is_absolute():
    raise UserError(
        f'--source {source}: has no data/metadata.json; give the folder of a '
        'Minari dataset, as in ~/.minari/datasets/NAME-v0')
  folder = library().storage.get_dataset_path('') / path / 'data'
  if '..' in path.parts or not (folder / 'metadata.json').is_file():
    raise UserError(
        f'--source {source}: no such folder, and no dataset of that id in '
        f'{folder.parent}; download it: minari download {source}')
  return folder


class Dataset:
  """Read access to a dataset: its spaces and its episodes.

  Raises UserError for a set that is damaged, of another storage format, or
  whose images are JPEG-encoded.
  """

  def __init__(self, folder):
    self.folder = folder
    self.place = folder / 'metadata.json'
    self.metadata = self._metadata()
    self.name = self.text('dataset_id') or folder.parent.name
    self.obs_space = self._space('observation_space')
    self.act_space = self._space('action_space')
    self._refuse_other_storage()
    self.path = folder / 'main_data.hdf5'
    self.file = hdf5.open_file(self.path, 'a Minari dataset')
    try:
      self._refuse_jpeg()
    except (KeyError, OSError, RuntimeError, ValueError) as e:
      raise UserError(hdf5.damaged(self.path, e)) from e
    self.count, have = self.metadata.get('total_episodes'), len(self.file)
    if type(self.count) is not int or not 0 < self.count <= have:
      self.file.close()
      raise UserError(
          f'{self.place}: total_episodes is {self.count!r:.50}, but '
          f'{self.path} has {have}')

  def __len__(self):
    return self.count

  def __enter__(self):
    return self

  def __exit__(self, *args):
    self.file.close()

  def text(self, key):
    """Return a text of the metadata, or a list of texts joined, or ''."""
    value = self.metadata.get(key) or ''
    value = value if isinstance(value, list) else [value]
    return ', '.join(x for x in value if isinstance(x, str))

  def task(self):
    """Return gym_ID of the environment in the metadata, '' if unknown, and
    JSON of the arguments that it was made with, '' for none."""
    try:
      spec = json.loads(self.metadata.get('env_spec') or '{}')
      name, kwargs = spec.get('id', ''), spec.get('kwargs')
    except (ValueError, TypeError, AttributeError) as e:
      raise UserError(f'{self.place}: env_spec is not JSON: {e}') from e
    kwargs = json.dumps(kwargs) if isinstance(kwargs, dict) and kwargs else ''
    if kwargs:
      print(f"  made with --env.gym.kwargs '{kwargs:.500}'")
    return f'gym_{name}' if name and isinstance(name, str) else '', kwargs

  def read(self, index):
    """Return an Episode."""
    name = f'episode_{index}'
    get = lambda x: self._array(f'{name}/{x}')
    flag = lambda x: get(x).astype(bool)
    # Tuples are groups with the names _index_0, _index_1, ...
    nested = lambda space, part: episodes.read(
        space, part, get, '_index_{}'.format)
    return episodes.Episode(
        f'{self.path}: {name}', nested(self.obs_space, 'observations'),
        nested(self.act_space, 'actions'), get('rewards'),
        flag('terminations'), flag('truncations'))

  def score(self, index):
    """Return the sum of the rewards of an episode."""
    return float(self._array(f'episode_{index}/rewards').sum())

  def _array(self, name):
    return hdf5.read(self.path, self.file, name, LARGEST)

  def _metadata(self):
    try:
      if self.place.stat().st_size > METADATA:
        raise UserError(f'{self.place}: has more than {METADATA:,} bytes')
      data = json.loads(self.place.read_text('utf-8'))
    except (OSError, ValueError, RecursionError) as e:
      raise UserError(
          f'{self.place}: cannot be read as JSON ({e}); copy the dataset '
          'again') from e
    if not isinstance(data, dict):
      raise UserError(f'{self.place}: expected an object with metadata')
    return data

  def _space(self, key):
    from_json = _reader()
    value = self.metadata.get(key)
    if not isinstance(value, str):
      raise UserError(
          f'{self.place}: {key} is {str(value)[:50]!r}, expected a space; '
          'this was made by a Minari before 0.5, make it again')
    try:
      if _elements(json.loads(value)) > ELEMENTS:
        raise ValueError(f'more than {ELEMENTS:,} elements')
      return from_json(value)
    except Exception as e:  # Whatever Gymnasium says to wrong bounds.
      raise UserError(
          f'{self.place}: {key} is no Gymnasium space ({e!r:.200})') from e

  def _refuse_other_storage(self):
    kind = self.metadata.get('data_format', 'hdf5')
    if kind != 'hdf5':
      raise UserError(
          f"{self.place}: data_format is {kind!r:.50}, expected 'hdf5'; make "
          "the set again with data_format='hdf5'")

  def _refuse_jpeg(self):
    # By what is there: which versions of Minari encode, and whether their
    # metadata say so, differs.
    spaces = {'observation': self.obs_space, 'action': self.act_space}
    for kind, space in spaces.items():
      names = []
      episodes.read(
          space, f'episode_0/{kind}s', names.append, '_index_{}'.format)
      found = (self.file.get(x, getlink=True) for x in names)
      if any(isinstance(x, h5py.HardLink) and self._encoded(name)
             for name, x in zip(names, found)):
        raise UserError(
            f'{self.path}: its {kind} images are JPEG-encoded. JPEG changes '
            'every picture a little, and a discriminator would tell the '
            'expert by that alone. Record it again with jpeg_encoding=False '
            '(Minari 0.5.4 or newer)')

  def _encoded(self, name):
    value = self.file[name]
    return isinstance(value, h5py.Dataset) and (
        value.dtype.hasobject or value.dtype.kind in 'SV')


def library():
  """Return the package `minari`; raises UserError if it is not installed."""
  try:
    import minari
    import minari.storage
  except ImportError as e:
    raise UserError(INSTALL) from e
  return minari


def _elements(value):
  # How many elements a space claims to have, with all of its parts.
  if isinstance(value, dict):
    shape = value.get('shape')
    shape = shape if isinstance(shape, list) else []
    # A MultiBinary may give its shape as `n`; a Discrete has no arrays.
    if value.get('type') == 'MultiBinary':
      shape = np.ravel(value.get('n')).tolist()
    own = math.prod(x for x in shape if isinstance(x, int))
    return own + sum(map(_elements, value.values()))
  if isinstance(value, list):
    return sum(map(_elements, value))
  return 0


def _reader():
  """Return Minari's function from JSON to a space."""
  library()
  from minari.serialization import deserialize_space
  return deserialize_space
