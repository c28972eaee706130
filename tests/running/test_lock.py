"""A logdir belongs to one process at a time."""

import os
import subprocess
import sys

import pytest

from dreamer_gail_plugin.running import lock
from helpers.refusals import refused

HOLD = """
import sys
from dreamer_gail_plugin.running import lock
with lock.held(sys.argv[1]):
  print('held', flush=True)
  sys.stdin.read()
"""


def start(logdir):
  """Start a process that holds a logdir; return it."""
  process = subprocess.Popen(
      [sys.executable, '-c', HOLD, str(logdir)], stdin=subprocess.PIPE,
      stdout=subprocess.PIPE, text=True)
  assert process.stdout.readline() == 'held\n'
  return process


def test_second_is_refused_and_told_who_holds_it(tmp_path):
  process = start(tmp_path)
  try:
    for _ in range(2):  # The first try does not spoil what the file says.
      with refused(
          str(tmp_path), f'process {process.pid} on {os.uname().nodename}',
          '--logdir'), lock.held(tmp_path):
        pass
  finally:
    process.communicate()
  with lock.held(tmp_path):
    assert f'process {os.getpid()} on' in (tmp_path / lock.NAME).read_text()
  assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_process_holds_nothing(tmp_path):
  process = start(tmp_path)
  process.kill()
  process.communicate()
  assert (tmp_path / lock.NAME).exists()
  with lock.held(tmp_path):
    pass


def test_nothing_written_leaves_no_folder(tmp_path):
  with pytest.raises(ZeroDivisionError), lock.held(tmp_path / 'new'):
    raise ZeroDivisionError
  assert not list(tmp_path.iterdir())
  with lock.held(tmp_path / 'new'):
    (tmp_path / 'new' / 'run.json').touch()
  assert [x.name for x in (tmp_path / 'new').iterdir()] == ['run.json']


def test_cannot_be_made(tmp_path):
  (tmp_path / 'file').touch()
  with refused('file/x: cannot make this folder'), lock.held(
      tmp_path / 'file' / 'x'):
    pass
