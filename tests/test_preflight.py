"""What is said and settled before training."""

import elements
import gymnasium
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import pytest
from dreamerv3 import rssm
from gymnasium import spaces

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import preflight
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.evaluate import scores
from dreamer_gail_plugin.running import samerun
from helpers.refusals import refused

BOX = spaces.Box(-1, 1, (3,), np.float32)
TWO = spaces.Discrete(2)
PIXELS = lambda *shape: spaces.Box(0, 255, shape, np.uint8)


class Plain(gymnasium.Env):
  """Pays for the first action; ten steps."""

  def __init__(self, obs, act=TWO):
    self.observation_space, self.action_space = obs, act
    self.taken = []

  def reset(self, seed=None, options=None):
    self.observation_space.seed(0)
    self.t = 0
    return self.observation_space.sample(), {}

  def step(self, action):
    self.t += 1
    self.taken.append(action)
    pay = float(np.ravel(action)[0] == 0)
    return self.observation_space.sample(), pay, self.t == 10, False, {}


@pytest.fixture
def config(tmp_path):
  def make(*flags, obs=BOX, act=TWO):
    gymnasium.register('tests/Plain-v0', Plain, kwargs=dict(obs=obs, act=act))
    if '--configs' not in flags:
      flags = ('--configs', 'gym', 'debug', 'gail', *flags)
    return configs.load_config([
        '--task', 'gym_tests/Plain-v0',
        '--logdir', str(tmp_path / 'log'),
        '--agent.gail.expert', str(tmp_path / 'mine.h5'), *flags])
  yield make
  gymnasium.registry.pop('tests/Plain-v0', None)


def demos(config, action, reward=1.0, games=40, **attrs):
  """Write games of ten steps with this action (A,) or number."""
  obs = build.raw_spaces(config)[0]
  first, last = np.arange(11) == 0, np.arange(11) == 10
  one = {
      k: np.zeros((11, *v.shape), v.dtype) for k, v in obs.items()
      if store.needed(k)}
  one |= {
      'action': np.stack(11 * [action]), 'is_first': first, 'is_last': last,
      'is_terminal': last, 'reward': np.float32(reward * ~first)}
  store.write(config.agent.gail.expert, games * [one], {
      'task': config.task, **attrs})


def decoded(config):
  """Return the shape of the images that the decoder of a config gives."""
  space = {'image': build.spaces(config)[0]['image']}
  size = config.agent.dyn.rssm

  def decode(feat):
    decoder = rssm.Decoder(space, **config.agent.dec.simple, name='dec')
    return decoder({}, feat, jnp.zeros(1), False)[2]['image'].pred()
  pure = nj.pure(decode)
  feat = {
      'deter': jnp.zeros((1, size.deter), jnp.bfloat16),
      'stoch': jnp.zeros((1, size.stoch, size.classes), jnp.bfloat16)}
  with jax.default_device(jax.devices('cpu')[0]):
    return jax.eval_shape(
        lambda x: pure({}, x, seed=0, create=True)[1], feat).shape[1:]


def test_one_line_a_key(config, capsys):
  preflight.settle(config(obs=spaces.Dict({
      'eye': PIXELS(3, 84, 84), 'arm': BOX})))
  assert capsys.readouterr().out.splitlines()[:4] == [
      'Task: gym_tests/Plain-v0', '  arm: 3 numbers',
      '  eye: 84 x 84 x 3, channels first, resized to 64 x 64 with blending',
      '  action: 1 choice of 2']


def test_other_suites_have_lines_too(capsys):
  preflight.settle(configs.load_config(['--configs', 'minatar', 'tiny']))
  assert capsys.readouterr().out.splitlines()[:3] == [
      'Task: minatar_breakout', '  image: 10 x 10 x 4',
      '  action: choice of 3']


class TestHalve:

  MULTS = [
      f'agent.{x}.mults'
      for x in ('enc.simple', 'dec.simple', 'gail.anchor_enc')]

  @pytest.mark.parametrize('sides, count', [
      ((64, 64), 4), ((32, 32), 3), ((48, 32), 3), ((10, 10), 1)])
  def test_as_often_as_there_is_room(self, config, sides, count):
    found = preflight.settle(config(
        '--env.gym.size', '0', '0', '--env.gym.image', 'last',
        obs=PIXELS(*sides, 3)))
    assert [len(found[k]) for k in self.MULTS] == 3 * [count]

  def test_refused(self, config):
    with refused('image', '50 x 50', '--env.gym.size 64 64'):
      preflight.settle(config('--env.gym.size', '50', '50', obs=PIXELS(
          96, 96, 3)))

  # Also upstream's decoder, which is built without a computation.
  @pytest.mark.parametrize('side', [16, 24, 32, 48])
  @pytest.mark.parametrize('blocks', [['tiny'], ['small'], ['tiny', 'debug']])
  def test_the_decoder_can_be_built(self, config, blocks, side):
    given = config(
        '--configs', 'gym', 'gail', *blocks, '--env.gym.image', 'last',
        obs=PIXELS(side, side, 3))
    assert decoded(preflight.settle(given)) == (side, side, 3)

  def test_boards_in_a_large_network(self, capsys):
    given = configs.load_config(['--configs', 'minatar', 'gail', 'large'])
    assert decoded(preflight.settle(given)) == (10, 10, 4)
    assert 'run has --agent.dec.simple.bspace 4\n' in capsys.readouterr().out

  def test_the_line_can_be_pasted(self, config, capsys):
    words = ('--configs', 'gym', 'tiny', 'gail', 'debug', '--env.gym.image',
             'last')
    given = config(*words, obs=PIXELS(16, 16, 3))
    found = preflight.settle(given)
    line = capsys.readouterr().out.splitlines()[-1]
    flags = line.partition(' so the run has ')[2].split()
    assert '--agent.dec.simple.mults 2 3 --agent.' in line
    assert configs.change(given, flags) == found
    assert preflight.settle(found) == found

  def test_blocks_that_fit_stay(self):
    before = configs.load_config(['--configs', 'minatar', 'tiny'])
    assert preflight.settle(before) == before


class TestScale:

  FREE = spaces.Box(-np.inf, np.inf, (2,), np.float32)

  def reach(self, config):
    """Return the largest actions that the agent can do."""
    env = build.make_env(config, 0)
    env.step({'action': np.zeros(2, np.float32), 'reset': True})
    for x in (-9, 9):
      env.step({'action': np.full(2, x, np.float32), 'reset': False})
    return np.array(env.game.unwrapped.taken)

  @pytest.mark.parametrize('low, want', [(-np.inf, [-5, -7]), (0, [0, 0])])
  def test_the_agent_reaches_what_the_expert_did(
      self, config, capsys, low, want):
    space = spaces.Box(np.float32(low), np.inf, (2,), np.float32)
    before = config(act=space)
    demos(before, np.float32([5, 7]))
    after = preflight.settle(before)
    assert '--env.gym.scale 5 7' in capsys.readouterr().out
    assert self.reach(after).tolist() == [want, [5, 7]]
    batch = build.make_expert(after, 11).sample()
    batch = build.normalize_actions(batch, build.raw_spaces(after)[1])
    assert np.abs(batch['expert/action']).max() == 1
    # The same again where a run goes on.
    assert preflight.settle(after) == after

  def test_a_run_goes_on_with_the_same_command(self, config, tmp_path):
    before = config(act=self.FREE)
    demos(before, np.float32([0.1, 1 / 3]))
    after = preflight.settle(before)
    (tmp_path / 'log').mkdir()
    after.save(elements.Path(after.logdir) / 'config.yaml')
    path = build.demonstrations(after)
    samerun.record(after, path)
    assert samerun.check(preflight.settle(before), path)

  def test_by_the_flag(self, config):
    found = preflight.settle(config('--env.gym.scale', '3.0', act=self.FREE))
    assert self.reach(found).tolist() == [[-3, -3], [3, 3]]

  def test_a_flag_that_is_too_small_is_refused(self, config):
    before = config('--env.gym.scale', '3.0', act=self.FREE)
    demos(before, np.float32([5, 7]))
    with pytest.raises(Exception, match='from 5.0 to 7.0.*wants -3.0 to 3.0'):
      build.make_expert(preflight.settle(before), 11)

  def test_said_where_there_is_no_expert(self, config, capsys):
    before = config('--random_agent', 'True', act=self.FREE)
    assert preflight.settle(before) == before
    assert 'from -1 to 1; --env.gym.scale' in capsys.readouterr().out


class TestExpert:

  def lines(self, config, capsys, *args, **kwargs):
    demos(config, *args, **kwargs)
    capsys.readouterr()
    preflight.expert(config)
    return capsys.readouterr().out.splitlines()

  def test_one_line(self, config, capsys):
    line, = self.lines(config(), capsys, np.int32(0))
    assert line.startswith(
        'Expert: score 10, 40 whole games; random play scores ')
    assert 4 < float(line.partition('random play scores ')[2].split()[0]) < 6
    assert line.endswith('whole games, 2,000 steps')

  def test_what_the_score_is_of(self, config, capsys):
    before = config()
    demos(before, np.int32(0), games=3)
    path = before.agent.gail.expert
    with store.Store(path) as file:
      games = [file.read(i) for i in range(3)]
    def said(*cut, **attrs):
      games_ = [
          {k: v[:5] for k, v in x.items()} if i in cut else x
          for i, x in enumerate(games)]
      store.write(path, games_, {'task': before.task, **attrs})
      capsys.readouterr()
      preflight.expert(before)
      return capsys.readouterr().out.partition(';')[0]
    assert said() == 'Expert: score 10, 3 whole games'
    assert said(1) == (
        'Expert: score 8 a trajectory, and 1 of 3 have no whole game')
    assert said(0, 1, 2) == (
        'Expert: score 4 a trajectory, and none is a whole game')
    assert said(1, expert_score=10.0) == (
        'Expert: score 10 in whole games, 2 of them in the file')

  def test_a_slow_simulator_is_played_for_seconds(
      self, config, capsys, monkeypatch):
    monkeypatch.setattr(preflight, 'SECONDS', 0)
    line, _ = self.lines(config(), capsys, np.int32(0), reward=0.0)
    assert line.endswith('here in 0 whole games, 1 step')

  def test_known_scores_of_random_play(self, config, capsys, monkeypatch):
    before = config()
    demos(before, np.int32(0))
    monkeypatch.setattr(
        preflight.references, 'atari', lambda task: (68.4, 42054.7))
    capsys.readouterr()
    assert preflight.expert(before) == {'mean': 68.4}
    line, warning = capsys.readouterr().out.splitlines()
    assert 'random play scores 68.4 in whole games (Wang' in line
    assert '(10 and 68.4, score)' in warning

  def test_the_summary_has_the_same_score(self, config, capsys):
    before = config()
    demos(before, np.int32(0))
    capsys.readouterr()
    chance = preflight.expert(before)
    said = capsys.readouterr().out.partition('random play scores ')[2].split()
    text = scores.summary(before, {'score': 10.0}, None, chance)
    line, = [x for x in text.splitlines() if 'random policy' in x]
    assert abs(float(said[0]) - float(line.split()[2])) < 0.01

  def test_few_steps(self, config, capsys):
    _, warning = self.lines(config(), capsys, np.int32(0), games=20)
    assert 'has 220 steps' in warning and 'mine.h5' in warning

  def test_no_better_than_chance(self, config, capsys):
    _, warning = self.lines(config(), capsys, np.int32(1), reward=0.1)
    assert 'no more than random play' in warning

  def test_images_that_are_black(self, config, capsys):
    # Floats of 0 to 1 in a space of 0 to 255.
    space = gymnasium.spaces.Box(0, 255, (32, 32, 3), np.float32)
    space.sample = lambda: np.full((32, 32, 3), 0.7, np.float32)
    text = self.lines(config(obs=space), capsys, np.int32(0))[0]
    assert 'image has no value above 1 of 255' in text

  def test_a_control_is_not_warned_of(self, config, capsys):
    control = config('--agent.gail.expert', 'random')
    (build.expert_path(control)).parent.mkdir()
    build.record_random(control, 2, 500)
    capsys.readouterr()
    preflight.expert(control)
    assert len(capsys.readouterr().out.splitlines()) == 1

  def test_without_rewards(self):
    first = np.arange(5) == 0
    found = preflight.outcome([{
        'is_first': first, 'is_last': first[::-1], 'is_terminal': first}])
    assert found['games'] == 1 and np.isnan(found['score'])


class TestCompare:

  def test_same(self, config):
    before = config(obs=PIXELS(84, 84, 3))
    text = '84 x 84 x 3, channels last, resized to 64 x 64 with blending'
    demos(before, np.int32(0), arrays={'image': text, 'other': 'gone'})
    assert preflight.compare(before) == ['image']

  def test_other(self, config):
    before = config(obs=PIXELS(84, 84, 3))
    demos(before, np.int32(0), arrays={'image': '64 x 64 x 3'})
    with refused('mine.h5', 'image', '64 x 64 x 3', 'import it again'):
      preflight.compare(before)

  def test_other_words_for_the_same_numbers(self, config):
    before = config(obs=PIXELS(16, 16, 3))
    demos(before, np.int32(0), arrays={
        'vector': '16 x 16 x 3 as 768 numbers, a grid of codes'})
    assert preflight.compare(before) == ['vector']

  def test_other_numbers(self, config):
    before = config(obs=PIXELS(16, 16, 3))
    demos(before, np.int32(0), arrays={
        'vector': '16 x 48 as 768 numbers, a grid of codes'})
    with refused('16 x 48'):
      preflight.compare(before)

  def test_files_of_before(self, config):
    before = config(obs=PIXELS(84, 84, 3))
    demos(before, np.int32(0))
    assert preflight.compare(before) == []
