import functools
import json
import types

import elements
import embodied
import gymnasium
import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as command
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.experts import breakout
from dreamer_gail_plugin.demos.experts import planner
from dreamer_gail_plugin.demos.experts import seaquest
from dreamer_gail_plugin.errors import UserError
from helpers import strangetasks
from helpers.refusals import exit_code

BUNDLED = sorted(x for x in planner.PLANNERS if x.startswith('minatar_'))
CLASSIC = sorted(x for x in planner.PLANNERS if x.startswith('gym_'))
# Trajectories, their steps, and what the expert scores at least.
FACTS = {
    'gym_CartPole-v1': (10, 1024, 499),
    'gym_MountainCar-v0': (10, 1024, -160),
    'minatar_asterix': (10, 1024, 8),
    'minatar_breakout': (10, 1024, 25),
    'minatar_freeway': (4, 2502, 60),
    'minatar_seaquest': (10, 1024, 10),
    'minatar_space_invaders': (10, 1024, 50),
}


class Counter(embodied.Env):
  """Shows its step number and the last action; ends after `end` steps."""

  def __init__(self, seed=0, end=5):
    self.seed = seed
    self.end = end

  @property
  def obs_space(self):
    return {
        'count': elements.Space(np.int32),
        'previous': elements.Space(np.int32),
        'log/count': elements.Space(np.int32),
        **envs.common.standard_spaces(),
    }

  @property
  def act_space(self):
    return {
        'action': elements.Space(np.int32, (), 0, 9),
        'reset': elements.Space(bool),
    }

  def step(self, action):
    first = bool(action['reset'])
    self.count = 0 if first else self.count + 1
    last = self.count == self.end
    return {
        'count': self.count, 'log/count': self.count,
        'previous': 0 if first else action['action'],
        **envs.common.standard(self.count / 10, first, last, last)}


def count_policy(env, seed):
  """The action is the count plus one."""
  return lambda obs: {'action': np.int32(obs['count'] + 1)}


def open_store(task):
  return store.Store(upstream.resource('expert_data') / f'{task}.h5')


def replay(task, data, info):
  """Return the observations that follow from the stored actions."""
  env = tasks.make_env(task, info['seed'])
  last, action = True, np.int32(0)
  result = []
  for step in range(info['length']):
    result.append(env.step({'action': action, 'reset': last}))
    last, action = data['is_last'][step], data['action'][step]
  return {k: np.stack([x[k] for x in result]) for k in result[0]}


def populated(seed):
  """Return a Seaquest game full of enemies, in which no more will appear."""
  game = tasks.make_env('minatar_seaquest', seed).game
  game.reset()
  game.e_spawn_timer = game.d_spawn_timer = seaquest.NEVER
  for _ in range(7):
    game.sub_x, game.sub_y = -9, 5
    game._spawn_enemy()
    game._spawn_enemy()
    game.act(seaquest.NOOP)
    game.act(seaquest.NOOP)
  assert not game.terminal and game.e_fish and game.e_subs
  assert game.e_bullets
  return game


class TestBundled:

  @pytest.mark.parametrize('task', BUNDLED + CLASSIC)
  def test_shape(self, task):
    env = tasks.make_env(task, 0)
    count, length, _ = FACTS[task]
    with open_store(task) as file:
      assert file.lengths == [length] * count
      store.validate(file, env.obs_space, env.act_space, task)
      assert len({x['seed'] for x in file.infos}) == count
      assert file.path.stat().st_size < 1e6
      for index in range(count):
        assert file.read(index)['is_first'][0]

  @pytest.mark.parametrize('task', BUNDLED)
  def test_planner_makes_the_same_bytes(self, task):
    with open_store(task) as file:
      limit = int(file.attrs['command'].split('--limit ')[1].split()[0])
      wanted = file.read(0, 0, 100)
    made = next(record.record(
        functools.partial(tasks.make_env, task), planner.PLANNERS[task],
        trajectories=1, length=100, seed=0, limit=limit))
    assert set(made) == {*wanted, 'attrs'}
    for key, value in wanted.items():
      assert made[key].dtype == value.dtype
      assert made[key].tobytes() == value.tobytes(), key

  @pytest.mark.parametrize('task', BUNDLED)
  def test_same_eyes(self, task):
    # Invariant 6: the environment shows what the store holds.
    with open_store(task) as file:
      for index in (0, -1):
        data, info = file.read(index), file.infos[index]
        seen = replay(task, data, info)
        assert seen['image'].tobytes() == data['image'].tobytes()
        np.testing.assert_array_equal(seen['reward'], data['reward'])
        np.testing.assert_array_equal(seen['is_first'], data['is_first'])

  @pytest.mark.parametrize('task', CLASSIC)
  def test_rules_play_the_same(self, task):
    # Other processors may round in another way.
    with open_store(task) as file:
      made = next(record.record(
          functools.partial(tasks.make_env, task), planner.PLANNERS[task],
          trajectories=1, length=100, seed=0))
      for key, value in file.read(0, 0, 100).items():
        np.testing.assert_allclose(made[key], value, atol=1e-4)

  @pytest.mark.parametrize('task', BUNDLED + CLASSIC)
  def test_scores(self, task):
    with open_store(task) as file:
      scores, episodes = [], 0
      for index, info in enumerate(file.infos):
        data = file.read(index)
        stops = np.flatnonzero(data['is_last']) + 1
        starts = np.flatnonzero(data['is_first'])
        games = [data['reward'][a: b].sum() for a, b in zip(starts, stops)]
        assert info['score'] == pytest.approx(np.mean(games), abs=1e-5)
        scores.append(np.mean(games))
        episodes += len(games)
      assert file.attrs['mean_score'] == pytest.approx(np.mean(scores))
      assert file.attrs['score_sd'] == pytest.approx(np.std(scores))
      assert file.attrs['episodes'] == episodes
      assert np.mean(scores) > FACTS[task][2]


class TestRecord:

  def test_alignment(self):
    data = record.rollout(Counter(), count_policy(None, 0), 8)
    assert set(data) == {
        'count', 'previous', 'action', 'reward', 'is_first', 'is_last',
        'is_terminal'}
    assert data['count'].tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
    assert data['action'].tolist() == [1, 2, 3, 4, 5, 0, 1, 2]
    assert data['previous'].tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
    tenths = (10 * data['reward']).round()
    assert tenths.tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
    assert data['is_first'].tolist() == [1, 0, 0, 0, 0, 0, 1, 0]
    assert data['is_last'].tolist() == [0, 0, 0, 0, 0, 1, 0, 0]
    assert data['is_terminal'].tolist() == [0, 0, 0, 0, 0, 1, 0, 0]

  def test_limit_is_not_terminal(self):
    data = record.rollout(Counter(), count_policy(None, 0), 7, limit=2)
    assert data['count'].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert data['is_last'].tolist() == [0, 0, 1, 0, 0, 1, 0]
    assert data['action'].tolist() == [1, 2, 0, 1, 2, 0, 1]
    assert not data['is_terminal'].any()

  def test_seeds_differ_by_trajectory_and_run(self):
    made = {tuple(record.seeds(x, y)) for x in range(3) for y in range(4)}
    assert len(made) == 12
    flat = [x for pair in made for x in pair]
    assert len(set(flat)) == 24 and max(flat) < 2 ** 31

  def test_workers_do_not_change_the_result(self):
    args = (
        functools.partial(tasks.make_env, 'minatar_seaquest'),
        record.Random, 3, 40, 7)
    one = list(record.record(*args, workers=1))
    two = list(record.record(*args, workers=2))
    for a, b in zip(one, two, strict=True):
      assert a.pop('attrs') == b.pop('attrs')
      assert {k: v.tobytes() for k, v in a.items()} == {
          k: v.tobytes() for k, v in b.items()}
    assert one[0]['action'].tobytes() != one[1]['action'].tobytes()

  def test_random_covers_the_actions(self):
    env = types.SimpleNamespace(act_space={
        'move': elements.Space(np.int32, (2,), 0, np.array([2, 3])),
        'force': elements.Space(np.float32, (2,), -1, np.inf),
        'reset': elements.Space(bool)})
    policy = record.Random(env, 0)
    acts = [policy({}) for _ in range(200)]
    assert set(acts[0]) == {'move', 'force'}
    moves = {tuple(x['move'].tolist()) for x in acts}
    assert moves == {(a, b) for a in range(2) for b in range(3)}
    force = np.stack([x['force'] for x in acts])
    assert force.dtype == np.float32
    assert -1 <= force.min() < -0.9 and 0.9 < force.max() <= 1


class TestBreakout:

  def make(self, pos, ball_x, ball_dir, sticky=0.0):
    env = envs.make('minatar', 'breakout', sticky=sticky, seed=0)
    env.step({'action': 0, 'reset': True})
    env.game.pos = pos
    env.game.ball_x, env.game.ball_y, env.game.ball_dir = ball_x, 6, ball_dir
    return breakout.Breakout(env, depth=2)

  def choose(self, *args, **kwargs):
    policy = self.make(*args, **kwargs)
    return policy.env.action_meanings[policy({})['action']]

  def test_goes_where_the_ball_comes_down(self):
    # From row 6 down to the right: at column 4 or 5 in the third step.
    assert self.choose(1, 2, 2) == 'right'
    assert self.choose(8, 2, 2) == 'left'

  def test_rests_while_nothing_is_at_stake(self):
    # One step away with three to go and nothing that slips: time to rest.
    assert self.choose(4, 2, 2) == 'noop'
    assert self.choose(0, 1, 2) == 'right'

  def test_moves_earlier_where_actions_slip(self):
    assert self.choose(7, 2, 2, sticky=0.0) == 'noop'
    assert self.choose(7, 2, 2, sticky=0.3) == 'left'

  def test_values_count_the_chance_to_miss(self):
    # The last moment: a slip repeats the no-op and misses.
    policy = self.make(4, 2, 3, sticky=0.25)
    policy.env.game.ball_y = 8
    policy.env.game.pos = 3
    assert policy({})['action'] == 1
    wait, left, _ = policy.plan[breakout._key(policy.env.game)][3, 0]
    assert wait == 0
    future = policy._landing(policy.env.game, 2)[2]
    assert left == pytest.approx(0.75 * 0.99 * future[1] - 0.05)

  def test_does_not_touch_the_game(self):
    untouched(breakout.Breakout, 'minatar_breakout')


class TestSeaquest:

  @pytest.mark.parametrize('seed', range(4))
  def test_forecast_of_hits_is_what_happens(self, seed):
    game = populated(seed)
    world = seaquest.forecast(game, 12)
    for y, x, side in np.ndindex(seaquest.ROWS, seaquest.COLUMNS, 2):
      copy = seaquest.fork(game)
      copy.sub_y, copy.sub_x, copy.sub_or = y, x, bool(side)
      copy.shot_timer = 0
      reward, _ = copy.act(seaquest.FIRE)
      for _ in range(11):
        copy.sub_x, copy.sub_y, copy.terminal = -9, 5, False
        reward += copy.act(seaquest.NOOP)[0]
      assert world['hits'][0, y, x, side] == (reward == 1), (y, x, side)

  @pytest.mark.parametrize('seed', range(4))
  def test_forecast_of_danger_is_what_happens(self, seed):
    game = populated(seed)
    world = seaquest.forecast(game, 6)
    for y, x in np.ndindex(seaquest.ROWS - 1, seaquest.COLUMNS):
      danger = world['danger'][:, y + 1, x]
      copy = seaquest.fork(game)
      copy.sub_y, copy.sub_x = y + 1, x
      for step in range(6):
        _, dead = copy.act(seaquest.NOOP)
        assert dead == (danger[step] or danger[step + 1]), (y, x, step)
        if dead:
          break

  def make(self, **state):
    env = envs.make('minatar', 'seaquest', sticky=0.0, seed=0)
    env.step({'action': 0, 'reset': True})
    state = {'sub_y': 4, 'surface': False, 'diver_count': 1, **state}
    for key, value in state.items():
      assert hasattr(env.game, key)
      setattr(env.game, key, value)
    return env

  def choose(self, **state):
    env = self.make(**state)
    return env.action_meanings[seaquest.Seaquest(env)({})['action']]

  def test_rests_where_nothing_is(self):
    assert self.choose(e_spawn_timer=seaquest.NEVER) == 'noop'

  def test_fires_at_what_it_faces(self):
    fish = [[8, 4, False, 5]]
    assert self.choose(sub_or=True, e_fish=fish) == 'fire'
    assert self.choose(sub_or=False, e_fish=fish) == 'right'

  def test_surfaces_just_in_time(self):
    assert self.choose(oxygen=40) == 'noop'
    assert self.choose(oxygen=4) == 'up'
    env = self.make(oxygen=4)
    for _ in range(4):
      assert not env.step({'action': 2, 'reset': False})['is_last']
    assert env.game.oxygen == 200

  def test_never_surfaces_without_a_diver(self):
    assert self.choose(sub_y=1, oxygen=9, diver_count=0) != 'up'
    diver = [[7, 1, False, 5]]
    assert self.choose(
        sub_y=1, oxygen=30, diver_count=0, divers=diver) == 'right'

  def test_does_not_touch_the_game(self):
    untouched(seaquest.Seaquest, 'minatar_seaquest')


def untouched(make_policy, task):
  # The planner works without the random state, and leaves the game alone.
  env = tasks.make_env(task, 0)
  record.rollout(env, record.Random(env, 0), 60)
  env.step({'action': 0, 'reset': True})
  before = repr({k: v for k, v in vars(env.game).items() if k != 'random'})
  env.random = env.game.random = None
  make_policy(env, 0)({})
  after = repr({k: v for k, v in vars(env.game).items() if k != 'random'})
  assert before == after


class TestCommand:

  def run(self, tmp_path, *flags, task='minatar_breakout', name='a.h5'):
    return exit_code(command.main, [
        'planner', '--task', task, '--out', str(tmp_path / name),
        '--trajectories', '2', '--length', '30', '--workers', '1', *flags])

  def test_random_expert(self, tmp_path, capsys):
    assert self.run(tmp_path, '--policy', 'random', '--seed', '3') == 0
    env = tasks.make_env('minatar_breakout', 0)
    with store.Store(tmp_path / 'a.h5') as file:
      store.validate(
          file, env.obs_space, env.act_space, 'minatar_breakout')
      assert file.lengths == [30, 30]
      assert file.attrs['command'].endswith(
          '--policy random --trajectories 2 --length 30 --limit 0 --seed 3 '
          '--out a.h5')
      assert file.infos[1]['seed'] == record.seeds(3, 1)[0]
    assert '2 trajectories of 30 steps' in capsys.readouterr().out

  @pytest.mark.parametrize('flags, words', [
      (dict(task='gym_Acrobot-v1'), 'no planner for the task'),
      (dict(task='minatar_pong'), 'pong'),
      (dict(task='breakout'), 'expected SUITE_NAME'),
      (dict(name='none/a.h5'), 'no folder'),
      (dict(name='a.json'), 'recipes are for atari and crafter'),
  ])
  def test_mistakes(self, tmp_path, capsys, flags, words):
    assert self.run(tmp_path, **flags) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

  @pytest.mark.parametrize('flags, said, key', [
    ([], 'vector: 16 x 16 x 3 as 768 numbers, a grid of codes, or an image so '
     'small that only --env.gym.image last makes it one', 'vector'),
    (['--env.gym.image', 'last'], 'image: 16 x 16 x 3, channels last',
     'image'),
    (['--env.gym.size', '8', '8', '--env.gym.image', 'last'],
     'image: 16 x 16 x 3, channels last, resized to 8 x 8 with blending',
     'image')])
  def test_options_of_the_environment(
      self, tmp_path, monkeypatch, capsys, flags, said, key):
    space = gymnasium.spaces.Box(0, 255, (16, 16, 3), np.uint8)
    monkeypatch.setattr(strangetasks.Dicts, 'observation_space', space)
    monkeypatch.setattr(
        strangetasks.Dicts, 'action_space', gymnasium.spaces.Discrete(2))
    monkeypatch.setattr(
        strangetasks.Dicts, 'pay', lambda self, action: float(action))
    task = 'gym_helpers.strangetasks:StrangeDicts-v0'
    assert self.run(
        tmp_path, '--policy', 'random', *flags, task=task) == 0
    assert f'  {said}\n  action: ' in capsys.readouterr().out
    with store.Store(tmp_path / 'a.h5') as file:
      assert key in file.keys
      assert file.attrs['command'].endswith(' '.join(['--out a.h5', *flags]))
      made = json.loads(file.attrs['preprocessing'])
      assert made['image'] == ('last' if flags else 'auto')
      assert f'{key}: {json.loads(file.attrs["arrays"])[key]}' == said

  @pytest.mark.parametrize('flag', ('trajectories', 'length', 'workers'))
  def test_numbers(self, tmp_path, capsys, flag):
    assert self.run(tmp_path, f'--{flag}', '0') == 2
    assert f'--{flag} 0: expected a whole number' in capsys.readouterr().err

  def test_negative_seed(self, tmp_path, capsys):
    assert self.run(tmp_path, '--seed', '-1') == 2
    assert '--seed -1: expected a whole number' in capsys.readouterr().err

  def test_nothing_is_planned_for_a_file_that_cannot_be(
      self, tmp_path, monkeypatch):
    monkeypatch.setattr(record, 'record', None)
    assert self.run(tmp_path, name='a.json') == 2

  @pytest.mark.parametrize('name', ('a.h5', 'a.json'))
  def test_keeps_what_is_there(self, tmp_path, capsys, name):
    (tmp_path / name).write_text('mine')
    flags = dict(task='crafter_reward', name=name)
    assert self.run(tmp_path, '--policy', 'random', **flags) == 2
    assert 'exists; choose another name or add --overwrite' in (
        capsys.readouterr().err)
    assert (tmp_path / name).read_text() == 'mine'
    assert self.run(
        tmp_path, '--policy', 'random', '--overwrite', **flags) == 0
    assert (tmp_path / name).stat().st_size > 100
    assert [x.name for x in tmp_path.iterdir()] == [name]

  def test_error_is_a_user_error(self):
    with pytest.raises(UserError, match='no planner'):
      planner.make_policy('gym_Acrobot-v1', 'planner')
