"""MGAIL's parts: networks, losses, replay, and the way to the policy."""

import types

import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import pytest
from gymnasium import spaces

from dreamer_gail_plugin.baselines import config as configlib
from dreamer_gail_plugin.baselines.mgail import learner
from dreamer_gail_plugin.baselines.mgail import memory as memorylib
from dreamer_gail_plugin.baselines.mgail import model as modellib
from dreamer_gail_plugin.baselines.mgail import networks

SEED = np.array([1, 2], np.uint32)
BOARD = spaces.Box(0, 255, (4, 10, 10), np.uint8)
IMAGE = spaces.Box(0, 255, (4, 84, 84), np.uint8)
VECTOR = spaces.Box(-np.inf, np.inf, (3,), np.float32)


def pure(fn):
  """Return what fn() gives on new parameters, and these."""
  params = nj.init(nj.pure(fn))({}, seed=SEED)
  return nj.pure(fn)(params, seed=SEED)[1], params


def model(*flags):
  """Return a small model for boards and three actions."""
  config = configlib.load('mgail', [
      '--settings', 'debug', '--mgail.length', '3', *flags])
  return learner.make(config, BOARD, spaces.Discrete(3))


def batch(rng, size=4, length=3):
  """Return a random batch of the agent and one of the expert."""
  obs = lambda *shape: rng.integers(0, 2, (*shape, 4, 10, 10), np.uint8) * 255
  acts = lambda *shape: rng.integers(0, 3, shape).astype(np.int32)
  live = np.ones((size, length), np.float32)
  return (
      (obs(size, length + 1), acts(size, length), live), [obs(20), acts(20)])


class TestNetworks:

  @pytest.mark.parametrize('space', [BOARD, IMAGE, VECTOR])
  def test_shapes(self, space):
    obs = jnp.array(np.stack([space.sample() for _ in range(2)]))
    enc = networks.Encoder(space, 8, 6, name='enc')
    dec = networks.Decoder(space, 8, name='dec')
    fwd = networks.Forward(8, 6, name='fwd')
    def fn():
      z = enc(obs)
      return z, dec(z), dec.loss(z, obs), fwd(z, jnp.eye(2))
    (z, out, loss, later), _ = pure(fn)
    assert z.shape == later.shape == (2, 6)
    assert np.abs(z).max() <= 1 and np.abs(later).max() <= 1
    assert out.shape == (2, *space.shape) and loss.shape == (2,)

  def test_loss_by_hand(self):
    # One pixel on of two, at logits 0 and 2.
    space = spaces.Box(0, 255, (1, 1, 2), np.uint8)
    dec = networks.Decoder(space, 4, name='dec')
    out = jnp.array([0.0, 2.0]).reshape((1, 1, 1, 2))
    with pytest.MonkeyPatch.context() as patch:
      patch.setattr(networks.Decoder, '__call__', lambda self, z: out)
      loss = dec.loss(None, np.array([0, 255]).reshape((1, 1, 1, 2)))
    sigmoid = 1 / (1 + np.exp(-2))
    assert loss.tolist() == pytest.approx([-np.log(0.5) - np.log(sigmoid)])

  def test_gumbel_softmax(self):
    logits = jnp.log(jnp.array([0.7, 0.2, 0.1]))
    many = jnp.broadcast_to(logits, (4000, 3))
    fn = lambda x: nj.pure(lambda: modellib.gumbel_softmax(x, 1.0))(
        {}, seed=SEED)[1]
    drawn = np.asarray(fn(many))
    assert np.allclose(drawn.sum(-1), 1) and np.allclose(drawn.max(-1), 1)
    assert np.allclose(drawn.mean(0), [0.7, 0.2, 0.1], atol=0.03)
    slope = jax.jacobian(fn)(logits)
    assert slope[0, 0] > 0 > slope[0, 1]


class TestLearning:

  @pytest.fixture(scope='class')
  @classmethod
  def made(cls):
    found, data = model(), batch(np.random.default_rng(0))
    params = nj.init(found.train)({}, *data, seed=SEED)
    return found, data, params

  def reached(self, params, fn):
    params = {k: v for k, v in params.items() if v.dtype == np.float32}
    grads = jax.jit(jax.grad(lambda x: nj.pure(fn)(x, seed=SEED)[1]))(params)
    return {k.split('/')[1] for k, v in grads.items() if np.asarray(v).any()}

  def test_what_the_losses_reach(self, made):
    found, ((obs, acts, live), expert), params = made
    z = jnp.zeros((4, 4, 16))
    reached = lambda fn: self.reached(params, lambda: fn()[0])
    assert reached(lambda: found.model_loss(obs, acts, live)) == {
        'enc', 'dec', 'fwd'}
    assert reached(
        lambda: found.disc_loss(z, acts, live, *expert)) == {'disc'}
    # Through D and the model, which its optimizer leaves alone.
    assert reached(lambda: found.policy_loss(z[:, 0])) == {
        'pol', 'disc', 'fwd'}

  @pytest.mark.slow
  def test_each_optimizer_moves_its_own(self, made):
    found, data, params = made
    for name, own in {
        'modelopt': {'enc', 'dec', 'fwd'}, 'discopt': {'disc'},
        'polopt': {'pol'}}.items():
      optimizer = getattr(found, name)
      assert {x.name for x in optimizer.modules} == own
    after = jax.jit(nj.pure(found.train))(params, *data, seed=SEED)[0]
    moved = {
        k.split('/')[1] for k, v in params.items()
        if not np.array_equal(v, after[k])}
    assert {'enc', 'dec', 'fwd', 'disc', 'pol'} <= moved

  def test_steps_of_another_episode_do_not_count(self, made):
    found, ((obs, acts, live), _), params = made
    live = live.copy()
    live[:, 1:] = 0
    fn = jax.jit(nj.pure(lambda *args: found.model_loss(*args)[0]))
    other = obs.copy()
    other[:, 2:] ^= 255
    one, two, all_ = [
        float(fn(params, *args, seed=SEED)[1]) for args in (
            (obs, acts, live), (other, acts, live),
            (other, acts, np.ones_like(live)))]
    assert one == two != all_

  def test_the_policy_follows_d_through_the_model(self):
    # The first number of z becomes that of the last action 2, and D likes it:
    # only the gradient through the model can tell, as D looks at z alone.
    found = model('--mgail.learning_rate', '1e-2', '--mgail.length', '2')
    found.fwd = lambda z, act: jnp.concatenate([act[:, 2:], z[:, 1:]], -1)
    found.disc = lambda x: 5 * x[:, 0]
    z = jnp.zeros((64, 16))
    fn = lambda: found.polopt(lambda: found.policy_loss(z), has_aux=True)
    params = nj.init(fn)({}, seed=SEED)
    step = jax.jit(nj.pure(fn))
    for number in range(150):
      params = step(params, seed=np.uint32([number, 0]))[0]
    logits = nj.pure(lambda: found.pol(z[:1]))(params)[1]
    assert jax.nn.softmax(logits)[0, 2] > 0.9


class TestMemory:

  def test_sequences(self):
    # Two environments whose steps are numbered, with episodes of seven.
    memory = memorylib.Memory(40, 2, (1,), np.float32)
    for time in range(33):
      memory.add(
          np.float32([[time], [100 + time]]), np.array([time, time + 1]),
          np.array([time % 7 == 0] * 2))
    obs, acts, live = memory.sample(np.random.default_rng(0), 500, 4)
    assert obs.shape == (500, 5, 1) and acts.shape == live.shape == (500, 4)
    time = obs[:, :, 0] % 100
    assert (np.diff(time) == 1).all()
    # The ring holds the last 20 steps, and all of them come up.
    assert set(time.flatten()) == set(range(13, 33))
    assert (acts == time[:, :-1] + (obs[:, :-1, 0] >= 100)).all()
    same = time[:, 1:] // 7 == time[:, :1] // 7
    assert (live == same).all()


class TestGames:

  def test_episodes_and_scores(self, monkeypatch):
    # Games of two steps, whose score is the number of the environment.
    class Env:
      def __init__(self, config, index, reward):
        assert reward == 'none'
        self.index, self.time = index, 0
      def reset(self):
        self.time = 0
        return np.zeros(1), {}
      def step(self, action):
        self.time += 1
        over = self.time == 2
        info = {'game': {'score': self.index, 'length': 3}} if over else {}
        return np.full(1, self.time), 0.0, over, False, info
    monkeypatch.setattr(learner.gymenv, 'Env', Env)
    ended, steps = [], []
    recorder = types.SimpleNamespace(
        episode=lambda score, length: ended.append(score),
        advance=steps.append)
    games = learner.Games(configlib.load('mgail', ['--envs', '2']), recorder)
    obs, first = games.reset()
    seen = [(obs[0, 0], first[0])]
    for _ in range(4):
      obs, first = games.step([0, 0])
      seen.append((obs[0, 0], first[0]))
    assert seen == [(0, 1), (1, 0), (2, 0), (0, 1), (1, 0)]
    assert ended == [0, 1] and steps == [2, 2, 0, 2]
