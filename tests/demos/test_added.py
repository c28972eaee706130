"""Importers that other packages add by an entry point."""

import pytest

from dreamer_gail_plugin.demos import __main__ as demos
from helpers import fakepackage
from helpers.refusals import exit_code

FINE = 'def add_arguments(parser): pass\ndef run(args): return 3\n'


@pytest.fixture
def install(tmp_path, monkeypatch):
  """Return a function of a module's code and its names as commands."""
  return lambda code, *names: fakepackage.install(
      tmp_path, monkeypatch, code, demos.GROUP, dict.fromkeys(names, 'theirs'))


def test_runs(install):
  install(FINE, 'mine')
  assert exit_code(demos.main, ['mine']) == 3


def test_is_listed_with_its_package(install, capsys):
  install('1 / 0', 'mine')  # To list it is not to run it.
  with pytest.raises(SystemExit):
    demos.main(['--help'])
  lines = capsys.readouterr().out.splitlines()
  assert 'mine              of the package mypackage 1.2' in lines


def test_own_names_stay_own(install, capsys):
  install('1 / 0', 'minari')
  assert demos.module('minari').__name__.endswith('demos.importers.minari')
  with pytest.raises(SystemExit):
    demos.main(['--help'])
  out = capsys.readouterr().out
  assert '(that of the package mypackage 1.2 needs another name)' in out


@pytest.mark.parametrize('code, message', [
    ('1 / 0', "cannot be loaded: ZeroDivisionError('division by zero')"),
    ('import no_such_module', 'cannot be loaded: ModuleNotFoundError'),
    ('def run(args): pass', 'theirs has no add_arguments, expected a module')])
def test_one_line_for_what_cannot_be_used(install, capsys, code, message):
  install(code, 'mine')
  assert exit_code(demos.main, ['mine']) == 2
  error = capsys.readouterr().err
  assert error.startswith('error: mine of the package mypackage 1.2')
  assert message in error and error.count('\n') == 1
