"""The train step of several configurations, in turns."""

import contextlib
import os
import shlex

import elements
import numpy as np

from .. import configs
from ..running import checks
from ..running import device
from .worker import Worker
from .worker import alternate

PLAIN = '--agent.gail.reward env'


def run(config, args):
  """Return the figure and the results of each configuration by its name.

  The first is plain DreamerV3, to which all ratios are, the second the flags
  as given. An `--against` is on top of these: variables as NAME=VALUE, then
  flags, of which `--configs` adds blocks. Each has a process of its own.
  """
  given = shlex.join(args.flags)
  names = {PLAIN: PLAIN, given: '', **{x: x for x in args.against or ()}}
  made = {k: parse(args.flags, x) for k, x in names.items()}
  with contextlib.ExitStack() as stack:
    workers = {
        k: stack.enter_context(start(*x)) for k, x in made.items()}
    times = alternate(workers, args.repeats)
    rows = {
        k: {
            'ratio': round(float(np.median(times[k] / times[PLAIN])), 3),
            'milliseconds': round(1e3 * float(np.median(times[k])), 2),
            'least': round(1e3 * float(times[k].min()), 2),
            **x.ask('info')}
        for k, x in workers.items()}
  show(rows)
  *_, (name, last) = rows.items()
  return f'step ratio of {name}: {last["ratio"]:.2f}', {
      'rows': rows, 'shape': shape(config)}


def parse(flags, text):
  """Return variables {name: value} and the config of `flags` with `text`."""
  words, variables = shlex.split(text), {}
  while words and '=' in words[0] and not words[0].startswith('-'):
    name, value = words.pop(0).split('=', 1)
    variables[name] = value
  blocks, rest = [], []
  for part in (list(flags), words):
    parsed, other = elements.Flags(configs=['']).parse_known(part)
    blocks += filter(None, parsed.configs)
    rest += other
  config = configs.load_config(
      [*(['--configs', *blocks] if blocks else []), *rest])
  checks.values(config)
  configs.rows(config)  # Which the workers do; mistakes must end it here.
  config = configs.lengths(device.platform(config))
  return variables, config.update({
      'jax.compilation_cache': False, 'agent.report': False})


def start(variables, config):
  """Return a worker for the config whose process has the variables."""
  before = dict(os.environ)
  os.environ.update(variables)
  try:
    worker = Worker(config)
    worker.ask('info')  # Its JAX has read the variables.
  finally:
    os.environ.clear()
    os.environ.update(before)
  return worker


def shape(config):
  """Return what the cost of a step depends on."""
  keys = ('batch_size', 'batch_length', 'replay_context', 'task')
  return {
      **{k: config[k] for k in keys},
      'imag_last': config.agent.imag_last,
      'imag_length': config.agent.imag_length}


def show(rows):
  """Print the results as a table of Markdown."""
  head = (
      'ratio', 'median, ms', 'least, ms', 'step, MB', 'peak, MB',
      'compile, s', 'flags')
  print(f'| {" | ".join(head)} |\n|{" --- |" * len(head)}')
  for name, row in rows.items():
    print(
        f'| {row["ratio"]:.2f} | {row["milliseconds"]:.1f} | '
        f'{row["least"]:.1f} | {row["step_bytes"] / 1e6:.0f} | '
        f'{row["peak_bytes"] / 1e6:.0f} | {row["compile_seconds"]:.0f} | '
        f'{name} |')
