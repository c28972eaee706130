"""The help of a training, and the names that are nearest to a mistyped one."""

import random

import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin import envs
from dreamer_gail_plugin import helptext
from dreamer_gail_plugin import main
from dreamer_gail_plugin.errors import UserError

FLAT = configs.load_config([]).flat
# Tasks whose environment is made by a name of ours.
TASKS = ('minatar_breakout', 'minatar_seaquest', 'minatar_asterix')


class TestText:

  def test_is_short_and_complete(self):
    lines = helptext.text().splitlines()
    assert len(lines) < 80 and max(map(len, lines)) < 80
    words = set(' '.join(lines).split())
    gail = {k.split('.')[2] for k in FLAT if k.startswith('agent.gail.')}
    assert {f'--agent.gail.{k}' for k in gail} <= words
    assert configs.blocks().keys() - {'defaults'} <= words
    assert {f'--{k}' for k in helptext.COMMON} <= words

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


def typos(names, count, seed):
  """Return (typo, name) pairs: a letter is missing, double or swapped."""
  rng, found = random.Random(seed), []
  for name in rng.sample(sorted(names), count):
    at = rng.randrange(len(name) - 1)
    found.append((rng.choice([
        name[:at] + name[at + 1:], name[:at] + name[at] + name[at:],
        name[:at] + name[at + 1] + name[at] + name[at + 2:]]), name))
  return [x for x in found if x[0] not in names]


class TestNearestName:

  @pytest.mark.parametrize('typo, name', typos(FLAT, 45, 0))
  def test_flag(self, typo, name):
    with pytest.raises(UserError, match=f'Did you mean --{name}?'):
      configs.load_config([f'--{typo}', '1'])

  @pytest.mark.parametrize('typo, name', typos(
      {k for k in configs.blocks() if len(k) > 4}, 10, 1))
  def test_block(self, typo, name):
    with pytest.raises(UserError, match=f'Did you mean {name}?'):
      configs.load_config(['--configs', typo])

  @pytest.mark.parametrize('typo, name', typos(TASKS, 3, 2))
  def test_task(self, typo, name):
    suite, _, task = typo.partition('_')
    with pytest.raises(UserError, match='Did you mean'):
      envs.make(suite, task, seed=0)
