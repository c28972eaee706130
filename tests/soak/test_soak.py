"""A short soak; soak.py says how to run a long one."""

import collections
import os
import subprocess
import sys

import faults
import pytest
import soak


@pytest.mark.slow
def test_nothing_is_lost():
  # In a process without the threads of other tests, as it forks.
  done = subprocess.run(
      [sys.executable, soak.__file__, '--kills', '12', '--real', '0'],
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
      capture_output=True, text=True)
  assert done.returncode == 0, done.stdout + done.stderr
  lines = done.stdout.splitlines()
  figures = {
      k: int(v)
      for k, _, v in (x.rpartition(': ') for x in lines if ': ' in x)}
  assert figures.pop('saves') > 10
  assert figures == {k: 0 for k in soak.LOSSES}, done.stdout
  rows = [x.split('|')[1:4] for x in lines if x.startswith('| killed')]
  assert sum(int(x[1]) for x in rows) > 6


class TestTable:

  def test_counts_what_was_survived(self):
    table = faults.Table()
    table.add(['kill', 'clock'], collections.Counter(lines=0))
    table.add(['kill'], collections.Counter(lines=2))
    assert '| kill | 2 | 1 |\n| clock | 1 | 1 |\n\nlines: 2' in str(table)


class TestLook:

  @pytest.fixture
  def logdir(self, tmp_path):
    (tmp_path / 'replay').mkdir()
    return tmp_path

  def lost(self, logdir, said=0):
    return {k: v for k, v in soak.look(logdir, said, 0).items() if v}

  def test_nothing(self, logdir):
    assert self.lost(logdir) == {}

  def test_tells_what_is_broken(self, logdir):
    (logdir / 'replay' / 'x.npz').write_bytes(b'PK')
    (logdir / 'scores.jsonl').write_text('{"step": 1}\n{"st\n')
    (logdir / 'config.yaml').write_text('')
    save = logdir / 'checkpoint.pkl' / '20260101T000000F000000-000000000040'
    save.mkdir(parents=True)
    (save / 'done').write_text('0  agent.pkl\n')
    assert self.lost(logdir, said=40) == {
        'steps lost after "Saved"': 40, 'unreadable saves': 1,
        'unreadable chunks of the replay': 1, 'broken lines': 1,
        'unreadable files of a start': 1}

  def test_tells_what_the_replay_lacks(self, logdir):
    save = logdir / 'checkpoint.pkl' / '20260101T000000F000000-000000000040'
    save.mkdir(parents=True)
    (save / 'done').write_text('')
    assert self.lost(logdir, said=40) == {'steps lost of the replay': 40}
