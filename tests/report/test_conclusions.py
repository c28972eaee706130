"""What the report says of a task, both ways: who is ahead, or that it is open.
"""

import numpy as np
import pytest
import scipy.stats

from dreamer_gail_plugin.report import conclusions
from dreamer_gail_plugin.report import summary


def row(method, *values, reward=False):
  values = np.array(values, np.float64)
  sd = float(values.std(ddof=1)) if len(values) > 1 else None
  return summary.Row(
      't', method, [], ['evaluation, sampled'], values, float(values.mean()),
      sd, 0, 0, 0, 9, None, None, 1, None, reward, None, None, ())


class TestLead:

  def test_by_hand(self):
    # Welch: a difference of 10, an error of sqrt(1/3 + 1/3), 4 degrees of
    # freedom, whose quantile is 2.776.
    found = conclusions.lead(row('a', 20, 21, 22), row('b', 10, 11, 12))
    assert (found.difference, found.improvement) == (10, 1)
    assert found.low == pytest.approx(10 - 2.776 * (2 / 3) ** 0.5, abs=1e-3)
    assert found.high == pytest.approx(10 + 2.776 * (2 / 3) ** 0.5, abs=1e-3)
    assert found.clear

  def test_overlapping(self):
    found = conclusions.lead(row('a', 1, 5, 9), row('b', 0, 4, 8))
    assert found.low < 0 < found.high and not found.clear
    assert found.improvement == pytest.approx(6 / 9)

  def test_no_spread(self):
    found = conclusions.lead(row('a', 500, 500), row('b', 9, 9))
    assert (found.low, found.high, found.clear) == (491, 491, True)
    assert not conclusions.lead(row('a', 9, 9), row('b', 9, 9)).clear

  def test_how_often_it_is_wrong(self):
    # Of equal methods, one is called ahead in at most a share of 1 in 20.
    rng = np.random.default_rng(0)
    wrong = sum(
        conclusions.leads([
            row('a', *rng.normal(size=3)), row('b', *rng.normal(size=3))
        ])[0].clear for _ in range(400))
    assert wrong <= scipy.stats.binom.ppf(0.999, 400, 0.05)


class TestSentence:

  def test_ahead(self):
    text = conclusions.sentence([
        row('b', 10, 11, 12), row('a', 20, 21, 22), row('c', 1, 2, 3)])
    assert text == (
        'a (21.0) is ahead: of b (11.0) by 10.0, 95 % interval 7.73 to 12.3, '
        'probability of improvement 1.00; and of c (2.00).')

  def test_open(self):
    text = conclusions.sentence([
        row('a', 1, 5, 9), row('b', 0, 4, 8, reward=True),
        row('c', -90, -91, -92)])
    assert text.startswith(
        'Nothing can be said of which is ahead, a (5.00) or b (4.00, with '
        'reward). The difference to b is 1.00, 95 % interval -8.0')
    assert text.endswith(
        'probability of improvement 0.67. a is ahead of c (-91.0).')

  def test_single_runs_say_nothing(self):
    text = conclusions.sentence([row('a', 99), row('b', 1)])
    assert text == (
        'Nothing can be said of which method is ahead, as that takes two runs '
        'of two methods: a (99.0) and b (1.00).')

  def test_a_single_run_beside_others(self):
    # Its mean is the highest, which the text must show.
    text = conclusions.sentence([
        row('a', 20, 21, 22), row('b', 10, 11, 12), row('c', 30)])
    assert text.startswith(
        'Of the methods with two runs or more, a (21.0) is ahead: of b')
    assert text.endswith(
        'Not compared, as a single run says nothing of another: c (30.0).')

  def test_one_method(self):
    assert conclusions.sentence([row('a', 1, 2)]) == (
        'There is one method, so there is nothing to compare: a (1.50).')

  def test_many(self):
    text = conclusions.sentence([
        row(x, 9 - i) for i, x in enumerate('abcdefg')])
    assert text.endswith('d (6.00) and 3 more.') and 'e (' not in text

  def test_training_games_are_marked(self):
    own = row('a', 1, 2)
    own.sources = ['training']
    assert 'a (1.50*)' in conclusions.sentence([own])


def test_share_of_d():
  rows = [row('gail', 20, 21), row('constant', 12, 13), row('env', 30, 31)]
  text = conclusions.shares(rows)
  assert text.startswith(
      "D's share of gail is +8.00 beside its twin constant (12.5)")
  assert conclusions.shares(rows[1:]) == ''
