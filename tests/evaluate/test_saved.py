"""The config of a saved run, on this machine and by this version."""

import elements
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.evaluate import saved
from helpers import savedruns


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
