"""The discriminator's inputs, layers, loss and regularisers."""

import elements
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import pytest

from dreamer_gail_plugin import discriminator

f32 = np.float32
CHOICE = elements.Space(np.int32, (), 0, 3)
OFF = dict(penalty=0.0, target=1.0)


def pure(fn, params=None, seed=0):
  """Return the parameters and the result of a ninjax function."""
  seed = np.array([seed, 1], np.uint32)
  params, out = nj.pure(fn)(params or {}, seed=seed, create=True)
  return params, jax.tree.map(np.asarray, out)


def softplus(x):
  return np.logaddexp(0, x)


def first(x):
  """A discriminator whose logit is the first feature."""
  return x[..., 0]


def loss(expert, policy, **given):
  """Return loss and metrics for lists of (logit, weight)."""
  def split(rows):
    logit, weight = np.array(rows, f32).T
    return logit[:, None], weight
  _, out = pure(lambda: discriminator.disc_loss(
      first, split(expert), [split(x) for x in policy], **{**OFF, **given}))
  return out


class TestInputs:

  def inputs(self, space, act):
    disc = discriminator.Discriminator(space, name='disc')
    feat = {
        'deter': np.array([[1, 2], [3, 4]], f32),
        'stoch': np.array([
            [[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]]], f32)}
    _, x = pure(lambda: disc.inputs(feat, act))
    assert x.dtype == f32
    assert (x[:, :8] == [
        [1, 2, 1, 0, 0, 0, 1, 0], [3, 4, 0, 0, 1, 1, 0, 0]]).all()
    return x[:, 8:].tolist()

  def test_choice_is_one_hot(self):
    assert self.inputs({'action': CHOICE}, {'action': np.array([2, 0])}) == [
        [0, 0, 1], [1, 0, 0]]

  def test_choices_are_one_hot_each(self):
    space = {'action': elements.Space(np.int32, (2,), 0, 3)}
    act = {'action': np.array([[2, 0], [1, 1]])}
    assert self.inputs(space, act) == [
        [0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 0]]

  def test_continuous_is_clipped(self):
    space = {'action': elements.Space(f32, (3,), -1, 1)}
    act = {'action': np.array([[-1.5, 0.25, 2], [1, -1, 0]], f32)}
    assert self.inputs(space, act) == [[-1, 0.25, 1], [1, -1, 0]]

  def test_several_actions_in_order_of_their_names(self):
    space = {'b': elements.Space(f32, (1,), -1, 1), 'a': CHOICE}
    act = {'a': np.array([1, 2]), 'b': np.array([[0.5], [-9]], f32)}
    assert self.inputs(space, act) == [[0, 1, 0, 0.5], [0, 0, 1, -1]]


class TestNetwork:

  def test_by_hand(self):
    disc = discriminator.Discriminator(
        {}, layers=2, units=4, act='relu', name='disc')
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(f32)
    params, logit = pure(lambda: disc(x))
    assert logit.shape == (2, 5)
    assert params['disc/linear0/kernel'].shape == (3, 4)
    for layer in ('linear0', 'linear1', 'logit'):
      x = x @ params[f'disc/{layer}/kernel'] + params[f'disc/{layer}/bias']
      if layer == 'logit':
        break
      x = np.maximum(x, 0)
    np.testing.assert_allclose(logit, x[..., 0], rtol=1e-4, atol=1e-5)

  def test_no_layers(self):
    disc = discriminator.Discriminator({}, layers=0, name='disc')
    params, _ = pure(lambda: disc(np.ones((2, 3), f32)))
    assert sorted(params) == ['disc/logit/bias', 'disc/logit/kernel']

  def test_only_float32(self):
    disc = discriminator.Discriminator({}, name='disc')
    with pytest.raises(AssertionError, match='bfloat16'):
      pure(lambda: disc(jnp.ones((2, 3), jnp.bfloat16)))


class TestSpectralNorm:

  @pytest.mark.parametrize('shape', [(1, 1), (3, 1), (1, 4), (20, 7)])
  def test_sigma(self, shape):
    kernel = np.random.default_rng(1).normal(size=shape).astype(f32)
    np.testing.assert_allclose(
        discriminator.sigma(kernel), np.linalg.svd(kernel)[1][0], rtol=1e-3)

  def test_sigma_of_zeros(self):
    assert discriminator.sigma(np.zeros((3, 2), f32)) == 0

  def test_sigma_of_opposite_rows(self):
    # Their sum, where the iteration starts, is zero.
    kernel = np.array([[1, 2], [-1, -2]], f32)
    np.testing.assert_allclose(
        discriminator.sigma(kernel), np.sqrt(10), rtol=1e-3)

  def test_gradient(self):
    # That of a singular value is the product of its singular vectors.
    kernel = np.random.default_rng(2).normal(size=(6, 4)).astype(f32)
    left, _, right = np.linalg.svd(kernel)
    np.testing.assert_allclose(
        jax.grad(discriminator.sigma)(kernel),
        np.outer(left[:, 0], right[0]), atol=1e-2)

  @pytest.mark.parametrize('scale, bound', [(0.1, 1), (9, 1), (9, 2.5)])
  def test_bounds_a_layer(self, scale, bound):
    kernel = np.random.default_rng(3).normal(size=(5, 4)).astype(f32)
    kernel *= scale / np.linalg.svd(kernel)[1][0]
    params = {'dense/kernel': kernel, 'dense/bias': np.zeros(4, f32)}
    dense = discriminator.Dense(4, spectral=float(bound), name='dense')
    _, seen = pure(lambda: dense(np.eye(5, dtype=f32)), params)
    np.testing.assert_allclose(
        np.linalg.svd(seen)[1][0], min(scale, bound), rtol=1e-3)


class TestLoss:

  EXPERT = [(2.0, 1.0), (-1.0, 3.0)]
  POLICY = [(0.5, 1.0), (-2.0, 1.0)]

  def test_by_hand(self):
    value, metrics = loss(self.EXPERT, [self.POLICY])
    bce = (
        (softplus(-2.0) + 3 * softplus(1.0)) / 4
        + (softplus(0.5) + softplus(-2.0)) / 2) / 2
    np.testing.assert_allclose(value, bce, rtol=1e-6)
    np.testing.assert_allclose(metrics['bce'], bce, rtol=1e-6)
    assert metrics['acc_expert'] == 0.25
    np.testing.assert_allclose(metrics['logit_gap'], -0.25 + 0.75, rtol=1e-6)
    assert 'gradnorm' not in metrics

  def test_gradient_draws_expert_up_and_policy_down(self):
    fn = lambda shift: discriminator.disc_loss(
        lambda x: x[..., 0] + shift, (np.zeros((1, 1), f32), np.ones(1, f32)),
        [(np.zeros((1, 1), f32), np.zeros(1, f32))], **OFF)[0]
    assert jax.grad(fn)(0.0) == -0.25

  def test_weightless_negatives_do_not_count(self):
    for penalty in (0.0, 1.0):
      values = [
          loss(self.EXPERT, [[*self.POLICY, (x, 0.0)]], penalty=penalty)
          for x in (-90.0, 90.0)]
      jax.tree.map(np.testing.assert_array_equal, *values)
    np.testing.assert_allclose(
        loss(self.EXPERT, [[*self.POLICY, (9.0, 0.0)]])[0],
        loss(self.EXPERT, [self.POLICY])[0], rtol=1e-6)

  def test_weightless_experts_do_not_count(self):
    value, metrics = loss([*self.EXPERT, (-9.0, 0.0)], [self.POLICY])
    np.testing.assert_allclose(
        value, loss(self.EXPERT, [self.POLICY])[0], rtol=1e-6)
    assert metrics['acc_expert'] == 0.25

  def test_no_negatives_at_all(self):
    # As at a replay batch whose steps are all last ones.
    value, metrics = loss(self.EXPERT, [[(1.0, 0.0)]], penalty=1.0)
    np.testing.assert_allclose(
        value, (softplus(-2.0) + 3 * softplus(1.0)) / 8, rtol=1e-6)
    assert metrics['gradnorm'] == 0

  def test_sources_have_equal_shares(self):
    many = [(3.0, 1.0)] * 50
    value, metrics = loss(self.EXPERT, [[(-1.0, 0.2)], many])
    parts = [loss(self.EXPERT, [x])[0] for x in ([(-1.0, 1.0)], many)]
    np.testing.assert_allclose(value, np.mean(parts), rtol=1e-6)
    np.testing.assert_allclose(metrics['logit_gap'], -0.25 - 1, rtol=1e-6)


class TestGradientPenalty:

  EXPERT = np.array([[3, 4], [3, 4]], f32), np.array([1, 0.5], f32)
  POLICY = np.array([[3, 4], [3, 4], [3, 4]], f32), np.ones(3, f32)

  def test_linear(self):
    # The norm is that of the weights, wherever the inputs lie.
    rng = np.random.default_rng(4)
    draw = lambda n: (
        rng.normal(size=(n, 6)).astype(f32), rng.uniform(size=n).astype(f32))
    kernel = rng.normal(size=6).astype(f32)
    expert, policy = draw(8), [draw(5), draw(9)]
    _, (norms, weight) = pure(lambda: discriminator.gradnorm(
        lambda x: x @ kernel + 1, expert, policy))
    assert norms.shape == weight.shape == (8,)
    np.testing.assert_allclose(norms, np.linalg.norm(kernel), rtol=1e-5)
    factors = weight / expert[1]
    known = np.concatenate([w for _, w in policy])
    assert np.isclose(factors[:, None], known[None], rtol=1e-4).any(1).all()

  def test_between_the_classes(self):
    # The gradient of |x|^2 / 2 is x, so the norm says where it was taken.
    expert = np.array([[1, 0]] * 64, f32), np.ones(64, f32)
    policy = np.array([[3, 0]] * 2, f32), np.ones(2, f32)
    _, (norms, _) = pure(lambda: discriminator.gradnorm(
        lambda x: jnp.square(x).sum(-1) / 2, expert, [policy]))
    assert 1 < norms.min() < 1.3 and 2.7 < norms.max() < 3
    assert abs(norms.mean() - 2) < 0.3

  def test_value_by_hand(self):
    disc = lambda x: jnp.square(x).sum(-1) / 2
    plain, _ = pure(lambda: discriminator.disc_loss(
        disc, self.EXPERT, [self.POLICY], **OFF))[1]
    value, metrics = pure(lambda: discriminator.disc_loss(
        disc, self.EXPERT, [self.POLICY], **{
            **OFF, 'penalty': 2.0, 'target': 1.0}))[1]
    np.testing.assert_allclose(metrics['gradnorm'], 5, rtol=1e-6)
    np.testing.assert_allclose(value - plain, 2 * (5 - 1) ** 2, rtol=1e-5)

  def test_flat_discriminator_has_a_finite_gradient(self):
    def fn(scale):
      return discriminator.disc_loss(
          lambda x: scale * x.sum(-1), self.EXPERT, [self.POLICY],
          **{**OFF, 'penalty': 1.0})[0]
    _, grad = pure(lambda: nj.pure(jax.grad(fn))(
        {}, 0.0, seed=np.array([0, 0], np.uint32))[1])
    assert np.isfinite(grad)


class TestHelpers:

  def test_weighted_mean(self):
    wmean = discriminator.wmean
    assert wmean(np.array([2., 6.], f32), np.array([3., 1.], f32)) == 3
    assert wmean(np.array([2., 6.], f32), np.zeros(2, f32)) == 0
    with pytest.raises(AssertionError):
      wmean(np.ones((2, 1), f32), np.ones(2, f32))
