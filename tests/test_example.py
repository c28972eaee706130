"""The example of the public API, as a person would run it."""

import ast
import math
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent


class TestExample:

  @pytest.mark.slow
  def test_trains(self, tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / 'docs' / 'example.py')],
        cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    start = 'Demonstrations: 10 trajectories, 10,240 steps'
    assert [x for x in lines if x.startswith(start)]
    # A metric that is not finite would be no literal, and fail here.
    updates = [ast.literal_eval(x) for x in lines if x.startswith("{'disc/")]
    assert len(updates) == 3
    assert all(math.isfinite(x) for mets in updates for x in mets.values())
    assert updates[0]['disc/bce'] != updates[1]['disc/bce']
    assert not list(tmp_path.iterdir())
