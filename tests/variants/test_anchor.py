"""The anchor policy, and the agent's that is built on it."""

import elements
import embodied.jax.outs as outs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import actors
from dreamer_gail_plugin.variants import anchor
from dreamer_gail_plugin.variants import anchored
from helpers import agents

FLAGS = dict(agent__gail__anchor=0.5)


def softmax(x):
  return np.asarray(jax.nn.softmax(jnp.asarray(x), -1))


class TestProduct:

  def test_choices(self):
    own = outs.Categorical(jnp.array([0.0, 1.0, 2.0]))
    base = outs.Categorical(jnp.array([3.0, 0.0, 1.0]))
    found = softmax(anchor.product(own, base).logits)
    want = softmax(own.logits) * softmax(base.logits)
    np.testing.assert_allclose(found, want / want.sum(), rtol=1e-5)

  def test_numbers(self):
    own = outs.Agg(outs.Normal(jnp.array([0.1, -0.2]), jnp.array([1., 2.])), 1)
    base = outs.Agg(outs.Normal(jnp.array([0.5, 0.5]), jnp.array([3., 3.])), 1)
    found = anchor.product(own, base)
    assert isinstance(found, outs.Agg)
    np.testing.assert_allclose(found.output.mean, [0.6, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found.output.stddev, [1, 2])

  def test_keeps_the_bounds_of_entropy(self):
    own = outs.Categorical(jnp.zeros(3))
    own.minent, own.maxent = 0.0, np.log(3)
    found = anchor.product(own, outs.Categorical(jnp.zeros(3)))
    assert (found.minent, found.maxent) == (0.0, np.log(3))

  @pytest.mark.parametrize('dist', [
      outs.Categorical(jnp.array([0.3, 0.1])),
      outs.Agg(outs.Normal(jnp.array([0.3, 0.1]), jnp.array([1., 2.])), 1)])
  def test_made_again(self, dist):
    found = anchor.rebuild(dist, anchor.numbers(dist))
    assert type(found) is type(dist)
    assert np.abs(found.kl(dist)).max() < 1e-6
    act = dist.sample(jax.random.key(0))
    assert found.logp(act) == dist.logp(act)


class TestMargin:

  def images(self):
    values = np.arange(1, 1 + 200 * 3 * 4 * 2) % 100
    return np.uint8(values.reshape((2, 100, 3, 4, 2)))

  def test_in_the_middle(self):
    images = self.images()
    found = np.asarray(anchor.within_margin(images, 2, 7))
    assert found.dtype == np.uint8
    widths = [(0, 0), (0, 0), (2, 2), (2, 2), (0, 0)]
    np.testing.assert_array_equal(
        found, np.pad(images, widths, constant_values=7))

  def test_anywhere_and_whole(self):
    images = self.images()
    found = np.array(anchor.within_margin(
        images, 1, 128, jax.random.key(0)))
    assert found.shape == (2, 100, 5, 6, 2)
    corners = {(i, j): 0 for i in range(3) for j in range(3)}
    for image, within in zip(
        images.reshape((-1, 3, 4, 2)), found.reshape((-1, 5, 6, 2))):
      where = [
          (i, j) for i, j in corners
          if (within[i: i + 3, j: j + 4] == image).all()]
      (i, j), = where
      corners[i, j] += 1
      within[i: i + 3, j: j + 4] = 128
      assert (within == 128).all()
    assert min(corners.values()) >= 10  # 200 of them, in nine places.

  @pytest.mark.parametrize('shift', [-1, 2, 4])
  def test_sizes_that_cannot_be_halved(self, shift):
    flags = ['--configs', 'minatar', 'tiny', 'gail', 'anchor']
    flags += ['--agent.gail.anchor_enc.mults', '2,2,2']
    flags += ['--agent.gail.anchor_shift', '1']
    config = configs.load_config(flags).agent
    make = lambda config: anchor.Anchor(
        {'image': elements.Space(np.uint8, (10, 10, 4))},
        {'action': elements.Space(np.int32, (), 0, 4)}, config, name='anchor')
    make(config)  # 12 is 4 times 3.
    make(config.update({
        'gail.anchor_shift': 2, 'gail.anchor_enc.strided': True}))
    with pytest.raises(UserError, match=f'anchor_shift {shift}: image has 10'):
      make(config.update({'gail.anchor_shift': shift}))


class Dec:
  """A decoder whose image is the stoch and whose vector is the deter."""

  imgkeys, symlog = ['image'], True
  obs_space = {
      'image': elements.Space(np.uint8, (2, 3, 1)),
      'vector': elements.Space(np.float32, 4)}

  def __call__(self, carry, feat, reset, training, single):
    assert reset.shape == feat['deter'].shape[:1 if single else 2]
    image = feat['stoch'].reshape((*reset.shape, 2, 3, 1))
    return {}, {}, {
        'image': outs.MSE(image), 'vector': outs.MSE(feat['deter'])}


class TestPolicy:

  def make(self):
    # An agent with no more than its policy needs.
    seen = []
    def slow(obs, bdims):
      seen.append(obs)
      return {'a': outs.Categorical(jnp.array([1.0, 0.0]))}
    agent = object.__new__(anchored.Anchored)
    vars(agent).update(
        dyn=elements.Config(deter=4, stoch=2, classes=3), dec=Dec(),
        slowanchor=slow, slowrisk=None)
    flat = lambda inp, bdims: {'a': outs.Categorical(jnp.zeros(2))}
    agent.pol = anchor.Policy(flat, agent._advice)
    return agent, seen

  @pytest.mark.parametrize('shape', [(5,), (5, 7)])
  def test_decodes_the_latents(self, shape):
    agent, seen = self.make()
    deter = np.random.default_rng(0).normal(size=(*shape, 4))
    stoch = np.random.default_rng(1).uniform(size=(*shape, 6))
    agent.pol(jnp.concatenate([deter, stoch], -1), len(shape))
    obs, = seen
    assert obs['image'].dtype == np.uint8
    want = np.round(np.float32(stoch) * 255).reshape((*shape, 2, 3, 1))
    assert np.abs(np.int32(obs['image']) - np.int32(want)).max() <= 1
    want = np.sign(deter) * np.expm1(np.abs(deter))
    np.testing.assert_allclose(obs['vector'], want, rtol=1e-4)

  def test_sees_the_observation_where_it_acts(self):
    agent, seen = self.make()
    agent.acting({'image': 1})(jnp.zeros((1, 10)), 1)
    agent.pol(jnp.zeros((1, 10)), 1)
    assert seen[0] == {'image': 1}
    assert seen[1]['image'].shape == (1, 2, 3, 1)


class TestAgent:

  @pytest.mark.parametrize('key,want', [
      ('anchor', {'anchor'}), ('anchor_kl', {'pol'}), ('policy', {'pol'})])
  def test_what_losses_move(self, key, want):
    agent = agents.make(
        **FLAGS, agent__value__outscale=1.0, agent__policy__outscale=1.0)
    assert agents.grads(agent, key) == want

  @pytest.mark.slow
  def test_divergence_counts_by_its_scale(self):
    totals = []
    for scale in (0.5, 1.5):
      agent = agents.make(
          agent__gail__anchor=scale, agent__policy__outscale=1.0)
      found = agents.loss(agent, agents.batch(agent))
      totals.append(float(found['total']))
      divergence = float(found['anchor_kl'].mean())
    assert divergence > 0.01
    assert np.isclose(totals[1] - totals[0], divergence, rtol=1e-2)

  def test_imagination_knows_the_anchor(self):
    # Handed on from the imagination or made again: the same divergence.
    agent = agents.make(**FLAGS, agent__policy__outscale=1.0)
    model, found = agent.model, []
    inner = model._policy
    def both_ways(inp, imag):
      anew = imag._replace(extra={'anchor': None})
      found.append([inner(inp, x)[1]['anchor_kl'] for x in (imag, anew)])
      return inner(inp, imag)
    model._policy = both_ways
    def fn(data):
      model.loss(*agents.context(agent, data), training=False)
      return found.pop()
    try:
      one, two = agents.call(agent, fn, agents.batch(agent))
    finally:
      del model._policy
    assert np.abs(one).max() > 1e-3
    np.testing.assert_allclose(one, two, atol=1e-5)

  def test_no_divergence_at_first(self):
    agent = agents.make(**FLAGS, agent__policy__outscale=0.0)
    found = agents.loss(agent, agents.batch(agent))
    assert np.abs(found['anchor_kl']).max() < 1e-5

  def test_clones_the_single_steps(self):
    # What the expert does here is told by its image alone.
    agent = agents.make(**FLAGS, agent__opt__lr=1e-2)
    batches = []
    for seed in range(60):
      data = agents.batch(agent, seed)
      light = np.random.default_rng(seed).integers(
          0, 2, data['single/action'].shape)
      data['single/image'][:] = 255 * light[..., None, None, None]
      data['single/action'] = np.int32(light)
      batches.append(data)
    _, metrics = agents.train(agent, batches)
    losses = [float(x['loss/anchor']) for x in metrics]
    assert losses[0] > 1 and losses[-1] < 0.2

  @pytest.mark.slow
  @pytest.mark.parametrize('rate,weights', [
      (1.0, [0, 0, 0, 1]), (0.4, [0.18, 0.18, 0.24, 0.4])])
  def test_acts_by_the_moving_average(self, rate, weights):
    # 1 / 2 is more than 0.4: up to the second update a mean of all.
    agent = agents.make(**FLAGS, agent__gail__anchor_rate=rate)
    batches = [agents.batch(agent, seed) for seed in range(4)]
    after = [agents.train(agent, batches[:n])[0] for n in (1, 2, 3, 4)]
    keys = [k for k in after[0] if k.startswith('anchor/')]
    assert len(keys) > 5
    for key in keys:
      want = sum(w * x[key] for w, x in zip(weights, after))
      np.testing.assert_allclose(
          after[-1][f'slow{key}'], want, rtol=1e-3, atol=1e-5)
    assert not np.allclose(after[0][keys[0]], after[-1][keys[0]], rtol=1e-2)

  def test_shifts_in_training_alone(self):
    agent = agents.make(**FLAGS, agent__gail__anchor_shift=1)
    obs = {'image': agents.batch(agent)['single/image']}
    def twice(obs):
      return [
          [agent.model.anchor(obs, 2, training)['action'].logits
           for _ in range(2)] for training in (False, True)]
    (one, two), (three, four) = agents.call(agent, twice, obs)
    np.testing.assert_array_equal(one, two)
    assert np.abs(three - four).max() > 1e-4
    assert np.abs(three - one).max() > 1e-4

  def test_no_steps_after_the_end(self):
    agent = agents.make(**FLAGS)
    data = agents.batch(agent)
    data['single/is_last'][:] = True
    assert float(agents.loss(agent, data)['anchor']) == 0

  @pytest.mark.parametrize('greedy', [True, False])
  def test_acts_on_the_observation(self, greedy):
    # Without a part of its own the policy is the anchor at the image.
    flags = dict(
        agent__policy__outscale=0.0, agent__policy__unimix=0.0, **FLAGS)
    agent, config = agents.make(**flags), agents.config(**flags)
    rng = np.random.default_rng(0)
    params = {
        k: rng.normal(size=v.shape).astype(v.dtype)
        if k.startswith('slowanchor/pol/head') else v
        for k, v in agents.params(agent).items()}
    actor = actors.Actor(config, params, greedy)
    obs = {k: np.zeros((64, *v.shape), v.dtype)
           for k, v in actor.obs_space.items()}
    obs['image'] = rng.choice(np.uint8([0, 255]), obs['image'].shape)
    obs['is_first'][:] = True
    keys = np.arange(128, dtype=np.uint32).reshape((64, 2))
    _, acts = actor(actor.start(64), obs, keys, np.zeros(64, np.uint32))
    dist = agents.call(
        agent, lambda x: agent.model.slowanchor(x, 1)['action'].logits,
        {'image': obs['image']}, params=params)
    likeliest = np.argmax(np.asarray(dist), -1)
    assert len(set(likeliest)) > 1
    share = (acts['action'] == likeliest).mean()
    assert share == 1 if greedy else 0.3 < share < 1
