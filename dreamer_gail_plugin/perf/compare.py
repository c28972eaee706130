"""Train step with other flags, or other environment variables."""

import contextlib
import os
import shlex

import numpy as np

from .. import configs
from ..errors import UserError
from ..running import checks
from ..running import device
from . import step
from .worker import Worker
from .worker import alternate
from .worker import spread


def run(config, args):
  """Return the figure and the results in milliseconds, of each `--against`.

  An `--against` holds variables as NAME=VALUE and then flags, such as
  'XLA_FLAGS=--xla_cpu_enable_fast_math=true --batch_size 8'.
  """
  if not args.against:
    raise UserError("compare: give at least one --against 'FLAGS'.")
  tasks, results = {}, {}
  with contextlib.ExitStack() as stack:
    for name in ('', *args.against):
      worker = start(args.flags, shlex.split(name))
      tasks[name] = stack.enter_context(worker), 'train'
    times = alternate(tasks, args.repeats)
    for name, (worker, _) in tasks.items():
      results[name] = {
          'ratio': round(float(np.median(times[name] / times[''])), 3),
          **spread(times[name]), 'memory': worker.ask('memory')}
  print(f'{"ratio":>6}{"median":>9}{"min":>9}  milliseconds of')
  for name, row in results.items():
    print(
        f'{row["ratio"]:>6.3f}{row["median"]:>9.2f}{row["min"]:>9.2f}  '
        f'{name or "the flags as given"}')
  last = args.against[-1]
  return f'step ratio {last}: {results[last]["ratio"]:.2f}', {
      'rows': results, 'shape': step.shape(config)}


def start(flags, words):
  """Return a worker for the flags, with the variables and flags in `words`."""
  variables = {}
  while words and '=' in words[0] and not words[0].startswith('-'):
    name, value = words.pop(0).split('=', 1)
    variables[name] = value
  config = configs.load_config([*flags, *words])
  checks.values(config)
  configs.rows(config)  # Which the workers do; mistakes must end it here.
  config = configs.lengths(device.platform(config))
  config = config.update({
      'jax.compilation_cache': False, 'agent.report': False})
  before = dict(os.environ)
  os.environ.update(variables)
  try:
    worker = Worker(config)
    worker.ask('info')  # Its JAX has read the variables.
  finally:
    os.environ.clear()
    os.environ.update(before)
  return worker
