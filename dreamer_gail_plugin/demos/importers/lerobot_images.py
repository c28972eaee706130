"""The images of a LeRobot dataset, out of parquet files or mp4 videos."""

import io
import pathlib

import av
import numpy as np
from PIL import Image as PillowImage

from ...errors import UserError
from . import arrow

ERRORS = (av.error.FFmpegError, OSError, ValueError, SyntaxError)


class Images:
  """Reads images of episodes in the order of the dataset.

  `keys` are the features that are images.
  """

  def __init__(self):
    self.keys = {}
    self.lossy = set()

  def open(self, path, info, spaces, sources):
    """Start with the first episode; return the features that are videos.

    `spaces` and `sources` are the space and the feature of each observation.
    Raises UserError for images whose observation is none of bytes.
    """
    self.path, self.info = path, info
    kinds = {k: _kind(info, k) for k in sources.values()}
    self.keys = {k: v for k, v in kinds.items() if v in ('image', 'video')}
    for name, key in sources.items():
      space = spaces[name]
      if key in self.keys and (
          len(space.shape or ()) != 3 or space.dtype != np.uint8):
        raise UserError(
            f'{path}: {key} is images, but the task has {space!s:.100} for '
            f'{name}; expected bytes of three axes')
    videos = [k for k, v in self.keys.items() if v == 'video']
    wrong = [k for k in videos if pathlib.PurePath(k).name != k or k == '..']
    if wrong:
      raise UserError(f'{path}: {wrong[0]!r:.100} is no name of a folder')
    newer = info['codebase_version'] == 'v3.0'
    self.places = _places(path) if newer and videos else {}
    self.videos = {k: None for k in videos}
    return videos

  def read(self, place, number, steps, key, space, column):
    """Return the images (T, *shape of space) of the episode `number`.

    `column` has them in the parquet file, if they are there.
    """
    first = space.shape[0] < min(space.shape[1:])
    height, width = space.shape[1:] if first else space.shape[:2]
    channels = space.shape[0 if first else 2]
    if channels not in (1, 3):
      raise UserError(
          f'{place}: {key} has {channels} channels in the task, expected 1 '
          'or 3')
    mode = 'L' if channels == 1 else 'RGB'
    if key in self.videos:
      images = self._video(place, number, steps, key, (height, width))
    else:
      images = [
          self._decode(f'{place}: {key}, frame {i}', x, (height, width))
          for i, x in enumerate(column.to_pylist())]
    images = np.stack([
        np.asarray(x.convert(mode)).reshape(height, width, channels)
        for x in images])
    return images.transpose(0, 3, 1, 2) if first else images

  def report(self):
    """Print which images were stored with loss, if any."""
    if self.lossy:
      print(
          f'  WARNING: {", ".join(sorted(self.lossy))}: stored with loss, as '
          'videos or JPEG. A discriminator may tell the expert by that alone. '
          'A dataset recorded with use_videos=False has none')

  def _decode(self, place, value, size):
    data = value.get('bytes') if isinstance(value, dict) else None
    if not data:
      raise UserError(f'{place}: has no image in it, expected its bytes')
    try:
      image = PillowImage.open(io.BytesIO(data), formats=('PNG', 'JPEG'))
      _check(place, (image.height, image.width), size)
      image.load()
    except (*ERRORS, PillowImage.DecompressionBombError) as e:
      raise UserError(f'{place}: cannot be read ({e!s:.200})') from e
    if image.format == 'JPEG':
      self.lossy.add(place.split(': ')[-1].split(',')[0])
    return image

  def _video(self, place, number, steps, key, size):
    self.lossy.add(key)
    file, start = self._place(place, number, key)
    have = self.videos[key]
    if not have or have.file != file or have.next > start:
      have = self.videos[key] = Video(file, self.info['fps'], size)
    return have.read(place, start, steps)

  def _place(self, place, number, key):
    # The file of an episode, and which of its frames is the first.
    folder = self.path / 'videos'
    if self.info['codebase_version'] != 'v3.0':
      chunk = number // self.info['chunks_size']
      name = f'episode_{number:06}.mp4'
      return folder / f'chunk-{chunk:03}' / key / name, 0
    try:
      chunk, name, start = (
          self.places[number][f'videos/{key}/{x}']
          for x in ('chunk_index', 'file_index', 'from_timestamp'))
      start = round(start * self.info['fps'])
      return (
          folder / key / f'chunk-{chunk:03}' / f'file-{name:03}.mp4', start)
    except (KeyError, TypeError, ValueError, OverflowError) as e:
      raise UserError(
          f'{place}: meta/episodes does not say where the video of {key} is'
          ) from e


class Video:
  """Frames of one mp4 in their order; `next` is the number of the next."""

  def __init__(self, file, rate, size):
    self.file, self.rate, self.next = file, rate, 0
    try:
      container = av.open(str(file))
      streams = container.streams.video
      codec = streams[0].codec_context if streams else None
      if codec is None:
        raise ValueError('no video in it')
      _check(str(file), (codec.height, codec.width), size)
    except ERRORS as e:
      raise UserError(f'{file}: cannot be read ({e!s:.200})') from e
    self.frames = container.decode(video=0)

  def read(self, place, start, steps):
    """Return the images `start` to `start + steps` as Pillow has them."""
    images = []
    while self.next < start + steps:
      try:
        frame = next(self.frames)
        number = round(frame.time * self.rate)
      except StopIteration:
        number = None
      except (*ERRORS, TypeError, OverflowError) as e:
        raise UserError(f'{self.file}: cannot be read ({e!s:.200})') from e
      if number != self.next:
        raise UserError(
            f'{place}: {self.file} has no frame {self.next}, expected '
            f'{start} to {start + steps - 1}; download it again')
      self.next += 1
      if number >= start:
        images.append(frame.to_image())
    return images


def _kind(info, key):
  value = info['features'][key]
  return value.get('dtype') if isinstance(value, dict) else None


def _places(path):
  # {number: row} of meta/episodes, for where the videos are.
  pyarrow = arrow.library('lerobot')
  found = {}
  for file in sorted((path / 'meta' / 'episodes').glob('*/*.parquet')):
    try:
      names = pyarrow.parquet.read_schema(file).names
      table = pyarrow.parquet.read_table(file, columns=[
          x for x in names if x.startswith('videos/') or (
              x == 'episode_index')])
      found.update({x['episode_index']: x for x in table.to_pylist()})
    except (OSError, ValueError, TypeError, KeyError) as e:
      raise UserError(f'{file}: cannot be read ({e!s:.200})') from e
  return found


def _check(place, have, want):
  if tuple(have) != tuple(want):
    raise UserError(
        f'{place}: images of {have[0]} x {have[1]}, the task has {want[0]} x '
        f'{want[1]}; make the task show what the dataset has')
