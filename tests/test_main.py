"""The program from its command line: bad input and the expert's stream."""

import importlib.util
import pathlib
import shlex
import subprocess
import sys

import elements
import h5py
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import errors
from dreamer_gail_plugin import main
from dreamer_gail_plugin.data import memory
from dreamer_gail_plugin.data import store

FLAGS = ['--configs', 'minatar', 'gail', 'debug']


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
        errors.run(main.main)
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
      (['--batch_size', '0'], ['--batch_size 0: expected', '1 or more']),
      (['--agent.imag_last', '-1'], ['--agent.imag_last -1', '0 or more']),
      (['--agent.gail.anchor_rate', '2'], ['anchor_rate 2', '1 or less']),
      (['--run.train_ratio', 'nan'], ['--run.train_ratio nan', 'finite']),
      (['--agent.dyn.rssm.blocks', '3'], ['must be a multiple of']),
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
      (['--agent.gail.consec', '0'], ['--agent.gail.consec 0']),
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
      (['--replay.size', '10'], ['--replay.size 1.0e+01', '88']),
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
    monkeypatch.setattr(memory, 'free_memory', lambda: 1000)
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
    (logdir / 'config.yaml').write_text('task: minatar_breakout')
    for text in ('{', '[]', '{"format": 2}', '{"format": 1, "starts": [1]}'):
      (logdir / 'run.json').write_text(text)
      assert str(logdir / 'run.json') in refused()
      assert (logdir / 'run.json').read_text() == text
      assert (logdir / 'config.yaml').read_text() == 'task: minatar_breakout'

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
    main.describe_expert(configs.load_config(
        [*FLAGS, '--agent.gail.expert', str(path)]))
    assert f'{path}: 1 trajectories, 30 steps' in capsys.readouterr().out

  def test_task_that_is_not_there(self, refused):
    # Before the demonstrations, which nobody bundles for it.
    text = refused('--task', 'minatar_brekout')
    assert 'Did you mean breakout?' in text

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
    done = subprocess.run(
        [sys.executable, '-m', 'dreamer_gail_plugin.main', *FLAGS, '--logdir',
         str(tmp_path / 'logdir'), '--agent.gail.expert', str(path)],
        capture_output=True, text=True)
    assert done.returncode == 2
    assert str(path) in self.message(done.stderr)
    assert not list(tmp_path.iterdir())


class TestExpertPath:

  def path(self, *flags):
    return build.expert_path(configs.load_config([*FLAGS, *flags]))

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
    config = configs.load_config([
        *FLAGS, '--logdir', str(tmp_path), '--agent.gail.expert', 'random'])
    stats = main.describe_expert(config).stats
    assert stats['trajectories'] == 10 and stats['steps'] == 10_240
    path, = tmp_path.iterdir()
    assert path.name == 'expert_random.h5'
    assert 'Recording the random policy' in capsys.readouterr().out
    before = path.stat()
    assert main.describe_expert(config).stats == stats
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
    config = configs.load_config([*FLAGS, *flags])
    return iter(build.make_stream(config, Replay(), mode))

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
    result = build.normalize_actions(batch, self.SPACE)
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
    config = configs.load_config([
        '--configs', 'gym', 'gail', 'debug', '--task', 'gym_Pendulum-v1',
        '--agent.gail.expert', 'random', '--logdir', str(tmp_path)])
    main.describe_expert(config)
    env = build.make_raw_env(config, 0)
    raw = build.make_expert(
        config, 11, seed=(config.seed, 0),
        context=config.replay_context).sample()['expert/action']
    batch = next(iter(build.make_stream(config, Replay(), 'train')))
    assert raw.shape == batch['expert/action'].shape == (8, 11, 1)
    assert 1.9 < abs(raw).max() <= 2
    assert 0.95 < abs(batch['expert/action']).max() <= 1
    seen, step = [], env.step
    monkeypatch.setattr(build, 'make_raw_env', lambda *args: env)
    monkeypatch.setattr(env, 'step', lambda x: seen.append(x) or step(x))
    wrapped = build.make_env(config, 0)
    for action in batch['expert/action'].reshape((-1, 1)):
      wrapped.step({'action': action, 'reset': np.bool_(False)})
    np.testing.assert_allclose(
        [x['action'] for x in seen], raw.reshape((-1, 1)), atol=1e-6)


class TestOnwards:

  def test_the_same_command(self, tmp_path):
    argv = [*FLAGS, '--logdir', str(tmp_path)]
    command = main.onwards(configs.load_config(argv), argv)
    assert shlex.split(command) == ['dreamer-gail', 'train', *argv]

  @pytest.mark.parametrize('more', [(), ('--logdir', '/x/{timestamp}')])
  def test_names_the_logdir_that_was_made_up(self, more):
    config = configs.load_config([*FLAGS, *more])
    command = shlex.split(main.onwards(config, [*FLAGS, *more]))
    argv = command[2:]
    assert configs.load_config(argv).logdir == config.logdir
    assert '{' not in config.logdir


class TestAnchorAdvice:

  def advice(self, *flags, blocks=('minatar', 'debug', 'gail')):
    return main.anchor_advice(
        configs.load_config(['--configs', *blocks, *flags]))

  def test_is_the_last_line(self, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(main, 'run', lambda *args: None)
    main.main([*FLAGS, '--logdir', str(tmp_path)])
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith('Add the block anchor')

  def test_a_run_of_gail_without_one(self):
    line, = self.advice()
    assert '(--configs ... anchor)' in line
    assert 'anchor' in configs.blocks() and 'docs/variants.md' in line

  @pytest.mark.parametrize('flags', [
      ['--agent.gail.reward', 'env'], ['--agent.gail.reward', 'constant'],
      ['--random_agent', 'True'], ['--agent.gail.expert', 'random'],
      ['--agent.gail.anchor', '0.1'], ['--agent.gail.actor', 'dynamics'],
  ], ids=lambda x: x[0] + x[1])
  def test_no_other_run(self, flags):
    assert not self.advice(*flags)

  def test_no_task_that_allows_none(self):
    # The encoder cannot halve 66 pixels four times, nor half of 7 rows be
    # demonstrations.
    blocks = ('crafter', 'debug', 'gail')
    assert self.advice(blocks=blocks)
    assert not self.advice('--agent.gail.anchor_shift', '1', blocks=blocks)
    assert not self.advice('--batch_size', '7', blocks=blocks)


class TestTwin:

  @pytest.fixture
  def started(self, tmp_path, monkeypatch):
    """Run `main` without its run loop; return what it starts afterwards."""
    def started(*flags, ends=None):
      found = []
      monkeypatch.setattr(main, 'start', lambda config, argv: ends)
      monkeypatch.setattr(main.os, 'execv', lambda *args: found.append(args))
      main.main([*FLAGS, '--logdir', str(tmp_path / 'log'), *flags])
      return found
    return started

  def test_is_the_run_with_a_constant_reward_elsewhere(
      self, started, tmp_path, capsys):
    (program, argv), = started('--run.twin', 'True', '--seed', '3')
    assert program == argv[0] == sys.executable
    assert argv[1:4] == ['-m', 'dreamer_gail_plugin', 'train']
    run = configs.load_config(
        [*FLAGS, '--seed', '3', '--logdir', str(tmp_path / 'log')])
    assert configs.load_config(argv[4:]) == run.update({
        'agent.gail.reward': 'constant',
        'logdir': str(tmp_path / 'log-constant')})
    assert 'The constant twin: ' in capsys.readouterr().out

  def test_not_unless_asked_for_or_if_the_run_was_stopped(self, started):
    assert not started()
    assert not started('--run.twin', 'True', ends=143)

  @pytest.mark.parametrize('reward', ['env', 'constant'])
  def test_of_rewards_that_have_none(self, started, reward):
    with pytest.raises(errors.UserError, match='--run.twin True: follows'):
      started('--run.twin', 'True', '--agent.gail.reward', reward)
