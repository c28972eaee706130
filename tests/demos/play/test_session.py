"""Playing by hand: keys, exact undo, what is recorded, bad input."""

import gc
import resource

import elements
import gymnasium
import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import play
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.play import game as games
from dreamer_gail_plugin.demos.play.keyboard import Keyboard
from dreamer_gail_plugin.demos.play.session import Episode
from dreamer_gail_plugin.demos.play.session import Session
from dreamer_gail_plugin.demos.play.sliders import Sliders
from dreamer_gail_plugin.errors import UserError
from helpers import toyenv

TASKS = (
    'minatar_seaquest', 'minatar_breakout', 'crafter_reward',
    'atari_breakout', 'atari100k_seaquest', 'gym_CartPole-v1')
ATARI = (
    'NOOP FIRE UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT UPFIRE '
    'RIGHTFIRE LEFTFIRE DOWNFIRE UPRIGHTFIRE UPLEFTFIRE DOWNRIGHTFIRE '
    'DOWNLEFTFIRE').split()


def actions(episode, count, seed):
  """Return numbers of random actions, held for some steps each."""
  rng = np.random.default_rng(seed)
  draws = rng.integers(0, len(episode.game.names), count // 3 + 1)
  return np.repeat(draws, 3)[:count].tolist()


def advance(episode, acts):
  """Take actions until they or the game end."""
  for action in acts:
    if not episode.over:
      episode.step(action)


def replayed(episode):
  """Return what a fresh environment shows for an episode's actions."""
  env = tasks.make_env(episode.task, episode.seed)
  obs = [env.step({'action': 0, 'reset': True})]
  obs += [
      env.step({'action': np.int32(x), 'reset': False}) for x in episode.acts]
  env.close()
  return obs


def assert_same(left, right):
  """Check that two lists of observations are equal, byte for byte."""
  assert len(left) == len(right)
  for step, (x, y) in enumerate(zip(left, right)):
    for key in y:
      assert np.asarray(x[key]).tobytes() == np.asarray(y[key]).tobytes(), (
          step, key)


class TestKeyboard:

  def test_atari(self):
    keys = Keyboard(ATARI)
    choose = lambda *codes: ATARI[keys.choose(list(codes))]
    assert choose() == 'NOOP'
    assert choose('ArrowUp') == choose('KeyW') == 'UP'
    assert choose('Space', 'ArrowLeft', 'KeyW') == 'UPLEFTFIRE'
    # Of opposite directions the later one counts.
    assert choose('ArrowLeft', 'ArrowRight', 'Space') == 'RIGHTFIRE'
    assert choose('ArrowRight', 'Space', 'ArrowLeft') == 'LEFTFIRE'
    assert choose('KeyQ', 'F5') == 'NOOP'
    assert [x['name'] for x in keys.legend()] == [
        'up', 'left', 'down', 'right', 'fire', 'noop']

  def test_every_atari_action_can_be_pressed(self):
    keys = Keyboard(ATARI)
    for index, parts in enumerate(keys.actions):
      assert keys.choose([keys.buttons[x][0] for x in parts]) == index

  def test_without_the_combination(self):
    names = ['NOOP', 'FIRE', 'RIGHT', 'LEFT']
    keys = Keyboard(names)
    assert names[keys.choose(['ArrowRight', 'Space'])] == 'FIRE'
    assert names[keys.choose(['Space', 'ArrowRight'])] == 'RIGHT'
    assert names[keys.choose(['ArrowUp'])] == 'NOOP'

  def test_crafter(self):
    names = games.make('crafter_reward', 0).names
    keys = Keyboard(names)
    pressed = {names[keys.choose([x])] for x in keys.codes}
    assert pressed == set(names) and len(names) == 17
    assert names[keys.choose(['ArrowLeft'])] == 'move_left'
    assert names[keys.choose(['Space'])] == 'do'

  def test_without_names(self):
    keys = Keyboard('0123')
    assert keys.idle is None and keys.choose([]) is None
    assert [keys.choose([f'Digit{i}']) for i in range(4)] == [0, 1, 2, 3]

  def test_too_many(self):
    Keyboard(map(str, range(36)))
    with pytest.raises(play.UserError, match='more than there are keys'):
      Keyboard(map(str, range(37)))


class TestUndo:

  @pytest.mark.parametrize('task', TASKS)
  def test_restores_exactly(self, task):
    # Several times forth and back, with other actions after each undo. All
    # of it must be what a fresh game shows for the actions that were left,
    # and so must what follows, chance included.
    episode, undone = Episode(task, 3), 0
    for seed in range(6):
      advance(episode, actions(episode, 30, seed))
      back = min(12, len(episode.acts))
      after = len(episode.acts) - back
      assert episode.undo(12)
      undone += back
      assert (len(episode.acts), episode.undone) == (after, undone)
      assert not episode.over
    advance(episode, actions(episode, 40, 9))
    assert_same(episode.obs, replayed(episode))
    episode.close()

  @pytest.mark.parametrize('task', ['minatar_seaquest', 'atari_breakout'])
  def test_from_every_copy(self, task, monkeypatch):
    # Where a sticky action repeats the one before, the emulator's state would
    # not do: it lacks that action.
    monkeypatch.setattr('dreamer_gail_plugin.demos.play.session.SPACING', 1)
    episode = Episode(task, 1)
    advance(episode, actions(episode, 60, 0))
    sticks = task.startswith('atari')
    assert 30 < len(episode.marks) < 58 if sticks else len(
        episode.marks) == 60
    for place, mark in episode.marks.items():
      fork = episode.game.fork(mark)
      acts = episode.acts[place: place + 6]
      assert_same([fork.step(x) for x in acts],
                  episode.obs[place + 1: place + 7])
      fork.close()

  def test_beyond_the_copies(self, monkeypatch):
    monkeypatch.setattr('dreamer_gail_plugin.demos.play.session.MARKS', 2)
    episode = Episode('minatar_seaquest', 0)
    advance(episode, [0] * 60)
    assert len(episode.marks) == 2 and min(episode.marks) > 20
    assert episode.undo(50)
    assert len(episode.acts) == 10
    assert episode.undo(1000)
    assert not episode.acts and len(episode.obs) == 1
    advance(episode, [1] * 20)
    assert_same(episode.obs, replayed(episode))

  def test_after_the_end(self):
    episode = Episode('gym_CartPole-v1', 0)
    advance(episode, [1] * 50)
    assert episode.over
    assert episode.undo(3)
    assert not episode.over
    advance(episode, [0])
    assert_same(episode.obs, replayed(episode))

  def test_refuses_a_game_that_does_not_repeat(self, monkeypatch):
    episode = Episode('gym_CartPole-v1', 0)
    advance(episode, [1, 0, 1, 0])
    obs = list(episode.obs)
    monkeypatch.setattr(
        games.Gym, '_make', lambda self: envs.make(
            'gym', 'CartPole-v1', seed=8, render_mode='rgb_array'))
    assert not episode.undo(2)
    assert len(episode.acts) == 4 and episode.undone == 0
    monkeypatch.undo()
    advance(episode, [1, 0])  # Goes on where it was.
    assert_same(episode.obs[:5], obs)
    assert_same(episode.obs, replayed(episode))


class TestScreen:

  @pytest.mark.parametrize('task, shape', [
      ('minatar_seaquest', (10, 10, 3)), ('crafter_reward', (432, 432, 3)),
      ('atari_seaquest', (210, 160, 3)), ('gym_CartPole-v1', (400, 600, 3)),
      ('gym_ALE/Pong-v5', (210, 160, 3))])
  def test_colours(self, task, shape):
    if 'CartPole' in task:
      pytest.importorskip('pygame', reason='pygame draws CartPole')
    game = games.make(task, 0)
    game.reset()
    image = game.screen()
    assert image.shape == shape and image.dtype == np.uint8
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 2
    game.close()

  def test_board(self):
    game = games.make('minatar_breakout', 0)
    game.reset()
    image, board = game.screen(), game.env.game.state()
    for row, column in np.ndindex(10, 10):
      names = [x for x, i in game.env.game.channels.items()
               if board[row, column, i]]
      colours = {x: tuple(games.rgb(y)) for x, y in game.legend}
      shown = tuple(image[row, column].tolist())
      assert shown == (colours[names[0]] if names else (0, 0, 0))

  def test_looking_changes_nothing(self):
    # Crafter's nights draw noise from the random numbers of the game.
    game, other = [games.make('crafter_reward', 2) for _ in range(2)]
    frames = [[x.reset()] for x in (game, other)]
    game.env.game._step = other.env.game._step = 220
    for step in range(30):
      frames[0].append(game.step(step % 5))
      game.screen()
      frames[1].append(other.step(step % 5))
      assert game.env.game._world.daylight < 0.5
    assert_same(*frames)


class Drawn(gymnasium.Env):
  """Shows its grey observation; neither reset nor end."""

  observation_space = gymnasium.spaces.Box(0, 255, (96, 96), np.uint8)
  action_space = gymnasium.spaces.Discrete(2)

  def reset(self, seed=None, options=None):
    return np.full((96, 96), 7, np.uint8), {}

  def step(self, action):
    return np.full((96, 96), action, np.uint8), 0.0, False, False, {}


class Unseen(Drawn):
  """Has nothing to show."""

  observation_space = gymnasium.spaces.Box(0, 1, (3,), np.float32)


@pytest.fixture
def registered():
  """Register the two environments above for a test."""
  for cls in (Drawn, Unseen):
    gymnasium.register(f'{cls.__name__}-v0', cls)
  yield
  for cls in (Drawn, Unseen):
    del gymnasium.registry[f'{cls.__name__}-v0']


class TestGym:

  def test_image_observation(self, registered):
    game = games.make('gym_Drawn-v0', 0)
    game.reset()
    assert game.screen().shape == (64, 64, 3)
    game.step(1)
    assert (game.screen() == 1).all()

  def test_known_names(self):
    names = {
        f'gym_{name}-v{version}': names.split() for (name, names), version in
        zip(games.NAMES.items(), (1, 0, 1, 3, 1, 1, 3))}
    for task in ('gym_CartPole-v1', 'gym_MountainCar-v0', 'gym_Acrobot-v1'):
      assert games.make(task, 0).names == names[task]
    assert games.make('gym_ALE/Pong-v5', 0).names[0] == 'NOOP'

  @pytest.mark.parametrize('task, words', [
      ('gym_Unseen-v0', 'cannot be shown'),
      (toyenv.TASK, 'neither one choice'),
      ('gym_Nothing-v3', 'Nothing-v3'),
      ('minatar_pong', 'pong'),
      ('minitar_pong', 'minitar'),
      ('breakout', 'expected SUITE_NAME')])
  def test_refused(self, registered, task, words):
    with pytest.raises(play.UserError, match=words):
      games.make(task, 0)


class TestContinuous:

  def test_recorded_as_played(self, tmp_path):
    session = Session('gym_Pendulum-v1', tmp_path / 'a.h5', 5, {
        'task': 'gym_Pendulum-v1', 'source': 'x', 'action_meanings': []})
    sliders = Sliders(['push'], session.episode.game.space)
    for value in (0.3, -9, 1):
      session.step(sliders.choose([value]))
    assert session.undo(1) and len(session.episode.acts) == 2
    made = session.episode.data()
    env = tasks.make_env('gym_Pendulum-v1', session.episode.seed)
    obs = [env.step({'action': np.zeros(1, np.float32), 'reset': True})]
    for action in made['action']:
      obs.append(env.step({'action': action, 'reset': False}))
    assert made['action'].tolist() == [[np.float32(0.3)], [-2]]
    assert_same(obs[:2], [
        {k: v[i] for k, v in made.items() if k != 'action'} for i in (0, 1)])
    session.keep()
    with store.Store(tmp_path / 'a.h5') as file:
      store.validate(file, env.obs_space, env.act_space, session.task)

  def test_sliders(self):
    space = elements.Space(np.float32, (2,), [0, -1], [4, 1])
    sliders = Sliders(['gas', 'turn'], space)
    assert sliders.axes() == [
        {'name': 'gas', 'low': 0, 'high': 4, 'rest': 0},
        {'name': 'turn', 'low': -1, 'high': 1, 'rest': 0}]
    assert sliders.choose([9, -0.5]) == [4, -0.5]
    assert sliders.text([4, -0.5]) == '4.00 -0.50'
    for values in ([], [1], [1, 2, 3], [1, float('nan')]):
      with pytest.raises(ValueError):
        sliders.choose(values)


class TestSession:

  TASK = 'minatar_breakout'

  def make(self, tmp_path, task=TASK, **kwargs):
    return Session(
        task, tmp_path / 'a.h5', 5, {'task': task, 'source': 'x'}, **kwargs)

  def play(self, session, acts):
    for action in acts:
      session.step(action)

  def test_keeps_what_the_environment_gave(self, tmp_path):
    session = self.make(tmp_path)
    self.play(session, [1, 2, 0, 0] * 20)
    assert session.episode.over  # A miss.
    episode = session.episode
    session.keep()
    assert session.episode is not episode and not session.episode.acts
    with store.Store(tmp_path / 'a.h5') as file:
      env = tasks.make_env(self.TASK, 0)
      store.validate(file, env.obs_space, env.act_space, self.TASK)
      data, info = file.read(0), file.infos[0]
    fresh = tasks.make_env(self.TASK, info['seed'])
    obs = fresh.step({'action': 0, 'reset': True})
    for step, action in enumerate(data['action']):
      for key in obs:
        assert data[key][step].tobytes() == np.asarray(obs[key]).tobytes()
      obs = fresh.step({'action': action, 'reset': False})
    # The last step is the end, with an action that means nothing.
    assert data['is_terminal'].nonzero()[0].tolist() == [step]
    assert data['action'][-1] == 0
    assert data['action'][:-1].tolist() == episode.acts
    assert info['score'] == data['reward'].sum()

  def test_keeps_a_game_that_goes_on(self, tmp_path):
    session = self.make(tmp_path)
    self.play(session, [1, 2, 1])
    session.keep()
    with store.Store(tmp_path / 'a.h5') as file:
      data = file.read(0)
    assert data['action'].tolist() == [1, 2, 1]
    assert not data['is_last'].any()
    assert data['is_first'].tolist() == [True, False, False]

  def test_undone_steps_are_not_stored(self, tmp_path):
    session = self.make(tmp_path)
    self.play(session, [1, 1, 1, 2, 2])
    assert session.undo(2)
    self.play(session, [0])
    session.keep()
    with store.Store(tmp_path / 'a.h5') as file:
      assert file.read(0)['action'].tolist() == [1, 1, 1, 0]
      assert file.infos[0]['undone'] == 2

  def test_no_step_no_trajectory(self, tmp_path):
    session = self.make(tmp_path)
    session.keep()
    assert session.number == 0 and not list(tmp_path.iterdir())

  def test_discards(self, tmp_path):
    session = self.make(tmp_path)
    first = session.episode
    self.play(session, [1])
    session.discard()
    assert not list(tmp_path.iterdir())
    assert session.episode.seed != first.seed and not session.episode.acts

  def test_continues_a_store(self, tmp_path):
    session = self.make(tmp_path)
    for _ in range(2):
      self.play(session, [1, 2])
      session.keep()
    whole = (tmp_path / 'a.h5').read_bytes()
    number = play.next_number(tmp_path / 'a.h5', 5)
    assert number == 2 and play.next_number(tmp_path / 'a.h5', 6) == 0
    other = self.make(tmp_path, number=number)
    assert (other.episodes, other.steps) == (2, 4)
    assert (tmp_path / 'a.h5').read_bytes() == whole
    self.play(other, [1])
    other.keep()
    with store.Store(tmp_path / 'a.h5') as file:
      assert file.lengths == [2, 2, 1]
      assert len({x['seed'] for x in file.infos}) == 3
      assert file.attrs['mean_score'] == np.mean(
          [x['score'] for x in file.infos])

  def test_the_score_is_that_of_whole_games(self, tmp_path):
    session = self.make(tmp_path)
    self.play(session, [1, 2])
    session.keep()
    with store.Store(tmp_path / 'a.h5') as file:
      assert 'expert_score' not in file.attrs  # None is whole.
    for actions in ([1, 2, 0, 0] * 20, [1]):
      session = self.make(tmp_path, number=session.number)
      self.play(session, actions)
      assert session.episode.over == (len(actions) > 1)
      session.episode.obs[-1]['reward'] += 3
      session.keep()
    with store.Store(tmp_path / 'a.h5') as file:
      assert file.infos[1]['score'] >= 3
      assert file.attrs['expert_score'] == file.infos[1]['score']

  def test_disks_that_are_full_at_any_byte(self, tmp_path, capfd):
    session = self.make(tmp_path)
    self.play(session, [1, 2])
    session.keep()
    [path] = tmp_path.iterdir()
    before = path.read_bytes()
    self.play(session, [2, 1])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in range(0, 3 * len(before), len(before) // 20):
      resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
      try:
        with pytest.raises((OSError, UserError), match='File too large'):
          session.keep()
      finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
      assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    session.keep()
    assert session.episodes == 2
    gc.collect()  # Where HDF5 has failed, it prints here.
    assert capfd.readouterr() == ('', '')

  def test_a_failed_save_keeps_the_episode(self, tmp_path, monkeypatch):
    session = self.make(tmp_path)
    self.play(session, [1, 2])
    def full(*args):
      raise OSError(28, 'No space left on device')
    with monkeypatch.context() as patch:
      patch.setattr('os.fsync', full)
      with pytest.raises(OSError):
        session.keep()
    assert session.episode.acts == [1, 2] and session.episodes == 0
    assert not list(tmp_path.iterdir())
    session.keep()
    assert session.episodes == 1
