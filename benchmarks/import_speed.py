"""Frames an importer reads a second.

python benchmarks/import_speed.py --atari_head FOLDER \
    --out benchmarks/import_speed.json

FOLDER has trial 54 of Seaquest. The others read what is made here: ten
episodes of 1024 frames that Crafter's recorder could have saved, the store
they become, exported to Minari and back.
"""

import argparse
import json
import pathlib
import platform
import tempfile
import time

import crafter
import numpy as np

from dreamer_gail_plugin.demos import __main__ as demos

EPISODES, STEPS = 10, 1024


def timed(frames, *argv):
  """Return frames a second, on the clock and of the processor."""
  clock, cpu = time.perf_counter(), time.process_time()
  code = demos.main([str(x) for x in argv])
  assert code == 0, (code, argv)
  clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
  return {
      'frames': frames, 'clock_s': clock, 'cpu_s': cpu,
      'frames_per_clock_s': frames / clock, 'frames_per_cpu_s': frames / cpu}


def play(folder, episodes):
  """Save episodes of random play under the keys of the human data set."""
  folder.mkdir()
  env = crafter.Env(seed=0)
  rng = np.random.default_rng(0)
  for index in range(episodes):
    images = [env.reset()]
    images += [env.step(rng.integers(17))[0] for _ in range(STEPS // 8)]
    # Dead by then or soon: the same again, as only the reading is timed.
    images = np.concatenate([images] * 8)[:STEPS]
    end = np.arange(STEPS) == STEPS - 1
    np.savez_compressed(
        folder / f'{index}.npz', image=images, done=end, discount=1.0 - end,
        action=rng.integers(0, 17, STEPS), reward=np.zeros(STEPS))


def measure(folder, atari_head):
  """Return the speed of every importer."""
  play(folder / 'crafter', EPISODES)
  store, frames = folder / 'crafter.h5', EPISODES * STEPS
  return {
      'atari_head': timed(
          17_200, 'atari_head', '--source', atari_head, '--game', 'seaquest',
          '--trials', 54, '--averaged', 'match', '--out',
          folder / 'seaquest.h5'),
      'crafter_human': timed(
          frames, 'crafter_human', '--source', folder / 'crafter', '--out',
          store),
      'minari_export': timed(
          frames, 'minari_export', '--source', store, '--out',
          folder / 'crafter-v0'),
      'minari': timed(
          frames, 'minari', '--source', folder / 'crafter-v0', '--out',
          folder / 'back.h5')}


def main():
  """Measure all; write JSON and print it."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--atari_head', required=True)
  parser.add_argument('--out', required=True)
  args = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    found = measure(pathlib.Path(folder), args.atari_head)
  result = {
      **found, 'machine': platform.machine(),
      'python': platform.python_version(), 'numpy': np.__version__}
  pathlib.Path(args.out).write_text(json.dumps(result, indent=1) + '\n')
  print(json.dumps(result, indent=1))


if __name__ == '__main__':
  main()
