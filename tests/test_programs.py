"""All programs: what their --help says, and what they say of mistypes."""

import random
import shlex

import pytest

from dreamer_gail_plugin import __main__ as command
from dreamer_gail_plugin import arguments
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.baselines import config as baselines
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos.importers import atari_head_files
from dreamer_gail_plugin.envs import minatar
from dreamer_gail_plugin.errors import UserError

EXPERIMENTS = ('run', 'table', 'plot', 'pack')
# The words that name a program or a part of one.
PROGRAMS = [
    *([x] for x in command.PROGRAMS),
    *(['demos', x] for x in demos.COMMANDS),
    *(['experiments', x] for x in EXPERIMENTS),
    *(['baselines', x] for x in (*baselines.NAMES, 'evaluate'))]
# These take the flags of a training, or have flags from a file of settings.
OTHERS = [['train'], *(['baselines', x] for x in baselines.NAMES)]


def shown(words, capsys, monkeypatch):
  """Return the text of a program's --help, at 80 columns."""
  monkeypatch.setenv('COLUMNS', '80')
  try:
    command.main([*words, '--help'])
  except SystemExit as ended:
    assert ended.code == 0
  return capsys.readouterr().out


@pytest.fixture
def parsers(monkeypatch):
  """Return a list of all parsers that are made during a test."""
  made, init = [], arguments.Parser.__init__
  def remember(self, **kwargs):
    init(self, **kwargs)
    made.append(self)
  monkeypatch.setattr(arguments.Parser, '__init__', remember)
  return made


@pytest.mark.parametrize('words', PROGRAMS, ids=' '.join)
class TestHelp:

  def test_fits_a_screen(self, words, capsys, monkeypatch):
    lines = shown(words, capsys, monkeypatch).splitlines()
    assert len(lines) < 80 and max(map(len, lines)) < 80
    assert lines[0].startswith('usage: dreamer-gail ')

  def test_two_examples_that_can_be_run(
      self, words, parsers, capsys, monkeypatch, tmp_path):
    text = shown(words, capsys, monkeypatch).replace('\\\n', '')
    found = [x for x in text.splitlines() if x.startswith('  dreamer-gail')]
    assert len(found) >= 2
    monkeypatch.chdir(tmp_path)
    for line in found:
      _, *rest = shlex.split(line)
      if rest[0] == 'train':
        configs.load_config(rest[1:])
      elif rest[0] == 'baselines' and rest[1] != 'evaluate':
        baselines.load(rest[1], rest[2:])
      elif words != ['demos'] and words != ['baselines']:
        # The parser that reads what follows the names.
        [*_, parser] = [x for x in parsers if line[2:].startswith(
            f'{x.prog} ')]
        args = shlex.split(line[2 + len(parser.prog):])
        _, extra = parser.parse_known_args(args)
        takes = words[0] in ('perf', 'model')  # Flags of a training, too.
        parser.refuse(extra, configs.keys() if takes else ())

  def test_each_flag_says_what_it_is(
      self, words, parsers, capsys, monkeypatch):
    text = shown(words, capsys, monkeypatch)
    if words in OTHERS:  # Not of argparse.
      return
    [*_, parser] = [x for x in parsers if text.startswith(
        f'usage: {x.prog} ')]
    own = [x for x in parser._actions if x.help != '==SUPPRESS==']
    assert len(own) > 1
    for action in own:
      assert action.help and len(action.help) > 5, action.dest
    flags = [x.option_strings[-1] for x in own
             if x.option_strings and not x.required]
    rows = [x.split()[0].rstrip(',') for x in text.splitlines()
            if x.startswith('  -')]
    order = [x.lstrip('-') for x in rows if x in flags or x == '-h']
    assert order == sorted(
        order, key=lambda x: {'h': 'help', 'no-films': 'films'}.get(x, x))


def typo(name):
  """Return a name with a letter that is missing, double or swapped."""
  rng = random.Random(name)
  while True:
    at = rng.randrange(1, len(name) - 1)
    wrong = rng.choice([
        name[:at] + name[at + 1:], name[:at] + name[at] + name[at:],
        name[:at - 1] + name[at] + name[at - 1] + name[at + 1:]])
    if wrong != name:
      return wrong


FILES = {'--out': 'x.h5', '--source': 'x', '--task': 'gym_CartPole-v1'}
# The words before and after a name, and the names.
MISTYPES = [
    ([], [], command.PROGRAMS, ''),
    # A letter less makes one size as like as others.
    (['train', '--configs'], [], sorted(
        x for x in configs.blocks() if len(x) > 3 and 'size' not in x), ''),
    (['train'], ['1'], random.Random(0).sample(configs.keys(), 20), '--'),
    (['train', '--script'], [], ('train_eval', 'parallel'), ''),
    (['train', '--agent.gail.reward'], [], ('constant', 'fairl'), ''),
    (['train', '--configs', 'minatar', '--task'], [], [
        f'minatar_{x}' for x in minatar.TASKS], ''),
    (['train', '--task'], [], ('minatar_breakout', 'atari_ms_pacman'), ''),
    (['demos'], [], demos.COMMANDS, ''),
    (['demos', 'planner', '--out', 'x.h5', '--task'], [], (
        'minatar_freeway', 'atari_seaquest', 'crafter_reward'), ''),
    (['demos', 'planner', '--out', 'x.h5', '--task', 'minatar_freeway'],
     ['1'], ('trajectories', 'length', 'workers', 'policy'), '--'),
    (['demos', 'atari_head', '--source', 'x', '--game'], [], sorted(
        atari_head_files.GAMES)[:3], ''),
    (['evaluate', '--logdir', 'x'], ['1'], (
        'checkpoint', 'episodes', 'chunks', 'platform'), '--'),
    (['evaluate', '--logdir', 'x', '--policy'], [], ('sampled', 'greedy'), ''),
    (['report', 'x', '--out', 'y'], ['1'], ('out',), '--'),
    (['scores', 'x'], ['1'], ('last', 'out'), '--'),
    (['experiments'], [], EXPERIMENTS, ''),
    (['experiments', 'run'], [], ('minatar', 'vector'), ''),
    (['experiments', 'run', 'minatar'], ['1'], (
        'seeds', 'tasks', 'methods', 'results', 'run.train_ratio'), '--'),
    (['experiments', 'run', 'minatar', '--tasks'], [], (
        'minatar_asterix',), ''),
    (['experiments', 'run', 'minatar', '--methods'], [], (
        'plain_cloning', 'constant'), ''),
    (['baselines'], [], ('ppo', 'mgail', 'airl_ppo', 'evaluate'), ''),
    (['baselines', 'mgail'], ['1'], (
        'expert', 'mgail.latent', 'log_every'), '--'),
    (['baselines', 'mgail', '--settings'], [], ('minatar', 'crafter'), ''),
    (['perf'], [], ('step', 'stream'), ''),
    (['perf', 'step'], ['1'], ('repeats', 'batch_size'), '--'),
    (['disc_reward', '--logdir', 'x', '--expert', 'x', '--agent', 'x'],
     [], ('overwrite',), '--'),
]


class TestMistypes:

  @pytest.mark.parametrize('before, after, name, dashes', [
      (before, after, name, dashes)
      for before, after, names, dashes in MISTYPES for name in names])
  def test_nearest_name(
      self, before, after, name, dashes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = typo(name)
    with pytest.raises(UserError) as caught:
      command.main([*before, dashes + wrong, *after])
    near = str(caught.value).partition('Did you mean ')[2].partition('?')[0]
    # Of a task, its suite or its game is named.
    assert near and f'_{name}'.endswith(f'_{near.lstrip("-")}') or (
        name.startswith(f'{near}_'))
