"""What environments of others get wrong, in one line each."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.envs import checks
from helpers import envtools
from helpers.refusals import refused

BOX = spaces.Box(-1, 1, (3,), np.float32)
GOOD = np.zeros(3, np.float32)


class Plain(gymnasium.Env):
  """Gives what the class attributes say from step 3 on."""

  observation_space = BOX
  action_space = spaces.Discrete(2)
  good, bad, reward = GOOD, GOOD, 1.0

  def reset(self, *, seed=None, options=None):
    self.t = 0
    return self.good, {}

  def step(self, action):
    self.t += 1
    late = self.t >= 3
    return self.bad if late else self.good, (
        self.reward if late else 1.0), False, False, {}


def make(base=Plain, kwargs=None, **attrs):
  """Return the adapter of a class with other attributes."""
  cls = type('Made', (base,), attrs)
  gymnasium.register('tests/Made-v0', cls, order_enforce=False)
  try:
    return envs.make('gym', 'tests/Made-v0', **(kwargs or {}))
  finally:
    gymnasium.registry.pop('tests/Made-v0')


def play(env, steps=5):
  envtools.reset(env)
  return [envtools.act(env, 0) for _ in range(steps)]


GRID = spaces.Box(0, 10, (2, 2), np.uint8)
DICT = spaces.Dict({'pose': BOX, 'mode': spaces.Discrete(3)})


@pytest.mark.parametrize('attrs, words', [
    (dict(bad=np.float32([0, np.nan, 0])), ('observation', 'nan', '[1]')),
    (dict(bad=np.float32([np.inf, 0, 0])), ('inf', '[0]')),
    (dict(bad=np.float64([1e39, 0, 0])), ('1e+39', 'float32')),
    (dict(bad=np.zeros(4, np.float32)), ('(4,)', '(3,)')),
    (dict(bad=np.array(['a', 'b', 'c'])), ('expected numbers',)),
    (dict(bad=None), ('NoneType', 'expected numbers')),
    (dict(observation_space=GRID, good=np.zeros((2, 2), np.uint8),
          bad=np.full((2, 2), 11, np.uint8)), ('11', '0 to 10')),
    (dict(observation_space=GRID, good=np.zeros((2, 2), np.uint8),
          bad=np.zeros((2, 2), np.float32)), ('float32', 'uint8')),
    (dict(observation_space=DICT, good={'pose': GOOD, 'mode': 0},
          bad={'pose': GOOD, 'mode': 3}), ('observation mode', '3', '0 to 2')),
    (dict(observation_space=DICT, good={'pose': GOOD, 'mode': 0},
          bad={'pose': GOOD}), ("no 'mode'",)),
    (dict(observation_space=DICT, good={'pose': GOOD, 'mode': 0},
          bad=GOOD), ('expected a dict',)),
    (dict(reward=np.nan), ('reward is nan',)),
    (dict(reward=np.ones(1)), ('reward', '(1,)')),
    (dict(reward=None), ('reward', 'NoneType')),
    (dict(reward='1'), ('reward is str',)),
    (dict(reward={'a': 1}), ('reward is dict',)),
    (dict(reward=1j), ('reward is complex',)),
    (dict(reward=10 ** 40), ('reward is int', 'expected a number')),
    (dict(bad=[[0], [1, 2], 3]), ('list', 'expected numbers')),
    (dict(bad=object()), ('object', 'expected numbers')),
    (dict(bad=np.zeros(3, complex)), ('expected numbers',)),
    (dict(bad=np.zeros(3, [('a', 'f4')])), ('expected numbers',)),
    (dict(observation_space=spaces.Tuple([BOX, BOX]), good=(GOOD, GOOD),
          bad=(GOOD,)), ('expected a tuple with 2 parts',)),
    (dict(reward=np.float64(1e300)), ('reward is 1e+300',)),
])
def test_what_is_not_as_declared(attrs, words):
  env = make(**attrs)
  with refused("'tests/Made-v0'", 'episode 1, step 3', *words):
    play(env)


def test_reward_of_an_observation_that_takes_the_whole_check():
  with refused('reward is nan'):
    play(make(
        observation_space=DICT, good={'pose': GOOD, 'mode': 0},
        bad={'pose': GOOD, 'mode': 0}, reward=np.nan))


@pytest.mark.parametrize('value', [np.array([False]), None, 0.5])
def test_flags_of_ends(value):
  with refused('episode 1, step 1', 'the flag of an end'):
    play(make(step=lambda self, action: (GOOD, 1.0, False, value, {})))


def test_flags_may_be_of_numpy():
  for value in (np.bool_(False), 0, np.array(False)):
    steps = play(make(step=lambda self, action, x=value: (
        GOOD, 1.0, x, x, {})))
    assert not any(x['is_last'] for x in steps)


def test_at_reset_too():
  with refused('episode 1, step 0', 'observation', 'nan'):
    envtools.reset(make(good=np.float32([np.nan, 0, 0])))


def test_floats_beyond_their_bounds_are_told_of_once(capsys):
  obs = play(make(bad=np.float32([0, 7.5, 0])))
  assert obs[-1]['vector'].tolist() == [0, 7.5, 0]
  text = capsys.readouterr().out
  assert text.count('Warning') == 1
  for word in ('tests/Made-v0', 'step 3', 'observation', '7.5', '-1.0 to 1.0'):
    assert word in text


@pytest.mark.parametrize('space, action, words', [
    (spaces.Box(-1, 1, (1,)), np.float32([np.nan]), ('action', 'nan')),
    (spaces.Discrete(2), np.int32(2), ('action', '2', '0 to 1')),
    (spaces.MultiDiscrete([3, 3]), np.int32([0, -1]), ('action', '-1'))])
def test_actions(space, action, words):
  env = make(action_space=space)
  envtools.reset(env)
  with refused('episode 1, step 1', *words):
    env.step({'action': action, 'reset': False})


class TestRaises:

  def lost(self, *args, **kwargs):
    raise RuntimeError('lost the\nconnection')

  def test_one_line(self):
    with refused('reset raised RuntimeError: lost the connection', 'step 0'):
      envtools.reset(make(reset=self.lost))
    with refused('step raised RuntimeError: lost the connection', 'step 1'):
      play(make(step=self.lost))

  @pytest.mark.parametrize('error, words', [
      (AssertionError(), 'step raised AssertionError. --env'),
      (EOFError(), 'step raised EOFError'),
      (StopIteration(), 'step raised StopIteration'),
      (KeyError('a'), "step raised KeyError: 'a'"),
      (SystemExit(3), 'step raised SystemExit: 3'),
      (RuntimeError('\x1b[31mred\u2028line'), 'RuntimeError: [31mred line'),
      (OSError(2, 'No such file', 'rom'), "No such file: 'rom'")])
  def test_all_kinds(self, error, words):
    def step(self, action):
      raise error
    with refused(words, "'tests/Made-v0'", 'episode 1, step 1'):
      play(make(step=step))

  @pytest.mark.parametrize('error', [SystemExit(1), OSError('no rom')])
  def test_in_making(self, error):
    def start(self):
      raise error
    with refused('cannot be made', type(error).__name__):
      make(__init__=start)

  @pytest.mark.parametrize('result', [None, 3, [GOOD, 1.0, False, {}], {}])
  def test_steps_that_are_none(self, result):
    with refused('step gave', 'expected (observation, reward'):
      play(make(step=lambda self, action: result))

  def test_close_is_told_of(self, capsys):
    env = make(close=self.lost)
    env.close()
    assert 'close raised RuntimeError: lost' in capsys.readouterr().out
    with pytest.raises(RuntimeError):
      make(close=self.lost, kwargs={'traceback': True}).close()

  def test_names_of_actions(self):
    with refused('spaces cannot be used', 'RuntimeError: lost the'):
      make(get_action_meanings=self.lost)
    assert make(get_action_meanings=lambda self: None).action_meanings == []

  @pytest.mark.parametrize('attrs, words', [
      (dict(observation_space=spaces.Dict({})), 'observation space has no'),
      (dict(action_space=spaces.Dict({})), 'action space has no parts'),
      (dict(observation_space=spaces.Dict({
          'image': BOX, 'mission': spaces.Text(9)})), "'mission': Gymnasium"),
      (dict(action_space=spaces.Text(3)), "'action': Gymnasium spaces of"),
      (dict(observation_space=None), 'NoneType are not supported')])
  def test_spaces(self, attrs, words):
    with refused("'tests/Made-v0'", words):
      make(**attrs)

  def test_traceback_by_a_flag(self):
    env = make(step=self.lost, kwargs={'traceback': True})
    with pytest.raises(RuntimeError, match='lost the'):
      play(env)

  def test_old_api(self):
    old = 'API of Gym before 0.26'
    with refused('reset raised TypeError', old):
      envtools.reset(make(reset=lambda self: GOOD))
    with refused('reset gave ndarray', old):
      envtools.reset(make(reset=lambda self, seed=None: GOOD))
    with refused('step gave a tuple of 4', old):
      play(make(step=lambda self, action: (GOOD, 1.0, False, {})))

  def test_no_base_class(self):
    with refused('subclass of gymnasium.Env'):
      make(base=object)

  def test_no_spaces(self):
    with refused("'tests/Made-v0'", 'observation_space'):
      make(base=gymnasium.Env)

  def test_no_elements(self):
    space = spaces.Dict({'pose': BOX, 'lidar': spaces.Box(0, 1, (0,))})
    with refused("'lidar'", '(0,)'):
      make(observation_space=space)


class TestMaking:

  class Level(Plain):
    def __init__(self, level):
      self.level = level

  def test_arguments(self):
    with refused("'level'", '--env.gym.kwargs'):
      make(base=self.Level)
    env = make(base=self.Level, kwargs={'kwargs': '{"level": 3}'})
    assert env.game.unwrapped.level == 3

  @pytest.mark.parametrize('text', ['level=3', '[3]', '3', '{"level": '])
  def test_arguments_that_are_no_object(self, text):
    with refused('--env.gym.kwargs', text, 'JSON'):
      make(base=self.Level, kwargs={'kwargs': text})

  def test_a_module_that_fails(self, tmp_path, monkeypatch):
    (tmp_path / 'walk_away.py').write_text('1 / 0')
    monkeypatch.chdir(tmp_path)
    with refused("'walk_away:Walk-v0'", 'ZeroDivisionError'):
      envs.make('gym', 'walk_away:Walk-v0')

  def test_module_in_the_working_directory(self, tmp_path, monkeypatch):
    (tmp_path / 'walk_here.py').write_text(
        'import gymnasium\nfrom gymnasium.envs.classic_control import '
        "CartPoleEnv\ngymnasium.register('WalkHere-v0', CartPoleEnv)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.path', ['/nowhere'] + __import__('sys').path)
    env = envs.make('gym', 'walk_here:WalkHere-v0')
    assert env.obs_space['vector'].shape == (4,)


class TestQuick:
  """The quick half of the check agrees with the whole one."""

  BOXES = [
      spaces.Box(-1, 1, (3,)), spaces.Box(-np.inf, np.inf, (3,)),
      spaces.Box(-2, np.inf, (2, 2)), spaces.Box(0, 1, (40,)),
      spaces.Box(-np.inf, np.inf, (6, 7), np.float64),
      spaces.Box(-np.inf, np.inf, (3,), np.float16),
      spaces.Box(-1, np.inf, (50,), np.float16),
      spaces.Box(-np.inf, np.inf, (50,)), spaces.Box(-np.inf, np.inf, (200,)),
      spaces.Box(np.zeros(40, np.float32), np.arange(1, 41, dtype=np.float32)),
      spaces.Box(0, 10, (3,), np.uint8), spaces.Box(0, 10, (7, 7), np.int64),
      spaces.Box(0, 255, (4, 4), np.uint8), spaces.MultiDiscrete([3, 5]),
      spaces.MultiBinary(4), spaces.Discrete(3), spaces.Discrete(3, start=-1),
      spaces.Discrete(5000), spaces.Box(-1, 1, ()), spaces.Box(0, 9, (0,)),
      spaces.Dict({'a': spaces.Box(-1, 1, (2,)), 'b': spaces.Discrete(2)}),
      spaces.Tuple([spaces.Box(-1, 1, (2,)), spaces.Discrete(2)])]

  def wrong(self, value):
    """Yield a value with one thing wrong in it, in turn."""
    if isinstance(value, dict):
      for key in value:
        yield from ({**value, key: x} for x in self.wrong(value[key]))
      yield {k: v for k, v in value.items() if k != 'a'}
      return
    if isinstance(value, tuple):
      yield value[:1]
      yield from ((x, *value[1:]) for x in self.wrong(value[0]))
      return
    array = np.asarray(value)
    yield from (None, 'a', [None], np.zeros((9, 9), array.dtype))
    yield np.zeros(array.size + 1, array.dtype)
    yield array.astype(complex)
    for number in (np.nan, np.inf, -np.inf, 1e39, -1e39):
      for at in range(min(array.size, 3)):
        changed = array.astype(np.float64)
        changed.flat[-at] = number
        yield changed
        if array.dtype.kind == 'f' and abs(number) != 1e39:
          yield changed.astype(array.dtype)
    if array.dtype.kind in 'iu':
      for add in (-9000, 9000):
        yield array.astype(np.int64) + add

  @pytest.mark.parametrize('space', BOXES, ids=str)
  def test_agrees(self, space):
    for seed in range(3):
      space.seed(seed)
      value = space.sample()
      check = checks.Checker(space, 'observation', lambda text: None)
      assert check.fine(value)
      assert check(value) is None
      for bad in self.wrong(value):
        check = checks.Checker(space, 'observation', lambda text: None)
        assert not check.fine(bad), bad
        assert check(bad) is not None, bad

  @pytest.mark.parametrize('value', [
      -1.5, 1.5, np.float32(1.0000001)])
  def test_floats_beyond_their_bounds_take_the_whole_check(self, value):
    said = []
    check = checks.Checker(spaces.Box(-1, 1, (40,)), 'eye', said.append)
    array = np.zeros(40, np.float32)
    array[7] = value
    assert not check.fine(array) and check(array) is None
    assert len(said) == 1 and '-1.0 to 1.0' in said[0]
    assert check.fine(array)  # It was told.

  def test_of_keys_that_are_not_declared_is_told_once(self, capsys):
    obs = {'pose': GOOD, 'mode': 0, 'goal': 3, 'debug': 'text'}
    play(make(observation_space=DICT, good=obs, bad=obs))
    text = capsys.readouterr().out
    assert text.count('Warning') == 1
    assert 'observation: debug, goal is left out' in text
