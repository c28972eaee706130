"""Imports a film or screen recording of a game: images without actions.

What the frames show becomes what the agent sees: Atari's screens as those of
the emulator, MinAtar's boards by the colours of `demos play` and of our films,
all else resized. An agent learns from states alone then.

examples:
  dreamer-gail demos video --source play.mp4 --task atari_seaquest \\
      --out seaquest.h5
  dreamer-gail demos video --source screen.webm --task minatar_breakout \\
      --changes --fps 6 --crop 420 130 600 600 --games 3.5 41.2 --out mine.h5
"""

import collections
import itertools

import av
import numpy as np
import tqdm

from ... import arguments
from ...data import store
from ...errors import UserError
from .. import flags
from .. import tasks
from . import screens

LARGEST = 1 << 25  # Pixels of a frame.
ERRORS = (av.error.FFmpegError, OSError, ValueError, TypeError)
TIE = 2e-3  # Seconds, for times that are equal but for rounding.
STILL = 0.1  # Share of repeated images from which on there is a note.
LONG = 1.5  # Times a step, from which on an image stands for two of them.

# `time` in seconds from the start of the film, `image` (H, W, 3) uint8.
Frame = collections.namedtuple('Frame', 'time image')


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--source', required=True, help='the film')
  flags.add_output(add)
  add('--task', required=True, help='the game that it shows')
  add('--fps', type=arguments.positive,
      help='steps of the game in a second of the film (Atari: 60 by its '
      'repeat; others: each frame is a step)')
  add('--changes', action='store_true',
      help='each change of the image begins a step; with --fps an image that '
      'stands for longer is several steps')
  add('--crop', type=arguments.count, nargs=4,
      metavar=('LEFT', 'TOP', 'WIDTH', 'HEIGHT'),
      help='where the game is, in pixels (all)')
  add('--games', type=float, nargs='+', metavar='SECOND',
      help='where each game begins and is over (one game that is not over)')
  add('--name', default='', help='where the film is from, for the store')
  add('--licence', default='', help='what it may be used for')
  tasks.add_options(parser)


def run(args):
  """Import the film and write the store to `args.out`."""
  out = flags.output(args)
  path = flags.source(args, 'a film')
  spans = games(args.games)
  options = tasks.options(args.task, tasks.given(args))
  env = tasks.make_env(args.task, 0, **options)
  look = screens.look(args.task, env)
  fps = None if args.changes else args.fps or look.fps
  parts = gather(crop(read(path), args.crop, path), spans, look, fps)
  env.close()
  if args.changes:
    parts = [(changed(x), over) for x, over in parts]
  pace = args.fps if args.changes else None
  data = [flagged(counted(x, pace), over) for x, over in parts]
  data = [x for x in data if len(x['image']) > 1]
  if not data:
    raise UserError(
        f'--source {path}: has no game of two steps or more, see --games')
  count = len(data)
  data = {k: np.concatenate([x[k] for x in data]) for k in data[0]}
  images = data.pop('image')
  store.write(out, [{look.key: images, **data}], {
      'task': args.task, 'source': args.name or path.name,
      'licence': args.licence, 'preprocessing': options,
      'action_meanings': []})
  print(f'{out}: {len(images):,} steps in {count} '
        f'game{"s" * (count > 1)}, no actions')
  report(look)
  if args.changes:
    seconds = [x for part, _ in parts for _, x in part[1:-1]]
    if args.fps:
      report_pace(seconds, args.fps)
    else:
      report_standing(seconds)
  else:
    report_repeats(images)


def games(seconds):
  """Return [(begin, end)] of the games that --games names.

  Without it there is one, without an end.
  """
  if not seconds:
    return [(0.0, np.inf)]
  if len(seconds) % 2 or np.any(np.diff(seconds) <= 0):
    raise UserError(
        f'--games {" ".join(f"{x:g}" for x in seconds)}: expected the second '
        'of the begin and of the end of each game, one after another')
  return list(zip(seconds[::2], seconds[1::2]))


def gather(frames, spans, look, fps):
  """Return [(shown, over)] of the games.

  `shown` lists, for each step, its image and for how many seconds it is shown;
  `over` is whether the film goes on after the end of the game.
  """
  edges = np.ravel(spans)
  place = lambda frame: int(np.searchsorted(edges, frame.time, 'right'))
  found, last = {}, 0
  bar = tqdm.tqdm(desc='read', unit=' images')
  for last, group in itertools.groupby(frames, place):
    if last % 2:  # Between two games nothing counts.
      found[last // 2] = game = []
      for images, lasts in steps(group, fps, look.frames):
        game.append((look.image(images), lasts))
        bar.update()
  bar.close()
  return [(x, last > 2 * i + 1) for i, x in found.items()]


def changed(shown):
  """Return [(image, seconds)] of images that differ from the one before."""
  found = []
  for image, lasts in shown:
    if found and np.array_equal(image, found[-1][0]):
      found[-1] = image, found[-1][1] + lasts
    else:
      found.append((image, lasts))
  return found


def counted(shown, fps=None):
  """Return the images of the steps, a list.

  With `fps`, steps a second, an image is as many steps as fit into its time.
  The first and the last one are one step, as there the game waits.
  """
  counts = [
      max(1, round(lasts * fps)) if fps and 0 < i < len(shown) - 1 else 1
      for i, (_, lasts) in enumerate(shown)]
  return [x for (x, _), n in zip(shown, counts) for _ in range(n)]


def flagged(images, over):
  """Return the arrays of a game: `image`, and the flags (T,)."""
  steps = np.arange(len(images))
  last = (steps == len(images) - 1) & over
  return {
      'image': np.array(images), 'is_first': steps == 0, 'is_last': last,
      'is_terminal': last}


def report(look):
  """Print what the film does not show as the game has it, if anything."""
  if look.hidden:
    print(f'  of what stands on the boards {look.hidden:.1%} cannot be seen '
          'in random play and is guessed; the discriminator may tell by that')
  for text in look.doubts():
    print(f'  WARNING: {text}: is --crop right?')


def report_repeats(images):
  """Print a note if many images (T, H, W, C) repeat the one before."""
  still = np.mean((images[1:] == images[:-1]).all((1, 2, 3)))
  if still > STILL:
    print(f'  {still:.0%} of the images repeat the one before: if the game '
          'does not stand still, try --changes, or a lower --fps')


def report_pace(seconds, fps):
  """Print a warning if hardly any image stands for one step only."""
  if seconds and np.quantile(seconds, 0.25) > LONG / fps:
    print(f'  WARNING: the image changes {1 / np.median(seconds):.2g} times a '
          f'second and --fps says {fps:g} steps, so most count twice or more: '
          'if the game was slower than that, leave --fps out or give its rate')


def report_standing(seconds):
  """Print a note if many images stand for longer than most do."""
  if not seconds:
    return
  seconds = np.array(seconds)
  long = seconds > LONG * np.median(seconds)
  if long.mean() > STILL:
    print(f'  {long.mean():.0%} of the images stand for two steps or more and '
          'count once: if not each step changes the image, add --fps '
          f'{1 / seconds[~long].mean():.2g}')


def read(path):
  """Yield the Frames of a film; raises UserError if it is none."""
  try:
    with av.open(str(path)) as film:
      if not film.streams.video:
        raise ValueError('no video in it')
      codec = film.streams.video[0].codec_context
      if not 0 < codec.width * codec.height <= LARGEST:
        raise ValueError(f'frames of {codec.width} x {codec.height} pixels')
      first = None
      for frame in film.decode(video=0):
        first = frame.time if first is None else first
        yield Frame(frame.time - first, frame.to_ndarray(format='rgb24'))
  except ERRORS as error:
    raise UserError(
        f'--source {path}: cannot be read as a film ({error!s:.200})'
    ) from error


def crop(frames, box, path):
  """Yield the part of each frame that --crop names; None for all of it."""
  for frame in frames:
    if box:
      left, top, width, height = box
      bottom, right = frame.image.shape[:2]
      if not (0 < width <= right - left and 0 < height <= bottom - top):
        raise UserError(
            f'--crop {" ".join(map(str, box))}: is not inside of the frames '
            f'of {path}, {right} x {bottom} pixels')
      frame = frame._replace(
          image=frame.image[top: top + height, left: left + width])
    yield frame


def steps(frames, fps, count):
  """Yield what each step shows, the last `count` images up to it, and seconds.

  Step k is shown in the middle of its time, as a recorder is late and the
  game is not always on time. Without `fps` each frame is a step.
  """
  recent, index, start = collections.deque(maxlen=count), 0, None
  for frame, until in shown(frames):
    start = frame.time if start is None else start
    recent.append(frame.image)
    if fps is None:
      yield list(recent), until - frame.time
      continue
    while start + (index + 0.5) / fps < until - TIE:
      yield list(recent), 1 / fps
      index += 1


def shown(frames):
  """Yield (frame, second until which it is on the screen) of frames.

  The last one is shown for as long as the one before.
  """
  before, lasts = None, 0.0
  for frame in frames:
    if before:
      lasts = frame.time - before.time
      yield before, frame.time
    before = frame
  if before:
    yield before, before.time + lasts
