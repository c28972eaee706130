import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.envs import gym_spaces
from dreamer_gail_plugin.errors import UserError
from helpers import envtools

WORLD = spaces.Box(0, 1, (2,), np.float32)
FLAGS = {'reward', 'is_first', 'is_last', 'is_terminal'}


class Echo(gymnasium.Env):
  """Observes anything in its space; `heard` is the last action."""

  def __init__(self, obs=WORLD, act=WORLD):
    self.observation_space = obs
    self.action_space = act
    self.heard = None

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.observation_space.seed(seed)
    return self.observation_space.sample(), {}

  def step(self, action):
    assert self.action_space.contains(action), (action, self.action_space)
    self.heard = action
    return self.observation_space.sample(), 0.5, False, False, {}


gymnasium.register('tests/Echo-v0', Echo, order_enforce=False)


def echo(monkeypatch, size=(0, 0), **kwargs):
  """Return the adapter of an Echo with the given spaces."""
  spec = gymnasium.spec('tests/Echo-v0')
  monkeypatch.setattr(spec, 'kwargs', kwargs)
  return envs.make('gym', 'tests/Echo-v0', size=size, seed=0)


def heard(env, **arrays):
  """Return what the environment hears for an action of the agent."""
  envtools.reset(env)
  env.step({**arrays, 'reset': False})
  return env.game.unwrapped.heard


class TestEnds:

  def balance(self, env, steps):
    """Keep CartPole's pole up; return the flags of each step."""
    flags, obs = [], envtools.reset(env)
    for _ in range(steps):
      _, _, angle, speed = obs['vector']
      obs = envtools.act(env, int(3 * angle + speed > 0))
      flags.append(envtools.flags(obs))
    return flags

  def test_time_limit_is_not_terminal(self):
    flags = self.balance(envs.make('gym', 'CartPole-v1', seed=0), 501)
    assert flags == 499 * [''] + ['last', 'first']
    env = envs.make('gym', 'Pendulum-v1', seed=0)
    steps = envtools.rollout(env, 401)
    ends = [i for i, x in enumerate(steps) if x['is_last']]
    assert ends == [200, 401]
    assert not any(x['is_terminal'] for x in steps)

  def test_fallen_pole_is_terminal(self):
    env = envs.make('gym', 'CartPole-v1', seed=0)
    first = envtools.reset(env)
    flags = [envtools.flags(envtools.act(env, 0)) for _ in range(30)]
    end = flags.index('last terminal')
    assert end < 12 and flags[:end] == end * [''] and flags[end + 1] == 'first'
    assert first['reward'] == 0

  def test_same_as_plain_gymnasium(self):
    ref, env = gymnasium.make('CartPole-v1'), envs.make(
        'gym', 'CartPole-v1', seed=3)
    want, _ = ref.reset(seed=3)
    obs = envtools.reset(env)
    rng = np.random.default_rng(0)
    for step in range(200):
      assert (obs['vector'] == want).all(), step
      assert obs['vector'].dtype == np.float32
      action = rng.integers(2)
      want, reward, terminated, truncated, _ = ref.step(action)
      obs = envtools.act(env, action)
      assert obs['reward'] == reward == 1
      assert obs['is_terminal'] == terminated
      if terminated or truncated or step == 55:
        want, _ = ref.reset()
        obs = envtools.reset(env)
        assert obs['is_first']

  @pytest.mark.parametrize('task', ['CartPole-v1', 'Pendulum-v1'])
  def test_seed_decides_everything(self, task):
    def run(seed):
      return envtools.rollout(envs.make('gym', task, seed=seed), 210)
    assert envtools.same(run(1), run(1))
    assert not envtools.same(run(1), run(2))


class TestSpaces:

  @pytest.mark.parametrize('task, keys', [
      ('CartPole-v1', {'vector'}),
      ('Pendulum-v1', {'vector'}),
      ('FrozenLake-v1', {'token'}),
      ('Blackjack-v1', {'part_0', 'part_1', 'part_2'}),
      ('MountainCarContinuous-v0', {'vector'}),
      ('ALE/Pong-v5', {'image'}),
      ('ale_py:ALE/Breakout-v5', {'image'}),
  ])
  def test_known_ids(self, task, keys):
    env = envs.make('gym', task, seed=0)
    assert env.obs_space.keys() == keys | FLAGS
    envtools.check_spaces(env, 150)

  def test_action_meanings(self):
    env = envs.make('gym', 'ALE/Breakout-v5')
    assert env.action_meanings == ['NOOP', 'FIRE', 'RIGHT', 'LEFT']
    assert envs.make('gym', 'CartPole-v1').action_meanings == []

  @pytest.mark.parametrize('obs', [
      spaces.Dict({
          'camera': spaces.Box(0, 255, (20, 24), np.uint8),
          'arm': spaces.Dict({
              'joint-1': spaces.Box(-np.inf, np.inf, (2, 3), np.float64),
              'mode': spaces.MultiDiscrete([2, 5])})}),
      spaces.Tuple([spaces.MultiBinary(3), spaces.Box(0, 9, (), np.int64)]),
      spaces.Discrete(4, start=-1),
  ])
  @pytest.mark.parametrize('act', [
      spaces.Discrete(3, start=5),
      spaces.MultiDiscrete([3, 3]),
      spaces.MultiDiscrete([[2, 3], [4, 2]], start=[[1, 0], [0, -7]]),
      spaces.MultiBinary([2, 2]),
      spaces.Box(-5, np.array([1, 2], np.float64), dtype=np.float64),
      spaces.Box(0, np.inf, (2, 2), np.float32),
      spaces.Box(-1, 2, (3,), np.int8),
      spaces.Dict({'move': spaces.Discrete(2), 'aim': spaces.Tuple([
          spaces.Box(0, 1, (2,)), spaces.MultiDiscrete([2, 4])])}),
  ])
  def test_any_pair(self, monkeypatch, obs, act):
    # Echo itself asserts that each action is in its space.
    env = echo(monkeypatch, obs=obs, act=act)
    envtools.check_spaces(env, 20)


class TestObservations:

  def flat(self, space, value, size=(0, 0)):
    coder = gym_spaces.observation(space, size)
    arrays = coder.flatten(value)
    for key, item in arrays.items():
      assert item in coder.spaces[key], (key, item, coder.spaces)
    assert arrays.keys() == coder.spaces.keys()
    return {k: v.tolist() for k, v in arrays.items()}

  def test_exact_values(self):
    box = spaces.Box(-9, 9, (2, 2), np.float64)
    assert self.flat(box, [[1, 2], [3, 4.5]]) == {'vector': [1, 2, 3, 4.5]}
    assert self.flat(spaces.Box(0, 255, (3,), np.uint8), [0, 7, 255]) == {
        'vector': [0, 7, 255]}
    assert self.flat(spaces.Box(0, 1, ()), 0.5) == {'vector': [0.5]}
    assert self.flat(spaces.Discrete(3, start=4), 6) == {'token': 2}
    assert self.flat(spaces.MultiBinary(3), [1, 0, 1]) == {'token': [1, 0, 1]}
    assert self.flat(spaces.MultiDiscrete([4, 4]), [3, 1]) == {
        'token': [3, 1]}
    assert self.flat(spaces.MultiDiscrete([2, 4]), [1, 3]) == {
        'token_0': 1, 'token_1': 3}

  def test_nested_names(self):
    space = spaces.Dict({
        'a': spaces.Tuple([spaces.Discrete(2), spaces.Discrete(3)]),
        'b c': spaces.Dict({'d/e': spaces.Box(0, 1, (1,))})})
    value = {'a': (1, 2), 'b c': {'d/e': [0.5]}}
    assert self.flat(space, value) == {'a_0': 1, 'a_1': 2, 'b_c_d_e': [0.5]}

  def test_values_outside_of_the_bounds_are_kept(self):
    assert self.flat(spaces.Box(0, 1, (1,)), [1.5]) == {'vector': [1.5]}

  def test_observation_is_a_copy(self, monkeypatch):
    for dtype in (np.uint8, np.float32):
      space = spaces.Box(0, 9, (8, 8), dtype)
      value = np.zeros((8, 8), dtype)
      flat, = gym_spaces.observation(space, (0, 0)).flatten(value).values()
      value += 1
      assert (flat == 0).all()

  @pytest.mark.parametrize('shape', [(8, 6), (8, 6, 1), (8, 6, 3), (8, 6, 4)])
  def test_images(self, shape):
    space = spaces.Box(0, 255, shape, np.uint8)
    channels = 1 if len(shape) == 2 else shape[2]
    value = np.zeros((8, 6, channels), np.uint8)
    value[:4] = 100
    value[4:, :, -1] = 200
    value = value.reshape(shape)
    coder = gym_spaces.observation(space, (0, 0), 'last')
    assert coder.spaces['image'].shape == (8, 6, channels)
    image = coder.flatten(value)['image']
    assert (image == value.reshape((8, 6, channels))).all()
    coder = gym_spaces.observation(space, [4, 2], 'last')
    assert coder.spaces['image'].shape == (4, 2, channels)
    image = coder.flatten(value)['image']
    assert image.shape == (4, 2, channels) and image.dtype == np.uint8
    assert (image[0] == 100).all() and (image[3, :, -1] == 200).all()
    assert (image[3, :, :-1] == 0).all()


class TestActions:

  @pytest.mark.parametrize('space, arrays, want', [
      (spaces.Discrete(3), {'action': 2}, 2),
      (spaces.Discrete(3, start=5), {'action': 2}, 7),
      (spaces.MultiDiscrete([4, 4]), {'action': [3, 1]}, [3, 1]),
      (spaces.MultiDiscrete([2, 4]), {'action_0': 1, 'action_1': 3}, [1, 3]),
      (spaces.MultiDiscrete([[2], [4]], start=[[0], [-9]]),
       {'action_0': 1, 'action_1': 3}, [[1], [-6]]),
      (spaces.MultiBinary([2, 2]), {'action': [0, 1, 1, 0]}, [[0, 1], [1, 0]]),
      (spaces.Box(-1, 2, (2,), np.int8), {'action': [0, 3]}, [-1, 2]),
      (spaces.Box(-1, 1, (2, 1)), {'action': [-0.5, 0.25]}, [[-0.5], [0.25]]),
      (spaces.Box(-1, 1, (), np.float64), {'action': [0.5]}, 0.5),
      (spaces.Box(0, np.inf, (2,)), {'action': [-3, 9]}, [0, 9]),
  ])
  def test_exact_values(self, monkeypatch, space, arrays, want):
    env = echo(monkeypatch, act=space)
    assert env.act_space.keys() == arrays.keys() | {'reset'}
    arrays = {
        k: np.array(v, env.act_space[k].dtype) for k, v in arrays.items()}
    value = heard(env, **arrays)
    assert value.dtype == space.dtype and value.shape == space.shape
    assert value.tolist() == want

  def test_nested(self, monkeypatch):
    space = spaces.Dict({
        'move': spaces.Discrete(2),
        'aim': spaces.Tuple([spaces.Box(0, 1, (1,)), spaces.Discrete(3)])})
    env = echo(monkeypatch, act=space)
    value = heard(env, **{
        'action_move': np.int32(1), 'action_aim_1': np.int32(2),
        'action_aim_0': np.array([0.5], np.float32)})
    assert value == {'move': 1, 'aim': (np.array([0.5]), 2)}

  def test_bounds_reach_the_normalizer(self):
    import embodied
    env = envs.make('gym', 'Pendulum-v1', seed=0)
    space = env.act_space['action']
    assert (space.low, space.high) == ([-2], [2])
    env = embodied.wrappers.NormalizeAction(env)
    envtools.reset(env)
    env.step({'action': np.array([0.75], np.float32), 'reset': False})
    assert env.game.unwrapped.last_u == 1.5


class TestUpstreamTakesThem:

  def test_heads_and_inputs(self, monkeypatch):
    import embodied.jax
    import jax.numpy as jnp
    import ninjax as nj
    env = echo(monkeypatch, obs=spaces.Dict({
        'arm': spaces.Dict({'x-y': spaces.Box(0, 1, (2, 2))}),
        'mode': spaces.MultiDiscrete([2, 5])}),
        act=spaces.Tuple([
            spaces.MultiDiscrete([2, 5]), spaces.MultiDiscrete([4, 4])]))
    acts = {k: v for k, v in env.act_space.items() if k != 'reset'}
    obs = {k: v for k, v in env.obs_space.items() if k not in FLAGS}

    def policy(values):
      x = embodied.jax.nets.DictConcat(obs, 1)(values).astype(jnp.float32)
      outs = {k: 'categorical' for k in acts}
      head = embodied.jax.MLPHead(acts, outs, units=4, layers=1, name='pol')
      act = {k: v.sample(nj.seed()) for k, v in head(x, 1).items()}
      return x, act, embodied.jax.nets.DictConcat(acts, 1)(act)

    first = envtools.reset(env)
    values = {k: jnp.asarray(first[k])[None] for k in obs}
    params = nj.init(policy)({}, values, seed=0)
    _, (x, act, codes) = nj.pure(policy)(params, values, seed=0)
    assert x.shape == (1, 4 + 2 + 5)
    assert codes.shape == (1, 2 + 5 + 4 + 4)
    assert np.asarray(codes, np.float32).sum() == 4
    act = {k: np.asarray(v)[0].astype(np.int32) for k, v in act.items()}
    env.step({**act, 'reset': False})
    assert env.game.unwrapped.heard[1].tolist() == act['action_1'].tolist()


class TestErrors:

  @pytest.mark.parametrize('task, match', [
      ('CartPole-v9', 'v9'), ('Nope-v0', 'Nope'), ('a/B-v0', 'package:Id'),
      ('no_such_package:Foo-v0', 'no_such_package'), ('', "environment ''")])
  def test_unknown_id(self, task, match):
    with pytest.raises(UserError, match=match):
      envs.make('gym', task)

  def test_kinds_of_space(self, monkeypatch):
    with pytest.raises(UserError, match='kind Text are not supported'):
      echo(monkeypatch, obs=spaces.Dict({'a': WORLD, 'b': spaces.Text(9)}))
    with pytest.raises(UserError, match='so many actions'):
      gym_spaces.action(spaces.Box(0, np.inf, (1,), np.int64))

  @pytest.mark.parametrize('name', [
      'reward', 'reset', 'action', 'policy', 'anchor_kl', 'risk', 'expert'])
  def test_reserved_names(self, monkeypatch, name):
    with pytest.raises(UserError, match=f"'{name}'.*reserved"):
      echo(monkeypatch, obs=spaces.Dict({name: WORLD}))

  def test_names_that_become_equal(self, monkeypatch):
    space = spaces.Dict({'a-b': WORLD, 'a b': WORLD})
    with pytest.raises(UserError, match='named a_b'):
      echo(monkeypatch, obs=space)
