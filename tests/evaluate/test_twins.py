"""D's share of a score: which run is the twin, and what is said of both."""

import pytest
import scipy.stats

from dreamer_gail_plugin import rewards
from dreamer_gail_plugin.evaluate import twins


@pytest.mark.parametrize('method, wanted', [
    ('gail', 'constant'), ('gail+anchor', 'constant+anchor'),
    ('airl', 'constant'), ('gail_paper', 'constant_paper'),
    ('gail_inferred', 'constant'), ('gail_none', 'constant'),
    ('constant', None), ('env', None), ('null', None), ('gail_ppo', None),
    ('vmail', None), ('gail+other', None)])
def test_names(method, wanted):
  methods = {
      method, 'constant', 'constant+anchor', 'constant_paper', 'random'}
  assert twins.name(method, methods) == wanted


def test_all_rewards_of_d_have_one():
  assert {*twins.REWARDS, twins.CONSTANT} == {*rewards.REWARDS}


def test_the_twin_of_the_same_variant_goes_first():
  assert twins.name(
      'gail_inferred', {'constant', 'constant_inferred'}) == (
          'constant_inferred')


def test_share():
  text = twins.share('gail', {'gail': [20, 22, 24], 'constant': [15, 16, 17]})
  low, high = scipy.stats.ttest_ind(
      [20, 22, 24], [15, 16, 17], equal_var=False).confidence_interval(0.95)
  assert text == (
      "D's share of gail is +6.00 beside its twin constant (16.0), to which "
      f'each step is worth 1; 95 % interval +{low:.2f} to +{high:.1f}.')


def test_single_runs_have_no_interval():
  text = twins.share('gail', {'gail': [12.0], 'constant': [15.0, 16.0]})
  assert '-3.50 beside its twin constant (15.5)' in text
  assert 'no interval' in text
  assert twins.share('gail', {'gail': [12.0]}) is None
