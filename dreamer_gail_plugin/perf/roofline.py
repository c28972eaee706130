"""Operations and bytes of a train step by part, without running it."""

import collections
import contextlib
import io
import math

import jax
import ninjax as nj
import numpy as np

from .. import configs
from . import profiler
from . import sizes
from . import step

MATMULS = {'dot_general', 'conv_general_dilated'}
# Vendor's figures of one H100 SXM: dense bfloat16 and memory.
FLOPS_PER_SECOND = 989e12
BYTES_PER_SECOND = 3.35e12


def run(config, args):
  """Return the figure and the results: counts of both sides by part.

  Matrix products and convolutions are counted from the traced program, loops
  by their length. Bytes are those of their operands and results, as if none
  stayed in a cache; what is elementwise between them is left out, since the
  compiler fuses it. `calls` is how many of them follow each other.
  """
  results = {
      name: count(side)
      for name, side in zip(('gail', 'env'), step.sides(config))}
  print(f'{"":34}{"GFLOP":>16}{"GB":>16}{"calls":>16}')
  print(f'{"part of a step":34}' + f'{"gail":>8}{"env":>8}' * 3)
  for key in {**results['gail'], **results['env']}:
    cells = [
        results[side].get(key, {}).get(unit, 0)
        for unit in ('gflop', 'gb', 'calls') for side in ('gail', 'env')]
    print(f'{key:<34}' + ''.join(
        f'{x:>8.0f}' if isinstance(x, int) else f'{x:>8.2f}' for x in cells))
  bounds = {k: bound(v['all']) for k, v in results.items()}
  for key, value in bounds.items():
    print(f'lower bound on an H100, {key}: {1e3 * value:.2f} ms')
  ratio = bounds['gail'] / bounds['env']
  return f'roofline ratio gail/env: {ratio:.2f}', {
      'parts': results, 'shape': step.shape(config),
      'seconds_h100': bounds}


def bound(counts):
  """Return the seconds that an H100 needs at least for the counts."""
  return max(
      1e9 * counts['gflop'] / FLOPS_PER_SECOND,
      1e9 * counts['gb'] / BYTES_PER_SECOND)


def count(config):
  """Return {part: {gflop, gb, calls}} of a train step, and of `all`."""
  total = collections.defaultdict(lambda: np.zeros(3))
  walk(trace(config).jaxpr, '', 1, total)
  total['all'] = sum(total.values())
  return {
      k: {'gflop': v[0] / 1e9, 'gb': v[1] / 1e9, 'calls': int(v[2])}
      for k, v in sorted(total.items(), key=lambda x: -x[1][0])}


def trace(config):
  """Return the jaxpr of a train step."""
  config = configs.rows(config)
  model, data = sizes.make_model(
      config, config.batch_size, config.batch_length)
  train = lambda data: model.train(model.init_train(config.batch_size), data)
  seed = jax.random.PRNGKey(0)
  with contextlib.redirect_stdout(io.StringIO()), profiler.named_parts():
    state = jax.eval_shape(
        lambda data: nj.init(train)({}, data, seed=seed), data)
    return jax.make_jaxpr(
        lambda state, data: nj.pure(train)(state, data, seed=seed))(
            state, data)


def walk(jaxpr, scope, times, total):
  """Add flops, bytes and calls of a jaxpr that runs so many times to total.
  """
  for eqn in jaxpr.eqns:
    path = f'{scope}/{eqn.source_info.name_stack}'
    name = eqn.primitive.name
    # Ninjax traces functions once to find their states; nothing uses it.
    if 'prerun' in path:
      continue
    if name in MATMULS:
      total[profiler.part(path)] += times * np.array([*cost(eqn), 1])
    loops = eqn.params['length'] if name == 'scan' else 1
    for body in bodies(eqn):
      walk(body, path, times * loops, total)


def bodies(eqn):
  """Yield the jaxprs that an equation calls."""
  known = lambda x: hasattr(x, 'jaxpr') or hasattr(x, 'eqns')
  for value in jax.tree.leaves(list(eqn.params.values()), is_leaf=known):
    if known(value):
      yield getattr(value, 'jaxpr', value)


def cost(eqn):
  """Return the flops and bytes of a matrix product or a convolution."""
  left, right = [x.aval for x in eqn.invars[:2]]
  out = eqn.outvars[0].aval
  size = sum(x.size * x.dtype.itemsize for x in (left, right, out))
  if eqn.primitive.name == 'dot_general':
    (contract, _), _ = eqn.params['dimension_numbers']
    inner = math.prod(left.shape[i] for i in contract)
  else:
    # One output feature sees one group of the kernel.
    features = eqn.params['dimension_numbers'].rhs_spec[0]
    inner = right.size / right.shape[features]
  return 2 * out.size * inner, size
