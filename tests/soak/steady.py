"""Measures what a run takes of the machine by time.

  uv run python tests/soak/steady.py --hours 2 --out steady.jsonl

from the root of a checkout. A run at `tiny` is started, with a replay that
fills early; each minute a line of JSON with its step, memory, open files,
threads and disk is written. In the end the run gets SIGTERM, and a line says
by how much each figure grew from the first to the last quarter of the lines
that came after the replay was full.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil

HELD = 20_000  # Steps that the replay holds.
RUN = [
    '--configs', 'minatar', 'tiny', 'gail', '--run.steps', '1e9',
    '--replay.size', str(HELD), '--run.save_every', '60',
    '--run.report_every', '120', '--logger.outputs', 'jsonl', 'scope']
FIGURES = 'memory_mb', 'files', 'threads', 'children', 'disk_mb'
# The logs grow for as long as there is news.
LOGS = 'metrics.jsonl', 'scores.jsonl', 'scope'


def steady(hours, out, every=60, flags=()):
  """Run for `hours`, sample each `every` seconds; return the samples."""
  samples = []
  with tempfile.TemporaryDirectory() as folder, open(out, 'w') as file:
    logdir, log = pathlib.Path(folder) / 'run', pathlib.Path(folder) / 'log'
    with log.open('w') as output:
      process = subprocess.Popen(
          [sys.executable, '-m', 'dreamer_gail_plugin.main', *RUN, *flags,
           '--logdir', str(logdir)], stdout=output, stderr=output)
    begin = time.time()
    while process.poll() is None and time.time() < begin + 3600 * hours:
      time.sleep(every)
      if process.poll() is not None:
        break
      samples.append({
          'minutes': round((time.time() - begin) / 60, 2),
          **sample(process.pid, logdir)})
      file.write(json.dumps(samples[-1]) + '\n')
      file.flush()
    process.terminate()
    stopped = time.time()
    code = process.wait()
    print(f'Exit code {code}, {time.time() - stopped:.1f} s after SIGTERM')
    print(*log.read_text().splitlines()[-3:], sep='\n')
  return samples


def sample(pid, logdir):
  """Return what a run takes now, all of its processes together."""
  parent = psutil.Process(pid)
  processes = [parent, *parent.children(recursive=True)]
  return {
      'step': step(logdir / 'metrics.jsonl'),
      'memory_mb': round(sum(x.memory_info().rss for x in processes) / 1e6),
      'files': sum(x.num_fds() for x in processes),
      'threads': sum(x.num_threads() for x in processes),
      'children': len(processes) - 1,
      'disk_mb': round(size(logdir) / 1e6, 1),
      'logs_mb': round(sum(size(logdir / x) for x in LOGS) / 1e6, 1)}


def step(path):
  """Return the last step that a file of metrics tells of."""
  lines = path.read_text().splitlines() if path.exists() else []
  return json.loads(lines[-1])['step'] if lines else 0


def size(path):
  """Return the bytes below a path."""
  files = [path] if path.is_file() else path.rglob('*')
  total = 0
  for file in files:
    try:
      total += file.stat().st_size
    except FileNotFoundError:  # A save or chunk was removed meanwhile.
      pass
  return total


def growth(samples):
  """Return by how much each figure grew once the replay was full."""
  full = [x for x in samples if x['step'] > 1.2 * HELD]
  for x in full:
    x['disk_mb'] -= x['logs_mb']
  quarter = max(1, len(full) // 4)
  means = {
      k: [np.mean([x[k] for x in part])
          for part in (full[:quarter], full[-quarter:])] for k in FIGURES}
  return {
      k: f'{first:.1f} to {last:.1f}, {last / max(first, 1):.3f} times'
      for k, (first, last) in means.items()}


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--hours', type=float, default=2)
  parser.add_argument('--every', type=float, default=60)
  parser.add_argument('--out', required=True)
  args, flags = parser.parse_known_args()
  samples = steady(args.hours, args.out, args.every, flags)
  for key, text in growth(samples).items():
    print(f'{key}: {text}')
