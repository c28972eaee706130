"""A saved agent that acts: on batches of games, and in Gymnasium's terms."""

import pathlib
import re

import gymnasium
import numpy as np
import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import policy as policylib
from helpers import savedruns
from helpers.toyenv import NAME

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  return savedruns.toy(tmp_path_factory.mktemp('run'))


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


def test_is_gymnasium_s_own_action():
  """The space that the policy must meet, so that the tests above can fail."""
  env = gymnasium.make(NAME)
  env.reset()
  with pytest.raises(AssertionError):
    env.step({'move': np.float32([9, 0]), 'pick': np.array([0, 0])})
