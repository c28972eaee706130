"""Behaviour cloning by upstream's parts: the anchor by itself."""

import json
import pathlib

import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import errors
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.experiments import cloning

FLAGS = [
    '--configs', 'minatar', 'gail', 'anchor', 'debug', '--agent.opt.lr',
    '3e-3', '--agent.opt.warmup', '0', '--agent.policy.units', '32',
    '--env.minatar.length', '300', '--jax.compilation_cache', 'False']


class TestDemonstrations:

  def test_steps(self):
    config = configs.load_config(FLAGS)
    parts = cloning.demonstrations(config, *build.spaces(config))
    with store.Store(build.expert_path(config)) as demos:
      data = demos.read(3)
    obs, acts = parts[3]
    keep = ~data['is_last']
    assert len(parts) == 10 and 0 < keep.sum() < 1024
    assert (acts['action'] == data['action'][keep]).all()
    assert (obs['image'] == data['image'][keep]).all()


class TestLearning:

  @pytest.mark.slow
  def test_train_and_evaluate(self, tmp_path, monkeypatch):
    monkeypatch.setattr(cloning, 'UPDATES', 400)
    monkeypatch.setattr(cloning, 'EVERY', 100)
    cloning.train([*FLAGS, '--logdir', str(tmp_path)])
    log = json.loads((tmp_path / cloning.LOG).read_text())
    assert [x['updates'] for x in log['rows']] == [100, 200, 300, 400]
    # Uniform is ln 3; the share of actions in the demonstrations, 0.73.
    assert log['rows'][-1]['loss'] < 0.5 < np.log(3)
    files = cloning.evaluate([
        '--logdir', str(tmp_path), '--chunks', '1', '--episodes', '4',
        '--envs', '3', '--no-films'])
    assert [x.name for x in files] == [
        f'400_{x}.json' for x in ('sampled', 'greedy')]
    result = json.loads(pathlib.Path(files[0]).read_text())
    assert result['summary']['expert_mean'] == pytest.approx(30.27, abs=0.01)
    assert len(result['episodes']) == 4
    assert not list(tmp_path.glob('*.part'))

  def test_no_shares_of_stores(self, tmp_path):
    logdir = tmp_path / 'run'
    with pytest.raises(UserError, match='expert_weights: cloning draws'):
      cloning.train([
          *FLAGS, '--agent.gail.expert', 'a.h5', 'b.h5',
          '--agent.gail.expert_weights', '3', '1', '--logdir', str(logdir)])
    assert not logdir.exists()

  @pytest.mark.parametrize('flags', [['--disc'], ['--checkpoint', '100']])
  def test_flags_that_mean_nothing(self, tmp_path, flags):
    with pytest.raises(UserError, match=f'{flags[0]}: a cloned policy'):
      cloning.evaluate(['--logdir', str(tmp_path), *flags])

  @pytest.mark.parametrize('words', [[], ['--help'], ['tarin']])
  def test_no_such_command(self, words, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['cloning', *words])
    with pytest.raises(SystemExit) as caught:
      errors.run(cloning.main)
    assert caught.value.code == 2
    assert 'expected one of train, evaluate' in capsys.readouterr().err

  def test_device_is_the_users(self, tmp_path, monkeypatch):
    config = configs.load_config([*FLAGS, '--logdir', str(tmp_path)])
    config.save(str(tmp_path / 'config.yaml'))
    monkeypatch.setattr(cloning.device, 'cuda_installed', lambda: False)
    with pytest.raises(UserError, match='--jax.platform cuda'):
      cloning.evaluate(['--logdir', str(tmp_path), '--platform', 'cuda'])

  def test_nothing_saved(self, tmp_path):
    config = configs.load_config([*FLAGS, '--logdir', str(tmp_path)])
    config.save(str(tmp_path / 'config.yaml'))
    with pytest.raises(UserError, match='Train it again'):
      cloning.evaluate(['--logdir', str(tmp_path)])
