"""Frames/s of the expert stream, from memory and from disk."""

import functools
import pathlib
import tempfile
import time

import numpy as np

from .. import build
from .. import expert
from ..data import store
from . import worker

COUNTS = (10, 100, 1000, 10_000)
LENGTH = 32  # Of all, as reads get shorter with the trajectories.


def run(config, args):
  """Return the figure and the results: frames/s and milliseconds a batch.

  Stores of 10 to 10,000 trajectories are made for the task's spaces, with
  frames of blocks that compress about as well as those of games. If
  `agent.gail.expert` names a store, it is the only one.
  """
  obs_space, act_space = build.spaces(config)
  length = config.batch_length + config.replay_context
  open_store = functools.partial(
      expert.ExpertReplay, batch_size=config.batch_size, length=length,
      obs_space=obs_space, act_space=act_space,
      singles=config.agent.gail.anchor > 0)
  results = []
  print(f'{"trajectories":>12}{"steps":>11}{"memory":>8}{"MB":>7}'
        f'{"open, s":>9}{"CPU, s":>8}{"frames/s":>11}{"ms/batch":>10}')

  def add(path, memory):
    row = measure(open_store, path, memory, args.repeats)
    results.append(row)
    print(
        f'{row["trajectories"]:>12,}{row["steps"]:>11,}{row["memory"]:>8}'
        f'{row["bytes"] / 1e6:>7,.0f}{row["open"]:>9.2f}{row["cpu"]:>8.2f}'
        f'{row["frames_per_second"]:>11,.0f}{row["milliseconds"]:>10.2f}')

  if config.agent.gail.expert != 'auto':
    add(build.expert_path(config), 'auto')
  else:
    with tempfile.TemporaryDirectory() as folder:
      for count in COUNTS:
        path = pathlib.Path(folder) / f'{count}.h5'
        store.write(
            path, trajectories(obs_space, act_space, count, LENGTH), {})
        [add(path, x) for x in ('ram', 'disk')]
  slowest = {
      k: min(x['frames_per_second'] for x in results if x['memory'] == k)
      for k in sorted({x['memory'] for x in results}, reverse=True)}
  return 'stream frames/s, slowest: ' + ', '.join(
      f'{k} {v:,.0f}' for k, v in slowest.items()), {
          'rows': results, 'batch': [config.batch_size, length],
          'spaces': {k: str(v) for k, v in obs_space.items()}}


def measure(open_store, path, memory, repeats):
  """Return what a store takes to open, and the speed of drawing batches.

  `open` are seconds by the clock, `cpu` those of the process, and `bytes` is
  the most memory that it and the batches have added.
  """
  worker.forget_peak()
  before = worker.peak()
  start, used = time.perf_counter(), time.process_time()
  replay = open_store(path, memory=memory)
  opened, used = time.perf_counter() - start, time.process_time() - used
  times = []
  for _ in range(repeats + 3):
    start = time.perf_counter()
    replay.sample()
    times.append(time.perf_counter() - start)
  middle = float(np.median(times[3:]))
  stats = replay.stats
  return {
      **{k: stats[k] for k in ('trajectories', 'steps', 'memory')},
      'open': round(opened, 3), 'cpu': round(used, 3),
      'bytes': worker.peak() - before,
      'milliseconds': round(1e3 * middle, 3),
      'frames_per_second': round(replay.shape[0] * replay.shape[1] / middle)}


def trajectories(obs_space, act_space, count, length):
  """Yield trajectories of random play for `store.write`."""
  spaces = {k: v for k, v in obs_space.items() if store.needed(k)}
  data = worker.random_batch({**spaces, **act_space}, (length,))
  for key, value in data.items():
    if value.ndim == 4 and min(value.shape[1:3]) >= 32:
      data[key] = blocks(value)
  data['is_first'][0] = data['is_last'][-1] = True
  for _ in range(count):
    yield data


def blocks(image, size=8):
  """Return images (T, H, W, C) of which each block has one colour."""
  rows = np.arange(image.shape[1]) // size * size
  cols = np.arange(image.shape[2]) // size * size
  return np.ascontiguousarray(image[:, rows][:, :, cols])
