"""What PPO sees of AIRL's reward."""

import numpy as np
import pytest

from dreamer_gail_plugin.baselines import config as configlib
from dreamer_gail_plugin.baselines import demonstrations
from helpers.torches import DEBUG
from helpers.torches import extra


@extra
@pytest.mark.parametrize('normalize', [True, False])
def test_ppo_sees_airls_reward_around_zero(normalize):
  from imitation.util import logger

  from dreamer_gail_plugin.baselines import adversarial
  from dreamer_gail_plugin.baselines import ppo
  config = configlib.load('airl_ppo', [
      *DEBUG, '--disc.normalize', str(normalize)])
  episodes = demonstrations.load(config, demonstrations.check(config))
  venv = ppo.make_envs(config, 'none')
  net = adversarial.make_trainer(
      config, venv, ppo.make_model(config, venv, 128), episodes,
      logger.configure(None, ())).reward_train
  episode = episodes[0]
  steps = (
      episode.obs[:-1], episode.acts, episode.obs[1:],
      np.zeros(len(episode.acts), bool))
  raw = net.predict(*steps)
  net.predict_processed(*steps)  # The statistics are of the steps before.
  seen = net.predict_processed(*steps)
  venv.close()
  assert abs(raw.mean()) > 0.01
  if normalize:
    # The library keeps small deviations from being divided by.
    spread = np.sqrt(raw.var() + 1e-5)
    assert seen == pytest.approx((raw - raw.mean()) / spread, abs=1e-2)
  else:
    assert seen == pytest.approx(raw, abs=1e-6)


class TestSettings:

  def test_its_own_block_for_a_suite(self):
    task = ['--task', 'minatar_breakout']
    assert configlib.load('airl_ppo', task).disc.updates == 8
    assert configlib.load('gail_ppo', task).disc.updates == 1

  def test_named_blocks_and_flags_win(self):
    flags = ['--task', 'minatar_breakout', '--disc.updates', '2']
    assert configlib.load('airl_ppo', flags).disc.updates == 2
