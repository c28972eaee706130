"""Seconds from the command to the first update and to 6 x the random score.

  python benchmarks/quick_start.py --out benchmarks/quick_start.json

Starts `--configs minatar tiny gail` twice with an empty compilation cache
before the first: the first start runs until its training score reaches the
bar, the second one until its first update.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

RANDOM = 0.41  # Mean of the random policy: see docs/learning.md.
WINDOW = 2000  # Environment steps over which the score is the mean.


def main():
  """Start twice, print the seconds and write them as JSON."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    results = {
        'seed': args.seed, 'cores': len(os.sched_getaffinity(0)),
        'bar': 6 * RANDOM, 'window': WINDOW,
        'first start': start(folder, 'one', args.seed, until_learned=True),
        'second start': start(folder, 'two', args.seed)}
  args.out.write_text(json.dumps(results, indent=1) + '\n')
  print(json.dumps(results, indent=1))


def start(folder, name, seed, until_learned=False):
  """Return seconds to the first update and, if asked for, to the bar."""
  logdir = pathlib.Path(folder, name)
  command = [
      sys.executable, '-m', 'dreamer_gail_plugin.main', '--configs', 'minatar',
      'tiny', 'gail', '--seed', str(seed), '--logdir', str(logdir),
      '--run.log_every', '1',
      '--logger.outputs', 'jsonl']
  begin = time.time()
  process = subprocess.Popen(
      command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
      env={**os.environ, 'XDG_CACHE_HOME': folder}, start_new_session=True)
  result = {}
  try:
    while process.poll() is None:
      time.sleep(0.5)
      seconds = round(time.time() - begin, 1)
      if 'update' not in result and updated(logdir):
        result['update'] = seconds
      if until_learned and 'update' in result:
        steps, mean = score(logdir)
        if steps > WINDOW and mean >= 6 * RANDOM:
          result.update(learned=seconds, steps=int(steps), score=mean)
      if 'learned' in result or (not until_learned and result):
        return result
    raise RuntimeError('The run ended before it got there.')
  finally:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def updated(logdir):
  """Return whether the run has logged metrics of an update."""
  path = logdir / 'metrics.jsonl'
  return path.exists() and '"train/loss/' in path.read_text()


def score(logdir):
  """Return the steps so far and the mean score of the last of them."""
  if not (logdir / 'scores.jsonl').exists():
    return 0, 0.0
  # Upstream appends whole lines, but the last one may be on its way.
  lines = (logdir / 'scores.jsonl').read_text().splitlines(keepends=True)
  rows = [json.loads(x) for x in lines if x.endswith('\n')]
  steps = np.array([x['step'] for x in rows])
  values = np.array([x['episode/score'] for x in rows])
  return steps.max(initial=0), float(
      np.mean(values[steps > steps.max(initial=0) - WINDOW]))


if __name__ == '__main__':
  main()
