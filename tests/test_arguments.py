"""Command lines of the programs other than training."""

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
