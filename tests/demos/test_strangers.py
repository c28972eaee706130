"""What a stranger's file names is not imported."""

import sys

import numpy as np
import pytest

from dreamer_gail_plugin.data import store
from helpers.demotools import run

TASK = 'gym_planted_module:X-v0'


@pytest.fixture
def planted(tmp_path, monkeypatch):
  """Plant a module where the program is started; return the folder."""
  (tmp_path / 'planted_module.py').write_text('')
  monkeypatch.syspath_prepend(tmp_path)
  yield tmp_path
  sys.modules.pop('planted_module', None)


@pytest.fixture
def path(planted):
  """A store whose task names the module."""
  store.write(planted / 'demos.h5', [{
      'vector': np.zeros((9, 2), np.float32), 'action': np.zeros(9, np.int32),
      **{k: np.zeros(9, bool) for k in store.FLAGS}}], {'task': TASK})
  return planted / 'demos.h5'


def imported():
  return 'planted_module' in sys.modules


def test_check(path, capsys):
  assert run('check', path) == 1  # All of it is still.
  assert 'a file must not name a module' in capsys.readouterr().out
  assert not imported()
  # The user may: so the test above could fail.
  run('check', path, '--task', TASK)
  assert imported()


def test_export(path):
  pytest.importorskip('minari')
  assert run(
      'minari_export', '--source', path, '--out', path.with_name('x-v0')) == 0
  assert not imported()


def test_replay(planted, capsys):
  (planted / 'config.yaml').write_text(f'task: {TASK}')
  flags = ['--source', planted, '--out', planted / 'x.h5']
  assert run('replay', *flags) == 2
  assert 'a file must not name a module' in capsys.readouterr().err
  assert not imported()
  assert run('replay', *flags, '--task', TASK) == 2
  assert imported()
