"""Kills runs at random moments and counts what is lost.

  uv run python tests/soak/soak.py --kills 500 --real 30
  uv run python tests/soak/soak.py --kills 100 --disk 20

from the root of a checkout. A run starts, is killed by SIGKILL while it
starts, trains, saves or ends, is looked at and started again. After 25 kills
a new logdir begins. The clock is right, off, or jumps. With `--disk` the
logdir is on a disk of so many MB, which fills at random moments; that needs
the right to mount, as `unshare --map-root-user --mount` gives it. As many
kills as `--real` says are of runs that train an agent; the others act at
random and save after every ten steps.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import tempfile
import time
import traceback

import elements
import faults
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
LOGS = 'scores.jsonl', 'metrics.jsonl'
LOSSES = (
    'starts that failed', 'steps lost after "Saved"',
    'steps lost of the replay', 'unreadable saves',
    'unreadable chunks of the replay', 'unreadable files of a start',
    'broken lines')
START = 'Start training loop'
FULL = 'killed while the disk was full'
REFUSED = 'started while the disk was full, and refused in one line'


def soak(kills, real=0, seed=0, seconds=3, real_seconds=20, disk=0):
  """Kill `kills` runs, `real` of them with an agent; return a faults.Table.

  `seconds` and, with an agent, `real_seconds` are the longest that a run
  lives. Two of three agents live so long after their first step.
  """
  rng, table = random.Random(seed), faults.Table()
  lives = [(True, min(EACH, real - x)) for x in range(0, real, EACH)]
  lives += [
      (False, min(EACH, kills - x)) for x in range(real, kills, EACH)]
  for agent, count in lives:
    with contextlib.ExitStack() as stack:
      folder = pathlib.Path(stack.enter_context(
          tempfile.TemporaryDirectory()))
      (folder / 'disk').mkdir()
      small = disk and stack.enter_context(
          faults.disk(folder / 'disk', disk))
      said = 0
      for _ in range(count):
        life = Life(folder, agent, rng, small)
        try:
          if agent and rng.random() < 2 / 3:
            life.begin()
          life.last(rng.uniform(0, real_seconds if agent else seconds))
        finally:
          life.end()
        said = max(said, life.said)
        table.add(life.faults, look(life.logdir, said, life.wrong))
        table.losses['saves'] += life.saves
    print(table, flush=True)
  return table


class Life:
  """A run from its start to its end, which may be a kill.

  After `end`, `faults` are those that it had, `wrong` says whether it ended
  as it should not, `saves` and `said` are the number of saves that it told
  of and the step of the last.
  """

  def __init__(self, folder, agent, rng, disk):
    self.rng, self.disk = rng, disk
    self.log, self.logdir = folder / 'log', folder / 'disk' / 'run'
    self.full, self.signalled = False, False
    self.faults = []
    clock = rng.choice((None, None, faults.STEADY, faults.JUMPS))
    flags = [
        *RUN, *(REAL if agent else RANDOM), '--logdir', str(self.logdir),
        '--run.keep_checkpoints', str(rng.randrange(10))]
    if clock:
      self.faults.append(f'clock {clock}')
    self.agent = agent
    self.pid = os.fork()  # What is imported need not be imported again.
    if not self.pid:
      file = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
      [os.dup2(file, x) for x in (1, 2)]
      if clock:
        faults.set_clock(clock, random.Random(rng.random()))
      try:
        errors.run(main.main, flags)
      except SystemExit as end:
        os._exit(end.code)
      except BaseException:
        traceback.print_exc()
      os._exit(3)  # It was to go on until it is killed.

  def begin(self):
    """Wait for its first steps, but not for ever."""
    for _ in range(600):
      if self.log.exists() and START in self.log.read_text(errors='replace'):
        break
      time.sleep(0.5)

  def last(self, seconds):
    """Wait so long; the disk may fill, and the run may be told to end."""
    end = time.time() + seconds
    while self.disk and time.time() < end:
      self.full = self.rng.random() < 0.5
      if self.full:
        self.disk.fill(self.rng.randrange(200_000))
      else:
        self.disk.free()
      time.sleep(min(max(0, end - time.time()), self.rng.uniform(0, 1)))
    time.sleep(max(0, end - time.time()))
    if self.rng.random() < 0.2:
      self.signalled = True
      with contextlib.suppress(ProcessLookupError):
        os.kill(self.pid, self.rng.choice((signal.SIGTERM, signal.SIGINT)))
      time.sleep(self.rng.uniform(0, 1))

  def end(self):
    """Kill it if it lives, and read what it has said."""
    os.kill(self.pid, signal.SIGKILL)
    _, status = os.waitpid(self.pid, 0)
    text = self.log.read_text(errors='replace') if self.log.exists() else ''
    trained = START in text
    self.saves = text.count('Saved checkpoint: ')
    lines = [x for x in text.splitlines() if 'Saved checkpoint: ' in x]
    self.said = int(lines[-1].split('-')[-1]) if lines else 0
    self.wrong = 0
    full = 'No space left' in text
    if full:
      self.faults.append('disk filled')
    if os.WIFSIGNALED(status):
      self.faults.append(self._moment(trained))
      if self.full:
        self.faults.append(FULL)
    elif self.signalled and os.WEXITSTATUS(status) in (130, 143):
      self.faults.append('SIGTERM or Ctrl+C, and ended in time')
    elif full and os.WEXITSTATUS(status) == 2 and 'Traceback' not in text:
      self.faults.append(REFUSED)
    else:
      self.faults.append('ended by itself')
      self.wrong = 1
      print(f'Status {status}:', text[-3000:])
    if self.disk:
      self.disk.free()

  def _moment(self, trained):
    kind = 'with an agent' if self.agent else 'random'
    if self.signalled:
      return f'killed while it ends, {kind}'
    if not trained:
      return f'killed while it starts, {kind}'
    parts = list((self.logdir / 'checkpoint.pkl').glob('.*.part'))
    return f'killed while it {"saves" if parts else "trains"}, {kind}'


def look(logdir, said, wrong):
  """Return what is broken in a logdir that had a save of step `said`."""
  lost = collections.Counter({**dict.fromkeys(LOSSES, 0), LOSSES[0]: wrong})
  folder, damaged = saves.newest(logdir / 'checkpoint.pkl')
  step = int(folder.name.split('-')[-1]) if folder else 0
  lost['steps lost after "Saved"'] = max(0, said - step)
  lost['unreadable saves'] = len(damaged)
  replayed = 0
  for path in (logdir / 'replay').glob('*.npz'):
    try:
      with np.load(path) as data:
        replayed += len(data['is_first'])
    except Exception:
      lost['unreadable chunks of the replay'] += 1
  lost['steps lost of the replay'] = max(0, min(step, HELD) - replayed)
  for name in LOGS:
    if (logdir / name).exists():
      for line in (logdir / name).read_text().splitlines():
        lost['broken lines'] += not parsed(line)
  lost['unreadable files of a start'] = not starts(logdir)
  return lost


def starts(logdir):
  """Return whether what a start writes can be read."""
  try:
    provenance.load(logdir / provenance.NAME)
    if (logdir / 'config.yaml').exists():
      elements.Config.load(logdir / 'config.yaml').task  # noqa: B018
  except Exception as error:
    print(f'{type(error).__name__}: {error}')
    return False
  return True


def parsed(line):
  """Return whether a line is JSON."""
  try:
    return bool(json.loads(line))
  except ValueError:
    return False


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__)
  for name, default in (
      ('kills', 500), ('real', 30), ('seed', 0), ('seconds', 3),
      ('real_seconds', 20), ('disk', 0)):
    parser.add_argument(f'--{name}', type=int, default=default)
  soak(**vars(parser.parse_args()))
