"""An update on several devices is the one on a single device."""

import json
import os
import pathlib
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_equal_to_rounding():
  # The anchor's method has all that is shared among devices. How far others
  # are apart, and other counts of devices: see helpers/devices.py.
  tests = pathlib.Path(__file__).parent
  path = os.pathsep.join([str(tests.parent), str(tests)])
  out = subprocess.run(
      [sys.executable, '-m', 'helpers.devices', '1,4', 'gail', 'anchor'],
      env={**os.environ, 'PYTHONPATH': path}, check=True,
      capture_output=True, text=True).stdout
  found, = json.loads(out.splitlines()[-1]).values()
  # Float32, and a share of a batch or other draws would be 1e-2 off.
  assert 0 < found['params'] < 1e-3, found
  assert 0 < found['metrics'] < 1e-4, found
