"""What acts on batches of games: a saved agent, random play."""

import elements
import jax
import numpy as np
import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import actors
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.evaluate import saved
from helpers import savedruns


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  return savedruns.toy(tmp_path_factory.mktemp('run'))


@pytest.fixture(scope='module')
def actor(run):
  return saved.Run(run, platform='cpu').actor()


def inputs(rows, seed=0):
  """Return observations of the toy environment, keys and times."""
  rng = np.random.default_rng(seed)
  obs = {
      'vector': rng.normal(size=(rows, 3)).astype(np.float32),
      **{k: np.zeros(rows, bool) for k in policylib.STANDARD[1:]}}
  keys = rng.integers(0, 2 ** 32, (rows, 2), np.uint32)
  return obs, keys, np.arange(rows, dtype=np.uint32)


def equal(left, right):
  """Return whether two trees of arrays are equal bit by bit."""
  left, right = jax.device_get((left, right))
  return all(jax.tree.leaves(jax.tree.map(np.array_equal, left, right)))


class TestActor:

  def test_keeps_only_what_acts(self, actor):
    names = {k.split('/')[0] for k in actor.params}
    assert names == {'enc', 'dyn', 'dec', 'con', 'pol', 'disc'}

  def test_rows_do_not_mix(self, actor):
    obs, keys, times = inputs(4)
    carry, acts = actor(actor.start(4), obs, keys, times)
    order = np.array([2, 0, 3, 1])
    move = lambda tree: jax.tree.map(lambda x: np.asarray(x)[order], tree)
    with jax.transfer_guard('allow'):
      moved, other = actor(
          actor.start(4), move(obs), keys[order], times[order])
      assert equal(moved, move(carry)) and equal(other, move(acts))
      assert not equal(other, acts)

  def test_first_step_forgets(self, actor):
    obs, keys, times = inputs(4)
    obs['is_first'][:] = True
    used, _ = actor(actor.start(4), *inputs(4, seed=1))
    one, other = [
        actor(x, obs, keys, times) for x in (actor.start(4), used)]
    assert equal(one, other)

  def test_rewards_of_the_discriminator(self, actor):
    obs, keys, times = inputs(4)
    carry, acts = actor(actor.start(4), obs, keys, times)
    rewards = actor.rewards(carry, acts, keys, times)
    assert rewards.shape == (4,) and (rewards > 0).all()
    other = {**acts, 'action_move': -acts['action_move'] + 0.5}
    assert (actor.rewards(carry, other, keys, times) != rewards).any()

  def test_diverged(self, run, actor):
    config = saved.load_config(run).update(
        {'jax.platform': 'cpu', 'jax.compute_dtype': 'float32'})
    params = {k: np.array(v) * np.nan for k, v in actor.params.items()}
    broken = actors.Actor(config, params)
    with pytest.raises(UserError, match='diverged'):
      broken(broken.start(4), *inputs(4))


class TestRandomActor:

  def test_a_game_has_its_own_draws(self):
    space = {'action': elements.Space(np.int32, (), 0, 1000)}
    keys = np.arange(6, dtype=np.uint32).reshape((3, 2))
    def play(keys):
      actor, found = actors.RandomActor(space), []
      carry = actor.start(len(keys))
      for step in range(5):
        first = np.full(len(keys), step == 0)
        carry, acts = actor(carry, {'is_first': first}, keys, None)
        found.append(acts['action'])
      return np.array(found)
    together = play(keys)
    assert together.shape == (5, 3) and len(np.unique(together)) > 12
    np.testing.assert_array_equal(play(keys[1:2])[:, 0], together[:, 1])
