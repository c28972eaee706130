"""The one command for all programs."""

import importlib
import subprocess
import sys
import types

import pytest

from dreamer_gail_plugin import __main__ as command
from dreamer_gail_plugin import errors


class TestPrograms:

  @pytest.mark.parametrize('name', command.PROGRAMS)
  def test_gets_its_words(self, name, monkeypatch):
    seen = []
    module, words, _ = command.PROGRAMS[name]
    assert callable(importlib.import_module(
        f'dreamer_gail_plugin.{module}').main)
    monkeypatch.setattr(
        command.importlib, 'import_module', lambda path, package: (
            types.SimpleNamespace(main=lambda argv: seen.append(
                (package + path, argv)) or 7)))
    assert command.main([name, '--a', 'b']) == 7
    assert seen == [(f'dreamer_gail_plugin.{module}', [*words, '--a', 'b'])]

  @pytest.mark.parametrize('words', [[], ['-h'], ['--help']])
  def test_help_names_all(self, words, capsys):
    assert command.main(words) == 0
    out = capsys.readouterr().out
    assert all(f'\n  {x} ' in out for x in command.PROGRAMS)
    assert max(map(len, out.splitlines())) < 80

  @pytest.mark.parametrize('word, near', [
      ('trian', 'train'), ('eval', 'evaluate'), ('score', 'scores'),
      ('demo', 'demos'), ('Report', 'report')])
  def test_nearest_name(self, word, near):
    with pytest.raises(errors.UserError, match=f'Did you mean {near}?'):
      command.main([word])


class TestProcess:

  def run(self, *words):
    return subprocess.run(
        [sys.executable, '-m', 'dreamer_gail_plugin', *words],
        capture_output=True, text=True)

  def test_exit_codes(self, tmp_path):
    done = self.run('scores', str(tmp_path / 'none'))
    assert done.returncode == 2 and done.stderr.count('\n') == 1
    assert done.stderr.startswith('error: ')
    done = self.run('experiments', 'table', 'minatar')
    assert done.returncode == 0 and 'gail+anchor' in done.stdout

  def test_a_reader_that_goes(self, tmp_path):
    script = tmp_path / 'long.py'
    script.write_text(
        'from dreamer_gail_plugin import errors\n'
        'errors.run(lambda argv: [print("line") for _ in range(100_000)])\n')
    done = subprocess.run(
        f'{sys.executable} {script} | head -1; echo ${{PIPESTATUS[0]}}',
        shell=True, executable='/bin/bash', capture_output=True, text=True)
    assert done.stdout.split() == ['line', '141'] and not done.stderr


class TestRun:

  @pytest.mark.parametrize('result, code', [
      (None, 0), (3, 3), ({'a': 1}, 0), ([], 0)])
  def test_exit_code(self, result, code):
    with pytest.raises(SystemExit) as caught:
      errors.run(lambda argv: result)
    assert caught.value.code == code


def test_errors_of_the_processes_of_environments_are_one_line(capsys):
  def fail(argv):
    raise RuntimeError(errors.UserError('the reward is nan'))
  with pytest.raises(SystemExit) as caught:
    errors.run(fail)
  assert caught.value.code == 2
  assert capsys.readouterr().err == 'error: the reward is nan\n'

  def other(argv):
    raise RuntimeError('else')
  with pytest.raises(RuntimeError, match='else'):
    errors.run(other)

  def test_interrupt(self, capsys):
    def main(argv):
      raise KeyboardInterrupt
    with pytest.raises(SystemExit) as caught:
      errors.run(main)
    assert caught.value.code == 130
    assert capsys.readouterr().err == 'Stopped.\n'
