"""The benchmark command: its figures, its JSON and how it splits a step."""

import collections
import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dreamer_gail_plugin.perf import __main__ as bench
from dreamer_gail_plugin.perf import profiler
from dreamer_gail_plugin.perf import roofline
from dreamer_gail_plugin.perf import step
from dreamer_gail_plugin.perf import stream
from dreamer_gail_plugin.perf import worker

DEBUG = ['--configs', 'minatar', 'gail', 'debug', '--logdir', '/nowhere']

TEXT = """
  %dot.1 = f32[2] dot(), metadata={op_name="jit(fn)/opt/jvp(dyn)/dyn/scan/x"}
  %dot.2 = f32[2] dot(), metadata={op_name="jit(fn)/opt/jvp()/expert/dyn/x"}
  %dot.3 = f32[2] dot(), metadata={op_name="jit(fn)/opt/imagine/pol/linear0/x"}
  ROOT %add.4 = f32[2] add(), metadata={op_name="jit(fn)/opt/add" source="x"}
  %add.5 = f32[2] add(), metadata={op_name="jit(fn)/opt/discopt/disc/add"}
"""


class TestProfile:

  def test_time_goes_to_the_scope_of_the_instruction(self):
    events = {
        'dot.1': 1000, 'dot.2': 2000, 'dot.3': 3000, 'add.4': 4000,
        'add.5': 5000, 'not an instruction': 7000}
    parts = profiler.parts(events, TEXT, steps=2)
    assert parts == {
        'D: update': 2.5, 'losses and optimizer': 2.0, 'imagination': 1.5,
        'expert pass: encoder and RSSM': 1.0, 'RSSM': 0.5}

  def test_loops_do_not_count_beside_their_bodies(self, tmp_path):
    trace = {'traceEvents': [
        {'ph': 'X', 'name': name, 'dur': 5}
        for name in ('while.3', 'dot.1', 'dot.1', 'call')]}
    path = tmp_path / 'a' / 'perfetto_trace.json.gz'
    path.parent.mkdir()
    path.write_bytes(gzip.compress(json.dumps(trace).encode()))
    assert profiler.events(tmp_path) == {'dot.1': 10}


class TestRoofline:

  def cost(self, fn, *shapes):
    jaxpr = jax.make_jaxpr(fn)(*[jnp.zeros(x, jnp.float32) for x in shapes])
    return roofline.cost(jaxpr.jaxpr.eqns[-1])

  def test_cost_of_a_product(self):
    flops, size = self.cost(jnp.dot, (3, 4), (4, 5))
    assert flops == 2 * 3 * 4 * 5 and size == 4 * (12 + 20 + 15)

  def test_cost_of_a_convolution(self):
    conv = lambda x, k: jax.lax.conv_general_dilated(
        x, k, (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
    flops, _ = self.cost(conv, (2, 8, 8, 3), (5, 5, 3, 7))
    assert flops == 2 * (2 * 4 * 4 * 7) * (5 * 5 * 3)

  def test_loops_count_by_their_length(self):
    def fn(x, w):
      return jax.lax.scan(lambda x, _: (x @ w, None), x, length=6)[0]
    jaxpr = jax.make_jaxpr(fn)(jnp.zeros((2, 3)), jnp.zeros((3, 3)))
    total = collections.defaultdict(lambda: np.zeros(3))
    roofline.walk(jaxpr.jaxpr, '', 1, total)
    assert total['other'][0] == 6 * 2 * 2 * 3 * 3
    assert total['other'][2] == 6


class TestMemory:

  def test_peak_is_forgotten(self):
    block = np.ones(2 ** 27, np.uint8)
    high = worker.peak()
    del block
    worker.forget_peak()
    assert worker.peak() < high - 2 ** 26


class Stub:

  def __init__(self, log, seconds):
    self.log = log
    self.seconds = seconds

  def ask(self, name):
    self.log.append((self.seconds, name))
    return self.seconds


class TestTimes:

  def test_tasks_take_turns_after_the_warm_up(self):
    log = []
    times = worker.alternate(
        {'a': (Stub(log, 1), 'train'), 'b': (Stub(log, 2), 'policy')},
        repeats=2, warmup=1)
    one, two = (1, 'train'), (2, 'policy')
    assert log == [one, two, one, two, one, two]
    assert times['a'].tolist() == [1, 1]
    assert times['b'].tolist() == [2, 2]

  def test_spread_is_in_milliseconds(self):
    assert worker.spread(np.array([0.001, 0.002, 0.009])) == {
        'median': 2.0, 'min': 1.0, 'max': 9.0}

  def test_ratio_compares_neighbours(self):
    # Both sides are twice as slow in the middle round.
    times = {
        'gail': np.array([1.2, 2.4, 1.2]), 'env': np.array([1.0, 2.0, 1.0])}
    assert step.ratio(times) == pytest.approx(1.2)


class TestCommand:

  @pytest.mark.parametrize('world', ['replay', 'both'])
  def test_step(self, world, tmp_path, capsys):
    path = tmp_path / 'step.json'
    flags = [
        *DEBUG, '--jax.compute_dtype', 'float32', '--agent.gail.world', world]
    assert not bench.main(
        ['step', '--repeats', '1', '--out', str(path), *flags])
    data = json.loads(path.read_text())
    assert capsys.readouterr().out.splitlines()[-1] == data['figure']
    assert data['figure'].startswith('step ratio gail/env: ')
    assert data['ratio'] > 0.5 and data['floor'] > 1
    names = set(profiler.PARTS.values())
    gail, env = data['parts']['gail'], data['parts']['env']
    # Rows that the model learns from need no pass of their own.
    expert = {'expert pass: encoder and RSSM'}
    assert names - set(gail) == {'reward head'} | (
        expert if world == 'both' else set())
    assert names - set(env) == expert | {
        'D: update', 'D: reward', 'risk critic'}

  def test_stream(self, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stream, 'COUNTS', (3,))
    monkeypatch.setattr(stream, 'LENGTH', 20)
    path = tmp_path / 'stream.json'
    assert not bench.main(
        ['stream', '--repeats', '2', '--out', str(path), *DEBUG])
    rows = json.loads(path.read_text())['rows']
    assert [x['memory'] for x in rows] == ['ram', 'disk']
    assert all(x['steps'] == 60 for x in rows)
    assert all(x['frames_per_second'] > 100 for x in rows)
    assert 'stream frames/s' in capsys.readouterr().out.splitlines()[-1]

  def test_env(self, tmp_path):
    path = tmp_path / 'env.json'
    assert not bench.main([
        'env', '--repeats', '1', '--out', str(path), *DEBUG,
        '--run.envs', '2'])
    data = json.loads(path.read_text())
    assert data['one process']['steps_per_second'] > 100
    assert data['parallel']['steps_per_second'] > 10

  def test_roofline(self, tmp_path):
    path = tmp_path / 'roofline.json'
    assert not bench.main([
        'roofline', '--out', str(path), *DEBUG, '--agent.gail.world',
        'replay'])
    parts = json.loads(path.read_text())['parts']
    assert set(parts['gail']) - set(parts['env']) == {
        'expert pass: encoder and RSSM', 'D: update', 'D: reward',
        'risk critic'}
    # All dense layers of a head: forward and both gradients.
    rows, width, units = 8 * 10 * 15, 16, 8
    forward = 2 * rows * (width * units + units)
    assert parts['env']['continue head']['calls'] >= 6
    assert parts['env']['continue head']['gflop'] * 1e9 >= forward

  def test_compare_wants_flags(self, tmp_path, capsys):
    path = tmp_path / 'compare.json'
    assert bench.main(['compare', '--out', str(path), *DEBUG]) == 2
    assert '--against' in capsys.readouterr().err
    assert not path.exists()

  def test_an_existing_file_is_kept(self, tmp_path, capsys):
    path = tmp_path / 'env.json'
    path.write_text('old')
    assert bench.main(['env', '--out', str(path), *DEBUG]) == 2
    assert path.read_text() == 'old'
    assert 'exists already' in capsys.readouterr().err
