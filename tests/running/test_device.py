"""The platform that is chosen, and what JAX is told before it starts."""

import functools
import os

import jax
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.running import device
from helpers.refusals import refused


@functools.cache
def config(*flags):
  return configs.load_config(['--configs', 'minatar', 'gail', 'debug', *flags])


class TestPlatform:

  def platform(self, *flags):
    result = device.platform(config('--jax.platform', 'auto', *flags))
    return result.jax.platform, result.jax.compute_dtype

  @pytest.fixture(params=[None, False, True])
  def cuda(self, request, monkeypatch):
    """No plugin for CUDA, a plugin without a device, and with one."""
    plugin, works = request.param is not None, bool(request.param)
    monkeypatch.setattr(
        device.importlib.util, 'find_spec',
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
