"""Sweeps of two runs by `experiments run`, with a stand-in for programs."""

import json
import pathlib

FAKE = str(pathlib.Path(__file__).with_name('fakebench.py'))
GAIL, ENV = 'minatar_breakout-gail-0', 'minatar_breakout-env-0'


def flags(folder, *args):
  """Return the command line of two runs below a folder."""
  given = list(args)
  for name, values in {
      '--seeds': ['1'], '--steps': ['20000'], '--tasks': ['minatar_breakout'],
      '--methods': ['gail', 'env']}.items():
    given += [] if name in given else [name, *values]
  return [
      'run', 'minatar', '--logdirs', str(folder / 'logs'),
      '--results', str(folder / 'results'), *given]


def started(folder, name):
  """Return which programs of a run were started, in order."""
  return (folder / 'logs' / name / 'started.txt').read_text().split()


def result(folder, name):
  """Return the result of a run."""
  return json.loads((folder / 'results' / f'{name}.json').read_text())
