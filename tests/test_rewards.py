"""The rewards: equal to their formulas in D, finite wherever those are."""

import numpy as np
import pytest

from dreamer_gail_plugin import rewards

PROBS = np.array([
    1e-30, 1e-6, 0.01, 0.25, 0.5, 0.75, 0.99, 1 - 1e-6], np.float64)
FORMULAS = {
    'gail': lambda D: -np.log1p(-D),
    'logd': lambda D: np.log(D),
    'airl': lambda D: np.log(D) - np.log1p(-D),
    # -h e^h, where e^h is the ratio of the densities.
    'fairl': lambda D: -(np.log(D) - np.log1p(-D)) * D / (1 - D),
    'prob': lambda D: D,
    'constant': lambda D: np.ones_like(D),
}


def reward(name, logits):
  result = np.asarray(rewards.REWARDS[name](np.float32(logits)))
  assert result.dtype == np.float32 and result.shape == np.shape(logits)
  return result


class TestRewards:

  def test_all_have_a_formula(self):
    assert rewards.REWARDS.keys() == FORMULAS.keys()

  @pytest.mark.parametrize('name', sorted(FORMULAS))
  def test_formula(self, name):
    logits = np.log(PROBS) - np.log1p(-PROBS)
    np.testing.assert_allclose(
        reward(name, logits), FORMULAS[name](PROBS), rtol=2e-5)

  @pytest.mark.parametrize('name', sorted(FORMULAS))
  def test_any_shape(self, name):
    logits = np.linspace(-2, 2, 6).reshape((1, 2, 3))
    np.testing.assert_allclose(
        reward(name, logits).ravel(), reward(name, logits.ravel()), rtol=1e-6)

  @pytest.mark.parametrize('name, low, high', [
      ('gail', 0, 100), ('logd', -100, 0), ('airl', -100, 100),
      ('prob', 0, 1), ('constant', 1, 1),
      ('fairl', 0, -100 * np.exp(20))])
  def test_where_probabilities_round(self, name, low, high):
    # In float32, D is 0 or 1 here and its logarithms are infinite.
    np.testing.assert_allclose(
        reward(name, [-100, 100]), [low, high], rtol=1e-6, atol=1e-30)
