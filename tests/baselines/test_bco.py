"""BCO: which action leads from one observation to the next."""

import numpy as np
from gymnasium import spaces

from helpers.torches import extra

pytestmark = extra
SPACE = spaces.Box(0, 255, (2, 6, 6), np.uint8)
ACTS = spaces.Discrete(3)


class Row:
  """An environment whose next image shows the action, three to a game."""

  num_envs, observation_space, action_space = 2, SPACE, ACTS

  def reset(self):
    self.time = np.zeros(2, int)
    return np.zeros((2, *SPACE.shape), np.uint8)

  def step(self, acts):
    self.time = self.time % 3 + 1
    obs = np.zeros((2, *SPACE.shape), np.uint8)
    for image, act in zip(obs, acts):
      image[:, :, 2 * act] = 255
    return obs, np.zeros(2), self.time == 3, [{}, {}]


def test_pairs_are_within_a_game():
  from dreamer_gail_plugin.baselines import bco
  shown, acts = map(np.concatenate, zip(*bco.play(Row(), None, 30)))
  assert shown.shape == (40, 4, 6, 6) and acts.shape == (40,)
  assert bco.pair_space(SPACE).shape == (4, 6, 6)
  for pair, act in zip(shown, acts):
    assert pair[2:, :, 2 * act].all()


def test_the_inverse_model_learns():
  from dreamer_gail_plugin.baselines import bco
  from dreamer_gail_plugin.baselines import config as configlib
  from dreamer_gail_plugin.baselines import networks
  config = configlib.load('bco', [
      '--bco.updates', '60', '--bc.batch_size', '32', '--device', 'cpu'])
  inverse = networks.policy(bco.pair_space(SPACE), ACTS)
  found = [np.concatenate(x) for x in zip(*bco.play(Row(), None, 120))]
  class Quiet:
    add = print
  before = bco.right(inverse, found, 60)
  bco.clone(config, Quiet, inverse, *[x[:-60] for x in found])
  assert before < 0.7 and bco.right(inverse, found, 60) > 0.95


def test_continuous_actions_are_a_distance():
  from dreamer_gail_plugin.baselines import bco
  class Zero:
    def predict(self, obs, deterministic):
      assert deterministic
      return np.zeros((len(obs), 2), np.float32), None
  found = np.zeros((8, 4)), np.full((8, 2), -0.5, np.float32)
  assert bco.right(Zero(), found, 4) == -0.5
