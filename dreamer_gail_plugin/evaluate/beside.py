"""Shows the expert and the agent side by side, as one film (GIF).

The expert's part is the start of its first demonstration. The agent plays by
the sampled policy, one game after another, from each of the saves that are
named. Nothing is chosen by its score.

examples:
  dreamer-gail film --logdir ~/logdir/breakout --out breakout.gif
  dreamer-gail film --logdir ~/logdir/breakout --checkpoints 2000 80000 \\
      --out breakout.gif
"""

import copy

import numpy as np
from PIL import Image

from .. import arguments
from .. import atomic
from .. import build
from .. import errors
from ..data import record
from ..data import stores
from ..errors import UserError
from ..running import device
from . import actors
from . import film
from . import highlights
from . import saved

GAP = 8  # Pixels between the parts.
HOLD = 8  # Frames for which the last one stays.


def main(argv=None):
  """Play, write the film and return its path."""
  args = parse(argv)
  if args.out.exists() and not args.overwrite:
    raise UserError(f'--out {args.out}: exists; --overwrite replaces it.')
  if args.out.suffix != '.gif':
    raise UserError(f'--out {args.out}: expected a name that ends in .gif')
  run = saved.Run(args.logdir)
  config = run.config
  device.prepare_jax(config)
  key = highlights.image_key(build.spaces(config)[0])
  if key is None:
    raise UserError(f'--logdir {args.logdir}: {config.task} has no images.')
  parts = []
  if build.needs_expert(config):
    with stores.opened(build.expert_path(config)) as demos:
      steps = min(args.steps, demos.lengths[0])
      keys = {key, 'reward', 'is_first'} & set(demos.keys)
      data = demos.read(0, 0, steps, keys)
    parts.append(tiles(data, key, 'expert'))
  for save in args.checkpoints or [None]:
    one = copy.copy(run)  # Its device has been told.
    one.save = save
    parts.append(tiles(
        play(one, args.steps, args.seed), key, f'agent, step {one.step:,}'))
  write(args.out, parts)
  print(f'Written: {args.out}, {args.out.stat().st_size / 1e6:.1f} MB')
  return args.out


def parse(argv=None):
  """Return the parsed flags."""
  parser = arguments.Parser(prog='dreamer-gail film', description=__doc__)
  add = parser.add_argument
  add('--logdir', required=True, help='folder of the run')
  add('--out', required=True, type=arguments.out_file,
      help='the .gif file to write')
  add('--checkpoints', nargs='+', metavar='STEP',
      help='saves by their steps or names; the latest if not given')
  add('--steps', type=arguments.natural, default=150,
      help='of the expert and of each save')
  add('--seed', type=arguments.count, default=0, help='of the games')
  add('--overwrite', action='store_true', help='replace it if it exists')
  return parser.parse_args(argv)


def play(run, steps, seed):
  """Return the arrays (steps, ...) of what a save plays from a reset on."""
  env_seed, policy_seed = record.seeds(seed, 0)
  env = build.make_raw_env(run.config.update(seed=env_seed), 0)
  try:
    player = actors.Player(run.actor(), env.act_space, policy_seed)
    return record.rollout(env, player, steps)
  finally:
    env.close()


def tiles(data, key, name):
  """Return frames (T, H, W, 3) uint8 with the name and the score so far.

  The score is that of the game that goes on, if there are rewards: what was
  made of a film has none.
  """
  rewards = data.get('reward', np.full(len(data[key]), np.nan))
  score, frames = 0.0, []
  for image, reward, first in zip(data[key], rewards, data['is_first']):
    score = (0.0 if first else score) + float(reward)
    frames.append(film.tile(image, [name, f'score {film.told(score)}']))
  return np.stack(frames)


def write(path, parts):
  """Write a GIF of parts (T, H, W, 3) side by side, which share H.

  A part that is shorter than another stays at its last frame.
  """
  length = max(map(len, parts)) + HOLD
  parts = [
      np.concatenate([x, np.repeat(x[-1:], length - len(x), 0)])
      for x in parts]
  gap = np.full((length, parts[0].shape[1], GAP, 3), 255, np.uint8)
  joined = [parts[0]]
  for part in parts[1:]:
    joined += [gap, part]
  first, *rest = map(Image.fromarray, np.concatenate(joined, 2))
  with atomic.write(path) as part:
    first.save(
        part, 'gif', save_all=True, append_images=rest, loop=0,
        duration=1000 // film.FPS)


if __name__ == '__main__':
  errors.run(main)
