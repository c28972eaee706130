"""The commands that time something: their figures and their file."""

import gzip
import json

import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.perf import __main__ as perf
from dreamer_gail_plugin.perf import gpu
from dreamer_gail_plugin.perf import step
from dreamer_gail_plugin.perf import stream
from dreamer_gail_plugin.perf import worker
from helpers import largestore
from helpers.refusals import exit_code

DEBUG = ['--configs', 'minatar', 'gail', 'debug', '--logdir', '/nowhere']


def lines(path):
  """Return the measurements in a file."""
  return [json.loads(x) for x in gzip.open(path, 'rt')]


class Stub:
  """A worker whose train steps take 1 s, with an anchor 3 s."""

  log = []

  def __init__(self, config):
    self.seconds = 3.0 if config.agent.gail.anchor else 1.0
    self.flags = config.agent.gail.reward, config.batch_size

  def __enter__(self):
    return self

  def __exit__(self, *args):
    self.log.append(('ended', self.flags))

  def ask(self, name):
    self.log.append((name, self.flags))
    return {'train': self.seconds, 'act': 5.2}.get(name) or {
        'compile_seconds': 1.0, 'step_bytes': 2, 'peak_bytes': 3, 'values': 4}


@pytest.fixture
def stub(monkeypatch):
  """Put a Stub in the place of workers; return its log."""
  monkeypatch.setattr(step, 'Worker', Stub)
  monkeypatch.setattr(Stub, 'log', [])
  return Stub.log


class TestMemory:

  def test_peak_is_forgotten(self):
    block = np.ones(2 ** 27, np.uint8)
    high = worker.peak()
    del block
    worker.forget_peak()
    assert worker.peak() < high - 2 ** 26


class TestStep:

  def test_ratios_to_plain_dreamer(self, stub, tmp_path, capsys):
    path = tmp_path / 'speed.jsonl.gz'
    for _ in range(2):
      assert not exit_code(perf.main, [
          'step', '--repeats', '2', '--out', str(path), *DEBUG,
          '--against', '--configs anchor --batch_size 6'])
    first, second = lines(path)
    assert first['rows'] == second['rows']
    ratios = [x['ratio'] for x in first['rows'].values()]
    assert ratios == [1, 1, 3]
    assert first['flags'] == DEBUG
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == first['figure'] == (
        'step ratio of --configs anchor --batch_size 6: 3.00')
    assert out[-3].startswith('| 3.00 | 3000.0 |')

  def test_takes_turns(self, stub):
    perf.main(['step', '--repeats', '2', *DEBUG])
    trained = [x for name, x in stub if name == 'train']
    env, gail = ('env', 8), ('gail', 8)
    # Each warms up first.
    assert trained == 3 * [env] + 3 * [gail] + 2 * [env, gail]
    assert stub[-2:] == [('ended', gail), ('ended', env)]

  def test_neighbours_in_time_are_compared(self):
    seconds = iter([1, 2, 10, 20, 1, 2])
    stub = type('', (), {'ask': lambda self, name: next(seconds)})()
    times = worker.alternate({'a': stub, 'b': stub}, repeats=3, warmup=0)
    assert (times['b'] / times['a']).tolist() == [2, 2, 2]

  def test_blocks_and_variables_on_top(self):
    variables, config = step.parse(
        ['--configs', 'minatar', 'gail', '--batch_size', '4'],
        'A=b C=d=e --configs anchor --agent.gail.risk 7')
    assert variables == {'A': 'b', 'C': 'd=e'}
    expected = configs.load_config([
        '--configs', 'minatar', 'gail', 'anchor', '--batch_size', '4',
        '--agent.gail.risk', '7'])
    assert config.agent.gail == expected.agent.gail
    assert config.batch_size == 4

  def test_variables_are_the_workers_alone(self, stub, monkeypatch):
    monkeypatch.setenv('PERF_TEST', 'before')
    seen = []
    monkeypatch.setattr(
        Stub, 'ask', lambda *_: seen.append(step.os.environ['PERF_TEST']))
    config = configs.load_config(DEBUG)
    step.start({'PERF_TEST': 'now'}, config)
    assert seen == ['now'] and step.os.environ['PERF_TEST'] == 'before'

  @pytest.mark.slow
  def test_a_worker(self):
    _, config = step.parse([*DEBUG, '--jax.compute_dtype', 'float32'], '')
    with worker.Worker(config) as real:
      assert 0 < real.ask('train') < 60
      info = real.ask('info')
      assert info['step_bytes'] > 1e5 and info['values'] > 1e3
      assert info['peak_bytes'] > 1e8 and info['compile_seconds'] > 0
      with pytest.raises(RuntimeError, match='no_such_thing'):
        real.ask('no_such_thing')


class TestStream:

  def test_prints_and_writes(self, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stream, 'COUNTS', (3,))
    monkeypatch.setattr(stream, 'LENGTH', 20)
    path = tmp_path / 'stream.jsonl.gz'
    assert not exit_code(perf.main,
        ['stream', '--repeats', '2', '--out', str(path), *DEBUG])
    found, = lines(path)
    assert [x['memory'] for x in found['rows']] == ['ram', 'disk']
    assert all(x['steps'] == 60 for x in found['rows'])
    assert all(x['frames_per_second'] > 100 for x in found['rows'])
    assert 'stream frames/s' in capsys.readouterr().out.splitlines()[-1]

  def test_of_a_store(self, tmp_path, capsys):
    path = tmp_path / 'large.h5'
    largestore.main(path, 3, 20, *DEBUG)
    perf.main([
        'stream', '--repeats', '2', *DEBUG, '--agent.gail.expert', str(path)])
    *_, row, figure = capsys.readouterr().out.splitlines()
    assert row.split()[:3] == ['3', '60', 'ram']
    assert 'disk' not in figure
    with store.Store(path) as made:
      first, last = made.read(0), made.read(2)
    assert (first['image'] == last['image']).all() and first['image'].any()


class TestGpu:

  def test_methods(self):
    load = lambda name: step.parse(
        gpu.flags(('debug',), gpu.METHODS[name]), '')
    gail = load('gail anchor')[1].agent.gail
    assert gail.anchor == 0.1 and gail.reward == 'gail'
    assert load('gail_paper')[1].agent.gail.opt.learning_rate == 3e-9
    config = load('env')[1]
    assert config.agent.gail.reward == 'env' and config.task == gpu.TASK
    assert config.agent.policy.units == 8

  def test_step_of_each_method(self, monkeypatch):
    monkeypatch.setattr(gpu.worker, 'Worker', Stub)
    found = gpu.steps(('debug',), 2)
    assert list(found) == ['env', 'gail', 'gail_paper', 'gail anchor']
    assert [x['ratio'] for x in found.values()] == [1, 1, 1, 3]
    assert found['gail']['milliseconds'] == 1000
    assert found['gail']['policy'] == 5 and found['gail']['peak_bytes'] == 3

  def test_demonstrations_as_the_replay_has_them(self):
    config = step.parse(gpu.flags(('debug',), gpu.METHODS['env']), '')[1]
    model = build.make_model(config)
    spaces = {**model.obs_space, **model.act_space, **model.ext_space}
    image = np.ones((2, 3, 96, 96, 1), np.uint8)
    flag = np.ones((2, 3), bool)
    found = gpu.replayed({
        'expert/image': image, 'expert/is_first': flag,
        'expert/is_cut': flag}, spaces)
    assert found.keys() == spaces.keys()
    assert found['image'].all() and found['is_first'].all()
    assert found['dyn/deter'].shape == (2, 3, 8)
    assert not found['reward'].any() and not found['consec'].any()

  def test_parts_are_told_one_by_one(self, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        gpu, 'steps', lambda *_: {'gail': {'ratio': 1.5}})
    monkeypatch.setattr(gpu, 'world', lambda *_: {'updates': 7})
    monkeypatch.setattr(gpu, 'trained', lambda *_: {'step': 8})
    path = tmp_path / 'gpu.jsonl.gz'
    assert not exit_code(perf.main, ['gpu', '--out', str(path)])
    found, = lines(path)
    assert (found['model']['updates'], found['train']['step']) == (7, 8)
    said = capsys.readouterr().out.splitlines()
    parts = [json.loads(x) for x in said if x.startswith('{')]
    assert [next(iter(x)) for x in parts] == ['step', 'model', 'train']
    assert said[-1] == 'gpu: step ratio of gail 1.50'

  def test_fits_ten_minutes(self):
    assert 2 * gpu.SECONDS + gpu.STARTING < 500


class TestMistakes:

  @pytest.mark.parametrize('args, text', [
      (['--against', '--configs anchr'], 'anchr: no such block'),
      (['--against', '--agent.gail.risky 1'], 'configs.yaml'),
      (['--repeats', '0'], '--repeats 0'),
      (['--scale', '0'], '--scale 0'),
  ])
  def test_end_it_before_anything_starts(self, stub, args, text, capsys):
    assert exit_code(perf.main, ['step', *args, *DEBUG]) == 2
    error = capsys.readouterr().err
    assert text in error and error.count('\n') == 1
    assert not stub

  def test_a_file_of_another_kind_is_kept(self, stub, tmp_path, capsys):
    path = tmp_path / 'notes.txt'
    path.write_text('old')
    assert exit_code(perf.main, ['step', '--out', str(path), *DEBUG]) == 2
    assert path.read_text() == 'old' and not stub
    assert 'no file of gzipped lines' in capsys.readouterr().err

  def test_lines_that_are_cut_off(self, tmp_path):
    path = tmp_path / 'cut.jsonl.gz'
    perf.save(path, 'a line\n')
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(UserError, match='gzipped lines'):
      perf.lines(path)
