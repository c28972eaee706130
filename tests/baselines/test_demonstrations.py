"""Demonstrations as the learner of a baseline sees them."""

import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import envs
from dreamer_gail_plugin.baselines import config as configlib
from dreamer_gail_plugin.baselines import demonstrations
from dreamer_gail_plugin.baselines import gymenv
from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.errors import UserError
from helpers.torches import DEBUG


class TestDemonstrations:

  def config(self, *flags):
    return configlib.load('bc', [*DEBUG, *flags])

  def test_episodes_of_the_bundled_store(self):
    config = self.config()
    path = demonstrations.check(config)
    episodes = demonstrations.episodes(config, path)
    with store.Store(path) as demos:
      data = demos.read(0)
    # Three games that the recorder stopped, and the start of a fourth.
    assert len(episodes) == 40
    assert not any(x.terminal for x in episodes)
    stop = np.flatnonzero(data['is_last'])[0]
    first, second = episodes[:2]
    assert first.obs.shape == (stop + 1, 4, 10, 10)
    assert np.array_equal(
        first.obs, np.moveaxis(data['image'][: stop + 1], -1, 1))
    assert np.array_equal(first.acts, data['action'][:stop])
    assert np.array_equal(second.acts[:5], data['action'][stop + 1: stop + 6])

  def test_the_same_eyes_as_in_the_environment(self, tmp_path):
    config = self.config('--stack', '2')
    make = lambda seed: envs.make('minatar', 'breakout', seed=seed)
    path = tmp_path / 'x.h5'
    store.write(path, record.record(make, record.Random, 1, 80), {
        'task': 'minatar_breakout', 'source': '', 'licence': '',
        'preprocessing': '', 'action_meanings': ''})
    episodes = demonstrations.episodes(config, path)
    assert len(episodes) > 2 and episodes[0].terminal
    env = gymenv.Env(config, 0, 'none')
    env.env = make(record.seeds(0, 0)[0])
    for episode in episodes:
      seen = [env.reset()[0]]
      for action in episode.acts:
        obs, reward, terminal, limit, _ = env.step(action)
        seen.append(obs)
        assert reward == 0 and not limit
      assert terminal == episode.terminal
      assert np.array_equal(np.stack(seen), episode.obs)
    # The newest image is last; at the start the first stands for both.
    obs = episodes[0].obs
    assert obs.shape[1:] == (8, 10, 10)
    assert np.array_equal(obs[0, :4], obs[0, 4:])
    assert np.array_equal(obs[1:, :4], obs[:-1, 4:])
    assert not np.array_equal(obs[1, :4], obs[1, 4:])

  def test_of_another_task(self):
    path = build.expert_path(self.config())
    config = configlib.load(
        'bc', ['--task', 'minatar_seaquest', '--expert', str(path)])
    with pytest.raises(UserError, match='do not fit the task'):
      demonstrations.check(config)
