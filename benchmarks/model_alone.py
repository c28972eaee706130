"""How fast a world model learns from a run's replay, without actor and critic.

  python benchmarks/model_alone.py LOGDIR --out FILE [--KEY VALUE ...]

Flags after these are those of training and change the config of the run. The
model learns from batches of 32 x 16 steps of the replay, without
demonstrations. On every seventh file of the replay, which it does not learn
from, the wrong pixels of foresight.py and the probability of an end, by the
continue head, at the steps where games ended, are measured as it goes.
"""

import argparse
import pathlib
import time

import elements
import foresight
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import tqdm

from dreamer_gail_plugin import worldmodel
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.perf import sizes
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance

BATCH, LENGTH = 32, 16
TEST, TEST_LENGTH = 128, 16 + foresight.SKIP
EVERY = 400  # Updates from one measurement to the next.
MODEL = ('enc', 'dyn', 'dec', 'con')


def main(logdir, updates, out, flags):
  """Learn, measure, print and write the JSON."""
  config = policylib.load_config(logdir).update({'jax.platform': 'cpu'})
  config = checks.platform(elements.Flags(config).parse(flags))
  checks.prepare_jax(config)
  model = make(config)
  learning, held = split(logdir / 'replay')
  rng, seed = np.random.default_rng(0), jax.random.PRNGKey
  update = lambda data: model.opt(losses, model, data, has_aux=True)
  draw = lambda: batch(learning, BATCH, LENGTH, rng)
  params = nj.init(update)({}, draw(), seed=seed(0))
  update = jax.jit(nj.pure(update), donate_argnums=[0])
  test = jax.jit(nj.pure(lambda data: measure(model, data)))
  tests, start, found = batch(held, TEST, TEST_LENGTH, rng), time.time(), []
  for number in tqdm.trange(1, updates + 1, unit='update'):
    params, (_, image) = update(params, draw(), seed=seed(number))
    if number % EVERY == 0:
      measured = test(params, tests, seed=seed(0))[1]
      found.append({
          'updates': number, 'seconds': round(time.time() - start),
          **{k: round(float(v), 3) for k, v in measured.items()},
          'loss_image': round(float(image), 3)})
      tqdm.tqdm.write(str(found[-1]))
  results.save(out, {
      'logdir': str(logdir), 'task': config.task, 'flags': flags,
      'found': found, 'commit': provenance.commit(),
      'versions': provenance.versions(), 'machine': provenance.machine('cpu')})


def make(config):
  """Return an Agent whose optimizer has the world model alone."""
  dtype = getattr(jnp, config.jax.compute_dtype)
  policylib.embodied.jax.nets.COMPUTE_DTYPE = dtype
  model, _ = sizes.make_model(config, 1, 1)
  model.opt.modules = [x for x in model.modules if x.name in MODEL]
  return model


def split(replay):
  """Return the files to learn from and the others, lists of dicts."""
  keys = ('image', 'is_first', 'is_last', 'is_terminal', 'action')
  chunks = [np.load(x) for x in sorted(replay.glob('*.npz'))]
  chunks = [{k: x[k] for k in keys} for x in chunks]
  held = chunks[::7]
  return [x for i, x in enumerate(chunks) if i % 7], held


def batch(chunks, size, length, rng):
  """Return sequences (size, length, ...), with `prev`, the action before."""
  rows = []
  for _ in range(size):
    chunk = chunks[rng.integers(len(chunks))]
    start = rng.integers(1, len(chunk['action']) - length)
    part = lambda key, at: chunk[key][at: at + length]
    rows.append({
        **{k: part(k, start) for k in chunk},
        'prev': part('action', start - 1)})
  return {k: np.stack([x[k] for x in rows]) for k in rows[0]}


def losses(model, data):
  """Return the scaled sum of the model's losses and that of images, means."""
  initial = [
      x.initial(len(data['prev'])) for x in (model.enc, model.dyn, model.dec)]
  *_, found, _ = worldmodel.losses(
      model, initial, data, {'action': data['prev']}, model.dyn, True)
  total = sum(v.mean() * model.scales[k] for k, v in found.items())
  return total, found['image'].mean()


def measure(model, data):
  """Return numbers of wrong pixels and the probability of ends, by name."""
  reset = data['is_first']
  _, _, tokens = model.enc({}, data, reset, False)
  _, _, feat = model.dyn.observe(
      model.dyn.initial(len(reset)), tokens, {'action': data['prev']}, reset,
      False)
  late = lambda x: x[:, foresight.SKIP:]
  on, boards = foresight.boards(model, feat, data)
  found = {
      k: late((x != on).sum((-3, -2, -1))).mean() for k, x in boards.items()}
  ends = late(data['is_terminal'])
  end = late(1 - model.con(model.feat2tensor(feat), 2).prob(1))
  return {**found, 'end_seen': (end * ends).sum() / ends.sum()}


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir', type=pathlib.Path)
  parser.add_argument('--updates', type=int, default=800)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  args, others = parser.parse_known_args()
  main(args.logdir, args.updates, args.out, others)
