import importlib
import os
import pathlib
import subprocess
import sys

import embodied
import numpy as np
import portal
import pytest

import dreamer_gail_plugin
from dreamer_gail_plugin import patches
from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.patches import child_processes
from dreamer_gail_plugin.patches import jax_jit_keywords
from helpers import dummies
from helpers.upstreams import needs
from helpers.upstreams import path

ROOT = pathlib.Path(__file__).parent.parent


def python(code):
  """Return the finished process that ran the code in a fresh Python."""
  env = {**os.environ, 'PYTHONPATH': path(ROOT)}
  return subprocess.run(
      [sys.executable, '-c', code], env=env, capture_output=True, text=True)


class TestApply:

  @needs('embodied_envs')
  def test_all_patches_are_needed_by_the_release(self):
    # An older jax, such as the one that upstream pins, is none the worse.
    want = list(patches.ORDER)
    if not jax_jit_keywords.needed():
      want.remove('jax_jit_keywords')
    assert upstream.apply() == tuple(want)

  def test_every_patch_is_listed(self):
    files = {x.stem for x in upstream.resource('patches').glob('*.py')}
    others = {'__init__', 'dryrun', 'loops', 'proxies'}
    assert files - others == set(patches.ORDER)

  @pytest.mark.parametrize('name', [
      'xla_flags', 'parallel_driver', 'log_aggregation', 'timer_summary',
      'from_checkpoint', 'own_lines', 'env_watchdog', 'final_save',
      'keep_checkpoints', 'eval_scores'])
  def test_what_is_mended_needs_no_patch(self, name):
    # Of the other patches the defect is outside of what they change.
    module = importlib.import_module(f'{patches.__name__}.{name}')
    assert not module.needed()

  def test_again_changes_nothing(self):
    before = embodied.run.train, embodied.Driver._env_server
    assert upstream.apply() is upstream.apply()
    assert (embodied.run.train, embodied.Driver._env_server) == before

  def test_import_does_not_start_jax(self):
    done = python(
        'import dreamer_gail_plugin, embodied; '
        'from jax._src import xla_bridge; print(xla_bridge._backends)')
    assert (done.stdout, done.returncode) == ('{}\n', 0), done.stderr

  def test_upstream_missing(self, monkeypatch):
    monkeypatch.setitem(sys.modules, 'embodied', None)
    with pytest.raises(UserError, match='dreamer==3.3.0'):
      upstream.apply()


class TestResource:

  def test_in_a_checkout(self):
    assert upstream.resource('patches') == ROOT / 'patches'

  def test_in_a_wheel(self, tmp_path, monkeypatch):
    package = tmp_path / 'dreamer_gail_plugin'
    for folder in (package / 'patches', tmp_path / 'patches'):
      folder.mkdir(parents=True)
    monkeypatch.setattr(upstream, '__file__', str(package / 'upstream.py'))
    assert upstream.resource('patches') == package / 'patches'

  def test_missing(self):
    with pytest.raises(UserError, match="'nothing' is neither at"):
      upstream.resource('nothing')


class TestPublicNames:

  def test_unknown(self):
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
      dreamer_gail_plugin.nothing  # noqa: B018

  @pytest.mark.parametrize('name', dreamer_gail_plugin.__all__)
  def test_known(self, name):
    assert callable(getattr(dreamer_gail_plugin, name))


@needs('embodied_envs')
class TestEmbodiedEnvs:

  def test_release_cannot_be_imported_without(self):
    done = python('import embodied')
    assert done.returncode == 1
    assert "cannot import name 'envs'" in done.stderr

  def test_members_are_reported_missing(self):
    with pytest.raises(ModuleNotFoundError, match='embodied.envs.dmc'):
      import embodied.envs.dmc  # noqa: F401

  @pytest.mark.parametrize('exists', [True, False])
  def test_needed_only_where_the_folder_is_missing(self, tmp_path, exists):
    # A stand-in for upstream's git, where `envs` has no __init__.py either.
    (tmp_path / 'embodied/envs').mkdir(parents=True)
    (tmp_path / 'embodied/__init__.py').write_text('1 / 0')
    exists or (tmp_path / 'embodied/envs').rmdir()
    done = python(
        f'import sys; sys.path[:0] = [{str(tmp_path)!r}, '
        f'{str(ROOT / "patches")!r}]; '
        'import embodied_envs; print(embodied_envs.needed())')
    assert done.stdout == f'{not exists}\n', done.stderr


@needs('child_processes')
class TestChildProcesses:

  def test_portal_alone_fails(self):
    process = portal.Process(embodied.run.parallel.parallel_envs, start=True)
    assert process.join().exitcode == 1

  def test_upstream_uses_ours(self):
    for module in (embodied.core.driver, embodied.run.parallel):
      assert issubclass(module.portal.Process, child_processes.Process)
    assert portal.Process is not child_processes.Process

  def test_child_imports_embodied_first(self):
    process = child_processes.Process(embodied.LocalClock, 0, start=True)
    assert process.name == 'LocalClock'
    assert process.join().exitcode == 0


class TestParallelDriver:

  @needs('parallel_driver')
  def test_release_expects_an_argument_too_many(self):
    # A portal process calls its function with the given arguments only.
    original = embodied.Driver._env_server.original
    with pytest.raises(TypeError, match="'ctor'"):
      original(0, None, None)

  def test_two_processes(self):
    driver = embodied.Driver([dummies.Dummy, dummies.Dummy], parallel=True)
    steps = []
    driver.on_step(lambda tran, worker: steps.append((worker, tran)))
    driver.reset(lambda size: ())
    act = {'action': np.zeros(2, np.int32)}
    driver(lambda carry, obs: (carry, act, {}), steps=12)
    processes = driver.procs
    driver.close()
    assert [worker for worker, _ in steps] == 6 * [0, 1]
    assert [int(x['log/count']) for _, x in steps[::2]] == [0, 1, 2, 3, 4, 0]
    assert not any(x.running for x in processes)
