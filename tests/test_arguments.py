"""Command lines of the programs other than training."""

import shlex
import sys

import pytest

from dreamer_gail_plugin import arguments
from helpers.refusals import refused


@pytest.fixture
def parser():
  parser = arguments.Parser(prog='prog')
  parser.add_argument('--episodes', type=arguments.natural, default=5)
  parser.add_argument('--out', type=arguments.out_file)
  return parser


class TestParser:

  @pytest.mark.parametrize('words, parts', [
      (['--episode', '3'], ["'--episode'", 'Did you mean --episodes?']),
      (['--nonsense'], ["'--nonsense'", 'no such flag']),
      (['word'], ["'word'", 'no place for this word']),
      (['--episodes'], ['--episodes expected one argument'])])
  def test_mistyped(self, parser, words, parts):
    with refused(*parts, 'See `prog --help`'):
      parser.parse_args(words)

  def test_numbers(self, parser):
    assert parser.parse_args(['--episodes', '2e3']).episodes == 2000
    for wrong in ('0', '1.5', 'nan', '', '\x1b', '1e99'):
      with refused('--episodes ', 'expected'):
        parser.parse_args(['--episodes', wrong])


class TestPlaces:

  def test_file(self, parser, tmp_path):
    path = tmp_path / 'x'
    assert parser.parse_args(['--out', str(path)]).out == path
    path.write_text('')
    assert parser.parse_args(['--out', str(path)]).out == path
    for wrong, part in (
        (tmp_path, 'is a folder'), (tmp_path / 'no' / 'x', 'no folder'),
        (path / 'x', 'no folder'), ('/proc/x', 'cannot be written to')):
      with refused(f'--out {wrong}: ', part):
        parser.parse_args(['--out', str(wrong)])

  def test_folder(self, tmp_path):
    assert arguments.out_folder(str(tmp_path / 'a' / 'b')) == (
        tmp_path / 'a' / 'b')
    (tmp_path / 'x').write_text('')
    for wrong, part in (
        (tmp_path / 'x' / 'y', 'is a file'), ('/proc/x', 'cannot be')):
      with refused(str(wrong), part):
        arguments.out_folder(str(wrong))

  def test_home(self):
    assert str(arguments.place('~/x')).endswith('/x')
    with refused('~none-of-this-name', 'home'):
      arguments.place('~none-of-this-name')

  def test_nothing_is_left(self, tmp_path):
    arguments.out_file(str(tmp_path / 'x'))
    arguments.out_folder(str(tmp_path / 'y'))
    assert not list(tmp_path.iterdir())


class TestTyped:

  @pytest.fixture
  def folder(self, tmp_path, monkeypatch):
    """An environment that is not active, with both programs in it."""
    for name in ('dreamer-gail', 'python'):
      (tmp_path / name).write_text('')
      (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(sys, 'executable', str(tmp_path / 'python'))
    monkeypatch.setattr(sys, 'argv', [str(tmp_path / 'main.py')])
    monkeypatch.delenv('UV_RUN_RECURSION_DEPTH', False)
    return tmp_path

  @pytest.fixture(params=['script', 'module'])
  def started(self, request, folder, monkeypatch):
    if request.param == 'script':
      monkeypatch.setattr(sys, 'argv', [str(folder / 'dreamer-gail')])
    return request.param

  def check(self, started, folder):
    python, script = f'{folder}python', f'{folder}dreamer-gail'
    own = [script] if started == 'script' else [
        python, '-m', 'dreamer_gail_plugin']
    assert shlex.split(arguments.typed('report', 'a b', 1)) == [
        *own, 'report', 'a b', '1']
    assert arguments.typed('-m', 'x.y') == f'{python} -m x.y'
    text = 'It.\n  dreamer-gail x\nSee `dreamer-gail y`'
    assert arguments.as_typed(text) == text.replace(
        'dreamer-gail', shlex.join(own))

  def test_by_its_path(self, started, folder):
    self.check(started, f'{folder}/')

  def test_by_its_name_where_the_shell_finds_it(
      self, started, folder, monkeypatch):
    monkeypatch.setenv('PATH', str(folder))
    self.check(started, '')

  def test_by_uv(self, started, folder, monkeypatch):
    monkeypatch.setenv('UV_RUN_RECURSION_DEPTH', '1')
    monkeypatch.setenv('VIRTUAL_ENV', str(folder))
    monkeypatch.setattr(sys, 'prefix', str(folder))
    assert arguments.typed('report') == 'uv run dreamer-gail report'
    assert arguments.typed('-m', 'x') == 'uv run python -m x'

  def test_by_uv_from_elsewhere(self, folder, monkeypatch):
    monkeypatch.setenv('UV_RUN_RECURSION_DEPTH', '1')
    monkeypatch.setenv('VIRTUAL_ENV', str(folder / 'checkout' / '.venv'))
    monkeypatch.setattr(sys, 'prefix', str(folder / 'checkout' / '.venv'))
    (folder / 'checkout' / 'inner').mkdir(parents=True)
    (folder / 'checkout' / 'pyproject.toml').touch()
    monkeypatch.chdir(folder)
    named = f'uv run --project {folder}/checkout dreamer-gail report'
    assert arguments.typed('report') == named
    monkeypatch.chdir(folder / 'checkout' / 'inner')
    assert arguments.typed('report') == 'uv run dreamer-gail report'

  def test_not_by_the_uv_around_it(self, folder, monkeypatch):
    monkeypatch.setenv('UV_RUN_RECURSION_DEPTH', '1')
    monkeypatch.setenv('VIRTUAL_ENV', '/other')
    assert 'uv run' not in arguments.typed('report')

  def test_help_and_errors(self, parser, folder, capsys):
    parser.prog, parser.description = 'dreamer-gail x', '  dreamer-gail x a'
    with refused(f'{folder}/python -m dreamer_gail_plugin x --help`'):
      parser.parse_args(['--none'])
    assert f'  {folder}/python -m dreamer_gail_plugin x a' in (
        parser.format_help())
