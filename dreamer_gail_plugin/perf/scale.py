"""A train step on one to eight devices, computed and not timed.

Operations and bytes are those of matrix products and convolutions, counted in
the program that JAX traces: XLA's own count takes the body of a loop once.
Memory is that of the step compiled for so many devices, which a CPU stands in
for; on a GPU the compiler plans it in another way.
"""

import collections
import contextlib
import io
import math

import jax
import ninjax as nj
import numpy as np
from embodied.jax import internal

from . import sizes

COUNTS = (1, 2, 4, 8)
FRAMES = 1e8
# Published peaks of an NVIDIA A100 80GB SXM: operations/s in bfloat16, bytes/s
# of its memory and of NVLink, both ways together.
GPU, PEAK, MEMORY, LINK = 'A100 80GB SXM', 312e12, 2.039e12, 600e9
SHARP = ('dot_general', 'conv_general_dilated')


class Work(collections.namedtuple('Work', 'ops bytes seconds runs')):
  """Operations, bytes, seconds at the peaks, and runs of the products."""

  def __add__(self, other):
    return Work(*[x + y for x, y in zip(self, other)])

  def times(self, count):
    """Return the work of so many repetitions."""
    return Work(*[count * x for x in self])


NONE = Work(0, 0, 0, 0)


def run(config, args):
  """Return the figure and, for each count of devices, what a step takes.

  The batch is divided among the devices.
  """
  counts = [x for x in COUNTS if not config.batch_size % x]
  internal.setup(
      platform='cpu', compute_dtype=config.jax.compute_dtype,
      mock_devices=max(counts), deterministic=False)
  params = sizes.shapes(config)
  moved = 4 * sum(sizes.count(config))
  rows = []
  print('| GPUs | TFLOP | GB | ms | all-reduce, ms | products | memory, MB |')
  print(f'|{" --- |" * 7}')
  for count in counts:
    work = traced(config, params, config.batch_size // count)
    reduce = 2 * (count - 1) / count * moved / (LINK / 2)
    row = {
        'devices': count, **work._asdict(), 'reduce': reduce,
        'memory': memory(config, params, count)}
    rows.append(row)
    print(
        f'| {count} | {work.ops / 1e12:.2f} | {work.bytes / 1e9:.1f} | '
        f'{1e3 * work.seconds:.1f} | {1e3 * reduce:.2f} | {work.runs:,} | '
        f'{row["memory"] / 1e6:,.0f} |', flush=True)
  steps = FRAMES / config.env.get(
      config.task.partition('_')[0], {}).get('repeat', 1)
  updates = steps * config.run.train_ratio / (
      config.batch_size * config.batch_length)
  hours = [updates * (x['seconds'] + x['reduce']) / 3600 for x in rows]
  times = ', '.join(f'{x:.1f} h on {y}' for x, y in zip(hours, counts))
  return (
      f'{FRAMES:.0e} frames, {updates:,.0f} updates at the peaks of {GPU}: '
      f'{times}'), {'rows': rows, 'updates': updates, 'hours': hours}


def traced(config, params, batch_size):
  """Return the Work of a train step on a batch of so many sequences."""
  step, args = train_step(config, params, batch_size)
  with contextlib.redirect_stdout(io.StringIO()):
    return count(jax.make_jaxpr(step)(*args).jaxpr)


def memory(config, params, devices):
  """Return the bytes that a compiled train step takes on each device."""
  step, args = train_step(config, params, config.batch_size)
  mesh = internal.mesh(jax.devices()[:devices], '-1,1,1', ('d', 'f', 't'))
  spec = jax.sharding.PartitionSpec
  whole = jax.sharding.NamedSharding(mesh, spec())
  split = jax.sharding.NamedSharding(mesh, spec(('d', 'f')))
  options = dict(
      in_shardings=(whole, whole, split, split),
      out_shardings=(whole, split, split, whole), donate_argnums=(0,))
  with contextlib.redirect_stdout(io.StringIO()):
    stats = jax.jit(step, **options).lower(
        *args).compile().memory_analysis()
  return int(
      stats.temp_size_in_bytes + stats.argument_size_in_bytes +
      stats.output_size_in_bytes - stats.alias_size_in_bytes)


def train_step(config, params, batch_size):
  """Return upstream's train step and shapes of its arguments."""
  model, data = sizes.make_model(config, batch_size, config.batch_length)
  seed = np.zeros(2, np.uint32)
  carry = jax.eval_shape(
      lambda p: nj.pure(model.init_train)(p, batch_size, seed=seed)[1],
      params)

  def step(params, seed, carry, data):
    params, outs = nj.pure(model.train)(params, carry, data, seed=seed)
    return params, *outs

  return step, (params, seed, carry, data)


def count(jaxpr):
  """Return the Work of a jaxpr, with all rounds of its loops."""
  total = NONE
  for eqn in jaxpr.eqns:
    inner = sum(map(count, bodies(eqn)), NONE)
    total += inner.times(eqn.params.get('length', 1))
    if eqn.primitive.name in SHARP:
      total += product(eqn)
  return total


def bodies(eqn):
  """Return the jaxprs inside of an equation."""
  leaves = jax.tree.leaves(
      eqn.params, is_leaf=lambda x: hasattr(x, 'eqns') or hasattr(x, 'jaxpr'))
  found = [getattr(x, 'jaxpr', x) for x in leaves]
  return [x for x in found if hasattr(x, 'eqns')]


def product(eqn):
  """Return the Work of one matrix product or convolution."""
  left, right = [x.aval for x in eqn.invars]
  out = eqn.outvars[0].aval
  if eqn.primitive.name == 'dot_general':
    summed = math.prod(
        left.shape[x] for x in eqn.params['dimension_numbers'][0][0])
  else:
    channels = eqn.params['dimension_numbers'].rhs_spec[0]
    summed = math.prod(right.shape) // right.shape[channels]
  ops = 2 * math.prod(out.shape) * summed
  size = sum(
      math.prod(x.shape) * x.dtype.itemsize for x in (left, right, out))
  return Work(ops, size, max(ops / PEAK, size / MEMORY), 1)
