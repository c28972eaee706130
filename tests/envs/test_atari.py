import sys

import ale_py
import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.envs.atari import preprocess
from dreamer_gail_plugin.errors import UserError
from helpers import envtools

MEANINGS = (
    'NOOP FIRE UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT UPFIRE '
    'RIGHTFIRE LEFTFIRE DOWNFIRE UPRIGHTFIRE UPLEFTFIRE DOWNRIGHTFIRE '
    'DOWNLEFTFIRE').split()
NOOP, FIRE = 0, 1


def make(task, **kwargs):
  """Return a game without any chance in it, but for the options given."""
  return envs.make('atari', task, **{'sticky': False, 'noops': 0, **kwargs})


def emulator(task, sticky=0.0, seed=0):
  """Return a plain emulator, as in the manual of ale-py."""
  ale = ale_py.ALEInterface()
  ale.setInt('random_seed', seed)
  ale.setFloat('repeat_action_probability', sticky)
  ale.loadROM(ale_py.roms.get_rom_path(task))
  ale.reset_game()
  return ale


class TestPreprocess:

  def test_max_and_mean_round_down(self):
    screens = np.zeros((2, 210, 160, 3), np.uint8)
    screens[0] = (1, 9, 4)
    screens[1] = (2, 5, 255)
    size = (210, 160)
    image = preprocess(screens, size, gray=False)
    assert (image == (2, 9, 255)).all()
    assert image.shape == (210, 160, 3) and image.dtype == np.uint8
    image = preprocess(list(screens), size, gray=False, aggregate='mean')
    assert (image == (1, 7, 129)).all()

  @pytest.mark.parametrize('colour, want', [
      ((255, 0, 0), 76),  # 76.245
      ((0, 255, 0), 149),  # 149.685
      ((0, 0, 255), 29),  # 29.07
      ((255, 255, 0), 225),  # 225.93
      ((10, 20, 30), 18),  # 18.15
      ((0, 0, 0), 0),
      ((255, 255, 255), 255),
  ])
  def test_gray(self, colour, want):
    screens = np.zeros((1, 210, 160, 3), np.uint8) + np.uint8(colour)
    image = preprocess(screens, (96, 96))
    assert image.shape == (96, 96, 1) and image.dtype == np.uint8
    assert (image == want).all()

  def test_pools_before_it_resizes(self):
    # Two screens that are each other's checkerboard: first pooled, all white.
    board = np.indices((210, 160)).sum(0) % 2
    first = np.repeat(board[..., None] * np.uint8(255), 3, 2).astype(np.uint8)
    assert (preprocess([first, 255 - first], (96, 96)) == 255).all()
    assert (preprocess([first], (96, 96)) < 160).all()

  def test_size_is_height_and_width(self):
    screen = np.zeros((210, 160, 3), np.uint8)
    screen[:105] = 255
    image = preprocess([screen], (42, 8))
    assert image.shape == (42, 8, 1)
    assert (image[:20] == 255).all() and (image[22:] == 0).all()

  def test_opencv(self):
    pytest.importorskip('cv2')
    screen = np.zeros((210, 160, 3), np.uint8)
    screen[:105] = 255
    image = preprocess([screen], (42, 8), resize='opencv')
    assert image.shape == (42, 8, 1)
    assert (image[:21] == 255).all() and (image[21:] == 0).all()


class TestAgainstPlainEmulator:

  @pytest.mark.parametrize('game, kwargs, steps', [
      ('space_invaders', dict(), 200),
      ('seaquest', dict(sticky=True, gray=False), 250),
      ('alien', dict(repeat=2, pooling=3, aggregate='mean'), 100),
      ('breakout', dict(size=(64, 64), actions='needed'), 250),
      ('alien', dict(repeat=1, pooling=1, clip_reward=True), 200),
  ])
  def test_same_frames_rewards_and_ends(self, game, kwargs, steps):
    options = dict(repeat=4, pooling=2, size=(96, 96), actions='all')
    options.update(kwargs)
    env = make(game, seed=7, **options)
    seed = int(np.random.default_rng(7).integers(0, 2 ** 31))
    ale = emulator(game, 0.25 if options.get('sticky') else 0.0, seed)
    actions = (
        ale.getMinimalActionSet() if options['actions'] == 'needed'
        else ale.getLegalActionSet())
    looks = {k: options[k] for k in ('size', 'gray', 'aggregate')
             if k in options}
    rng = np.random.default_rng(0)
    frames = [ale.getScreenRGB()] * 3
    obs = envtools.reset(env)
    total, ends = 0, 0
    for step in range(steps):
      want = preprocess(frames[-options['pooling']:], **looks)
      assert (obs['image'] == want).all(), step
      choice = rng.integers(len(actions))
      reward = 0
      for _ in range(options['repeat']):
        reward += ale.act(actions[choice])
        frames.append(ale.getScreenRGB())
        if ale.game_over():
          break
      obs = envtools.act(env, choice)
      if options.get('clip_reward'):
        reward = np.sign(reward)
      total += reward
      assert obs['reward'] == reward and obs['reward'].dtype == np.float32
      assert obs['is_terminal'] == obs['is_last'] == ale.game_over()
      if ale.game_over():
        ends += 1
        want = preprocess(frames[-options['pooling']:], **looks)
        assert (obs['image'] == want).all(), step
        ale.reset_game()
        frames = [ale.getScreenRGB()] * 3
        obs = envtools.act(env, choice)
        assert obs['is_first'] and obs['reward'] == 0
    assert total > 0 or game != 'alien'
    assert ends > 0 or game != 'breakout'


class TestReset:

  def test_pool_holds_no_frame_of_the_last_episode(self):
    env = make('seaquest', repeat=1, pooling=4)
    first = envtools.reset(env)
    for _ in range(60):
      obs = envtools.act(env, MEANINGS.index('DOWNRIGHT'))
    assert (obs['image'] != first['image']).any()
    again = envtools.reset(env)
    assert again['is_first'] and not again['is_last']
    assert (again['image'] == first['image']).all()

  def test_noops_are_drawn_from_the_seed(self):
    counts = []
    for seed in range(8):
      env = make('freeway', noops=30, seed=seed)
      rng = np.random.default_rng(seed)
      rng.integers(0, 2 ** 31)  # For the emulator.
      for _ in range(2):
        envtools.reset(env)
        counts.append(env.ale.getEpisodeFrameNumber())
        assert counts[-1] == rng.integers(31)
    assert len(set(counts)) > 8 and max(counts) <= 30

  def test_autostart(self):
    env = make('breakout', autostart=True)
    envtools.reset(env)
    assert env.ale.getEpisodeFrameNumber() == 2
    # Without it the ball would never come into play, nor a life be lost.
    assert any(envtools.act(env, NOOP)['is_last'] or env.ale.lives() < 5
               for _ in range(100))
    env = make('freeway', autostart=True, actions='needed')
    envtools.reset(env)
    assert env.ale.getEpisodeFrameNumber() == 0


class TestEnds:

  def play(self, **kwargs):
    """Return the flags of a game of Breakout that only serves the ball."""
    env = make('breakout', **kwargs)
    envtools.reset(env)
    flags = []
    while not flags or 'last' not in flags[-1]:
      flags.append(envtools.flags(envtools.act(env, FIRE)))
    return [x for x in flags if x], len(flags), env

  def test_game_over(self):
    flags, _, env = self.play()
    assert flags == ['last terminal'] and env.ale.lives() == 0

  def test_discount(self):
    flags, _, env = self.play(lives='discount')
    assert flags == 4 * ['terminal'] + ['last terminal']
    assert env.ale.lives() == 0

  def test_reset(self):
    flags, _, env = self.play(lives='reset')
    assert flags == ['last terminal'] and env.ale.lives() == 4
    assert envtools.act(env, FIRE)['is_first']
    assert env.ale.lives() == 5

  def test_time_limit_counts_frames_and_is_not_terminal(self):
    flags, steps, env = self.play(length=10)
    assert flags == ['last'] and steps == 3
    assert env.ale.getEpisodeFrameNumber() == 10
    flags = [envtools.flags(envtools.act(env, FIRE)) for _ in range(5)]
    assert flags == ['first', '', '', 'last', 'first']

  def test_no_time_limit(self):
    env = make('freeway', length=0)
    assert not any(x['is_last'] for x in envtools.rollout(env, 50))


class TestSpacesAndSeeds:

  @pytest.mark.parametrize('kwargs', [
      dict(), dict(gray=False, size=(64, 64), actions='needed'),
      dict(size=[42, 30], lives='reset'), dict(repeat=1, pooling=3)])
  def test_spaces(self, kwargs):
    env = make('breakout', **kwargs)
    assert env.act_space['action'].classes == len(env.action_meanings)
    envtools.check_spaces(env, 200)

  def test_defaults(self):
    env = envs.make('atari100k', 'seaquest')
    assert env.obs_space['image'].shape == (96, 96, 1)
    assert env.action_meanings == MEANINGS
    env = envs.make('atari', 'james_bond')
    assert env.act_space['action'].classes == 18

  def test_needed_actions(self):
    env = make('breakout', actions='needed')
    assert env.action_meanings == ['NOOP', 'FIRE', 'RIGHT', 'LEFT']

  def test_seed_decides_everything(self):
    def run(seed, **kwargs):
      env = make('seaquest', seed=seed, **kwargs)
      return envtools.rollout(env, 40)
    random = dict(sticky=True, noops=30)
    assert envtools.same(run(5, **random), run(5, **random))
    assert not envtools.same(run(5, **random), run(6, **random))
    assert not envtools.same(run(5, sticky=True), run(6, sticky=True))
    assert envtools.same(run(5), run(6))


class TestErrors:

  def test_unknown_game(self):
    with pytest.raises(UserError) as info:
      make('seaqest')
    assert str(info.value).startswith(
        "Unknown Atari game 'seaqest'. Did you mean seaquest?")

  @pytest.mark.parametrize('kwargs', [
      dict(lives='one'), dict(actions='few'), dict(aggregate='min'),
      dict(resize='cubic'), dict(pooling=0), dict(repeat=0)])
  def test_bad_option(self, kwargs):
    (name, value), = kwargs.items()
    with pytest.raises(UserError, match=f'{name}.*{value}'):
      make('seaquest', **kwargs)

  def test_opencv_missing(self, monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv2', None)
    with pytest.raises(UserError, match='opencv-python-headless'):
      make('seaquest', resize='opencv')

  def test_unknown_suite(self):
    with pytest.raises(UserError, match='atari, atari100k, crafter, gym, min'):
      envs.make('atlas', 'seaquest')

  def test_missing_package(self, monkeypatch):
    monkeypatch.delitem(sys.modules, 'dreamer_gail_plugin.envs.atari')
    monkeypatch.setitem(sys.modules, 'ale_py', None)
    with pytest.raises(UserError, match='needs the Python package ale_py'):
      envs.make('atari', 'seaquest')
