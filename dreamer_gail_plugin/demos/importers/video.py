"""Imports a film or screen recording of a game: images without actions.

What the frames show becomes what the agent sees: Atari's screens as those of
the emulator, MinAtar's boards by the colours of `demos play` and of our films,
all else resized. An agent learns from states alone then.

examples:
  dreamer-gail demos video --source play.mp4 --task atari_seaquest \\
      --out seaquest.h5
  dreamer-gail demos video --source screen.webm --task minatar_breakout \\
      --fps 6 --crop 420 130 600 600 --ends 41.2 97.5 --out breakout.h5
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
STILL = 0.5  # Share of repeated images from which on there is a warning.

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
  add('--crop', type=arguments.count, nargs=4,
      metavar=('LEFT', 'TOP', 'WIDTH', 'HEIGHT'),
      help='where the game is, in pixels (all)')
  add('--start', type=float, default=0.0, help='second at which to begin')
  add('--stop', type=float, default=np.inf, help='second at which to stop')
  add('--ends', type=float, nargs='+', default=[],
      help='seconds at which a game was over; the next one begins there')
  add('--name', default='', help='where the film is from, for the store')
  add('--licence', default='', help='what it may be used for')
  tasks.add_options(parser)


def run(args):
  """Import the film and write the store to `args.out`."""
  out = flags.output(args)
  path = flags.source(args, 'a film')
  options = tasks.options(args.task, tasks.given(args))
  env = tasks.make_env(args.task, 0, **options)
  look = screens.look(args.task, env)
  fps = args.fps or look.fps
  shown = window(
      crop(read(path), args.crop, path), args.start, args.stop)
  times, images = [], []
  bar = tqdm.tqdm(steps(shown, fps, look.frames), 'read', unit=' steps')
  for time, frames in bar:
    times.append(time)
    images.append(look.image(frames))
  env.close()
  if len(images) < 2:
    raise UserError(
        f'--source {path}: has {len(images)} steps between --start and '
        '--stop, expected two or more')
  images = np.stack(images)
  store.write(out, [{look.key: images, **borders(times, args.ends)}], {
      'task': args.task, 'source': args.name or path.name,
      'licence': args.licence, 'preprocessing': options,
      'action_meanings': []})
  print(f'{out}: {len(images):,} steps of {times[-1] - times[0]:.1f} seconds, '
        f'{len(args.ends) + 1} games, no actions')
  still = np.mean((images[1:] == images[:-1]).all((1, 2, 3)))
  print(f'  {still:.0%} of the images repeat the one before'
        + (': is --fps too high?' if still > STILL else ''))
  if look.hidden:
    print(f'  of what stands on the boards {look.hidden:.1%} cannot be seen '
          'in random play and is guessed; the discriminator may tell by that')


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


def window(frames, start, stop):
  """Yield the frames from one second to another."""
  late = itertools.dropwhile(lambda x: x.time < start, frames)
  return itertools.takewhile(lambda x: x.time < stop, late)


def steps(frames, fps, count):
  """Yield (time, frames) of each step: the last `count` images up to it.

  Step k is shown in the middle of its time, as a recorder is late and the
  game is not always on time. Without `fps` each frame is a step.
  """
  recent, index, start = collections.deque(maxlen=count), 0, None
  for frame, until in shown(frames):
    start = frame.time if start is None else start
    recent.append(frame.image)
    if fps is None:
      yield frame.time, list(recent)
      continue
    while (time := start + (index + 0.5) / fps) < until:
      yield time, list(recent)
      index += 1


def shown(frames):
  """Yield (frame, second until which it is on the screen) of frames.

  The last one is shown for as long as the one before.
  """
  before, lasts = None, 0.0
  for frame in frames:
    if before:
      lasts = frame.time - before.time
      yield before, frame.time - TIE
    before = frame
  if before:
    yield before, before.time + lasts - TIE


def borders(times, ends):
  """Return the flags (T,) of steps at some times, by the ends of games.

  Raises UserError for an end that is not between two steps.
  """
  last = np.zeros(len(times), bool)
  for end in ends:
    index = int(np.searchsorted(times, end, 'right')) - 1
    if not 0 <= index < len(times) - 1 or last[index]:
      raise UserError(
          f'--ends {end:g}: expected seconds from {times[0]:.2f} to '
          f'{times[-1]:.2f}, each between other steps')
    last[index] = True
  return {
      'is_first': np.r_[True, last[:-1]], 'is_last': last,
      'is_terminal': last}
