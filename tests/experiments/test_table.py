"""The tables of a study, by hand-made results."""

import numpy as np
import pytest

from dreamer_gail_plugin import errors
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import results
from dreamer_gail_plugin.evaluate import stats
from dreamer_gail_plugin.experiments import __main__ as experiments
from dreamer_gail_plugin.experiments import table
from helpers.runresults import BREAKOUT
from helpers.runresults import SEAQUEST
from helpers.runresults import all_results
from helpers.runresults import make

GAIL, ENV, RANDOM = [('', x) for x in ('gail', 'env', 'random')]


@pytest.fixture
def folder(tmp_path):
  """Return a folder with the results, as text."""
  for x in all_results():
    results.save(
        tmp_path / f'{x["task"]}-{x["method"]}-{x["seed"]}.json', x)
  return str(tmp_path)


def scores(found=None, **kw):
  """Return the Scores of results."""
  return table.Scores(found or all_results(), **kw)


def cells(text):
  """Return the cells of the rows of tables."""
  return [
      [x.strip() for x in line.strip('|').split('|')]
      for line in text.split('\n') if line.startswith('|')]


class TestScores:

  def test_normalised_by_hand(self):
    assert scores().marks[BREAKOUT] == (2.0, 12.0)
    assert scores().normalised(GAIL, BREAKOUT).tolist() == [1.0, 0.6]
    assert scores().normalised(RANDOM, BREAKOUT).tolist() == [0, 0]
    greedy = scores(policy='greedy')
    assert greedy.normalised(GAIL, BREAKOUT).tolist() == [1.1, 0.7]
    assert greedy.normalised(RANDOM, BREAKOUT).tolist() == [0, 0]

  def test_iqm_by_hand(self):
    # Of 0.5 0.6 0.7 1.0, without a quarter at either end.
    value, low, high = scores().iqm(GAIL)
    assert value == pytest.approx(0.65)
    assert (low, high) == stats.bootstrap(
        [[1.0, 0.6], [0.5, 0.7]], stats.iqm, seed=0)

  def test_no_iqm_where_a_task_is_missing(self):
    assert np.isnan(scores().iqm(RANDOM)).all()

  def test_no_interval_of_single_runs(self):
    value, *ends = scores().iqm(ENV)  # Of 0.6 0.2 and 0.7.
    assert value == pytest.approx(0.5) and np.isnan(ends).all()

  def test_improvement_by_hand(self):
    # Breakout: 12 beats both, 8 ties with one and beats the other. Seaquest:
    # 7 loses against 9, the other ties.
    value, *ends = scores().improvement(GAIL, ENV)
    assert value == (3.5 / 4 + 0.5 / 2) / 2
    assert np.isnan(ends).all()  # `env` has one run of Seaquest.
    # On the one task that random play has.
    assert scores().improvement(GAIL, RANDOM)[0] == 1
    value, low, high = scores([
        *all_results(), make('env', SEAQUEST, 1, 5)]).improvement(GAIL, ENV)
    assert 0 <= low < value < high <= 1

  def test_settings_are_rows_of_their_own(self):
    found = scores([
        *all_results(), make('gail', BREAKOUT, 0, 3, setting='penalty 10')])
    assert found.rows == [RANDOM, ENV, GAIL, ('penalty 10', 'gail')]
    assert found.of(('penalty 10', 'gail'), BREAKOUT).tolist() == [3]

  def test_a_run_without_an_evaluation(self):
    found = scores([
        *all_results(), make('gail', BREAKOUT, 2, 3, evaluations={})])
    assert found.of(GAIL, BREAKOUT).tolist() == [12, 8]

  def test_an_unknown_expert(self):
    found = scores([make('gail', BREAKOUT, 0, 3, expert=None)])
    assert cells('\n'.join(table.lines(found)))[2:] == [
        ['gail', '3.00', ''], ['expert', '', '']]

  def test_a_study_rounds(self):
    found = scores([
        make('gail', BREAKOUT, 0, 3, expert=30.266666603088378),
        make('gail', BREAKOUT, 1, 3, expert=30.266667)])
    assert found.marks[BREAKOUT][1] == 30.266667

  def test_unlike_experts(self):
    other = make('gail', BREAKOUT, 2, 5, expert=30.0)
    with pytest.raises(UserError, match='2 scores of the expert'):
      scores([*all_results(), other])

  def test_strangers(self):
    with pytest.raises(UserError, match='maxent, which is no method'):
      scores([make('maxent', BREAKOUT, 0, 1)])
    with pytest.raises(UserError, match='two results'):
      scores([make('gail', BREAKOUT, 0, 1)] * 2)


class TestTable:

  def test_prints(self, folder, capsys):
    assert experiments.main(['table', folder]) == 0
    text = capsys.readouterr().out
    low, high = scores().iqm(GAIL)[1:]
    assert cells(text) == [
        ['method', 'breakout', 'seaquest', 'IQM [95 %]'], ['-' * x for x in (
            6, 11, 11, 17)],
        # sd of two values 4 apart: 4 / sqrt(2).
        ['random', '2.00 (0.00)', '', ''],
        ['env', '6.00 (2.83)', '9.00', '0.50'],
        ['gail', '10.0 (2.8)', '8.00 (1.41)',
         f'0.65 [{low:.2f}, {high:.2f}]'],
        ['expert', '12.0', '12.0', '1.00']]
    assert 'sampled policy after 20,000 steps;' in text
    assert len({len(x) for x in text.split('\n') if x.startswith('|')}) == 1

  def test_greedy(self, folder, capsys):
    experiments.main(['table', folder, '--policy', 'greedy'])
    text = capsys.readouterr().out
    assert ['env', '7.00 (2.83)', '10.0', '0.60'] in cells(text)
    assert 'greedy policy' in text

  def test_settings_and_steps_if_there_are_several(self):
    found = scores([
        *all_results(), make('gail', BREAKOUT, 0, 3, setting='x', steps=500)])
    text = cells('\n'.join(table.lines(found)))
    assert text[0][:3] == ['setting', 'method', 'steps']
    assert ['x', 'gail', '500', '3.00', '', ''] in text
    assert ['', 'env', '20,000', '6.00 (2.83)', '9.00', '0.50'] in text
    # Random play does not learn by steps.
    assert ['', 'random', '', '2.00 (0.00)', '', ''] in text

  def test_details(self, folder, capsys):
    experiments.main(['table', folder, '--details', '--against', 'env'])
    text = cells(capsys.readouterr().out)
    assert ['gail', 'breakout', '2', '20,000', '1.50', '10.0 (2.8)',
            '11.0 (2.8)', '0.80'] in text
    assert ['random', 'breakout', '2', '', '1.50', '2.00 (0.00)', '',
            '0.00'] in text
    assert ['gail', "D's reward, nothing cloned", '4', '0.56'] in text
    assert text[-2] == ['env', 'DreamerV3, with reward', '3', '']

  def test_against_what_there_is_not(self, folder):
    with pytest.raises(UserError, match='--against cloning: there are'):
      experiments.main(['table', folder, '--details'])

  def test_method_of_the_first_folder(self, folder, tmp_path_factory, capsys):
    first = tmp_path_factory.mktemp('first')
    results.save(first / 'x.json', make('gail', BREAKOUT, 0, 4))
    experiments.main(['table', str(first), folder])
    # Neither seed 1 nor Seaquest of the second, which has other settings.
    assert ['gail', '4.00', '', ''] in cells(capsys.readouterr().out)

  @pytest.mark.parametrize('value, text', [
      (9.94, '9.94'), (9.96, '10.0'), (-126.1, '-126.1'), (-0.001, '0.00'),
      (0.25, '0.25')])
  def test_digits(self, value, text):
    assert table._number(value) == text


class TestMistakes:

  def test_nothing_there(self, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['x', 'table', 'no_such_study'])
    with pytest.raises(SystemExit) as caught:
      errors.run(experiments.main)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert 'no_such_study.jsonl.gz' in error and error.count('\n') == 1

  def test_unknown_flags(self, folder):
    with pytest.raises(UserError, match='no such flag'):
      experiments.main(['table', folder, '--markdown'])
