"""What the baselines that learn values add to their libraries."""

import gymnasium
import numpy as np
import pytest

from dreamer_gail_plugin.baselines import config as configlib
from helpers.torches import DEBUG
from helpers.torches import extra


@extra
def test_a_time_limit_is_no_end_to_sqil():
  from imitation.data import types as imtypes

  from dreamer_gail_plugin.baselines import sqil
  obs = np.float32([[0.1], [0.2]])  # Of an environment each.
  buffer = sqil.Buffer(
      10, gymnasium.spaces.Box(-1, 1, (1,)), gymnasium.spaces.Discrete(2),
      [imtypes.Trajectory(obs, np.zeros(1, int), None, True)],
      'cpu', n_envs=2)
  buffer.add(
      obs, obs, np.zeros((2, 1)), np.zeros(2), np.ones(2),
      [{'TimeLimit.truncated': x} for x in (True, False)])
  found = buffer.sample(80)
  limit = np.isclose(found.observations[:40].flatten(), 0.1)
  assert 0 < limit.sum() < 40
  assert np.array_equal(found.dones[:40].flatten() == 1, ~limit)


@extra
class TestMemory:

  def test_stacks_are_put_together_again(self):
    from tianshou.data import Batch  # noqa: F401

    from dreamer_gail_plugin.baselines import c51
    config = configlib.load('c51', [*DEBUG, '--stack', '2', '--envs', '1'])
    memory = c51.Memory(config, (2, 3, 3))
    image = lambda *x: np.stack([np.full((3, 3), v, np.uint8) for v in x])
    # A game of three steps that ends, and one that a time limit cuts.
    steps = [
        ((1, 1), (1, 2), 0, 0), ((1, 2), (2, 3), 0, 0),
        ((2, 3), (3, 4), 1, 0), ((5, 5), (5, 6), 0, 0), ((5, 6), (6, 7), 1, 1)]
    for number, (obs, after, done, limit) in enumerate(steps):
      infos = [{'terminal_observation': image(*after),
                'TimeLimit.truncated': bool(limit)}]
      memory.add(
          image(*obs)[None], np.array([number]), image(*after)[None],
          np.float32([number]), np.array([bool(done)]), infos)
    batch = memory.buffer[np.arange(5)]
    found = batch.obs.reshape(5, 2, 9)[:, :, 0].tolist()
    assert found == [list(x[0]) for x in steps]
    assert batch.terminated.tolist() == [0, 0, 1, 0, 0]
    assert batch.truncated.tolist() == [0, 0, 0, 0, 1]


@extra
class TestC51:

  @pytest.mark.parametrize('flags, want', [
      (['--c51.double', 'False'], [1, 0]), (['--c51.double', 'True'], [0, 1])])
  def test_who_picks_the_next_action(self, flags, want):
    import torch
    from tianshou.data import Batch

    from dreamer_gail_plugin.baselines import c51
    config = configlib.load('c51', [*DEBUG, '--c51.atoms', '2', *flags])
    algorithm = c51.make(
        config, gymnasium.spaces.Box(0, 255, (4, 10, 10), np.uint8),
        gymnasium.spaces.Discrete(2))
    # Of the copy action 1 is the best, with all on atom 0 of action 0; what
    # learns has it the other way round.
    def net(values):
      logits = 30 * torch.tensor(values)[None]
      return lambda obs, state=None, info=None: (logits.softmax(-1), state)
    low_high, high_low = [[1., 0.], [0., 1.]], [[0., 1.], [1., 0.]]
    algorithm.policy.model.forward = net(high_low)
    algorithm.model_old.module.forward = net(low_high)
    support = algorithm.policy.support
    batch = Batch(obs_next=np.zeros((1, 4, 10, 10), np.uint8), info=[None])
    batch.returns = support.repeat(1, 1)
    found = algorithm._target_dist(batch)[0].tolist()
    assert found == pytest.approx(want[::-1], abs=1e-3)
