"""How far the world model of a run foresees: open loop on real play.

The model observes an episode up to a step and imagines ten more with the
actions that were taken. What it decodes is compared with what came, beside a
copy of the last image. The store should be new to the run: demonstrations that
it did not learn from, or play of its agent (`demos rollout --from LOGDIR`).

With --train a new model of the run's config learns first, alone and from other
play. Flags of training change it.

examples:
  dreamer-gail model --logdir LOGDIR --data play.h5
  dreamer-gail model --logdir LOGDIR --data play.h5 --train 2000 \\
      --play replay.h5 --agent.dyn.rssm.deter 512 --out wider.json
"""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
import tqdm

from .. import arguments
from .. import configs
from .. import errors
from .. import worldmodel
from ..errors import UserError
from ..running import checks
from ..running import device
from . import actors
from . import learn
from . import output
from . import saved
from . import trajectories

PROGRAM = ('model',)
NAME = 'model.json'  # In the logdir.
STEPS = (1, 3, 5, 10)  # Ahead, in the table.
CONTEXT = 8  # Steps of an episode's part that must have been observed.
CHUNK = 128  # Starts at a time.
CLOSE = 0.1  # Pixels of 0 to 1 that differ by no more are equal.


def main(argv=None):
  """Measure, print the table and write the JSON; return the results."""
  args, flags = parse(argv)
  out = output.place(args, NAME)
  run = saved.Run(args.logdir)
  if run.config.random_agent:
    raise UserError(f'--logdir {args.logdir}: random play has no world model.')
  config = configs.change(run.config, flags)
  checks.values(config)
  device.prepare_jax(config)
  actor = learned(config, args) if args.train else run.actor()
  if not actor.model.dec.imgkeys:
    raise UserError(
        f'--logdir {args.logdir}: {config.task} has no images.')
  results = summary(measure(actor, args.data, config))
  show(results)
  when = {'updates': args.train} if args.train else {'step': run.step}
  return output.write(out, {'ahead': results, **when}, argv, PROGRAM)


def learned(config, args):
  """Return an Actor whose model learned from `args.play` alone."""
  if not args.play:
    raise UserError(
        '--train needs --play, a store to learn from: `demos replay --source '
        'LOGDIR` makes one of what a run has seen')
  return actors.Actor(config, learn.params(config, args.play, args.train))


def parse(argv=None):
  """Return the parsed flags, and those of training, a list."""
  parser = arguments.Parser(
      prog='dreamer-gail model', description=__doc__)
  add = parser.add_argument
  add('--logdir', required=True, help='of a run')
  add('--data', required=True, help='store with play new to the model')
  add('--train', type=arguments.natural, metavar='UPDATES',
      help='of a new model, which is measured in place of the saved one')
  add('--play', help='store that it learns from')
  output.add_flags(add, NAME)
  args, flags = parser.parse_known_args(argv)
  return (args, flags) if args.train else (parser.parse_args(argv), [])


def measure(actor, path, config):
  """Return lists by name of arrays (N, H): starts, steps ahead of them.

  `there` says whether the step belongs to the episode of the start, `end` is
  the chance of an end that the model foresees and `ended` whether one came.
  The others compare images, of all keys: of what is decoded or the image at
  the start (`copy`) with what came. `moved` and `told` are numbers of pixels
  that differ from the start, in truth and as foreseen, `right` of both.
  """
  found = list(trajectories.read(path, config))
  size = max(len(x['is_first']) for x in found)
  states, foresee = _functions(actor)
  parts = collections.defaultdict(list)
  for data in tqdm.tqdm(found, unit='trajectory'):
    feat = actor.call(states, trajectories.row(data, size))
    for at in _chunks(starts(data)):
      ahead = np.minimum(
          _filled(at)[:, None] + np.arange(max(STEPS)),
          len(data['is_first']) - 1)
      acts = {k: data[k][ahead] for k in actor.act_space}
      images, ends = jax.tree.map(lambda x: x[:len(at)], actor.call(
          foresee, jax.tree.map(lambda x: x[0][_filled(at)], feat), acts))
      for name, value in _compare(
          data, at, images, ends, actor.model.dec.imgkeys).items():
        parts[name].append(value)
  if not parts:
    raise UserError(
        f'{path}: no episode there goes on for {CONTEXT} steps; record more.')
  return parts


def _functions(actor):
  model = actor.model
  def states(data):
    rows = worldmodel.expert_rows(model, data)
    feat, _ = worldmodel.observe(model, rows, False)
    return {k: feat[k] for k in ('deter', 'stoch')}
  def foresee(start, acts):
    _, feat, _ = model.dyn.imagine(start, acts, max(STEPS), training=False)
    reset = jnp.zeros(feat['deter'].shape[:2], bool)
    recons = model.dec({}, feat, reset, False)[2]
    images = {k: recons[k].pred() for k in model.dec.imgkeys}
    return images, 1 - model.con(model.feat2tensor(feat), 2).prob(1)
  return states, foresee


def starts(data):
  """Return the steps (N,) of a trajectory that the model knows and may pass.

  It has observed CONTEXT steps of the episode, or all since its start.
  """
  first, last = data['is_first'], data['is_last']
  time = np.arange(len(first))
  begun = np.maximum.accumulate(np.where(first, time, 0))
  known = (time - begun >= CONTEXT) | first[begun]
  return time[known & ~last & (time < len(time) - 1)]


def _chunks(at):
  return [at[i: i + CHUNK] for i in range(0, len(at), CHUNK)]


def _filled(at):
  # All chunks have one size, so that they compile once.
  return np.pad(at, (0, CHUNK - len(at)), mode='edge')


def _compare(data, at, images, ends, keys):
  length, steps = len(data['is_first']), 1 + np.arange(max(STEPS))
  ahead = at[:, None] + steps  # (N, H)
  inside = ahead < length
  ahead = np.minimum(ahead, length - 1)
  crossed = np.cumsum(data['is_first'][ahead], 1) > 0
  there = inside & ~crossed
  pixels = lambda xs: np.concatenate([
      np.reshape(xs[k], (*np.shape(xs[k])[:2], -1)) for k in keys], -1)
  scaled = lambda index: pixels({
      k: data[k][index].astype(np.float32) / 255 for k in keys})
  true, last = scaled(ahead), scaled(at[:, None])
  seen = pixels(images)
  if np.isin(true, (0, 1)).all():
    seen = np.round(seen)  # A board of 0 and 1.
  near = lambda x, y: np.abs(x - y) <= CLOSE
  moved, told = ~near(true, last), ~near(seen, last)
  right = moved & told & near(seen, true)
  return {
      'there': there, 'end': ends, 'ended': data['is_terminal'][ahead],
      'whole': near(seen, true).all(-1), 'copy': near(last, true).all(-1),
      'error': np.square(seen - true).mean(-1),
      'copy_error': np.square(last - true).mean(-1),
      'right': right.sum(-1), 'moved': moved.sum(-1), 'told': told.sum(-1)}


def summary(parts):
  """Return {steps ahead: {name: value}} of the lists of `measure`.

  `whole` and `copy_whole` are shares of images that are right in all pixels,
  `error` and `copy_error` mean squared errors, `moving` the F1 of pixels that
  differ from the image at the start, `end_auc` how well the foreseen chance
  of an end ranks steps with one above steps without, `end_chance` its mean
  where an end comes. None where there is nothing to judge.
  """
  data = {k: np.concatenate(v) for k, v in parts.items()}
  result = {}
  for ahead in STEPS:
    there = data['there'][:, ahead - 1]
    x = {k: v[:, ahead - 1][there] for k, v in data.items()}
    result[str(ahead)] = {
        'images': int(there.sum()), 'whole': _mean(x['whole']),
        'copy_whole': _mean(x['copy']), 'error': _mean(x['error']),
        'copy_error': _mean(x['copy_error']),
        'moving': _ratio(
            2 * x['right'].sum(), x['moved'].sum() + x['told'].sum()),
        'ends': int(x['ended'].sum()), 'end_auc': auc(x['end'], x['ended']),
        'end_chance': _mean(x['end'][x['ended']])}
  return result


def auc(score, label):
  """Return the area under the ROC curve, None if all labels are equal."""
  if label.all() or not label.any():
    return None
  rank = scipy.stats.rankdata(score)[label].sum()
  yes, no = int(label.sum()), int((~label).sum())
  return float((rank - yes * (yes + 1) / 2) / (yes * no))


def _mean(values):
  return float(np.mean(values)) if len(values) else None


def _ratio(part, whole):
  return float(part / whole) if whole else None


def show(results):
  """Print the table."""
  names = list(next(iter(results.values())))
  print('\nsteps ahead' + ''.join(f'{x:>12}' for x in names))
  for ahead, row in results.items():
    cells = [
        '' if v is None else f'{v:.4f}' if isinstance(v, float) else str(v)
        for v in row.values()]
    print(f'{ahead:>11}' + ''.join(f'{x:>12}' for x in cells))


if __name__ == '__main__':
  errors.run(main)
