"""The program from its command line: bad input, the expert's stream, runs."""

import datetime
import importlib.util
import json
import os
import pathlib
import pickle
import re
import shlex
import signal
import subprocess
import sys
import time

import elements
import h5py
import jax
import numpy as np
import pytest
import scope

from dreamer_gail_plugin import checks
from dreamer_gail_plugin import main
from dreamer_gail_plugin import provenance
from dreamer_gail_plugin import store

ROOT = pathlib.Path(__file__).parent.parent
FLAGS = ['--configs', 'minatar', 'gail', 'debug']
DISC = (
    'acc_expert', 'acc_imag', 'acc_replay', 'bce', 'entropy', 'grad_norm',
    'gradnorm', 'latent_gap', 'logit_gap', 'loss', 'rew_end', 'rew_max',
    'rew_mean', 'rew_min', 'rew_replay', 'rew_std')


def demos(path, length=30, channels=4, actions=3, task='minatar_breakout'):
  """Write a store that fits Breakout, if nothing is changed; return it."""
  first = np.arange(length) == 0
  store.write(path, [{
      'image': np.zeros((length, 10, 10, channels), np.uint8),
      'action': np.arange(length, dtype=np.int32) % actions,
      'is_first': first, 'is_last': first[::-1], 'is_terminal': first[::-1],
  }], {'task': task, 'action_meanings': [f'a{i}' for i in range(actions)]})
  return path


class TestBadInput:

  @pytest.fixture
  def refused(self, tmp_path, monkeypatch, capsys):
    """Run the command in this process; expect an error and nothing else."""
    def refused(*flags):
      before = sorted(tmp_path.rglob('*'))
      monkeypatch.setattr(sys, 'argv', [
          'main', *FLAGS, '--logdir', str(tmp_path / 'logdir'),
          *map(str, flags)])
      with pytest.raises(SystemExit) as caught:
        main.cli()
      assert caught.value.code == 2
      assert sorted(tmp_path.rglob('*')) == before
      return self.message(capsys.readouterr().err)
    return refused

  def message(self, stderr):
    # One error. Only the list of how a store differs takes several lines.
    first, *more = stderr.splitlines()
    assert first.startswith('error: ') and len(first) > len('error: ')
    assert all(x.startswith('  ') for x in more), stderr
    assert not more or 'do not fit the task' in first
    return stderr

  @pytest.mark.parametrize('flags, words', [
      (['--agent.gail.nonsense', '3'], ['--agent.gail.nonsense']),
      (['--expert', 'x.h5'], ['--expert']),
      (['--configs', 'minatar', 'gial'], ['--configs gial', 'gail_paper']),
      (['--configs'], ['--configs']),
      (['--task'], ['--task']),
      (['--(', '3'], ['configs.yaml']),
      (['--batch_size', 'many'], ['batch_size', 'many', 'int']),
      (['--batch_size', '2.5'], ['batch_size', '2.5', 'int']),
      (['--batch_size', 'inf'], ['infinity']),
      (['--seed', '-1'], ['--seed -1']),
      (['--run.keep_checkpoints', '-1'], ['--run.keep_checkpoints -1']),
      (['--run.debug', 'yes'], ['run.debug', 'yes', 'bool']),
      (['--run.steps', 'long'], ['run.steps', 'long', 'float']),
      (['--replay.fracs', '3'], ['replay.fracs']),
      (['--agent.gail.reward', 'gale'], ['--agent.gail.reward gale', 'fairl']),
      (['--logger.outputs', 'jsonl', 'tb'], ['tb', 'tensorboard', 'wandb']),
      (['--script', 'trian'], ['--script trian', 'train_eval']),
      (['--script', 'eval_only'], ['--run.from_checkpoint']),
      (['--task', 'breakout'], ['breakout', 'minatar']),
      (['--task', 'minatar_tetris'], ['tetris', 'space_invaders']),
      (['--task', 'atari_sequest'], ['sequest', 'seaquest']),
      (['--task', 'crafter_nonsense'], ['nonsense']),
      (['--task', 'gym_Nothing-v7'], ['Nothing-v7']),
      (['--task', 'atari_bowling'], ['atari_bowling', 'demos']),
      (['--replay.size', '1e15', '--run.steps', '1e15'],
       ['--replay.size 1.0e+15', 'GB']),
      (['--replay.size', '10'], ['--replay.size 1.0e+01', '44']),
  ])
  def test_flags(self, refused, flags, words):
    message = refused(*flags)
    assert not [x for x in words if x not in message], message

  @pytest.mark.parametrize('name', ['tensorboard', 'wandb'])
  def test_output_without_its_package(self, refused, monkeypatch, name):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec',
        lambda x, *args: None if x == name else find(x, *args))
    message = refused('--logger.outputs', 'jsonl', name)
    assert f'--logger.outputs {name}: needs ' in message
    assert f'--with {name} ' in message and len(message.splitlines()) == 1

  def test_replay_does_not_fit_beside_random_expert(
      self, refused, monkeypatch):
    # The recording must wait for the other checks.
    monkeypatch.setattr(checks, 'free_memory', lambda: 1000)
    message = refused('--agent.gail.expert', 'random')
    assert '--replay.size 1.0e+04' in message

  def test_logdir(self, refused, tmp_path):
    assert '{name}' in refused('--logdir', tmp_path / '{name}')
    (tmp_path / 'file').touch()
    path = tmp_path / 'file' / 'logdir'
    assert str(path) in refused('--logdir', path)
    assert str(path) in refused(
        '--logdir', path, '--agent.gail.expert', 'random')

  def test_damaged_record(self, refused, tmp_path):
    logdir = tmp_path / 'logdir'
    logdir.mkdir()
    (logdir / 'config.yaml').write_text('as it was')
    for text in ('{', '[]', '{"format": 2}', '{"format": 1, "starts": [1]}'):
      (logdir / 'run.json').write_text(text)
      assert str(logdir / 'run.json') in refused()
      assert (logdir / 'run.json').read_text() == text
      assert (logdir / 'config.yaml').read_text() == 'as it was'

  def test_no_checkpoint(self, refused, tmp_path):
    path = tmp_path / 'run'
    assert str(path) in refused('--run.from_checkpoint', path)

  @pytest.mark.parametrize('changes, words', [
      ({'task': 'minatar_seaquest'}, [
          'task: store has minatar_seaquest, task wants minatar_breakout']),
      ({'channels': 10}, [
          'image: store has uint8 (10, 10, 10), task wants uint8 (10, 10, 4)',
      ]),
      ({'actions': 6}, [
          'action: store has 6 actions (a0 a1 a2 a3 a4 a5), task wants 3']),
      ({'channels': 7, 'actions': 2, 'task': 'x'}, [
          'task: store has x', 'uint8 (10, 10, 7)', '2 actions (a0 a1)']),
      ({'length': 10}, ['holds 10 steps', 'sequence of 11', 'batch_length']),
  ])
  def test_other_demonstrations(self, refused, tmp_path, changes, words):
    path = demos(tmp_path / 'demos.h5', **changes)
    message = refused('--agent.gail.expert', path)
    for word in [str(path), *words]:
      assert word in message, message

  def test_fitting_demonstrations_pass(self, tmp_path, capsys):
    # The tests above could not fail if these did not pass.
    path = demos(tmp_path / 'demos.h5')
    main.describe_expert(main.load_config(
        [*FLAGS, '--agent.gail.expert', str(path)]))
    assert f'{path}: 1 trajectories, 30 steps' in capsys.readouterr().out

  def test_no_demonstrations(self, refused, tmp_path):
    path = tmp_path / 'nothing.h5'
    assert f'{path}: no such file' in refused('--agent.gail.expert', path)
    assert 'not a file' in refused('--agent.gail.expert', tmp_path)

  def test_damaged_demonstrations(self, refused, tmp_path):
    path = demos(tmp_path / 'demos.h5')
    whole = path.read_bytes()
    for data in (whole[:len(whole) // 2], whole[:-1], b'', b'no store'):
      path.write_bytes(data)
      message = refused('--agent.gail.expert', path)
      assert str(path) in message and 'whole HDF5 file' in message

  def test_other_file(self, refused, tmp_path):
    path = tmp_path / 'other.h5'
    with h5py.File(path, 'w') as file:
      file['data'] = np.arange(3)
    message = refused('--agent.gail.expert', path)
    assert str(path) in message and 'attribute format' in message

  def test_process(self, tmp_path):
    path = tmp_path / 'nothing.h5'
    done = command(tmp_path / 'logdir', '--agent.gail.expert', str(path))
    assert done.returncode == 2
    assert str(path) in self.message(done.stderr)
    assert not list(tmp_path.iterdir())


class TestExpertPath:

  def path(self, *flags):
    return main.expert_path(main.load_config([*FLAGS, *flags]))

  def test_bundled(self):
    for task in ('minatar_breakout', 'minatar_seaquest'):
      assert self.path('--task', task).is_file()

  def test_home(self, monkeypatch):
    monkeypatch.setenv('HOME', '/home/name')
    assert self.path('--agent.gail.expert=~/x.h5') == pathlib.Path(
        '/home/name/x.h5')
    assert self.path(
        '--logdir', '~/run', '--agent.gail.expert', 'random') == pathlib.Path(
            '/home/name/run/expert_random.h5')


class TestRandomExpert:

  def test_is_recorded_once(self, tmp_path, capsys):
    config = main.load_config([
        *FLAGS, '--logdir', str(tmp_path), '--agent.gail.expert', 'random'])
    stats = main.describe_expert(config)
    assert stats['trajectories'] == 10 and stats['steps'] == 10_240
    path, = tmp_path.iterdir()
    assert path.name == 'expert_random.h5'
    assert 'Recording the random policy' in capsys.readouterr().out
    before = path.stat()
    assert main.describe_expert(config) == stats
    assert 'Recording' not in capsys.readouterr().out
    assert path.stat().st_mtime_ns == before.st_mtime_ns


class Replay:
  """Stands in for upstream's replay; counts the steps it hands out."""

  def sample(self, batch, mode):
    length = {'train': 10, 'report': 5, 'eval': 5}[mode] + 1
    shape = (batch, length)
    return {
        'image': np.zeros((*shape, 10, 10, 4), np.uint8),
        'action': np.zeros(shape, np.int32),
        **{k: np.zeros(shape, bool) for k in store.FLAGS}}


class TestStream:

  def stream(self, mode, *flags):
    config = main.load_config([*FLAGS, *flags])
    return iter(main.make_stream(config, Replay(), mode))

  @pytest.mark.parametrize('mode, length', [
      ('train', 11), ('report', 6), ('eval', 6)])
  def test_as_long_as_the_replay(self, mode, length):
    batch = next(self.stream(mode))
    assert batch['is_first'].shape == (8, length)
    assert batch['expert/image'].shape == (8, length, 10, 10, 4)
    assert batch['expert/action'].dtype == np.int32

  def test_modes_and_seeds_differ(self):
    streams = [self.stream('report'), self.stream('eval')]
    streams.append(self.stream('report', '--seed', '1'))
    batches = [next(x)['expert/image'].tobytes() for x in streams]
    assert len(set(batches)) == 3

  def test_saves_and_loads(self):
    stream = self.stream('train')
    next(stream)
    state = stream.save()
    want = [next(stream)['expert/action'] for _ in range(2)]
    stream = self.stream('train')
    stream.load(state)
    for value in want:
      assert np.array_equal(next(stream)['expert/action'], value)

  def test_without_an_expert(self):
    for flags in (
        ['--agent.gail.reward', 'env'], ['--random_agent', 'True']):
      assert next(self.stream('train', *flags)).keys() == {
          'image', 'action', *store.FLAGS, 'consec'}


class TestActionUnits:

  SPACE = {
      'move': elements.Space(
          np.float32, (5,), np.float32([-2, 0, -np.inf, -1, 5]),
          np.float32([2, 8, np.inf, np.inf, 5])),
      'pick': elements.Space(np.int32, (), 0, 9),
      'reset': elements.Space(bool),
  }

  def test_by_hand(self):
    batch = {
        'expert/move': np.float32([[
            [-2, 0, -7, -1, 5], [2, 8, 1e-9, 3, 5], [1, 6, 0, 0, 5]]]),
        'expert/pick': np.int32([[8, 0, 4]]), 'move': np.float32([2]),
        'single/move': np.float32([[[2, 4, 3, 0, 5]]]),
        'is_first': np.ones((1, 3), bool)}
    kept = {k: v.copy() for k, v in batch.items()}
    result = main.normalize_actions(batch, self.SPACE)
    assert result.keys() == batch.keys()
    assert result['expert/move'].dtype == np.float32
    assert result['expert/move'].tolist() == np.float32([[
        [-1, -1, -7, -1, 5], [1, 1, 1e-9, 3, 5], [0.5, 0.5, 0, 0, 5]]
    ]).tolist()
    assert result['single/move'].tolist() == [[[1, 0, 3, 0, 5]]]
    for key in kept.keys() - {'expert/move', 'single/move'}:
      assert np.array_equal(result[key], kept[key])
    assert np.array_equal(batch['expert/move'], kept['expert/move'])

  def test_environment_gets_what_the_expert_did(self, tmp_path, monkeypatch):
    # The stream's actions pass through upstream's wrappers.
    config = main.load_config([
        '--configs', 'gym', 'gail', 'debug', '--task', 'gym_Pendulum-v1',
        '--agent.gail.expert', 'random', '--logdir', str(tmp_path)])
    main.describe_expert(config)
    env = main.make_raw_env(config, 0)
    raw = main.make_expert(
        config, env, 11, seed=(config.seed, 0)).sample()['expert/action']
    batch = next(iter(main.make_stream(config, Replay(), 'train')))
    assert raw.shape == batch['expert/action'].shape == (8, 11, 1)
    assert 1.9 < abs(raw).max() <= 2
    assert 0.95 < abs(batch['expert/action']).max() <= 1
    seen, step = [], env.step
    monkeypatch.setattr(main, 'make_raw_env', lambda *args: env)
    monkeypatch.setattr(env, 'step', lambda x: seen.append(x) or step(x))
    wrapped = main.make_env(config, 0)
    for action in batch['expert/action'].reshape((-1, 1)):
      wrapped.step({'action': action, 'reset': np.bool_(False)})
    np.testing.assert_allclose(
        [x['action'] for x in seen], raw.reshape((-1, 1)), atol=1e-6)


def command(logdir, *flags, code=None):
  """Run the program to its end in a process of its own."""
  args, env = arguments(logdir, *flags, code=code)
  return subprocess.run(args, env=env, capture_output=True, text=True)


def arguments(logdir, *flags, code=None):
  """Return the command line and the environment variables for a process."""
  start = ['-c', code] if code else ['-m', 'dreamer_gail_plugin.main']
  args = [sys.executable, *start, *FLAGS, '--logdir', str(logdir), *flags]
  path = os.pathsep.join([str(ROOT), str(ROOT / 'tests')])
  return args, {**os.environ, 'PYTHONPATH': path}


def metrics(logdir):
  """Return the last value of every metric in a run's log."""
  path = pathlib.Path(logdir) / 'metrics.jsonl'
  text = path.read_text() if path.exists() else ''
  whole = text[:text.rfind('\n') + 1]  # The run may be writing a line.
  return {
      k: v for line in whole.splitlines() for k, v in json.loads(line).items()}


def check_disc(values, prefix):
  """Check that all metrics of the discriminator are there and finite."""
  values = {
      k.removeprefix(f'{prefix}/disc/'): v for k, v in values.items()
      if k.startswith(f'{prefix}/disc/')}
  missing = set(DISC) - values.keys()
  assert not missing - {'grad_norm'}, missing
  assert prefix != 'train' or not missing, missing
  assert np.isfinite(list(values.values())).all(), values


def saved(logdir, name='agent', folder='checkpoint.pkl'):
  """Return what the latest checkpoint of a run holds under a name."""
  folder = pathlib.Path(logdir) / folder
  path = folder / (folder / 'latest').read_text() / f'{name}.pkl'
  return pickle.loads(path.read_bytes())


@pytest.fixture(scope='module', autouse=True)
def compiled(tmp_path_factory):
  """Let the processes share what they compile, most of what they do."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv(
        'JAX_COMPILATION_CACHE_DIR', str(tmp_path_factory.mktemp('compiled')))
    patch.setenv('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')
    yield


class TestKilledRun:

  # The second start says what it has just loaded.
  SPY = """
import elements
from dreamer_gail_plugin import main
load = elements.Checkpoint.load_or_save
def spy(self):
  load(self)
  self.save({path!r})
  print('Items:', len(self.replay))
elements.Checkpoint.load_or_save = spy
main.cli()
"""

  @pytest.fixture(scope='class')
  def logdir(self, tmp_path_factory):
    return tmp_path_factory.mktemp('killed') / 'logdir'

  @pytest.fixture(scope='class')
  def killed(self, logdir):
    """Kill a run that has trained and saved; return its saved agent, step."""
    args, env = arguments(
        logdir, '--agent.gail.expert', 'random', '--run.save_every', '1',
        '--run.log_every', '1', '--run.report_every', '1')
    output = logdir.parent / 'output'
    with output.open('w') as file:
      process = subprocess.Popen(
          args, env=env, stdout=file, stderr=subprocess.STDOUT)
      try:
        self.wait(process, logdir)
      finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL, output.read_text()
    return saved(logdir), saved(logdir, 'step')

  def wait(self, process, logdir):
    # Until a save that came well after the first updates and reports.
    latest = logdir / 'checkpoint.pkl' / 'latest'
    seen = []
    while process.poll() is None and len(seen) < 4:
      time.sleep(0.2)
      known = metrics(logdir)
      ready = 'train/disc/loss' in known and 'report/disc/loss' in known
      name = latest.read_text() if ready else ''
      if name and name not in seen:
        seen.append(name)

  @pytest.fixture(scope='class')
  def resumed(self, logdir, killed):
    """Start again for six updates; return the copy's path and the output."""
    copy = logdir.parent / 'copy'
    before = (logdir / 'expert_random.h5').stat().st_mtime_ns
    done = command(
        logdir, '--agent.gail.expert', 'random', '--run.steps',
        str(killed[1] + 60), code=self.SPY.format(path=str(copy)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (logdir / 'expert_random.h5').stat().st_mtime_ns == before
    return copy, done.stdout

  def test_both_starts_are_kept(self, logdir, resumed):
    first, second = provenance.load(logdir / 'run.json')
    for start in (first, second):
      assert start['argv'][:6] == [*FLAGS, '--logdir', str(logdir)]
      assert start['seed'] == 0
      assert start['versions']['jax'] == jax.__version__
      assert start['versions'].keys() >= {
          'python', 'dreamer', 'numpy', 'gymnasium', 'ale-py'}
      assert start['commit'] == provenance.commit()
      assert start['machine']['device'] == 'cpu'
    assert '--run.save_every' in first['argv']
    assert '--run.steps' in second['argv']
    assert first['command'] == shlex.join(
        ['python', '-m', 'dreamer_gail_plugin.main', *first['argv']])
    times = [
        datetime.datetime.fromisoformat(x['time']) for x in (first, second)]
    age = datetime.datetime.now(datetime.UTC) - times[0]
    assert times[0] < times[1] and age.total_seconds() < 3600

  def test_metrics(self, logdir, killed):
    check_disc(metrics(logdir), 'train')
    check_disc(metrics(logdir), 'report')

  def test_discriminator_has_learned(self, killed):
    params = killed[0]['params']
    moments = [
        v for k, v in params.items()
        if k.startswith('discopt/') and np.issubdtype(v.dtype, np.floating)]
    assert [k for k in params if k.startswith('disc/')] and moments
    assert all(np.isfinite(x).all() for x in moments)
    assert any(np.any(x) for x in moments)

  def test_everything_is_loaded(self, killed, resumed):
    agent, step = killed
    copy = pickle.loads((resumed[0] / 'agent.pkl').read_bytes())
    assert copy['counters']['updates'] == agent['counters']['updates'] > 0
    assert copy['counters']['actions'] == agent['counters']['actions']
    assert copy['params'].keys() == agent['params'].keys()
    for key, value in agent['params'].items():
      assert np.array_equal(copy['params'][key], value), key
    assert pickle.loads((resumed[0] / 'step.pkl').read_bytes()) == step

  def test_replay_is_loaded(self, killed, resumed):
    # Four environments, sequences of 11 steps. A save every few steps: all
    # but the last save's chunks were certainly written.
    items = int(re.search(r'^Items: (\d+)$', resumed[1], re.M)[1])
    steps = killed[1]
    assert items <= steps - 4 * 10
    assert items > 0.5 * steps

  def test_continues_to_the_end(self, logdir, killed, resumed):
    agent, step = killed
    assert step + 60 <= saved(logdir, 'step') < step + 80
    after = saved(logdir)
    assert 5 <= (
        after['counters']['updates'] - agent['counters']['updates']) <= 8
    for module in ('disc', 'discopt', 'dyn', 'pol', 'opt'):
      assert [
          k for k, v in agent['params'].items() if k.startswith(f'{module}/')
          and not np.array_equal(v, after['params'][k])], module

  def test_summary(self, logdir, resumed):
    lines = resumed[1].split('Mean episode score on minatar_breakout:')[1]
    for name in ('random policy', 'this run', 'expert'):
      assert re.search(rf'^  {name} +-?[\d.]+', lines, re.M), lines
    assert str(logdir) in lines


class TestScripts:

  def test_train_eval_on_mixed_actions(self, tmp_path):
    # Vectors, continuous and multi-discrete actions, two action keys.
    done = command(
        tmp_path, '--configs', 'gym', 'gail', 'debug', '--script',
        'train_eval', '--task', 'gym_toyenv:Toy-v0', '--run.steps', '200',
        '--agent.gail.expert', 'random', '--run.log_every', '0',
        '--run.report_every', '1')
    assert done.returncode == 0, done.stdout + done.stderr
    values = metrics(tmp_path)
    for prefix in ('train', 'eval'):
      check_disc(values, prefix)
    assert 'Mean episode score on gym_toyenv:Toy-v0:' in done.stdout
    # Both of the default outputs have the games of the evaluation.
    seen = scope.Reader(str(tmp_path))
    for key in ('eval/score', 'eval/episodes', 'episode/score'):
      assert seen[key][1][-1] == pytest.approx(values[key]), key
    assert values['eval/episodes'] >= 1
    assert saved(tmp_path)['counters']['updates'] >= 5
    assert saved(tmp_path, 'step') >= 200

  def test_parallel(self, tmp_path):
    done = command(
        tmp_path, '--script', 'parallel', '--run.envs', '2',
        '--run.eval_envs', '1', '--run.steps', '250', '--run.log_every', '-1',
        '--run.usage.psutil', 'False')
    assert done.returncode == 0, done.stdout + done.stderr
    check_disc(metrics(tmp_path), 'train')
    assert 'Demonstrations: ' in done.stdout
    after = saved(tmp_path, folder='agent.pkl')
    assert after['counters']['updates'] > 0
    assert [k for k in after['params'] if k.startswith('discopt/')]
    assert saved(tmp_path, 'step', 'logger.pkl') >= 250
