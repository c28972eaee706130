"""Environment steps/s of the loops `train` and `parallel`.

Each run has a process and a logdir of its own, and ends once it has logged
enough. Both loops make `train_ratio` replayed steps for each one played, so
that the slower side limits both.
"""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

from ..errors import RunError

SCRIPTS = ('train', 'parallel')
COUNTS = (1, 4, 16)
SECONDS = 10  # Between two lines of a run's log.
FLAGS = {
    'run.steps': 1e9, 'run.eval_envs': 0, 'run.log_every': SECONDS,
    'run.report_every': 1e9, 'run.save_every': 1e9, 'agent.report': False,
    'logger.outputs': 'jsonl'}
HEAD = ('environments', *(f'{x}, steps/s' for x in SCRIPTS), 'ratio',
        *(f'{x}, updates/s' for x in SCRIPTS), 'parallel waits for')


def run(config, args):
  """Return the figure and the results of each script and count.

  `--repeats` is how many lines of a log are averaged.
  """
  batch = config.batch_size * config.batch_length
  rows = []
  print(f'| {" | ".join(HEAD)} |\n|{" --- |" * len(HEAD)}')
  for count in COUNTS:
    made = {
        x: measured([*args.flags, '--script', x, '--run.envs', str(count)],
                    batch, args.repeats)
        for x in SCRIPTS}
    ratio = made['parallel']['steps'] / made['train']['steps']
    rows.append({'envs': count, 'ratio': round(ratio, 2), **made})
    cells = (
        count, *(f'{made[x]["steps"]:.1f}' for x in SCRIPTS), f'{ratio:.2f}',
        *(f'{made[x]["updates"]:.2f}' for x in SCRIPTS),
        made['parallel']['waits'])
    print(f'| {" | ".join(map(str, cells))} |', flush=True)
  parts = [f'{x["ratio"]:.2f} with {x["envs"]}' for x in rows]
  return f'steps/s, parallel to train: {", ".join(parts)}', {
      'rows': rows, 'seconds': args.repeats * SECONDS, 'batch': batch,
      'train_ratio': config.run.train_ratio}


def measured(flags, batch, lines):
  """Run the flags until enough is logged; return what `summary` does.

  Raises RunError if the run ends before.
  """
  words = [str(x) for k, v in FLAGS.items() for x in (f'--{k}', v)]
  with tempfile.TemporaryDirectory() as folder:
    logdir, output = (pathlib.Path(folder) / x for x in ('run', 'output'))
    command = [
        sys.executable, '-m', 'dreamer_gail_plugin', 'train', *flags, *words,
        '--logdir', str(logdir)]
    with output.open('w') as file, ended(subprocess.Popen(
        command, stdout=file, stderr=subprocess.STDOUT)) as process:
      while not (found := summary(logdir / 'metrics.jsonl', batch, lines)):
        if process.poll() is not None:
          raise RunError(f'A run has ended early:\n{output.read_text()}')
        time.sleep(1)
  return found


@contextlib.contextmanager
def ended(process):
  """Tell a process to end, and wait until it has."""
  try:
    yield process
  finally:
    process.terminate()
    process.wait()


def summary(path, batch, lines):
  """Return steps/s, updates/s and what the loop waits for; None if too early.

  These are means over so many lines of the log, from the second one with
  updates on.
  """
  if not path.exists():
    return None
  text = path.read_text()
  logged = [json.loads(x) for x in text[:text.rfind('\n') + 1].splitlines()]
  while logged and not logged[0].get('fps/train', 0) > 0:
    logged.pop(0)
  values = lambda key: [x[key] for x in logged[1:] if key in x][:lines]
  steps, trained = values('fps/policy'), values('fps/train')
  if min(len(steps), len(trained)) < lines:
    return None
  waits = {
      k: sum(values(f'limiter/{v}_wait_dur'))
      for k, v in (('learner', 'insert'), ('environments', 'sample'))}
  return {
      'steps': round(float(np.mean(steps)), 2),
      'updates': round(float(np.mean(trained)) / batch, 3),
      'waits': max(waits, key=waits.get) if any(waits.values()) else 'nothing'}
