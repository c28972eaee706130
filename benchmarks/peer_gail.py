"""Seconds and steps of imitation's GAIL on PPO to 6 x the random score.

  uv run --extra baselines python benchmarks/peer_gail.py --out FILE

The same bar, window and game as in quick_start.py, from the command; and its
environment steps/s from the first score to the last.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import quick_start

BAR = 6 * quick_start.RANDOM
STEPS = 100_000


def main():
  """Train for STEPS, print the figures and write them as JSON."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args()
  results = {
      'seed': args.seed, 'cores': len(os.sched_getaffinity(0)), 'bar': BAR,
      'window': quick_start.WINDOW, 'trained': STEPS,
      **{k: importlib.metadata.version(k) for k in (
          'imitation', 'stable-baselines3', 'torch')}}
  with tempfile.TemporaryDirectory() as folder:
    results.update(train(pathlib.Path(folder, 'run'), args.seed))
  args.out.write_text(json.dumps(results, indent=1) + '\n')
  print(json.dumps(results, indent=1))


def train(logdir, seed):
  """Return what was seen of one run: seconds, steps, steps/s and scores."""
  command = [
      sys.executable, '-m', 'dreamer_gail_plugin.baselines', 'gail_ppo',
      '--task', 'minatar_breakout', '--seed', str(seed), '--logdir',
      str(logdir), '--steps', str(STEPS)]
  begin = time.time()
  process = subprocess.Popen(
      command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
      # Several times as fast as with more, for networks this small.
      env={**os.environ, 'OMP_NUM_THREADS': '1'}, start_new_session=True)
  result, seen = {}, []
  try:
    # Its games of evaluation follow and are not waited for.
    while not seen or seen[-1][1] < 0.98 * STEPS:
      if process.poll() is not None:
        raise RuntimeError(f'The run ended before it got there: {seen[-1:]}')
      time.sleep(0.5)
      steps, mean = quick_start.score(logdir)
      if steps:
        seen.append((time.time() - begin, int(steps), mean))
      if steps > quick_start.WINDOW and mean >= BAR and not result:
        result = {
            'learned': round(seen[-1][0], 1), 'steps': int(steps),
            'score': mean}
  finally:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
  (start, first, _), (end, last, mean) = seen[0], seen[-1]
  return {
      'to the bar': result, 'score at the end': mean,
      'steps/s': round((last - first) / (end - start), 1)}


if __name__ == '__main__':
  main()
