"""The help of a training."""

import re

import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin import helptext
from dreamer_gail_plugin import main

FLAT = configs.load_config([]).flat


class TestText:

  def test_is_short_and_complete(self):
    lines = helptext.text().splitlines()
    assert len(lines) < 80 and max(map(len, lines)) < 80
    words = {x.split()[0] for x in lines if x.startswith('  ')}
    gail = {k.split('.')[2] for k in FLAT if k.startswith('agent.gail.')}
    assert gail <= words and set(helptext.COMMON) <= words
    # What shares a comment with the one above shares its line.
    shared = {'medium', 'large', 'xlarge'} | {
        x for x in configs.blocks() if re.fullmatch(r'size\d+m', x)}
    assert configs.blocks().keys() - {'defaults'} - shared <= words

  def test_every_line_says_what_it_is(self):
    rows = [x for x in helptext.text().splitlines() if x.startswith('  ')]
    flags = [x for x in rows if not x.strip().startswith(('dream', '--'))]
    assert len(flags) > 40
    for line in flags:
      _, *cells = re.split(r'\s{2,}', line.strip())
      assert len(cells[-1]) > 10 and not line.endswith('...'), line

  def test_all(self):
    lines = helptext.text(['--help', 'all']).splitlines()
    assert len(lines) == len(FLAT) + 1
    assert '--agent.gail.reward gail' in lines

  def test_defaults_are_flags(self):
    # What the help shows for a default can be given back.
    rows = helptext.text(['all']).splitlines()[1:]
    for line in rows:
      key, _, value = line.removeprefix('--').partition(' ')
      if value and value != "''" and key != 'logdir':
        found = configs.load_config([f'--{key}', *value.split()]).flat[key]
        assert found == FLAT[key], line

  @pytest.mark.parametrize('word', ['-h', '--help'])
  def test_program(self, word, capsys):
    assert main.main(['--configs', 'minatar', word]) is None
    assert capsys.readouterr().out.rstrip() == helptext.text()


class TestComments:

  def test_belong_to_the_key_below(self):
    text = '# One\n# two.\na:\n  # Not\n\n  b: 1\n  # Three\n  c: {d: 1}\ne: 1'
    assert helptext.comments(text) == {'a': 'One two.', 'a.c': 'Three'}

  def test_behind_a_value(self):
    assert helptext.comments('a: 1  # One.\nb: 2') == {'a': 'One.'}
