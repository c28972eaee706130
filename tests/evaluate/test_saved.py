"""The config of a saved run, on this machine and by this version."""

import elements
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.evaluate import saved
from helpers import savedruns
from helpers.refusals import refused


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  return savedruns.toy(tmp_path_factory.mktemp('run'))


class TestLoadConfig:

  def test_older_and_newer_runs(self, tmp_path):
    config = configs.load_config(['--configs', 'minatar', 'debug'])
    nested = dict(config)
    nested['agent'] = {**config.agent, 'gone': 3}
    nested.pop('replay')
    elements.Config(nested).save(elements.Path(tmp_path / 'config.yaml'))
    loaded = saved.load_config(tmp_path)
    assert 'gone' not in loaded.agent
    assert loaded.replay == configs.load_config([]).replay
    assert loaded.agent.policy == config.agent.policy
    assert loaded.logdir == str(tmp_path)

  def test_runs_of_before_take_bytes_for_images(self, tmp_path):
    config = configs.load_config(['--configs', 'gym', 'debug'])
    assert config.env.gym.image == 'auto'
    flat = {k: v for k, v in config.flat.items() if k != 'env.gym.image'}
    elements.Config(flat).save(elements.Path(tmp_path / 'config.yaml'))
    assert saved.load_config(tmp_path).env.gym.image == 'last'
    config.save(elements.Path(tmp_path / 'config.yaml'))
    assert saved.load_config(tmp_path).env.gym.image == 'auto'

  def test_device_is_not_that_of_the_training(self, run):
    kept = elements.Config.load(elements.Path(run) / 'config.yaml')
    assert kept.jax.platform == 'cpu'
    assert saved.load_config(run).jax.platform == 'auto'


class TestCodeOfStrangers:

  @pytest.fixture
  def run(self, tmp_path, monkeypatch):
    """Write a run in a folder below the working one; return what tries it."""
    monkeypatch.chdir(tmp_path)

    def load(task):
      logdir = tmp_path / 'run' / 'log'
      logdir.mkdir(parents=True, exist_ok=True)
      configs.load_config(['--configs', 'gym', 'debug', '--task', task]).save(
          elements.Path(logdir / 'config.yaml'))
      return saved.load_config(logdir)
    return load

  @pytest.mark.parametrize('file, module', [
      ('evil.py', 'run.log.evil'), ('__init__.py', 'run.log'),
      ('deep/er/evil.py', 'run.log.deep.er.evil'),
      ('deep/__init__.py', 'run.log.deep')])
  def test_modules_in_the_logdir_are_not_imported(
      self, run, tmp_path, file, module):
    path = tmp_path / 'run' / 'log' / file
    path.parent.mkdir(parents=True)
    path.write_text('raise SystemExit("was run")')
    with refused(f'{path}, which came with it'):
      run(f'gym_{module}:Any-v0')

  def test_others_are(self, run, tmp_path):
    (tmp_path / 'mine.py').write_text('')
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'mine.py').write_text('')
    for module in ('mine', 'run.mine', 'none.such', 'gymnasium'):
      assert run(f'gym_{module}:Any-v0').task == f'gym_{module}:Any-v0'
