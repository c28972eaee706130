"""From a game's screen, filmed, to what the agent sees of it."""

import numpy as np
from PIL import Image

from ...data import record
from ...envs import atari
from ...errors import UserError
from ...running import videos
from .. import tasks
from ..play import game

SCREEN = (210, 160)  # Height and width of Atari's.
SKEWED = 1.4  # Ratio of sides beyond which a frame shows something else.
FAR = 60  # Distance of colours that are not the same.
ODD = 0.02  # Share of strange fields that no compression explains.
PLAYED = 2000  # Steps of random play that show what stands on a board.
SPOTS = (0.35, 0.5, 0.65)  # Where a field of a board is looked at.


def look(task, env):
  """Return the Look of a task with one image and nothing else.

  Raises UserError for others.
  """
  keys = [
      k for k, v in env.obs_space.items()
      if not k.startswith(('is_', 'log/')) and k != 'reward']
  shape = env.obs_space[keys[0]].shape
  if len(keys) > 1 or len(shape) != 3:
    raise UserError(
        f'--task {task}: a film shows one image, and the agent sees '
        f'{", ".join(keys)} there')
  if tasks.split(task)[0] == 'atari':
    return Screens(keys[0], env)
  if shape[-1] not in (1, 3):
    return Boards(keys[0], env)
  return Look(keys[0], env)


class Look:
  """What the agent sees of a game that is filmed.

  `key` is the image's, `frames` are how many of the last ones a step shows,
  `fps` the steps in a second, None where it is not known, and `hidden` is the
  share of what frames do not show.
  """

  frames, fps, hidden = 1, None, 0

  def __init__(self, key, env):
    self.key, self.shape = key, env.obs_space[key].shape
    self.ratio = 1.0  # Of the sides of a frame, by that of the image.

  def image(self, frames):
    """Return the observation at a step that shows some frames (H, W, 3)."""
    height, width = frames[-1].shape[:2]
    self.ratio = width / height * self.shape[0] / self.shape[1]
    return self._image(frames)

  def doubts(self):
    """Return what does not fit the game in the images of before, a list."""
    if 1 / SKEWED < self.ratio < SKEWED:
      return []
    wider = 'wider' if self.ratio > 1 else 'higher'
    return [f'the frames are {wider} than what the agent sees']

  def _image(self, frames):
    image = resized(frames[-1], self.shape[:2])
    if self.shape[-1] == 1:
      image = np.asarray(Image.fromarray(image).convert('L'))
    return image.reshape(self.shape)


class Screens(Look):
  """Atari's screens, pooled, resized and made gray as the emulator's."""

  def __init__(self, key, env):
    super().__init__(key, env)
    self.looks = env.looks
    self.frames, self.fps = len(env.screens), 60 / env.repeat

  def doubts(self):
    """Return nothing: televisions and emulators differ in the ratio."""
    return []

  def _image(self, frames):
    return atari.preprocess(
        [resized(x, SCREEN) for x in frames], **self.looks)


def resized(image, size):
  """Return an image (H, W, 3) of another size; each pixel is a mean."""
  height, width = size
  if image.shape[:2] == (height, width):
    return image
  return np.asarray(Image.fromarray(image).resize(
      (width, height), Image.Resampling.BOX))


class Boards(Look):
  """Reads boards (H, W, C) of 0 and 255 from frames by their colours.

  Random play tells what can stand on a field. Of what has the same colour the
  most frequent is taken, as where an object hides another one; `hidden` is the
  share of fields for which that is wrong.
  """

  seen = odd = 0  # Fields, and those of no colour of the game.

  def __init__(self, key, env):
    super().__init__(key, env)
    boards = record.rollout(env, record.Random(env), PLAYED)[key]
    fields, counts = np.unique(
        boards.reshape((-1, self.shape[-1])), axis=0, return_counts=True)
    order = np.argsort(-counts)  # The most frequent first.
    self.fields, counts = fields[order], counts[order]
    self.styles = [x(self.fields) for x in (played, filmed)]
    # Of fields that are not empty. The page shows less than films do.
    _, first = np.unique(self.styles[0], axis=0, return_index=True)
    there = self.fields.any(-1)
    unseen = np.delete(counts * there, first)
    self.hidden = unseen.sum() / (counts * there).sum()

  def doubts(self):
    """Return what does not fit the game in the images of before, a list."""
    share = self.odd / max(1, self.seen)
    return super().doubts() + ([
        f'{share:.0%} of the fields have no colour of the game'
    ] if share > ODD else [])

  def _image(self, frames):
    found = [self._read(frames[-1], x) for x in self.styles]
    board, error = min(found, key=lambda x: x[1].sum())
    self.seen += error.size
    self.odd += int((error > FAR ** 2).sum())
    return board

  def _read(self, image, colours):
    # A field has the colour that is nearest in the median of some spots.
    height, width = self.shape[:2]
    rows, columns = [
        ((np.arange(n)[:, None] + SPOTS) * size / n).astype(int).ravel()
        for n, size in zip((height, width), image.shape)]
    spots = image[rows][:, columns].reshape(
        (height, len(SPOTS), width, len(SPOTS), 3))
    seen = np.median(spots, (1, 3))  # (H, W, 3)
    error = np.square(seen[..., None, :] - colours).sum(-1)  # (H, W, fields)
    return self.fields[error.argmin(-1)], error.min(-1)


def played(fields):
  """Return the colours (N, 3) of fields (N, C) on the page of `demos play`."""
  palette = np.array([game.rgb(x) for x in game.PALETTE], float)
  colours = palette[fields.argmax(-1)]
  return np.where(fields.any(-1)[:, None], colours, 0)


def filmed(fields):
  """Return the colours (N, 3) of fields (N, C) in films of evaluations."""
  return 255 * videos.colour(fields / 255)
