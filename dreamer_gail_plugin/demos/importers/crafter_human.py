"""Imports the Crafter Human Dataset (Hafner, 2021, CC-BY-4.0).

Five people playing 20 games of Crafter each. The data (dataset.zip, 132 MB)
is at https://archive.org/details/crafter_human_dataset. Episodes that
crafter.Recorder saves today are read, too, and those of other loops where
--layout says how. See docs/import.md.

examples:
  dreamer-gail demos crafter_human --source dataset.zip --out crafter.h5
  dreamer-gail demos crafter_human --source episode.npz --layout loop \\
      --out crafter.h5
"""

import collections
import io
import json
import pathlib
import zipfile

import numpy as np
import tqdm

from ... import arguments
from ... import envs
from ...data import npz
from ...data import store
from ...errors import UserError
from .. import flags
from .. import tasks

SOURCE = 'Crafter Human Dataset (archive.org, 2021)'
LICENCE = 'CC-BY-4.0'
CITATION = (
    'Hafner (2021), Benchmarking the Spectrum of Agent Capabilities. '
    'https://archive.org/details/crafter_human_dataset')
LARGEST = 1 << 28  # Bytes of an array; images of 10,000 steps are half that.
PACKED = 1 << 27  # Bytes of an npz in the zip; a real one has a million.
ACHIEVEMENT = ('achivement_', 'achievement_')  # In 2021, and mended since.

# One file, opened lazily: `open()` gives a path or a binary file.
Entry = collections.namedtuple('Entry', 'place open')


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--source', required=True,
      help='dataset.zip, its unpacked folder, or one episode')
  flags.add_output(add)
  add('--longest', type=arguments.natural, default=10, help='so many episodes')
  add('--length', type=arguments.natural, default=1024,
      help='at most so many steps, from the start of each')
  add('--task', default='crafter_reward',
      help='task of the store')
  add('--layout', choices=('recorder', 'loop'),
      help='what index k holds, where it cannot be told: the action that led '
      'to image k (recorder), or the one chosen at it (loop)')


def run(args):
  """Import the episodes and write the store to `args.out`.

  Raises UserError, and writes nothing, if the flags or any file of the
  source are not as expected.
  """
  out = flags.output(args)
  if args.task not in ('crafter_reward', 'crafter_noreward'):
    raise UserError(
        f'--task {args.task}: expected crafter_reward or crafter_noreward')
  entries = find(flags.source(args, 'the zip or folder of the data set'))
  # The lengths of all before the images of any: only the longest are read.
  heads = [
      read_head(x, args.layout)
      for x in tqdm.tqdm(entries, 'look', unit=' episodes')]
  order = sorted(range(len(heads)), key=lambda x: -len(heads[x].frames))
  chosen = [(entries[x], heads[x]) for x in order[:args.longest]]
  meanings = envs.make(*tasks.split(args.task)).action_meanings
  attrs = {
      'task': args.task, 'source': SOURCE, 'licence': LICENCE,
      'citation': CITATION, 'action_meanings': meanings,
      'preprocessing': {'size': chosen[0][1].size},
      'expert_score': float(np.mean([x.reward.sum() for _, x in chosen])),
  }
  bar = tqdm.tqdm(chosen, 'read', unit=' episodes')
  store.write(
      out, (trajectory(*x, args.length, len(meanings)) for x in bar), attrs)
  report(out, heads, [x for _, x in chosen], args.length)


def find(path):
  """Return an Entry for every npz of a zip, a folder or a single file.

  Nothing is extracted; of a zip, names are used for messages only.
  """
  if path.is_dir():
    found = [
        Entry(str(x), lambda x=x: x)
        for x in sorted(path.rglob('*.npz')) if _wanted(x.name)]
  elif path.suffix == '.npz':
    found = [Entry(str(path), lambda: path)]
  else:
    found = _in_zip(path)
  if not found:
    raise UserError(
        f'--source {path}: has no .npz files; give dataset.zip or the folder '
        'that it unpacks to')
  return found


def read_head(entry, layout=None):
  """Return the Head of an episode: all that is small, checked.

  Its arrays are as the recorder has them, whatever the layout of the file.
  Raises UserError if the file is damaged, its arrays differ in length, the
  episode goes on after its end, or the layout is not given and cannot be told.
  """
  with _open(entry) as data:
    size = _image_shape(entry, data)[:2]
    reward = data.read('reward', 'buif').astype(np.float32)
    done = data.read('done', 'b')
    lengths = {'done': done.shape, 'reward': reward.shape}
    # Zero at a death alone. Before the first step it is filled with zero.
    discount = data.read('discount') if 'discount' in data else ~done
    lengths['discount'] = discount.shape
    wrong = [k for k, v in lengths.items() if v != done.shape[:1] or v[0] < 2]
    if wrong:
      raise UserError(
          f'{entry.place}: {wrong[0]} has shape {lengths[wrong[0]]}, expected '
          'one value for the reset and one for every step, at least two')
    if done[:-1].any():
      raise UserError(
          f'{entry.place}: done at step {int(done.argmax())} of '
          f'{len(done) - 1}, expected at the last one only')
    action = _actions(entry, data, done.shape)
    layout = layout or _layout(entry, data, action, reward, discount)
    terminal = bool(done[-1] and discount[-1] == 0)
    if layout == 'loop':
      terminal = bool(done[-1] and (terminal or 'discount' not in data))
      # A step too many at a death shows its last image again, so that its
      # action and reward are kept and the death comes after them.
      part = slice(None if terminal else -1)
      action, reward = action[part], reward[part]
    else:
      action, reward = action[1:], reward[1:]
    frames = np.minimum(np.arange(len(action) + 1), len(done) - 1)
    return Head(
        [int(x) for x in size], frames, np.append(0, reward),
        np.append(action, 0), len(done), terminal, _achievements(entry, data))


# Of T steps and the last image: numbers of the images to show (T + 1,), the
# reward that came with each and the action chosen at it; images in the file.
Head = collections.namedtuple(
    'Head', 'size frames reward action images terminal achievements')


def _layout(entry, data, action, reward, discount):
  # Recorder's index 0 is the reset: all but the image is zero. What a loop of
  # one's own saves stands one step earlier, and its last image is missing.
  blank = (action[0] < 0) or not (action[0] or reward[0])
  if blank and (action[0] < 0 or 'discount' in data and discount[0] == 0):
    return 'recorder'
  what = (
      f'index 0 has action {action[0]}, reward {reward[0]:g} and discount '
      f'{discount[0]:g}' if 'discount' in data else 'there is no discount')
  raise UserError(
      f'{entry.place}: {what}, so this is not from crafter.Recorder, where '
      'index 0 is the reset with zeros. Say by --layout recorder that action '
      'k led to image k, or by --layout loop that it was chosen at image k. '
      '`demos check` tells afterwards whether it was right')


def _actions(entry, data, shape):
  # Numbers (T,) of one-hot codes, too; -1 for a code without any.
  action = data.read('action', 'buif')
  if action.ndim == 2 and action.shape[:1] == shape:
    if not np.isin(action, (0, 1)).all() or (action.sum(1) > 1).any():
      raise UserError(
          f'{entry.place}: action has shape {action.shape}, expected one-hot '
          'codes')
    return np.where(action.any(1), action.argmax(1), -1)
  if action.dtype.kind not in 'iu':
    raise UserError(
        f'{entry.place}: action has type {action.dtype}, expected whole '
        'numbers or one-hot codes')
  if action.shape != shape:
    raise UserError(
        f'{entry.place}: action has shape {action.shape}, expected '
        f'{shape[0]} as of done')
  return action


def trajectory(entry, head, length, actions):
  """Return the first `length` steps of an episode for `store.write`.

  A step of the store holds the action that was chosen at its image and the
  reward that came with it, wherever these stand in the file.
  """
  with _open(entry) as data:
    image = data.read('image', 'u')
  if image.shape[:1] != (head.images,):
    raise UserError(
        f'{entry.place}: image has shape {image.shape}, expected '
        f'{head.images} as of done')
  if head.action.min() < 0 or head.action.max() >= actions:
    raise UserError(
        f'{entry.place}: has actions from {head.action.min()} to '
        f'{head.action.max()}, expected 0 to {actions - 1}')
  part = slice(0, length)
  steps = len(head.frames)
  last = np.arange(steps) == steps - 1
  return {
      'image': image[head.frames[part]],
      'action': head.action.astype(np.int32)[part],
      'reward': head.reward.astype(np.float32)[part],
      'is_first': (np.arange(steps) == 0)[part],
      'is_last': last[part],
      'is_terminal': (last & head.terminal)[part],
      'attrs': {
          'source_id': pathlib.PurePath(entry.place).name,
          'episode_length': steps - 1,
          'episode_score': float(head.reward.sum()),
          'achievements': json.dumps(head.achievements),
      },
  }


def report(out, heads, chosen, length):
  """Print what was read and kept, and how good the players were."""
  steps = sum(len(x.frames) - 1 for x in heads)
  kept = sum(min(len(x.frames) - 1, length) for x in chosen)
  unlocked = [sum(y > 0 for y in x.achievements.values()) for x in chosen]
  lines = [
      f'{out}: {len(chosen)} of {len(heads)} episodes, {kept:,} steps of '
      f'{steps:,}',
      f'lengths {", ".join(str(len(x.frames) - 1) for x in chosen)}',
      f'mean score {np.mean([x.reward.sum() for x in chosen]):.2f}, mean '
      f'achievements {np.mean(unlocked):.1f} of 22, of whole episodes',
      f'source: {SOURCE}, {LICENCE}; cite {CITATION}']
  print('\n  '.join(lines))


def _in_zip(path):
  try:
    archive = zipfile.ZipFile(path)
    infos = [x for x in archive.infolist() if _wanted(x.filename)]
  except npz.BROKEN as e:
    raise UserError(
        f'--source {path}: not a whole zip ({e}); expected dataset.zip, its '
        'folder or one .npz') from e

  def read(info):
    place = f'{path}: {info.filename}'
    if info.file_size > PACKED:
      raise UserError(
          f'{place}: has {info.file_size:,} bytes, more than the '
          f'{PACKED:,} of any episode')
    try:
      return io.BytesIO(archive.read(info))
    except npz.BROKEN as e:
      raise UserError(
          f'{place}: damaged ({e}); copy the zip again') from e

  return [
      Entry(f'{path}: {x.filename}', lambda x=x: read(x)) for x in infos]


def _wanted(name):
  # macOS adds files such as __MACOSX/._1CKF.npz, which hold no arrays.
  name = pathlib.PurePosixPath(name).name
  return name.endswith('.npz') and not name.startswith('.')


def _open(entry):
  return npz.Npz(entry.open(), entry.place, LARGEST)


def _image_shape(entry, data):
  dtype, shape = data.spec('image')
  if dtype != np.uint8 or len(shape) != 4 or shape[3] != 3:
    raise UserError(
        f'{entry.place}: image has {dtype} {shape}, expected uint8 (steps, '
        'height, width, 3)')
  return shape[1:]


def _achievements(entry, data):
  # How often each was reached, in the last step of the episode.
  counts = {}
  for key in data.keys:
    for prefix in ACHIEVEMENT:
      if key.startswith(prefix):
        values = data.read(key, 'buif')
        if values.ndim != 1 or not np.isfinite(values[-1:]).sum():
          raise UserError(
              f'{entry.place}: {key} has shape {values.shape} and ends with '
              f'{values[-1:]}, expected one count for every step')
        counts[key.removeprefix(prefix)] = int(values[-1])
  return counts
