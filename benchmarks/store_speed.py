"""Time to open a store of 100 trajectories and frames sampled a second.

python benchmarks/store_speed.py --out benchmarks/store_speed.json
"""

import argparse
import json
import os
import pathlib
import platform
import tempfile
import time

import elements
import numpy as np

from dreamer_gail_plugin import expert
from dreamer_gail_plugin.data import store

STEPS, BATCHES = 200, 50
BOOL = elements.Space(bool)
OBS = {
    'image': elements.Space(np.uint8, (64, 64, 3)), 'is_first': BOOL,
    'is_last': BOOL, 'is_terminal': BOOL}
ACT = {'action': elements.Space(np.int32, (), 0, 17)}


def trajectory(rng):
  """Return steps whose images gzip can compress somewhat."""
  small = rng.integers(0, 256, (STEPS, 8, 8, 3), dtype=np.uint8)
  steps = np.arange(STEPS)
  return {
      'image': small.repeat(8, 1).repeat(8, 2),
      'action': rng.integers(0, 17, STEPS).astype(np.int32),
      'is_first': steps == 0, 'is_last': steps == STEPS - 1,
      'is_terminal': steps == STEPS - 1}


def timed(fn):
  """Return seconds on the clock and of the processor, and what fn gives."""
  clock, cpu = time.perf_counter(), time.process_time()
  result = fn()
  return {
      'clock_s': time.perf_counter() - clock,
      'cpu_s': time.process_time() - cpu}, result


def sample(replay):
  """Draw the batches, each dropped before the next, as training does."""
  for _ in range(BATCHES):
    replay.sample()


def measure(path):
  """Return the times to open, to load and to sample, and the rates."""
  opened, demos = timed(lambda: store.Store(path))
  demos.close()
  loaded, replay = timed(
      lambda: expert.ExpertReplay(path, 16, 64, OBS, ACT, memory='ram'))
  replay.sample()
  sampled, _ = timed(lambda: sample(replay))
  frames = BATCHES * 16 * 64
  return {
      'open': opened, 'load': loaded, 'sample': sampled,
      'frames_per_clock_s': frames / sampled['clock_s'],
      'frames_per_cpu_s': frames / sampled['cpu_s']}


def main():
  """Write a store, time its opening, loading and sampling; write JSON."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--out', required=True)
  args = parser.parse_args()
  rng = np.random.default_rng(0)
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'demos.h5'
    store.write(path, (trajectory(rng) for _ in range(100)), {})
    found = measure(path)
  result = {
      'trajectories': 100, 'steps': 100 * STEPS, 'image': [64, 64, 3],
      'batch': [16, 64], **found,
      'machine': platform.machine(), 'load_average': os.getloadavg(),
      'python': platform.python_version(), 'numpy': np.__version__}
  pathlib.Path(args.out).write_text(json.dumps(result, indent=1) + '\n')
  print(json.dumps(result, indent=1))


if __name__ == '__main__':
  main()
