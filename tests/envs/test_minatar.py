import subprocess
import sys

import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.envs import minatar
from dreamer_gail_plugin.errors import UserError
from helpers import envtools

PADDLE, BALL, TRAIL, BRICK = range(4)
NOOP, LEFT, RIGHT = range(3)


def breakout(corner, **kwargs):
  """Return a reset game whose ball starts in column `corner`, and obs."""
  for seed in range(20):
    env = envs.make('minatar', 'breakout', sticky=0.0, seed=seed, **kwargs)
    obs = envtools.reset(env)
    if obs['image'][3, corner, BALL]:
      return env, obs
  raise AssertionError('no seed starts there')


class TestBreakoutByHand:

  def test_first_board(self):
    _, obs = breakout(0)
    want = np.zeros((10, 10, 4), np.uint8)
    want[9, 4, PADDLE] = 255
    want[3, 0, BALL] = 255
    want[3, 0, TRAIL] = 255
    want[1:4, :, BRICK] = 255
    assert obs['image'].dtype == np.uint8
    assert (obs['image'] == want).all()
    assert obs['is_first'] and not obs['is_last'] and not obs['is_terminal']
    assert obs['reward'] == 0

  @pytest.mark.parametrize('corner', [0, 9])
  def test_lost_ball_is_terminal(self, corner):
    # The ball falls a row a step from row 3, so it is lost at step 6.
    env, _ = breakout(corner)
    for _ in range(5):
      obs = envtools.act(env, LEFT)
      assert not obs['is_last'] and not obs['is_terminal']
    obs = envtools.act(env, LEFT)
    assert obs['is_last'] and obs['is_terminal'] and obs['reward'] == 0

  def test_brick_is_worth_one(self):
    # From the right corner the ball reaches the waiting paddle at step 6 and
    # returns by the left wall to the brick at row 3, column 1, at step 11.
    env, _ = breakout(9)
    steps = [envtools.act(env, NOOP) for _ in range(11)]
    assert [float(x['reward']) for x in steps] == 10 * [0.0] + [1.0]
    bricks = steps[-1]['image'][..., BRICK]
    assert bricks[3, 1] == 0 and (bricks == 255).sum() == 29

  def test_step_after_end_starts_anew(self):
    env, _ = breakout(0)
    while not envtools.act(env, LEFT)['is_last']:
      pass
    obs = envtools.act(env, LEFT)
    assert obs['is_first'] and obs['reward'] == 0
    assert obs['image'][9, 4, PADDLE] == 255

  def test_reset_in_mid_episode(self):
    env, _ = breakout(9)
    for _ in range(11):
      envtools.act(env, NOOP)
    obs = envtools.reset(env)
    assert obs['is_first'] and not obs['is_last']
    assert (obs['image'][..., BRICK] == 255).sum() == 30

  def test_sticky(self):
    env = envs.make('minatar', 'breakout', sticky=1.0, seed=0)
    envtools.reset(env)
    for _ in range(3):
      obs = envtools.act(env, RIGHT)
      assert obs['image'][9, 4, PADDLE] == 255

  def test_sticky_does_not_reach_into_the_next_episode(self):
    env, _ = breakout(9)
    envtools.act(env, RIGHT)
    envtools.reset(env)
    env.sticky = 1.0
    assert envtools.act(env, RIGHT)['image'][9, 4, PADDLE] == 255


class TestTimeLimit:

  def test_last_but_not_terminal(self):
    env, _ = breakout(9, length=4)
    flags = [envtools.flags(envtools.act(env, NOOP)) for _ in range(9)]
    assert flags == ['', '', '', 'last', 'first', '', '', '', 'last']

  def test_end_at_the_limit_is_terminal(self):
    env, _ = breakout(0, length=6)
    flags = [envtools.flags(envtools.act(env, LEFT)) for _ in range(6)]
    assert flags == ['', '', '', '', '', 'last terminal']

  def test_none(self):
    env = envs.make('minatar', 'freeway', length=0, seed=0)
    steps = envtools.rollout(env, 2502)
    assert [i for i, x in enumerate(steps) if x['is_last']] == [2501]
    assert steps[2501]['is_terminal']


class TestAllGames:

  @pytest.mark.parametrize('task', minatar.TASKS)
  def test_same_as_the_original_wrapper(self, task):
    from minatar import Environment
    ref = Environment(task, sticky_action_prob=0.1)
    ref.seed(3)
    ref.reset()
    env = envs.make('minatar', task, actions='all', seed=3)
    obs = envtools.reset(env)
    rng = np.random.default_rng(0)
    total = 0
    for _ in range(400):
      assert (obs['image'] == ref.state() * np.uint8(255)).all()
      assert not obs['is_last']
      action = rng.integers(6)
      reward, done = ref.act(action)
      obs = envtools.act(env, action)
      assert obs['reward'] == reward
      assert obs['is_terminal'] == obs['is_last'] == done
      total += 1
      if done:
        break
    assert total > 5

  @pytest.mark.parametrize('task', minatar.TASKS)
  @pytest.mark.parametrize('actions', ['all', 'needed'])
  def test_spaces(self, task, actions):
    env = envs.make('minatar', task, actions=actions, seed=0)
    assert env.act_space['action'].classes == len(env.action_meanings)
    envtools.check_spaces(env, 300)

  @pytest.mark.parametrize('task', minatar.TASKS)
  def test_seed_decides_everything(self, task):
    def run(seed):
      env = envs.make('minatar', task, seed=seed)
      return envtools.rollout(env, 200, act_seed=0)
    assert envtools.same(run(5), run(5))
    assert not envtools.same(run(5), run(6))

  def test_needed_actions(self):
    meanings = {
        x: envs.make('minatar', x).action_meanings for x in minatar.TASKS}
    assert meanings == {
        'asterix': ['noop', 'left', 'up', 'right', 'down'],
        'breakout': ['noop', 'left', 'right'],
        'freeway': ['noop', 'up', 'down'],
        'seaquest': ['noop', 'left', 'up', 'right', 'down', 'fire'],
        'space_invaders': ['noop', 'left', 'right', 'fire'],
    }


class TestErrors:

  def test_unknown_game(self):
    with pytest.raises(UserError, match='Did you mean seaquest') as info:
      envs.make('minatar', 'sequest')
    for task in minatar.TASKS:
      assert task in str(info.value)

  def test_unknown_actions(self):
    with pytest.raises(UserError, match='all, needed'):
      envs.make('minatar', 'breakout', actions='some')

  def test_missing_package(self, monkeypatch):
    monkeypatch.setattr(minatar.importlib.util, 'find_spec', lambda _: None)
    with pytest.raises(UserError, match='pip install minatar'):
      envs.make('minatar', 'breakout')

  def test_no_plotting_imports(self):
    code = (
        'import sys; from dreamer_gail_plugin import envs; '
        'envs.make("minatar", "breakout"); '
        'assert "minatar" not in sys.modules')
    subprocess.run([sys.executable, '-c', code], check=True)
