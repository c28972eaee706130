"""Kills runs at random moments and counts what is lost.

  uv run python tests/soak/soak.py --kills 500 --real 30

from the root of a checkout. A run starts, is killed by SIGKILL while it
starts, trains, saves or cleans up, is looked at and started again. After 25
kills a new logdir begins. The clock of a start is right, or hours off. As many
kills as `--real` says are of runs that train an agent; the others act at
random and save after every ten steps.
"""

import argparse
import datetime
import json
import os
import pathlib
import random
import signal
import tempfile
import time

import elements
import numpy as np

from dreamer_gail_plugin import errors
from dreamer_gail_plugin import main
from dreamer_gail_plugin.running import provenance
from dreamer_gail_plugin.running import saves

RUN = [
    '--configs', 'minatar', 'debug', 'gail', '--logger.outputs', 'jsonl',
    '--run.log_every', '1', '--run.steps', '1e7']
RANDOM = ['--random_agent', 'True', '--run.save_every', '-1']
REAL = ['--run.save_every', '1', '--run.report_every', '5']
EACH = 25  # Kills of one logdir.
HELD = 9000  # Steps that the replay of `debug` holds, and more.
HOURS = (0, 0, -2, 2)
FIGURES = (
    'kills', 'starts that trained', 'saves', 'starts that failed',
    'steps lost after "Saved"', 'steps lost of the replay',
    'unreadable saves', 'unreadable chunks of the replay',
    'unreadable files of a start', 'broken lines')


def soak(kills, real=0, seed=0, seconds=3, real_seconds=20):
  """Kill `kills` runs, `real` of them with an agent; return FIGURES.

  `seconds` and, with an agent, `real_seconds` are the longest that a run
  lives.
  """
  rng, counts = random.Random(seed), dict.fromkeys(FIGURES, 0)
  agents = [True] * real + [False] * (kills - real)
  for begin in range(0, kills, EACH):
    with tempfile.TemporaryDirectory() as folder:
      logdir, said = pathlib.Path(folder) / 'run', 0
      for agent in agents[begin:begin + EACH]:
        limit = real_seconds if agent else seconds
        log = pathlib.Path(folder) / 'log'
        flags = [*RUN, *(REAL if agent else RANDOM), '--logdir', str(logdir)]
        pid = start(flags, log, rng.choice(HOURS), rng.randrange(10))
        try:
          time.sleep(rng.uniform(0, limit))
        finally:
          said = max(said, end(pid, log, counts))
        look(logdir, said, counts)
      show(counts)
  return counts


def start(flags, log, hours, keep):
  """Start a run in a process whose clock is off; return its id."""
  pid = os.fork()  # What is imported already need not be imported again.
  if pid:
    return pid
  file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
  [os.dup2(file, x) for x in (1, 2)]
  datetime.datetime = elements.utils.datetime = clock(hours)
  try:
    errors.run(main.main, [*flags, '--run.keep_checkpoints', str(keep)])
  finally:
    os._exit(3)  # It was to go on until it is killed.


def clock(hours):
  """Return the class datetime with a clock that is off."""

  class Clock(datetime.datetime):

    @classmethod
    def now(cls, tz=None):
      return super().now(tz) + datetime.timedelta(hours=hours)

  return Clock


def end(pid, log, counts):
  """Kill a run; return the step of the last save that it told of."""
  os.kill(pid, signal.SIGKILL)
  _, status = os.waitpid(pid, 0)
  text = log.read_text(errors='replace') if log.exists() else ''
  killed = os.WIFSIGNALED(status)
  counts['kills'] += killed
  counts['starts that failed'] += not killed
  if not killed:
    print(text[-2000:])
  counts['starts that trained'] += 'Start training loop' in text
  counts['saves'] += text.count('Saved checkpoint: ')
  lines = [x for x in text.splitlines() if x.startswith('Saved checkpoint: ')]
  return int(lines[-1].split('-')[-1]) if lines else 0


def look(logdir, said, counts):
  """Count what is broken in a logdir that had a save of step `said`."""
  folder, wrong = saves.newest(logdir / 'checkpoint.pkl')
  step = int(folder.name.split('-')[-1]) if folder else 0
  counts['steps lost after "Saved"'] += max(0, said - step)
  counts['unreadable saves'] += len(wrong)
  replayed = 0
  for path in (logdir / 'replay').glob('*.npz'):
    try:
      with np.load(path) as data:
        replayed += len(data['is_first'])
    except Exception:
      counts['unreadable chunks of the replay'] += 1
  counts['steps lost of the replay'] += max(0, min(step, HELD) - replayed)
  for name in ('scores.jsonl', 'metrics.jsonl'):
    if (logdir / name).exists():
      for line in (logdir / name).read_text().splitlines():
        counts['broken lines'] += not parsed(line)
  try:
    provenance.load(logdir / provenance.NAME)
    if (logdir / 'config.yaml').exists():
      elements.Config.load(logdir / 'config.yaml').task  # noqa: B018
  except Exception as error:
    print(f'{type(error).__name__}: {error}')
    counts['unreadable files of a start'] += 1


def parsed(line):
  """Return whether a line is JSON."""
  try:
    return bool(json.loads(line))
  except ValueError:
    return False


def show(counts):
  """Print the figures so far."""
  print(', '.join(f'{k}: {v}' for k, v in counts.items()), flush=True)


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__)
  for name, default in (
      ('kills', 500), ('real', 30), ('seed', 0), ('seconds', 3),
      ('real_seconds', 20)):
    parser.add_argument(f'--{name}', type=int, default=default)
  soak(**vars(parser.parse_args()))
