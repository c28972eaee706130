"""What expert and agent do: frames and counts of actions.

Those of the expert come from the demonstrations, those of the agent from the
last chunks of its replay, which upstream saves with the run.
"""

import dataclasses
import io
import json
import pathlib
import tempfile

import numpy as np
from PIL import Image

from ..data import recipe
from ..data import stores
from ..data.npz import Npz
from ..errors import UserError
from ..evaluate.film import Reel
from ..running import videos

EVERY = 8  # Steps between frames, as in figures 3 to 5 of the paper.
FRAMES = 10
MOVIE = 600  # Most steps of a film, 40 seconds.
SHARP = 120  # Pixels of a frame.
CHUNKS = 16  # The last ones of a replay: up to 16 x 1024 steps.
LARGEST = 1 << 28  # Bytes of one array; chunks with larger ones are left out.


@dataclasses.dataclass
class Play:
  """What the page shows of an expert or an agent.

  `strip` is [(PNG bytes, caption)], None without images. `actions` are counts
  (A,), None unless actions are single whole numbers. `score` is the mean
  score, NaN if unknown, `meanings` are the names of the actions and `origin`
  is a sentence on where this is from. `film` is an mp4 of the same game,
  None without images.
  """

  strip: list = None
  actions: np.ndarray = None
  score: float = float('nan')
  meanings: tuple = ()
  origin: str = ''
  film: bytes = None


def expert(flat, logdir):
  """Return the Play of the demonstrations that a run's config names.

  Raises UserError if they are not there or damaged.
  """
  with stores.opened(expert_path(flat, logdir)) as demos:
    meanings = tuple(json.loads(demos.attrs['action_meanings'] or '[]'))
    counts = _total(_count(demos.read(i)) for i in range(len(demos)))
    scores = [x.get('score', np.nan) for x in demos.infos]
    score = demos.attrs.get('expert_score', np.mean(scores))
    best = 0 if np.isnan(scores).all() else int(np.nanargmax(scores))
    return Play(
        strip(demos.read(best), meanings), counts, float(score), meanings,
        f'{demos.name}, trajectory {best}, from its start',
        film(demos.read(best)))


def expert_path(flat, logdir):
  """Return the path of the demonstrations that `agent.gail.expert` names.

  A relative path is looked up in this folder and beside the run, as the folder
  in which the training was started is unknown.
  """
  name = str(flat['agent.gail.expert'])
  if name == 'auto':
    return recipe.bundled(flat['task'])
  if name == 'random':
    return logdir / 'expert_random.h5'
  return stores.named(name, (pathlib.Path(), logdir, logdir.parent))


def learner(logdir, meanings=()):
  """Return the Play of the last steps in the replay of a run, or None.

  The strip shows the longest game that starts in them.
  """
  paths = sorted((logdir / 'replay').glob('*.npz'))[-CHUNKS:]
  chunks = [x for x in map(_chunk, paths) if x]
  if not chunks:
    return None
  counts = _total(_count(x) for x in chunks)
  games = [
      {k: v[start:] for k, v in x.items()}
      for x in chunks for start in np.flatnonzero(x['is_first'])]
  longest = max(games, key=_length, default=None)
  steps = sum(len(x['is_first']) for x in chunks)
  return Play(
      longest and strip(longest, meanings), counts, meanings=meanings,
      origin=f'the longest game in the last {steps:,} steps of its replay',
      film=longest and film(longest))


def strip(data, meanings=()):
  """Return every 8th frame of a game as [(PNG bytes, caption)].

  `data` are arrays (T, ...) from the first step of a game on. Returns None if
  there are no images in them.
  """
  key = _image(data)
  if key is None:
    return None
  length = _length(data)
  frames = []
  for step in range(0, min(length, EVERY * FRAMES), EVERY):
    caption = str(step)
    action = data.get('action')
    if action is not None and action[step].ndim == 0 and len(meanings):
      caption += f' {_name(int(action[step]), meanings)}'
    frames.append((png(data[key][step]), caption))
  end = length - 1
  if data['is_last'][end] and end < EVERY * FRAMES:
    frames = frames[:end // EVERY + (end % EVERY > 0)]
    frames.append((png(data[key][end]), f'{end} end'))
  return frames


def film(data):
  """Return a film (mp4) of a game, as `strip` takes it, or None."""
  key = _image(data)
  if key is None:
    return None
  with tempfile.TemporaryDirectory() as folder:
    reel = Reel(pathlib.Path(folder, 'game'), '')
    length = min(_length(data), MOVIE)
    rewards = data.get('reward', np.full(length, np.nan))
    for step in range(length):
      reel.add(data[key][step], float(rewards[step]))
    return reel.close()[0].read_bytes()


def png(image):
  """Return an image (H, W, C) uint8 of any channel count as PNG bytes.

  A small one is enlarged by a whole factor, as a printer would blur it.
  """
  image = np.round(255 * videos.colour(image / 255)).astype(np.uint8)
  scale = max(1, SHARP // max(image.shape[:2]))
  image = image.repeat(scale, 0).repeat(scale, 1)
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, 'png', optimize=True)
  return buffer.getvalue()


def _image(data):
  return next((
      k for k, v in sorted(data.items())
      if v.ndim == 4 and v.dtype == np.uint8), None)


def _name(action, meanings):
  return meanings[action] if 0 <= action < len(meanings) else str(action)


def _length(data):
  # Steps up to and including the last one of the game, or of the record.
  ends = np.flatnonzero(data['is_last'])
  return int(ends[0]) + 1 if len(ends) else len(data['is_last'])


def _chunk(path):
  # Upstream's chunks; the model's states in them are not loaded.
  try:
    with Npz(path, path.name, LARGEST) as file:
      keys = [k for k in file.keys if '/' not in k and k != 'stepid']
      data = {k: file.read(k) for k in keys}
  except UserError:
    return None
  lengths = {x.shape[:1] for x in data.values()}
  whole = len(lengths) == 1 and {'is_first', 'is_last'} <= set(data)
  return data if whole and lengths != {()} else None


def _count(data):
  action = data.get('action')
  if action is None or action.ndim != 1 or action.dtype.kind not in 'iu':
    return None
  return np.bincount(np.maximum(0, action[~data['is_last']]))


def _total(counts):
  counts = [x for x in counts if x is not None]
  size = max(map(len, counts), default=0)
  padded = [np.pad(x, (0, size - len(x))) for x in counts]
  return np.sum(padded, 0) if padded else None
