"""Mirrored demonstrations: images and actions together, half of them."""

import elements
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import envs
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.experiments import cloning
from dreamer_gail_plugin.experiments import suites
from dreamer_gail_plugin.variants import mirror
from helpers import envtools

FLAGS = (
    '--configs', 'minatar', 'tiny', 'gail', 'anchor', '--jax.platform', 'cpu')
NOOP, LEFT, RIGHT = range(3)


class Named:
  """An environment that is its spaces and its names of actions."""

  def __init__(self, names, shape=(2, 3, 1)):
    self.obs_space = {
        'image': elements.Space(np.uint8, shape),
        'reward': elements.Space(np.float32),
        'log/extra': elements.Space(np.float32),
        **{k: elements.Space(bool)
           for k in ('is_first', 'is_last', 'is_terminal')}}
    self.action_meanings = names


@pytest.mark.parametrize('names, perm', [
    (['noop', 'left', 'up', 'right'], [0, 3, 2, 1]),
    (['NOOP', 'RIGHT', 'LEFT', 'UPRIGHTFIRE', 'UPLEFTFIRE'], [0, 2, 1, 4, 3]),
    (['noop', 'move_left', 'move_right'], [0, 2, 1]),
    (['noop', 'up', 'down'], [0, 1, 2]),
])
def test_counterparts(names, perm):
  assert list(mirror.Mirror(Named(names)).perm) == perm


@pytest.mark.parametrize('env, words', [
    (Named([]), 'no names of actions'),
    (Named(['noop', 'left']), 'has no action right'),
    (Named(['left', 'right'], shape=(4,)), 'image is not'),
])
def test_refused(env, words):
  with pytest.raises(UserError, match=words):
    mirror.Mirror(env)


def test_half_of_the_steps():
  env = Named(['left', 'noop', 'right'])
  rng = np.random.default_rng(0)
  before = {
      'image': rng.integers(0, 256, (50, 40, 2, 3, 1), np.uint8),
      'action': rng.integers(0, 3, (50, 40)),
      'is_last': rng.random((50, 40)) < 0.5}
  after = {k: v.copy() for k, v in before.items()}
  mirror.Mirror(env)(rng, after)
  changed = (after['image'] != before['image']).any((-1, -2, -3))
  assert 0.45 < changed.mean() < 0.55
  image, action = before['image'], before['action']
  assert (after['image'] == np.where(
      changed[..., None, None, None], image[..., ::-1, :], image)).all()
  assert (after['action'] == np.where(changed, 2 - action, action)).all()
  assert (after['is_last'] == before['is_last']).all()


def test_breakout_is_the_same_in_a_mirror():
  # From either corner the ball falls; the paddle starts left of the middle.
  games = {}
  for seed in range(20):
    env = envs.make('minatar', 'breakout', sticky=0.0, seed=seed)
    corner = np.argmax(envtools.reset(env)['image'][3, :, 1])
    games[int(corner)] = env
  assert set(games) == {0, 9}
  perm = mirror.Mirror(games[0]).perm
  envtools.act(games[0], NOOP), envtools.act(games[9], RIGHT)
  rng = np.random.default_rng(0)
  for step in range(100):
    action = rng.integers(3)
    one = envtools.act(games[0], action)
    other = envtools.act(games[9], perm[action])
    assert (one['image'][:, ::-1] == other['image']).all(), step
    if one['is_last']:
      break
  assert step >= 4


def test_what_the_anchor_learns_from():
  def make(flag):
    config = configs.load_config([*FLAGS, '--agent.gail.anchor_mirror', flag])
    env = build.make_raw_env(config, 0)
    return build.make_expert(config, 17), mirror.Mirror(env).perm
  (plain, _), (mirrored, perm) = make('False'), make('True')
  plain, mirrored = plain.sample(), mirrored.sample()
  for key in plain:
    if not key.startswith('single/'):
      assert (plain[key] == mirrored[key]).all()
  half_mirrored(*(
      [x['single/image'], x['single/action']] for x in (plain, mirrored)),
      perm)


def test_what_the_control_learns_from():
  config = configs.load_config([*FLAGS])
  fit = cloning.demonstrations(config, *build.spaces(config))[3]
  saved = fit[0]['image'].copy(), fit[1]['action'].copy()
  change = build.make_mirror(config, build.make_raw_env(config, 0))
  draws = [
      cloning.sample(np.random.default_rng(0), fit, x) for x in (None, change)]
  half_mirrored(*(
      [obs['image'], acts['action']] for obs, acts in draws), change.perm)
  # The demonstrations themselves are as they were.
  assert (saved[0] == fit[0]['image']).all()
  assert (saved[1] == fit[1]['action']).all()


def half_mirrored(plain, other, perm):
  (image, action), (image2, action2) = plain, other
  same = (image == image2).all((-1, -2, -3))
  assert 0.3 < same.mean() < 0.7
  assert (image[..., ::-1, :] == image2)[~same].all()
  assert (perm[action] == action2)[~same].all()
  assert (action == action2)[same].all()


def test_not_plain_cloning():
  flags = suites.METHODS['plain_cloning'].flags
  config = configs.load_config([*FLAGS, *flags])
  assert build.make_mirror(config, build.make_raw_env(config, 0)) is None
