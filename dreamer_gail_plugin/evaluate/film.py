"""Films of games: mp4 videos, and strips as in figures 3 to 5 of the paper."""

import collections
import math

import av
import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from .. import atomic
from ..running import videos

EVERY = 8  # Steps between the frames of a strip.
FRAMES = 48  # Most frames of a strip; of a longer game it shows the end.
COLUMNS = 8
WIDTH = 128  # Least pixels of a frame; smaller images are enlarged.
MARGIN, LINE, FONT = 6, 16, 12  # Pixels.
CAPTION = (48, 48, 48)
FPS = 15


class Reel:
  """One game as a video and a strip, with a caption under each frame."""

  def __init__(self, path, title):
    self.path, self.title = path, title
    self.step, self.score = 0, 0.0
    self.frames = collections.deque(maxlen=FRAMES)
    self.seen = 0
    self.last = None
    self.part = path.with_name(f'.{path.name}.mp4.part')
    self.video, self.stream = None, None

  def add(self, image, reward, disc=None):
    """Add an image (H, W, C) uint8, the reward that came with it, and D's.

    The reward is NaN where it is not known.
    """
    self.score += reward
    lines = [f'step {self.step}', f'score {told(self.score)}']
    if disc is not None:
      lines[0] += f'  D {disc:.2f}'
    self.last = tile(image, lines)
    if self.step % EVERY == 0:
      self.frames.append(self.last)
      self.seen += 1
    self._encode(self.last)
    self.step += 1

  def close(self, of=''):
    """Write both files and return their paths; `of` is added to the title."""
    for packet in self.stream.encode(None):
      self.video.mux(packet)
    self.video.close()
    self.video = None
    movie = self.path.with_name(f'{self.path.name}.mp4')
    self.part.replace(movie)
    if (self.step - 1) % EVERY:  # The end is worth a frame.
      self.frames.append(self.last)
      self.seen += 1
    title = (
        f'{self.title}{of}, score {told(self.score)} in {self.step - 1} '
        f'steps. Every {EVERY}th frame and the last')
    if self.seen > len(self.frames):
      title += f'; the last {len(self.frames)} of {self.seen}'
    picture = self.path.with_name(f'{self.path.name}.png')
    with atomic.write(picture) as part:
      Image.fromarray(strip(list(self.frames), title)).save(part, 'png')
    return movie, picture

  def discard(self):
    """Remove what `close` has not finished."""
    if self.video:
      self.video.close()
      self.video = None
    self.part.unlink(missing_ok=True)

  def _encode(self, frame):
    if not self.video:
      self.video = av.open(str(self.part), 'w', format='mp4')
      self.stream = self.video.add_stream('h264', rate=FPS)
      self.stream.height, self.stream.width = frame.shape[:2]
      self.stream.pix_fmt = 'yuv420p'  # What browsers play.
    frame = av.VideoFrame.from_ndarray(frame, format='rgb24')
    for packet in self.stream.encode(frame):
      self.video.mux(packet)


def told(score):
  """Return a score as text; NaN is one that is not known."""
  return 'unknown' if math.isnan(score) else f'{score:g}'


def tile(image, lines):
  """Return an RGB uint8 image, of even size, with lines of text under it.

  `image` is (H, W, C) uint8 with any number of channels. A small one is
  enlarged by a whole factor.
  """
  image = np.round(255 * videos.colour(image / 255)).astype(np.uint8)
  scale = math.ceil(WIDTH / image.shape[1])
  image = image.repeat(scale, 0).repeat(scale, 1)
  height, width, _ = image.shape
  height += LINE * len(lines)
  size = (width + width % 2, height + height % 2)
  canvas = Image.new('RGB', size, CAPTION)
  canvas.paste(Image.fromarray(image))
  text(canvas, 2, image.shape[0], lines, 'white')
  return np.asarray(canvas)


def strip(tiles, title):
  """Return one uint8 image of tiles (H, W, 3), in rows under a title."""
  height, width, _ = tiles[0].shape
  columns = min(COLUMNS, len(tiles))
  rows = math.ceil(len(tiles) / columns)
  inner = columns * (width + MARGIN)
  lines = wrap(title, max(inner, 3 * WIDTH) - MARGIN)
  top = MARGIN + LINE * len(lines)
  canvas = Image.new('RGB', (
      max(inner, 3 * WIDTH) + MARGIN, top + rows * (height + MARGIN) + MARGIN),
      'white')
  text(canvas, MARGIN, MARGIN // 2, lines, 'black')
  for index, image in enumerate(tiles):
    row, column = divmod(index, columns)
    canvas.paste(Image.fromarray(image), (
        MARGIN + column * (width + MARGIN),
        top + MARGIN + row * (height + MARGIN)))
  return np.asarray(canvas)


def wrap(line, width):
  """Return a line broken into lines of at most `width` pixels."""
  font = ImageFont.load_default(FONT)
  lines = ['']
  for word in line.split():
    longer = f'{lines[-1]} {word}'.strip()
    if lines[-1] and font.getlength(longer) > width:
      lines.append(word)
    else:
      lines[-1] = longer
  return lines


def text(canvas, left, top, lines, fill):
  """Draw lines of text on a Pillow image."""
  draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(FONT)
  for number, line in enumerate(lines):
    draw.text((left, top + number * LINE), line, fill, font)
