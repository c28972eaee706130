"""Kills the other programs at random moments and counts what is broken.

  uv run python tests/soak/programs.py --kills 20

from the root of a checkout. Each program is killed so many times, and what it
has written is read after each kill. Then it is started once more with the same
flags and has to come to its end.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
import traceback

import faults
import PIL.Image

from dreamer_gail_plugin import errors
from dreamer_gail_plugin import main
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos.play import session
from dreamer_gail_plugin.evaluate import __main__ as evaluate
from dreamer_gail_plugin.experiments import __main__ as experiments
from dreamer_gail_plugin.report import __main__ as report

RUN = [
    '--configs', 'minatar', 'debug', 'gail', '--logger.outputs', 'jsonl',
    '--random_agent', 'True', '--run.steps', '600', '--run.log_every', '-1']
PLANNED = ['--task', 'minatar_breakout', '--trajectories', '2', '--limit',
           '60', '--length', '60', '--seed', '0']
GAMES = ['--chunks', '5', '--episodes', '50', '--workers', '1']
STUDY = ['run', 'vector', '--tasks', 'gym_CartPole-v1', '--methods', 'random',
         '--seeds', '1']

# Seconds that a life has at most, and the command by logdir and new folder.
Program = collections.namedtuple('Program', 'seconds main argv')
PROGRAMS = {
    'evaluate': Program(1, evaluate.main, lambda run, out: [
        '--logdir', str(run), *GAMES, '--out', str(out)]),
    'report': Program(3, report.main, lambda run, out: [
        str(run), '--out', str(out)]),
    'experiments': Program(25, experiments.main, lambda run, out: [
        *STUDY, '--results', str(out / 'results'),
        '--logdirs', str(out / 'logs')]),
    'demos planner': Program(4, demos.main, lambda run, out: [
        'planner', *PLANNED, '--overwrite', '--out', str(out / 'x.h5')]),
    'demos replay': Program(0.5, demos.main, lambda run, out: [
        'replay', '--source', str(run), '--overwrite', '--out',
        str(out / 'x.h5')]),
    'demos minari_export': Program(0.5, demos.main, lambda run, out: [
        'minari_export', '--source', str(DEMOS), '--out', str(out / 'x-v0')]),
    'demos show': Program(6, demos.main, lambda run, out: [
        'show', str(DEMOS), '--overwrite', '--out', str(out / 'x')]),
}
DEMOS = pathlib.Path('expert_data/minatar_breakout.h5').absolute()
# What a run leaves that was killed is looked at by soak.py.
OTHERS = 'checkpoint.pkl', 'replay'
CAREFUL = 'evaluate', 'demos minari_export'  # They write over nothing.


def soak(kills, seed=0, names=()):
  """Kill each program `kills` times; return a faults.Table."""
  rng, table = random.Random(seed), faults.Table()
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    logdir = folder / 'run'
    code = wait(start(main.main, [*RUN, '--logdir', str(logdir)], folder))
    assert code == 0, (folder / 'log').read_text()
    for name in names or PROGRAMS:
      program = PROGRAMS[name]
      for number in range(kills + 1):
        out = folder / 'out'
        if name in CAREFUL:
          out = folder / f'out{number}'
        out.mkdir(exist_ok=True)
        limit = program.seconds if number < kills else None
        pid = start(program.main, program.argv(logdir, out), folder)
        ended = wait(pid, limit and rng.uniform(0, limit))
        lost = look(out)
        lost['ended with an error'] = ended not in (None, 0)
        if ended not in (None, 0):
          print(name, ended, (folder / 'log').read_text()[-2000:])
        table.add([f'{name}, {"killed" if ended is None else "ended"}'], lost)
        if ended == 0:
          out.rename(folder / f'{name} {number}')
      if out.exists():
        out.rename(folder / f'{name} left')
      print(table, flush=True)
    keep(kills, folder / 'played.h5', rng, table)
    print(table, flush=True)
  return table


def keep(kills, path, rng, table):
  """Kill a person's game while it is kept; add to a table."""
  for _ in range(kills):
    pid = start(play, path, path.parent)
    ended = wait(pid, rng.uniform(0, 3))
    said = (path.parent / 'log').read_text().splitlines()
    held = 0
    if path.exists():
      with store.Store(path) as file:
        held = len(file)
    told = int(said[-1]) if said else 0
    table.add(['play, killed'], collections.Counter({
        'episodes lost': max(0, told - held),
        'ended with an error': ended is not None}))


def play(path):
  """Play and keep without end; print how many episodes have been kept."""
  game = session.Session(
      'minatar_breakout', path, 0, dict(task='minatar_breakout'),
      number=random.randrange(1 << 30))
  while True:
    for _ in range(20):
      game.step(random.randrange(3))
    game.keep()
    print(game.episodes, flush=True)


def start(function, argument, folder):
  """Call a program's main in a process of its own; return its id."""
  sys.stdout.flush()
  pid = os.fork()
  if pid:
    return pid
  os.setpgrp()
  file = os.open(folder / 'log', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
  [os.dup2(file, x) for x in (1, 2)]
  try:
    errors.run(function, argument)
  except SystemExit as end:
    os._exit(end.code)
  except BaseException:
    traceback.print_exc()
  os._exit(3)


def wait(pid, seconds=None):
  """Return a process's exit code, None if it is killed after `seconds`."""
  end = time.time() + (600 if seconds is None else seconds)
  while time.time() < end:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
      return os.waitstatus_to_exitcode(status)
    time.sleep(0.01)
  os.killpg(pid, signal.SIGKILL)
  os.waitpid(pid, 0)
  return None


def look(folder):
  """Return how many files below a folder cannot be read, by suffix."""
  lost = collections.Counter()
  for path in folder.rglob('*'):
    hidden = any(x.startswith('.') for x in path.relative_to(folder).parts)
    if hidden or set(OTHERS) & set(path.parts):
      continue
    if path.suffix in READ:
      try:
        READ[path.suffix](path)
      except Exception as error:
        print(f'{path}: {type(error).__name__}: {error}')
        lost[f'unreadable {path.suffix}'] += 1
  return lost


def read_store(path):
  """Read all of a store."""
  with store.Store(path) as file:
    assert len(file) and all(file.lengths)


def read_image(path):
  """Read all of a picture or film."""
  with PIL.Image.open(path) as image:
    image.load()


def read_page(path):
  """Read a page to its end."""
  assert path.read_text().rstrip().endswith('</html>')


READ = {
    '.json': lambda path: json.loads(path.read_text()),
    '.h5': read_store, '.png': read_image, '.gif': read_image,
    '.html': read_page}


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--kills', type=int, default=20)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--names', nargs='*', default=())
  soak(**vars(parser.parse_args()))
