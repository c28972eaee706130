"""A short soak; soak.py says how to run a long one."""

import os
import subprocess
import sys

import pytest
from soak import soak


@pytest.mark.slow
def test_nothing_is_lost():
  # In a process without the threads of other tests, as it forks.
  done = subprocess.run(
      [sys.executable, soak.__file__, '--kills', '12', '--real', '0'],
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
      capture_output=True, text=True)
  assert done.returncode == 0, done.stdout + done.stderr
  figures = {
      k: int(v) for k, _, v in (
          x.rpartition(': ')
          for x in done.stdout.splitlines()[-1].split(', '))}
  names = list(soak.FIGURES)
  assert list(figures) == names and figures['kills'] == 12
  assert figures['saves'] > 10
  for name in names[names.index('starts that failed'):]:
    assert figures[name] == 0, done.stdout
