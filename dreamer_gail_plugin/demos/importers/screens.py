"""From a game's screen, filmed, to what the agent sees of it."""

import collections

import numpy as np
from PIL import Image

from ...data import record
from ...envs import atari
from ...errors import UserError
from ...running import videos
from .. import tasks
from ..play import game

SCREEN = (210, 160)  # Height and width of Atari's.
PLAYED = 2000  # Steps of random play that show what stands on a board.
SPOTS = (0.35, 0.5, 0.65)  # Where a field of a board is looked at.

# `image` makes an observation of some frames (H, W, 3), the last `frames` up
# to a step; `fps` are the steps in a second, None where it is not known, and
# `hidden` the share of what frames do not show.
Look = collections.namedtuple(
    'Look', 'key frames fps image hidden', defaults=[0])


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
    fps, pool = 60 / env.repeat, len(env.screens)
    return Look(keys[0], pool, fps, lambda frames: atari.preprocess(
        [resized(x, SCREEN) for x in frames], **env.looks))
  if shape[-1] not in (1, 3):
    boards = Boards(keys[0], env)
    return Look(keys[0], 1, None, boards, boards.hidden)
  return Look(keys[0], 1, None, lambda frames: picture(frames[-1], shape))


def resized(image, size):
  """Return an image (H, W, 3) of another size; each pixel is a mean."""
  height, width = size
  if image.shape[:2] == (height, width):
    return image
  return np.asarray(Image.fromarray(image).resize(
      (width, height), Image.Resampling.BOX))


def picture(image, shape):
  """Return an image (H, W, 3) in the shape of a space, grey or in colour."""
  image = resized(image, shape[:2])
  if shape[-1] == 1:
    image = np.asarray(Image.fromarray(image).convert('L'))
  return image.reshape(shape)


class Boards:
  """Reads boards (H, W, C) of 0 and 255 from frames by their colours.

  Random play tells what can stand on a field. Of what has the same colour the
  most frequent is taken, as where an object hides another one; `hidden` is the
  share of fields for which that is wrong.
  """

  def __init__(self, key, env):
    self.shape = env.obs_space[key].shape
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

  def __call__(self, frames):
    """Return the board that the last of some frames shows."""
    found = [self._read(frames[-1], x) for x in self.styles]
    return min(found, key=lambda x: x[1])[0]

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
    return self.fields[error.argmin(-1)], error.min(-1).sum()


def played(fields):
  """Return the colours (N, 3) of fields (N, C) on the page of `demos play`."""
  palette = np.array([game.rgb(x) for x in game.PALETTE], float)
  colours = palette[fields.argmax(-1)]
  return np.where(fields.any(-1)[:, None], colours, 0)


def filmed(fields):
  """Return the colours (N, 3) of fields (N, C) in films of evaluations."""
  return 255 * videos.colour(fields / 255)
