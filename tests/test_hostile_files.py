"""Hostile files for the programs that read runs, stores and results.

Whatever a file holds: one line and exit code 2, or what an honest file gives;
no traceback, and no other file. The slow tests try 8 for each program, or as
many as FUZZ in the environment says, and FUZZ_SEED is another series. Those
for importers are in demos/importers/test_hostile.py.
"""

import gzip
import json
import os

import numpy as np
import pytest

from dreamer_gail_plugin import errors
from dreamer_gail_plugin import main as training
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.play import game
from dreamer_gail_plugin.demos.play import server
from dreamer_gail_plugin.demos.play import session
from dreamer_gail_plugin.evaluate import __main__ as evaluate
from dreamer_gail_plugin.evaluate import actors
from dreamer_gail_plugin.evaluate import disc_rates
from dreamer_gail_plugin.evaluate import disc_reward
from dreamer_gail_plugin.evaluate import encoders
from dreamer_gail_plugin.evaluate import error_terms
from dreamer_gail_plugin.evaluate import model
from dreamer_gail_plugin.evaluate import policy
from dreamer_gail_plugin.evaluate import scores
from dreamer_gail_plugin.experiments import __main__ as experiments
from dreamer_gail_plugin.patches import from_checkpoint
from dreamer_gail_plugin.report import __main__ as report
from dreamer_gail_plugin.running import provenance
from helpers import dummies
from helpers import hostile
from helpers import reportruns
from helpers import runresults
from helpers import savedruns
from helpers.demotools import snapshot

COUNT = int(os.environ.get('FUZZ', 8))
FEW = 4  # In the tests that are not slow.
SEED = int(os.environ.get('FUZZ_SEED', 0))
BREAKOUT = ['--configs', 'minatar', 'debug', 'gail']


class Reached(Exception):
  """The program has read all that it needs."""


def run(folder):
  """Write the logdir of a run; return its path."""
  agent = dummies.Agent(1)
  agent.save = lambda: {
      'params': agent.params,
      'counters': {'updates': 1, 'batches': 1, 'actions': 1}}
  return savedruns.save(
      folder, agent, reportruns.config(task='minatar_breakout'))


def logged(folder):
  """Write the logdir of a run with its logs; return its path."""
  run(folder)
  reportruns.log(folder, 3000, lambda step: step / 100)
  reportruns.evaluation(folder, [1, 2, 3, 4, 5])
  provenance.record(folder, ('main',), [], 0, 'cpu')
  return folder


def random_run(folder):
  """Write the logdir of a run of the random policy; return its path."""
  savedruns.random(folder)
  reportruns.log(folder, 3000, lambda step: step / 100)
  provenance.record(folder, ('main',), [], 0, 'cpu')
  return folder


def demonstrations(folder):
  """Write a store of Breakout in the folder; return its path."""
  rng = np.random.default_rng(0)
  steps = np.arange(150)
  path = folder / 'demos.h5'
  store.write(path, [{
      'image': 255 * (rng.random((150, 10, 10, 4)) < 0.1).astype(np.uint8),
      'action': (steps % 3).astype(np.int32),
      'reward': steps.astype(np.float32), 'is_first': steps % 50 == 0,
      'is_last': steps % 50 == 49, 'is_terminal': steps % 50 == 49}], {
          'task': 'minatar_breakout',
          'preprocessing': tasks.options('minatar_breakout'),
          'action_meanings': ['noop', 'left', 'right']})
  return path


def recording(folder):
  """Write what a person has played; return the path."""
  task, path = 'minatar_breakout', folder / 'played.h5'
  playing = session.Session(task, path, 0, {
      'task': task, 'source': 'a person at dreamer_gail_plugin.demos.play',
      'preprocessing': tasks.options(task),
      'action_meanings': game.make(task, 0).names})
  [playing.step(1) for _ in range(5)]
  playing.keep()
  return path


def results(folder):
  """Write a folder of results; return its path."""
  for number, result in enumerate(runresults.all_results()):
    (folder / f'{number}.json').write_text(json.dumps(result))
  return folder


def study(folder):
  """Write a study; return its path."""
  path = folder / 'mine.jsonl.gz'
  path.write_bytes(gzip.compress('\n'.join(
      json.dumps(x) for x in runresults.all_results()).encode()))
  return path


def load(argv):
  """Load a policy, as a program of the user does."""
  policy.load_policy(argv[0])


def start_from(argv):
  """Load the parameters that --run.from_checkpoint names."""
  from_checkpoint.make_agent(dummies.Agent, argv[0], '.*')


# By name: what writes the source, the program, its flags from source, output
# and other, honest demonstrations.
PROGRAMS = {
    'evaluate': (run, evaluate.main, lambda source, out, data: [
        '--logdir', source, '--out', out]),
    'model': (run, model.main, lambda source, out, data: [
        '--logdir', source, '--data', data, '--out', out / 'x.json']),
    'disc_reward': (run, disc_reward.main, lambda source, out, data: [
        '--logdir', source, '--expert', data, '--agent', data,
        '--out', out / 'x.json']),
    'disc_rates': (run, disc_rates.main, lambda source, out, data: [
        '--logdir', source, '--expert', data, '--agent', data,
        '--updates', '1', '--out', out / 'x.json']),
    'encoders': (run, encoders.main, lambda source, out, data: [
        '--logdir', source, '--frames', data, '--expert', data, '--agent',
        data, '--updates', '1', '--out', out / 'x.json']),
    'error_terms': (run, error_terms.main, lambda source, out, data: [
        '--logdir', source, '--expert', data, '--agent', data,
        '--out', out / 'x.json']),
    'rollout': (run, demos.main, lambda source, out, data: [
        'rollout', '--from', source, '--out', out / 'x.h5']),
    'load_policy': (run, load, lambda source, out, data: [source]),
    'from_checkpoint': (run, start_from, lambda source, out, data: [source]),
    'resume': (random_run, training.main, lambda source, out, data: [
        '--configs', 'minatar', 'debug', '--random_agent', 'True',
        '--logdir', source]),
    'scores': (logged, scores.main, lambda source, out, data: [source]),
    'report': (logged, report.main, lambda source, out, data: [
        source, '--out', out / 'page']),
    'train': (demonstrations, training.main, lambda source, out, data: [
        *BREAKOUT, '--agent.gail.expert', source, '--logdir', out / 'run']),
    'play': (recording, demos.main, lambda source, out, data: [
        'play', '--task', 'minatar_breakout', '--out', source,
        '--port', '0']),
    'table': (results, experiments.main, lambda source, out, data: [
        'table', source]),
    'table_of_a_study': (study, experiments.main, lambda source, out, data: [
        'table', source]),
    'plot': (study, experiments.main, lambda source, out, data: [
        'plot', source, '--out', out / 'x.png']),
    'pack': (results, experiments.main, lambda source, out, data: [
        'pack', out / 'x', source]),
}


@pytest.fixture
def reached(monkeypatch):
  """Stop programs where they have read all and would begin their work."""
  def stop(*args, **kwargs):
    raise Reached
  monkeypatch.setattr(actors, 'Actor', stop)
  monkeypatch.setattr(training, 'run', stop)
  monkeypatch.setattr(server, 'serve', stop)


def leave(main, argv):
  """Run a program; return its exit code, 0 where it is Reached."""
  try:
    errors.run(main, list(map(str, argv)))
  except SystemExit as error:
    return error.code
  except Reached:
    return 0


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', PROGRAMS)
@pytest.mark.parametrize('numbers', [
    range(FEW), pytest.param(range(FEW, FEW + COUNT), marks=pytest.mark.slow)],
    ids=['few', 'many'])
def test_one_line_or_none(
    name, numbers, tmp_path, monkeypatch, capsys, reached):
  make, main, flags = PROGRAMS[name]
  numbers = numbers[::4] if name == 'report' else numbers  # It takes longest.
  folders = [tmp_path / x for x in ('source', 'out', 'other')]
  [x.mkdir() for x in folders]
  source, out, other = folders
  argv = flags(make(source), out, demonstrations(other))
  hostile.copy(source, tmp_path / 'whole')
  monkeypatch.chdir(out)
  assert leave(main, argv) == 0, capsys.readouterr()
  hostile.clear(out)
  before = snapshot(other)
  codes = {0: 0, 2: 0}
  for number in numbers:
    hostile.copy(tmp_path / 'whole', source)
    hostile.clear(out)
    done = hostile.spoil(source, np.random.default_rng([SEED, number]))
    there = snapshot(source)
    capsys.readouterr()
    try:
      code = leave(main, argv)
    except BaseException as error:
      pytest.fail(f'input {number}, {done}: {error!r}')
    text = capsys.readouterr()
    assert code in codes, (number, done, code, text)
    codes[code] += 1
    assert text.err.count('error: ') == (code == 2), (number, done, text)
    assert 'Traceback' not in text.out + text.err, (number, done, text)
    assert '\x1b' not in text.out + text.err, (number, done, text)
    assert snapshot(source) == there and snapshot(other) == before, (
        number, done)
    assert code == 0 or not snapshot(out), (number, done, snapshot(out))
  print(f'{name}: {codes}')
