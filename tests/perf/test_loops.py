"""The speed of the run loops, from the logs of runs."""

import json

import pytest

from dreamer_gail_plugin.errors import RunError
from dreamer_gail_plugin.perf import __main__ as perf
from dreamer_gail_plugin.perf import loops

DEBUG = ['--configs', 'minatar', 'gail', 'debug', '--logdir', '/nowhere']


def test_summary(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  assert loops.summary(path, 8, 2) is None
  rows = [
      {'fps/policy': 900, 'fps/train': 0},  # Compiling.
      {'fps/train': 900, 'limiter/insert_wait_dur': 900},  # Part of a line.
      {'fps/policy': 4}, {'limiter/insert_wait_dur': 1}, {'fps/train': 16},
      {'fps/policy': 6, 'limiter/sample_wait_dur': 3}]
  text = ''.join(json.dumps(x) + '\n' for x in rows)
  path.write_text(text + '{"fps/train": 3')
  assert loops.summary(path, 8, 2) is None
  path.write_text(text + '{"fps/train": 32}\n{"fps/train": 900}\n')
  assert loops.summary(path, 8, 2) == {
      'steps': 5, 'updates': 3, 'waits': 'environments'}


def test_table(monkeypatch, capsys):
  seen = []
  def measured(flags, batch, lines):
    seen.append(flags[-4:])
    steps = 3.0 if 'parallel' in flags else 2.0
    return {'steps': steps, 'updates': 1.0, 'waits': 'learner'}
  monkeypatch.setattr(loops, 'measured', measured)
  perf.main(['loops', *DEBUG])
  out = capsys.readouterr().out.splitlines()
  assert out[-1] == (
      'steps/s, parallel to train: 1.50 with 1, 1.50 with 4, 1.50 with 16')
  assert '| 1 | 2.0 | 3.0 | 1.50 | 1.00 | 1.00 | learner |' in out
  # In turns.
  assert seen[:2] == [
      ['--script', x, '--run.envs', '1'] for x in ('train', 'parallel')]


def test_a_run_that_fails_is_told_of(monkeypatch, tmp_path):
  script = tmp_path / 'script'
  script.write_text('#!/bin/sh\necho broken\nexit 3\n')
  script.chmod(0o755)
  monkeypatch.setattr(loops.sys, 'executable', str(script))
  with pytest.raises(RunError, match='broken'):
    loops.measured(['--script', 'train'], 8, 1)


@pytest.mark.slow
def test_runs(monkeypatch):
  monkeypatch.setitem(loops.FLAGS, 'run.log_every', 1)
  found = loops.measured([
      *DEBUG, '--random_agent', 'True', '--script', 'parallel', '--run.envs',
      '1'], 8, 1)
  assert found['steps'] > 0 and found['updates'] > 0
