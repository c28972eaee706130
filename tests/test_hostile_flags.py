"""Values that flags must not have: one line each, exit code 2, no file."""

import contextlib
import pathlib

import pytest

from dreamer_gail_plugin import __main__ as command
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import errors
from dreamer_gail_plugin.running import ranges

ROOT = pathlib.Path(__file__).parent.parent
NUMBERS = (
    '-1', '0', 'nan', 'inf', '-inf', 'x', '', '1.5', '1e99', '9' * 30,
    '0x1', '1,5')
WORDS = ('nope', '../x', 'x:y', '\x1b[31m', 'a' * 300, '$(x)', 'None', '')
PLACES = (
    '', '/proc/x', '/dev/null/x', 'a' * 300, '\x1b[31m/none', 'none/none',
    '~none-of-this-name/x')
DEMOS = str(ROOT / 'expert_data' / 'gym_CartPole-v1.h5')
LOGDIR = ('--logdir', 'run')
# What is right but for the value that follows.
FILM = ('film', *LOGDIR)
RATES = ('disc_rates', *LOGDIR, '--expert', 'x.h5', '--agent', 'x.h5')
PLANNER = (
    'demos', 'planner', '--task', 'gym_CartPole-v1', '--out', 'x.h5')
ROLLOUT = ('demos', 'rollout', '--from', 'run', '--out', 'x.h5')
REPLAY = ('demos', 'replay', '--source', 'run', '--out', 'x.h5')
STUDY = ('experiments', 'run', 'vector', '--methods', 'random')
SCORES = (
    'demos', 'expert_scores', '--task', 'gym_CartPole-v1', '--out', 'x.json')
PLAY = ('demos', 'play', '--task', 'minatar_breakout')
SOURCE = {
    'minari': (), 'gymnasium': ('--task', 'gym_CartPole-v1'),
    'imitation': ('--task', 'gym_CartPole-v1'), 'crafter_human': (),
    'atari_head': ('--game', 'seaquest'), 'replay': ()}


def refused():
  """Return command lines of all programs, each with one wrong value."""
  found = []
  def add(before, values, *flags, but=()):
    found.extend(
        (*before, flag, x) if flag else (*before, x)
        for flag in flags for x in values if x not in but)
  for flag in ('--chunks', '--episodes', '--envs', '--workers'):
    add(('evaluate', *LOGDIR), NUMBERS, flag)
  add(('evaluate', *LOGDIR), NUMBERS, '--seed', but=['0'])
  add(('evaluate', *LOGDIR), WORDS, '--policy', '--platform', '--checkpoint',
      but=['None'])
  add(('evaluate',), PLACES, '--logdir')
  add(('evaluate', *LOGDIR), PLACES, '--out', but=PLACES[-3:-1])
  add((*FILM, '--out', 'x.gif'), NUMBERS, '--steps')
  add((*FILM, '--out', 'x.gif'), NUMBERS, '--seed', but=['0'])
  add((*FILM, '--out', 'x.gif'), WORDS, '--checkpoints')
  add(FILM, PLACES, '--out')
  add(('scores', 'run'), NUMBERS, '--last')
  add(('scores', 'run'), PLACES, '--out')
  add(('scores',), PLACES, None)
  add(('curves',), PLACES, None)
  add(('curves', 'run'), NUMBERS, '--port', but=['0'])
  add(('report', '--out', 'x'), PLACES, None)
  add(('report', 'run'), PLACES, '--out', but=PLACES[-3:-1])
  add(PLANNER, NUMBERS, '--trajectories', '--length', '--workers')
  add(PLANNER, NUMBERS, '--limit', '--seed', but=['0'])
  add(PLANNER[:-2], PLACES, '--out')
  add(('demos', 'planner', '--out', 'x.h5'), WORDS, '--task')
  add(ROLLOUT, NUMBERS, '--trajectories', '--length')
  add(ROLLOUT, NUMBERS, '--limit', '--seed', but=['0'])
  add(SCORES, NUMBERS, '--episodes', '--limit')
  add(SCORES, NUMBERS, '--seed', but=['0'])
  add(PLAY, NUMBERS, '--steps')
  add(PLAY, NUMBERS, '--port', '--seed', but=['0'])
  add(PLAY, PLACES, '--out')
  add(('demos', 'play'), WORDS, '--task')
  for name, flags in SOURCE.items():
    add(('demos', name, *flags, '--out', 'x.h5'), PLACES, '--source', but=[''])
  add(REPLAY, PLACES, '--out')
  add(('demos', 'check'), PLACES, None)
  add(('demos', 'show'), PLACES, None)
  add(('demos', 'show', DEMOS), PLACES, '--out', but=['\x1b[31m/none'])
  add(('demos', 'minari_export', '--source', DEMOS), PLACES, '--out')
  add(STUDY, NUMBERS, '--seeds', '--steps', '--jobs')
  add(STUDY[:-2], WORDS, '--tasks', '--methods', '--steps_of')
  add(STUDY, PLACES, '--results', '--logdirs', but=PLACES[-3:-1])
  add(('experiments', 'table'), PLACES, None)
  add(('experiments', 'plot', 'minatar'), PLACES, '--out')
  add(('encoders', *RATES[1:], '--frames', 'x.h5'), NUMBERS, '--updates')
  add(RATES, NUMBERS, '--rates', '--updates', '--units')
  add(('perf', 'step'), NUMBERS, '--repeats')
  add(('perf', 'step'), PLACES, '--out')
  for name in ('demos', 'experiments', 'baselines', 'perf'):
    add((name,), WORDS, None)
  add((), WORDS, None)
  return found


REFUSED = refused()


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """Return a folder with a logdir, which has a config and nothing else."""
  folder = tmp_path_factory.mktemp('hostile')
  (folder / 'run').mkdir()
  config = configs.load_config(['--configs', 'minatar', 'debug', 'gail'])
  config.save(folder / 'run' / 'config.yaml')
  return folder


def wrong(folder, argv, capsys):
  """Call a program in a folder; return what it does that it should not.

  It has to end with one line and exit code 2, and to write nothing.
  """
  before = sorted(folder.rglob('*'))
  with contextlib.chdir(folder):
    try:
      errors.run(command.main, list(argv))
    except SystemExit as end:
      code = end.code
    except Exception as error:
      code = repr(error)
  text = capsys.readouterr().err
  if code != 2:
    return f'exit code {code}: {text}'
  if not text.startswith('error: ') or text.count('\n') != 1:
    return f'not one line: {text}'
  if not text[:-1].isprintable():
    return f'not printable: {text!r}'
  if sorted(folder.rglob('*')) != before:
    return f'a file: {sorted(folder.rglob("*"))}'
  return ''


def test_there_are_enough():
  assert len(REFUSED) > 500 and len(set(REFUSED)) == len(REFUSED)


@pytest.mark.parametrize('name', sorted({x[0] for x in REFUSED}))
def test_programs(run, capsys, name):
  found = {
      x: wrong(run, x, capsys) for x in REFUSED if x[0] == name}
  assert {k: v for k, v in found.items() if v} == {}


@pytest.mark.parametrize('value', ['nan', 'x', '', '-1e99'])
def test_numbers_of_training(run, capsys, value):
  flat = configs.load_config([]).flat
  keys = [k for k, v in flat.items() if ranges.numeric(v)]
  found = {
      k: wrong(run, ('train', '--logdir', 'new', f'--{k}', value), capsys)
      for k in keys}
  assert {k: v for k, v in found.items() if v} == {}


def test_all_programs_are_here():
  missing = set(command.PROGRAMS) - {x[0] for x in REFUSED} - {'train'}
  # These have the flags of others alone.
  assert missing == {'play', 'disc_reward', 'model', 'error_terms'}
