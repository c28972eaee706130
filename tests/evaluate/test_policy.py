"""A saved agent that acts: on batches of games, and in Gymnasium's terms."""

import pathlib
import re

import elements
import embodied
import gymnasium
import jax
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.envs import common as envs_common
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import actors
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.evaluate import saved
from helpers import agents
from helpers import savedruns
from helpers.toyenv import NAME
from helpers.toyenv import TASK

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """Return the logdir of a run on the toy environment."""
  agent = agents.make(task=TASK)
  agents.reset(agent)
  return savedruns.save(
      tmp_path_factory.mktemp('run'), agent, agents.config(task=TASK))


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


class TestLoadPolicy:

  def test_the_lines_of_the_docs(self, run):
    page = (ROOT / 'docs' / 'evaluation.md').read_text()
    code = re.search(r'```python\n(.*?)```', page, re.S).group(1)
    lines = [x for x in code.split('\n') if x]
    assert len(lines) == 6  # One of them imports gymnasium.
    code = code.replace('~/logdir/cartpole', str(run))
    names = {}
    # The toy environment refuses actions that are not in its space.
    exec(code.replace('CartPole-v1', NAME), names)
    env, obs = names['env'], names['obs']
    actions = []
    while not (names['terminated'] or names['truncated']):
      actions.append(names['policy'](obs))
      obs, _, names['terminated'], names['truncated'], _ = env.step(
          actions[-1])
    assert actions and {'move', 'pick'} == set(actions[0])

  def play(self, run, **options):
    policy = policylib.load_policy(run, **options)
    obs = np.zeros(3, np.float32)
    play = lambda: [policy(obs)['move'].tolist() for _ in range(3)]
    first = play()
    policy.reset()
    return first, play()

  def test_seed_decides_what_is_drawn(self, run):
    one, two = self.play(run, seed=1), self.play(run, seed=2)
    assert one == self.play(run, seed=1) and one != two
    # Another episode has other draws, and it starts from nothing.
    assert one[0] != one[1]

  def test_another_save(self, run, tmp_path):
    with pytest.raises(UserError, match='no checkpoint'):
      policylib.load_policy(run, save=tmp_path)

  @pytest.mark.parametrize('obs, words', [
      (np.zeros(4, np.float32), 'float32 .4,.'),
  ])
  def test_other_observations(self, run, obs, words):
    policy = policylib.load_policy(run)
    with pytest.raises(UserError, match=words):
      policy(obs)

  def test_images_of_other_suites(self, tmp_path):
    logdir = savedruns.random(tmp_path / 'run')
    policy = policylib.load_policy(logdir)
    image = np.zeros((10, 10, 4), np.uint8)
    actions = {int(policy(image)) for _ in range(30)}
    assert actions == {0, 1, 2}
    assert int(policy({'image': image})) in actions
    with pytest.raises(UserError, match='uint8 .10, 10, 4.'):
      policy(np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(UserError, match='not none'):
      policy({'board': image})


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

  def test_device_is_not_that_of_the_training(self, run):
    kept = elements.Config.load(elements.Path(run) / 'config.yaml')
    assert kept.jax.platform == 'cpu'
    assert saved.load_config(run).jax.platform == 'auto'


class TestActor:

  def test_keeps_only_what_acts(self, actor):
    names = {k.split('/')[0] for k in actor.params}
    assert names == {'enc', 'dyn', 'dec', 'pol', 'disc'}

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


def test_is_gymnasium_s_own_action():
  """The space that the policy must meet, so that the tests above can fail."""
  env = gymnasium.make(NAME)
  env.reset()
  with pytest.raises(AssertionError):
    env.step({'move': np.float32([9, 0]), 'pick': np.array([0, 0])})
