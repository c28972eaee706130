"""How much memory the replay of a run will take, and how much is free."""

import pathlib

import numpy as np
import psutil

from ..errors import UserError

# The scripts that keep a replay and read demonstrations.
LEARNING = ('train', 'train_eval', 'parallel', 'parallel_replay')
SIZES = {'GB': 1e9, 'MB': 1e6, 'kB': 1e3}
EVALUATING = LEARNING[1:]  # Those that keep another one, of a tenth the size.


def check(config, spaces):
  """Print how much memory the replay will take.

  `spaces` are the agent's (observations, actions). Raises UserError if that
  is more than is free, or if the replay holds less than a batch.
  """
  if config.script not in LEARNING:
    return
  least = batch_steps(config)
  if config.replay.size < least:
    raise UserError(
        f'--replay.size {config.replay.size:.1e}: holds less than {least} '
        'steps, one batch, or ten of evaluation, whose replay is a tenth.')
  each = step_bytes(config, spaces)
  steps = min(config.replay.size, config.run.steps)
  need, free = each * steps, free_memory()
  print(
      f'Replay memory: up to {size(need)} ({steps:,.0f} steps of '
      f'{each:,} bytes); free now: {size(free)}')
  if need > free:
    fits = float(f'{0.8 * free / each:.1e}')
    raise UserError(
        f'--replay.size {config.replay.size:.1e}: needs {size(need)}, '
        f'but {size(free)} are free. Use --replay.size {fits:.1e} or '
        f'less.')


def batch_steps(config):
  """Return how many steps a replay needs to hold a batch of the script."""
  steps = lambda consec, length: config.batch_size * (
      consec * length + config.replay_context)
  least = steps(config.consec_train, config.batch_length)
  if config.script in EVALUATING:
    least = max(
        least, 10 * steps(config.consec_report, config.report_length))
  return least


def step_bytes(config, spaces):
  """Return the bytes that upstream's replay keeps for one step."""
  total = 20  # The step's identifier.
  for space in [*spaces[0].values(), *spaces[1].values()]:
    total += int(np.prod(space.shape)) * np.dtype(space.dtype).itemsize
  if config.replay_context:
    dyn = config.agent.dyn[config.agent.dyn.typ]
    total += 4 * (dyn.deter + dyn.stoch * dyn.classes)
  return total


def size(count):
  """Return a number of bytes as text, such as 4.4 MB."""
  unit = next((x for x in SIZES if count >= SIZES[x]), 'kB')
  return f'{count / SIZES[unit]:.1f} {unit}'


def free_memory():
  """Return the bytes that this process can still use, container included."""
  free = psutil.virtual_memory().available
  limit = pathlib.Path('/sys/fs/cgroup/memory.max')
  used = pathlib.Path('/sys/fs/cgroup/memory.current')
  if limit.exists() and limit.read_text().strip().isdigit():
    free = min(free, int(limit.read_text()) - int(used.read_text()))
  return free
