"""Helpers for the tests of importers."""

import os

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from helpers.refusals import exit_code


def load(path):
  """Return the arrays of all trajectories of a store."""
  with store.Store(path) as demo:
    return [demo.read(i) for i in range(len(demo))]


def run(name, *flags):
  """Run an importer; return its exit code."""
  return exit_code(demos.main, [name, *[str(x) for x in flags]])


def refused(capsys, folder, name, *flags, parts=()):
  """Check that an importer gives one clear error and writes nothing.

  `folder` is where its output would be, `parts` are texts of the error.
  """
  before = snapshot(folder)
  capsys.readouterr()
  code = run(name, *flags)
  text = capsys.readouterr().err
  assert code == 2, code
  assert text.count('error: ') == 1, text
  assert 'Traceback' not in text
  error = text[text.index('error: '):]
  for part in parts:
    assert str(part) in error, error
  assert snapshot(folder) == before


def snapshot(folder):
  """Return the names of all files below a folder."""
  return sorted(
      os.path.join(base, name)
      for base, _, names in os.walk(folder) for name in names)


def random_play(folder, name, task='atari_seaquest', trajectories='2'):
  """Record two short trajectories of random play."""
  assert exit_code(demos.main, [
      'planner', '--task', task, '--policy', 'random', '--trajectories',
      trajectories, '--length', '12', '--limit', '5', '--workers', '1',
      '--out', str(folder / name)]) == 0
  return folder / name
