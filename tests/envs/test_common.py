"""Actions of the agent in the units of the environment."""

import elements
import embodied
import numpy as np

from dreamer_gail_plugin import build
from dreamer_gail_plugin.envs import common as envs_common


class TestDenormalise:

  def test_as_the_wrappers_of_upstream(self):
    space = elements.Space(
        np.float32, (3,), np.float32([0, -np.inf, -2]),
        np.float32([4, np.inf, 6]))
    class Env(embodied.Env):
      obs_space = {}
      act_space = {'action': space}
      def step(self, action):
        self.got = action['action']
        return {}
    env = Env()
    wrapped = embodied.wrappers.ClipAction(
        embodied.wrappers.NormalizeAction(env, 'action'), 'action')
    for value in np.random.default_rng(0).normal(0, 1.5, (20, 3)):
      wrapped.step({'action': np.float32(value)})
      np.testing.assert_allclose(
          envs_common.restore(np.float32(value), space), env.got, rtol=1e-6)

  def test_undoes_what_demonstrations_get(self):
    space = elements.Space(np.float32, (2,), -3.0, 5.0)
    value = np.float32([[[-0.5, 0.25]]])
    action = envs_common.restore(value, space)
    batch = build.normalize_actions({'expert/a': action}, {'a': space})
    np.testing.assert_allclose(batch['expert/a'], value, rtol=1e-6)
    choice = elements.Space(np.int32, (), 0, 3)
    assert envs_common.restore(np.int32(2), choice) == 2
