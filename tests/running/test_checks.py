"""What is settled before a run: flags, platform, memory, the expert's eyes."""

import contextlib
import functools
import os

import dreamerv3.main as upmain
import embodied
import jax
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.data import memory
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import device


@functools.cache
def config(*flags):
  return configs.load_config(['--configs', 'minatar', 'gail', 'debug', *flags])


@contextlib.contextmanager
def refused(*words):
  """Expect one UserError of one line that has all the words."""
  with pytest.raises(UserError) as caught:
    yield
  message = str(caught.value)
  assert '\n' not in message
  assert not [x for x in words if x not in message], message


class TestValues:

  def test_configs_pass(self):
    for block in ('gail', 'gail_paper', 'tiny'):
      checks.values(configs.load_config(['--configs', 'atari', block]))

  @pytest.mark.parametrize('key', sorted(checks.CHOICES))
  def test_choices(self, key):
    for choice in checks.CHOICES[key]:
      checks.values(config(f'--{key}', choice))
    with refused(f'--{key} nonsense', *checks.CHOICES[key]):
      checks.values(config(f'--{key}', 'nonsense'))

  @pytest.mark.parametrize('key', ['gail.disc', 'enc.simple'])
  def test_nonlinearities(self, key):
    for name in ('none', 'relu2', 'elu'):
      checks.values(config(f'--agent.{key}.act', name))
    with refused(f'--agent.{key}.act nope', 'silu'):
      checks.values(config(f'--agent.{key}.act', 'nope'))

  @pytest.mark.parametrize(
      'key', ['agent.gail.consec', 'consec_train', 'consec_report'])
  def test_how_often_sequences_go_on(self, key):
    with refused(f'--{key} 0', '1 or more'):
      checks.values(config(f'--{key}', '0'))

  def test_which_parameters_to_load(self):
    checks.pattern('.*')
    with refused('--run.from_checkpoint_regex (', 'regular expression'):
      checks.pattern('(')

  def test_seed(self):
    with refused('--seed -1'):
      checks.values(config('--seed', '-1'))

  def test_evaluation_needs_an_agent(self, tmp_path):
    with refused('--script eval_only', '--run.from_checkpoint'):
      checks.values(config('--script', 'eval_only'))
    with refused(str(tmp_path), 'no checkpoint'):
      checks.values(config(
          '--script', 'eval_only', '--run.from_checkpoint', str(tmp_path)))


class TestRows:

  def test_half_of_the_rows_are_demonstrations(self):
    flags = ('--batch_size', '6', '--run.train_ratio', '32')
    for extra, want in {
        ('replay',): (6, 32), ('both',): (3, 16),
        ('both', '--agent.gail.reward', 'env'): (6, 32)}.items():
      found = configs.rows(config(*flags, '--agent.gail.world', *extra))
      assert (found.batch_size, found.run.train_ratio) == want

  def test_so_their_number_is_even(self):
    with refused('--batch_size 5', 'even', '--agent.gail.world both'):
      configs.rows(config('--batch_size', '5', '--agent.gail.world', 'both'))


class TestPlatform:

  def platform(self, *flags):
    result = device.platform(config('--jax.platform', 'auto', *flags))
    return result.jax.platform, result.jax.compute_dtype

  @pytest.fixture(params=[None, False, True])
  def cuda(self, request, monkeypatch):
    """No plugin for CUDA, a plugin without a device, and with one."""
    plugin, works = request.param is not None, bool(request.param)
    monkeypatch.setattr(
        checks.importlib.util, 'find_spec',
        lambda name: plugin if name == 'jax_cuda12_plugin' else None)
    class Done:
      returncode = int(not works)
    def run(*args, **kwargs):
      assert plugin  # Without one there is nothing to ask.
      return Done()
    monkeypatch.setattr(device.subprocess, 'run', run)
    return request.param

  def test_auto(self, cuda, capsys):
    want = ('cuda', 'bfloat16') if cuda else ('cpu', 'float32')
    assert self.platform() == want
    said = capsys.readouterr().out
    assert want[0].upper() in said and want[1] in said
    assert ('no GPU' in said) == (not cuda)

  def test_what_is_asked_for(self, cuda):
    assert self.platform('--jax.compute_dtype', 'float16')[1] == 'float16'
    assert self.platform('--jax.platform', 'cpu') == ('cpu', 'float32')
    assert self.platform(
        '--jax.platform', 'cpu', '--jax.compute_dtype', 'bfloat16') == (
            'cpu', 'bfloat16')
    if cuda is None:
      with refused('--jax.platform cuda', "pip install 'jax[cuda12]'"):
        self.platform('--jax.platform', 'cuda')
    else:
      assert self.platform('--jax.platform', 'cuda') == ('cuda', 'bfloat16')

  def test_no_gpu_no_query_of_it(self):
    result = device.platform(config('--jax.platform', 'cpu'))
    assert not result.run.usage.nvsmi


class TestPrepareJax:

  @pytest.fixture(autouse=True)
  def fresh(self, monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('XLA_FLAGS', '--mine')
    names = (
        'jax_compilation_cache_dir', 'jax_threefry_partitionable',
        'jax_persistent_cache_min_compile_time_secs')
    olds = {name: getattr(jax.config, name) for name in names}
    jax.config.update('jax_compilation_cache_dir', None)
    yield
    for name, old in olds.items():
      jax.config.update(name, old)

  def test_programs_are_kept_for_the_next_start(self, tmp_path):
    device.prepare_jax(config())
    assert jax.config.jax_compilation_cache_dir == str(
        tmp_path / 'dreamer_gail_plugin' / 'jax')

  def test_not_if_turned_off(self):
    device.prepare_jax(config('--jax.compilation_cache', 'False'))
    assert jax.config.jax_compilation_cache_dir is None

  def test_not_elsewhere_than_the_user_wants(self):
    jax.config.update('jax_compilation_cache_dir', '/elsewhere')
    device.prepare_jax(config())
    assert jax.config.jax_compilation_cache_dir == '/elsewhere'

  @pytest.mark.skipif(
      jax.__version_info__ < (0, 9), reason='this jax lacks the flag')
  def test_flags_of_the_user_stay(self):
    for _ in range(2):
      device.prepare_jax(config('--jax.platform', 'cpu'))
      assert os.environ['XLA_FLAGS'].split() == ['--mine', device.NO_FUSION]


class TestMemory:

  def free(self, monkeypatch, amount):
    monkeypatch.setattr(checks, 'free_memory', lambda: amount)

  @pytest.mark.parametrize('flags', [
      [], ['--replay_context', '0'], ['--task', 'gym_CartPole-v1'],
      ['--agent.dyn.rssm.deter', '32', '--agent.dyn.rssm.stoch', '3']])
  def test_step_is_what_upstream_keeps(self, flags):
    given = config(*flags)
    obs_space, act_space = build.spaces(given)
    step = {
        k: np.zeros(v.shape, v.dtype)
        for k, v in {**obs_space, **act_space}.items()}
    if given.replay_context:  # As upstream's rssm has it in `entry_space`.
      rssm = given.agent.dyn.rssm
      step['dyn/deter'] = np.zeros(rssm.deter, np.float32)
      step['dyn/stoch'] = np.zeros((rssm.stoch, rssm.classes), np.float32)
    replay = embodied.replay.Replay(4, 100, chunksize=16)
    replay.add({**step, 'log/extra': np.zeros(9)})
    chunk, = replay.chunks.values()
    each = memory.step_bytes(given, (obs_space, act_space))
    assert chunk.nbytes == 16 * each

  def test_too_much_is_refused_and_the_advice_works(self, monkeypatch, capsys):
    given = config('--replay.size', '1e6', '--run.steps', '1e7')
    spaces = build.spaces(given)
    each = memory.step_bytes(given, spaces)
    self.free(monkeypatch, 300_000 * each)
    with refused(
        '--replay.size 1.0e+06: needs', f'{1e6 * each / 1e9:.1f} GB',
        'Use --replay.size 2.4e+05 or less'):
      memory.check(given, spaces)
    memory.check(given.update({'replay.size': 2.4e5}), spaces)
    assert f'(240,000 steps of {each} bytes)' in capsys.readouterr().out

  def test_a_short_run_fills_no_replay(self, monkeypatch):
    given = config('--replay.size', '1e6', '--run.steps', '1e3')
    spaces = build.spaces(given)
    self.free(monkeypatch, 1000 * memory.step_bytes(given, spaces))
    memory.check(given, spaces)

  @pytest.mark.parametrize('script, refuses', [
      ('train', True), ('train_eval', True), ('parallel', True),
      ('parallel_replay', True), ('parallel_env', False),
      ('parallel_envs', False), ('eval_only', False)])
  def test_only_where_there_is_a_replay(self, monkeypatch, script, refuses):
    given = config('--script', script)
    self.free(monkeypatch, 0)
    with refused('--replay.size') if refuses else contextlib.nullcontext():
      memory.check(given, build.spaces(given))

  def test_less_than_a_batch(self):
    # 8 sequences of 10 steps and one of context.
    memory.check(config('--replay.size', '88'), build.spaces(config()))
    with refused('--replay.size 8.7e+01', 'less than 88 steps'):
      memory.check(config('--replay.size', '87'), build.spaces(config()))

  @pytest.mark.parametrize('script', ['train_eval', 'parallel'])
  def test_less_than_a_batch_of_the_evaluation(self, script, tmp_path):
    # 8 sequences of 5 steps and one of context, in a tenth of the replay.
    fits, less = [
        config('--script', script, '--replay.size', size, '--logdir',
               str(tmp_path)) for size in ('480', '479')]
    memory.check(fits, build.spaces(fits))
    upmain.make_replay(fits, 'replay', 'eval')
    with refused('--replay.size 4.8e+02', 'less than 480 steps'):
      memory.check(less, build.spaces(less))
    with pytest.raises(AssertionError):
      upmain.make_replay(less, 'replay', 'eval')

  def test_free_memory(self):
    assert 0 < memory.free_memory() < 1e15


class TestSameEyes:

  def warnings(self, tmp_path, capsys, made, *flags):
    path = tmp_path / 'demos.h5'
    ones = np.ones(1, bool)
    store.write(
        path, [{'is_first': ones, 'is_last': ones, 'is_terminal': ones}],
        {'preprocessing': made})
    checks.same_eyes(config('--task', 'atari_pong', *flags), path)
    return capsys.readouterr().out

  def test_equal(self, tmp_path, capsys):
    made = {'gray': True, 'size': [96, 96], 'noops': 7, 'frames': 'x'}
    assert not self.warnings(tmp_path, capsys, made)

  def test_unknown(self, tmp_path, capsys):
    assert not self.warnings(tmp_path, capsys, '')

  def test_different(self, tmp_path, capsys):
    made = {'pooling': 1, 'size': [96, 96], 'aggregate': 'mean'}
    said = self.warnings(tmp_path, capsys, made, '--env.atari.pooling', '3')
    assert said.count('Warning: ') == 2
    assert 'pooling 1, the task runs with --env.atari.pooling 3' in said
    assert 'aggregate mean' in said
    assert 'size' not in said
