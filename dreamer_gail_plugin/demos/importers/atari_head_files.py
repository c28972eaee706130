"""Reads the files of Atari-HEAD v4 as they are published.

A game is a folder, or a zip with that folder, of `<stem>.txt` (labels) and
`<stem>.tar.bz2` (one PNG per emulator frame; other packings and a folder of
PNGs are read, too) for every trial, where the stem
starts with the trial's number. Its subfolder `highscore` holds trials that
continue an earlier one. Archives are read as streams; nothing is extracted.
"""

import bz2
import collections
import contextlib
import csv
import gzip
import io
import lzma
import pathlib
import re
import tarfile
import zipfile

import numpy as np
import tqdm
from PIL import Image

from ...data import npz
from ...errors import UserError
from .. import flags

HEADER = 'frame_id,episode_id,score,duration(ms),unclipped_reward,action,'
COLUMNS = ('episode_id', 'score', 'duration(ms)', 'unclipped_reward', 'action')
GAMES = (
    'alien', 'asterix', 'bank_heist', 'berzerk', 'breakout', 'centipede',
    'demon_attack', 'enduro', 'freeway', 'frostbite', 'hero',
    'montezuma_revenge', 'ms_pacman', 'name_this_game', 'phoenix',
    'riverraid', 'road_runner', 'seaquest', 'space_invaders', 'venture')
ACTIONS = 18  # The ALE's own numbering, 0 NOOP to 17 DOWNLEFTFIRE.
SCREEN = (160, 210)  # Width and height.
FRAME = r'([^.].*_\d{1,9})\.png'
# How a tar is packed, by its first bytes.
PACKED = {b'BZh': bz2.open, b'\x1f\x8b': gzip.open, b'\xfd7zXZ': lzma.open}
LARGEST = 1 << 20  # Bytes of one PNG; a screen takes about a thousand.
# Bytes of all of a trial, unpacked, and of its labels; rows of these. A real
# one has 40 million in 18,000 frames.
TRIAL = 1 << 28
TEXT = 1 << 26
ROWS = 100_000
# What a damaged zip, tar, bz2 or PNG may raise.
BROKEN = (
    *npz.BROKEN, tarfile.TarError, ArithmeticError, lzma.LZMAError)
META = (
    'GameName', 'trial_id', 'highest_score', 'load_trial', 'total_episode',
    'total_frame', 'frame_averaging', 'subject_id')

Trial = collections.namedtuple('Trial', 'number labels frames resumed')
# `load` is the trial that this one continues, 0 for a new game.
Meta = collections.namedtuple(
    'Meta', 'score load episodes frames averaged subject')
# Arrays (N,) over the frames; NaN in the floats where a label is null.
Labels = collections.namedtuple('Labels', 'names episode score reward action')


def find_game(source, game):
  """Return the folder of a game, a pathlib.Path or a zipfile.Path.

  `source` is the game's folder or zip, or a folder that holds one of them.
  """
  source = pathlib.Path(source)
  if not source.exists():
    raise UserError(
        f'--source {source}: no such file or folder; give the folder or zip '
        f'of the game {game} from Atari-HEAD')
  if source.is_file():
    return _find_in_zip(source, game)
  for folder in (source / game, source):
    if folder.name in (game, 'highscore') and folder.is_dir():
      return folder
  if (source / f'{game}.zip').is_file():
    return _find_in_zip(source / f'{game}.zip', game)
  raise UserError(
      f'--source {source}: has neither a folder {game} nor {game}.zip; it has '
      f'{flags.listing(source)}')


def find_trials(folder):
  """Return {number: Trial} of the trials that the folder of a game holds."""
  trials = {}
  for place in (folder, folder / 'highscore'):
    names = [x.name for x in place.iterdir()] if place.is_dir() else []
    for name in sorted(names):
      match = re.fullmatch(r'(\d{1,9})_.*\.txt', name)
      if match:
        trials[int(match[1])] = Trial(
            int(match[1]), place / name, _frames_of(place, name[:-4]),
            place.name == 'highscore')
  if not trials:
    raise UserError(
        f'{folder}: has no label files <trial>_<name>.txt; it has '
        f'{flags.listing(folder)}')
  return trials


def _frames_of(place, stem):
  # As published, or packed in another way, or unpacked beside the labels.
  for end in ('.tar.bz2', '.tar', '.tar.gz', '.tgz', '.tar.xz'):
    if (place / (stem + end)).is_file():
      return place / (stem + end)
  if (place / stem).is_dir():
    return place / stem
  return place / (stem + '.tar.bz2')


def find_meta(source):
  """Return the path of meta_data.csv in or beside the source, or None."""
  source = pathlib.Path(source).resolve()
  folders = [source, source.parent]
  if source.name == 'highscore':
    folders.append(source.parent.parent)
  for folder in folders:
    if (folder / 'meta_data.csv').is_file():
      return folder / 'meta_data.csv'
  return None


def read_meta(path, game):
  """Return {number: Meta} of the game's trials, highscores included."""
  result = {}
  try:
    text = _text(path)
    reader = csv.DictReader(io.StringIO(text, newline=''))
    lost = [x for x in META if x not in (reader.fieldnames or ())]
    if lost:
      raise UserError(
          f'{path}: columns missing: {", ".join(lost)}; expected the file of '
          'Atari-HEAD version 4')
    for row in reader:
      values = [(row[x] or '').strip() for x in META]
      if values[0] not in (game, f'{game}_highscore'):
        continue
      number, score, *rest = [_whole(path, reader, x) for x in values[1:6]]
      result[number] = Meta(
          score, *rest, values[6].upper() == 'TRUE', values[7])
  except (*BROKEN, csv.Error) as e:
    raise UserError(
        f'{path}: cannot be read as a table ({e!s:.200}); copy it '
        'again') from e
  return result


def _whole(path, reader, text):
  if not re.fullmatch(r'-?\d{1,15}', text):
    raise UserError(
        f'{path}: line {reader.line_num}: {text[:50]!r} is not a whole number')
  return int(text)


def read_labels(path):
  """Return the Labels of a trial, in the order of its frames.

  Raises UserError with the line number for a row that is not as published:
  frame name, five numbers or `null`, gaze positions.
  """
  names, rows = [], []
  try:
    lines = _text(path).splitlines()
  except UnicodeDecodeError as e:
    raise UserError(f'{path}: not a text file: {e}') from e
  except BROKEN as e:
    raise UserError(f'{path}: cannot be read ({e})') from e
  if len(lines) > ROWS:
    raise UserError(
        f'{path}: has {len(lines):,} lines, a trial has 18,000 frames; copy '
        'it again')
  for number, line in enumerate(lines, 1):
    if number == 1 and line.startswith('frame_id'):
      if not line.startswith(HEADER):
        raise UserError(f'{path}: line 1: expected {HEADER}...')
      continue
    name, values = _parse(f'{path}: line {number}', line)
    if names and _order(name) != _order(names[-1]) + 1:
      raise UserError(
          f'{path}: line {number}: frame {name} follows {names[-1]}, expected '
          'consecutive numbers')
    names.append(name)
    rows.append(values)
  if not rows:
    raise UserError(f'{path}: has no rows, expected one per frame')
  episode, score, _, reward, action = np.array(rows).T
  return Labels(names, episode, score, reward, action)


def read_frames(path, names):
  """Return ({name: PNG bytes}, number of other entries) of a trial.

  `path` is a tar, packed or not, or a folder of PNGs. `names` are the frames
  that must be there, all of them and no others. Links, other files and names
  that point outside are left alone and counted.
  """
  bar = tqdm.tqdm(total=len(names), desc='read', unit=' frames')
  frames, ignored = {}, []
  try:
    with bar:
      if path.is_dir():
        _read_folder(path, frames, ignored, bar)
      elif path.is_file():
        _read_tar(path, frames, ignored, bar)
      else:
        raise UserError(
            f'{path}: no such file, but there are labels for its frames; copy '
            'the whole trial (its frames as .tar.bz2, .tar, .tar.gz or '
            'unpacked in a folder of that name)')
  except BROKEN as e:
    raise UserError(
        f'{path}: damaged after {len(frames)} frames ({e}); expected a whole '
        'tar.bz2, so copy it again') from e
  _compare(path, frames, names)
  return frames, len(ignored)


def _read_tar(path, frames, ignored, bar):
  with contextlib.ExitStack() as stack:
    raw = stack.enter_context(path.open('rb'))
    start = raw.read(6)
    raw.seek(0)
    unpack = next((v for k, v in PACKED.items() if start.startswith(k)), None)
    plain = stack.enter_context(unpack(raw)) if unpack else raw
    tar = stack.enter_context(
        tarfile.open(fileobj=_Bounded(plain, TRIAL), mode='r|'))
    for member in tar:
      name = _frame_name(member)
      if name:
        frames[name] = tar.extractfile(member).read()
        bar.update()
      elif not member.isdir():
        ignored.append(member.name)


def _read_folder(path, frames, ignored, bar):
  left = TRIAL
  for entry in path.iterdir():
    frame = re.fullmatch(FRAME, entry.name)
    link = getattr(entry, 'is_symlink', lambda: False)()
    if not frame or link or not entry.is_file():
      ignored.append(entry.name)
      continue
    with entry.open('rb') as file:
      data = file.read(LARGEST + 1)
    left -= len(data)
    if len(data) > LARGEST or left < 0:
      raise OSError(f'more than {TRIAL:,} bytes, or {LARGEST:,} in a frame')
    frames[frame[1]] = data
    bar.update()


class _Bounded:
  # A file that gives no more than so many bytes: names and headers in a tar
  # may inflate to any size, as files may.

  def __init__(self, file, limit):
    self.file, self.limit = file, limit

  def read(self, size):
    data = self.file.read(size)
    self.limit -= len(data)
    if self.limit < 0:
      raise OSError(f'it unpacks to more than {TRIAL:,} bytes')
    return data


def _text(path):
  with path.open('rb') as file:
    data = file.read(TEXT + 1)
  if len(data) > TEXT:
    raise ValueError(f'it has more than {TEXT:,} bytes')
  return data.decode('utf-8-sig')  # Some editors put a mark in front.


def decode(path, name, data):
  """Return a frame (210, 160, 3) uint8."""
  try:
    image = Image.open(io.BytesIO(data), formats=['PNG'])
    # Before it is decoded: a bad file could claim any size.
    if image.size != SCREEN:
      raise UserError(
          f'{path}: frame {name} has {image.size[0]} x {image.size[1]} pixels '
          f'(width x height), expected {SCREEN[0]} x {SCREEN[1]}')
    return np.asarray(image.convert('RGB'))
  except BROKEN as e:
    raise UserError(f'{path}: frame {name} is not a whole PNG: {e}') from e


def _find_in_zip(path, game):
  try:
    folder = zipfile.Path(path) / game
  except BROKEN as e:
    raise UserError(
        f'--source {path}: not a whole zip ({e}); give the folder or the zip '
        f'of the game {game}') from e
  if not folder.is_dir():
    raise UserError(
        f'--source {path}: has no folder {game}; it has '
        f'{flags.listing(zipfile.Path(path))}')
  return folder


def _parse(place, line):
  parts = line.split(',', 6)
  if len(parts) < 7:
    raise UserError(
        f'{place}: has {len(parts)} fields, expected {HEADER}gaze_positions')
  if not re.fullmatch(r'[^/\\]+_\d{1,9}', parts[0]):
    raise UserError(
        f'{place}: frame_id is {parts[0]!r}, expected a name such as '
        'RZ_2461867_1')
  values = []
  for column, text in zip(COLUMNS, parts[1:]):
    if not re.fullmatch(r'null|-?\d{1,15}', text):
      raise UserError(
          f'{place}: {column} is {text!r}, expected a whole number or null')
    values.append(np.nan if text == 'null' else float(text))
  if not np.isnan(values[-1]) and not 0 <= values[-1] < ACTIONS:
    raise UserError(
        f'{place}: action is {parts[5]}, expected 0 to {ACTIONS - 1} or null')
  return parts[0], values


def _frame_name(member):
  path = pathlib.PurePosixPath(member.name)
  inside = not path.is_absolute() and '..' not in path.parts
  frame = re.fullmatch(FRAME, path.name)
  if member.isreg() and inside and frame and member.size <= LARGEST:
    return frame[1]
  return None


def _compare(path, frames, names):
  if not frames:
    raise UserError(f'{path}: has no frames, expected {len(names)} PNG files')
  lost = [x for x in names if x not in frames]
  extra = sorted(frames.keys() - set(names), key=_order)
  if lost or extra:
    raise UserError(
        f'{path}: has {len(frames)} frames, the labels have {len(names)} rows'
        + (f'; no frame for the row {lost[0]}' if lost else '')
        + (f'; no row for the frame {extra[0]}' if extra else '')
        + '; copy both files again')


def _order(name):
  # Numbers have no leading zeros, so names must not be sorted as text.
  return int(name.rpartition('_')[2])
