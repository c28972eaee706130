"""The report's figures of several runs: scores, rows of the table, curves."""

import numpy as np
import pytest

from dreamer_gail_plugin.evaluate import protocol
from dreamer_gail_plugin.evaluate import scores as scorelib
from dreamer_gail_plugin.report import methods
from dreamer_gail_plugin.report import runs as runlib
from dreamer_gail_plugin.report import summary
from dreamer_gail_plugin.report import tables
from helpers import reportruns


def load(path):
  return runlib.load(path, path.name)


@pytest.fixture
def logdir(tmp_path):
  """A whole run of short logs, to be changed."""
  return reportruns.save(tmp_path / 'run', steps=2000, run__steps=2000)


class TestSummary:

  def run(self, values, state='complete', **kwargs):
    values = np.float64(values)
    steps = 100.0 * np.arange(1, 1 + len(values))
    return runlib.Run(
        'x', task='t', method='m', steps=steps, scores=values, state=state,
        **kwargs)

  def table(self, *runs, **kwargs):
    return summary.table(runs, ['m', methods.RANDOM], kwargs)

  def test_training_score_is_that_of_the_scores_command(self, logdir):
    own = summary.score(load(logdir))
    assert own.source == 'training'
    assert own.games.mean() == scorelib.window(logdir)['mean']

  def test_long_run(self):
    # The last tenth of 300,000 steps: 270,001 to 300,000.
    run = runlib.Run('x', steps=np.float64([100, 27e4, 28e4, 3e5]),
                     scores=np.float64([1, 2, 3, 4]))
    assert summary.score(run).games.tolist() == [3, 4]

  def test_evaluation_first(self, logdir):
    reportruns.evaluation(logdir, [5, 7] * 5)
    own = summary.score(load(logdir))
    assert own.source == 'evaluation, sampled' and len(own.strata) == 5
    assert own.games.mean() == 6

  def test_row(self):
    row, = self.table(
        self.run([1, 1, 4, 4], seed=1), self.run([3] * 4, seed=0))
    assert (row.seeds, row.mean, row.games) == ([0, 1], 2.75, 8)
    assert row.sd == pytest.approx(np.std([2.5, 3], ddof=1))
    assert row.iqm == 3 and row.low <= row.iqm <= row.high
    assert row.normalised is row.hours is row.length is None

  def test_other_options_of_the_environment_are_not_averaged(self):
    runs = [
        self.run([x] * 4, seed=i, flat={'env.t.sticky': y, **more})
        for i, (x, y, more) in enumerate([
            (1, 0.1, {}), (3, 0.1, {'env.t.new': 1}), (90, 0.0, {})])]
    row, = self.table(*runs)
    assert (row.mean, row.seeds) == (2, [0, 1])
    assert [bool(x.problems) for x in runs] == [False, False, True]
    assert 'another env.t.sticky' in runs[2].problems[0]

  def test_tasks_are_not_averaged(self):
    other = self.run([5.0])
    other.task = 'u'
    assert [(x.task, x.mean) for x in self.table(self.run([1.0]), other)] == [
        ('t', 1), ('u', 5)]

  def test_one_run_has_no_sd(self):
    assert self.table(self.run([1, 2]))[0].sd is None

  def test_normalised(self):
    random = self.run([1.0])
    random.method = methods.RANDOM
    rows = self.table(self.run([3.0]), random, t=5.0)
    assert [x.normalised for x in rows] == [0.5, 0]

  def test_normalised_without_random_play(self, logdir):
    # Then by the random play that belongs to the evaluation.
    reportruns.evaluation(
        logdir, [5, 7] * 5, summary=dict(flags=[], expert_normalised=0.75))
    run = load(logdir)
    run.task, run.method = 't', 'm'
    assert [x.normalised for x in self.table(run, t=5.0)] == [0.75]
    random = self.run([2.0])
    random.method = methods.RANDOM
    found = [x.normalised for x in self.table(run, random, t=10.0)]
    assert found == [0.5, 0]

  def test_unfinished_runs_stay_out(self):
    running = self.run([100], state='running')
    row, = self.table(self.run([1, 2]), running)
    assert row.mean == 1.5 and 'not in the scores' in running.problems[0]
    alone = self.run([100], state='stopped')
    assert self.table(alone)[0].mean == 100 and not alone.problems

  def test_human_play_of_atari(self, tmp_path):
    # Random play of Seaquest has 68.4, a human 42,054.7 (Wang et al., 2016).
    chance = [dict(score=68.4, length=10)]
    for seed, level in enumerate((0.25, 0.75)):
      logdir = reportruns.save(
          tmp_path / str(seed), task='atari_seaquest', seed=seed)
      scores = 68.4 + level * (42054.7 - 68.4) * np.float64([1, 0.5, 1.5])
      played = [
          dict(chunk=0, score=x, length=9, limit=False) for x in scores]
      found = protocol.summary(
          reportruns.config(task='atari_seaquest'), played, chance)
      assert found['human_normalised'] == pytest.approx(level)
      reportruns.evaluation(logdir, scores, summary=found)
    runs = [load(tmp_path / x) for x in '01']
    rows = summary.table(runs, methods.assign(runs), {})
    assert rows[0].human == pytest.approx(0.5)
    line, = tables.results(rows)
    assert dict(line['cells'])['human = 1'] == '0.50'
    # No such column for other tasks.
    for run in runs:
      run.evals[0]['summary'].pop('human_normalised')
    line, = tables.results(summary.table(runs, methods.assign(runs), {}))
    assert 'human = 1' not in dict(line['cells'])

  def test_achievements_of_crafter(self, tmp_path):
    # Two runs of two games each.
    for seed, games in enumerate(([(1, 0), (3, 0)], [(0, 0), (2, 1)])):
      played = [
          dict(chunk=0, score=x, length=9, limit=False,
               achievements={'wake_up': x, 'eat_cow': y}) for x, y in games]
      found = protocol.summary(
          reportruns.config(task='crafter_reward'), played, played)
      logdir = reportruns.save(
          tmp_path / str(seed), task='crafter_reward', seed=seed)
      reportruns.evaluation(logdir, [1, 2, seed], summary=found)
    runs = [load(tmp_path / x) for x in '01']
    known = methods.assign(runs)
    names, rates = tables.achievements(runs, 'crafter_reward')
    assert names == ['wake up', 'eat cow']
    assert [x.tolist() for x in rates.values()] == [[0.75, 0.25]]
    # Mean of the runs' scores: rates of 100 and 0 %, and of 50 and 50 %.
    row, = summary.table(runs, known, {})
    assert row.crafter == pytest.approx((101 ** 0.5 + 51) / 2 - 1)
    line, = tables.results([row])
    assert dict(line['cells'])['Crafter score'] == '29.5 %'

  def test_copies_count_once(self):
    runs = [self.run(x) for x in ([1, 2], [1, 2], [2, 1], [5, 5], [5, 5])]
    row, = self.table(*runs)
    assert row.values.tolist() == [1.5, 1.5, 5, 5] and row.games == 8
    assert [len(x.problems) for x in runs] == [0, 1, 0, 0, 0]
    assert 'its games are those of x' in runs[1].problems[0]


class TestCurve:

  def test_means_of_bins(self):
    xs, ys = np.float64([1, 4, 6, 9]), np.float64([1, 3, 5, 9])
    curve = summary.curve([(xs, ys), (xs, ys + 2)], 10, bins=2)
    assert curve.x.tolist() == [2.5, 7.5]
    assert curve.ys.tolist() == [[2, 7], [4, 9]]
    assert curve.mean.tolist() == [3, 8] and curve.end == 8

  def test_gaps_are_filled_between_but_not_beyond(self):
    run = (np.float64([1, 5]), np.float64([0, 4]))
    whole = (np.float64([1, 3, 5, 7]), np.float64([1, 1, 1, 1]))
    curve = summary.curve([run, whole], 8, bins=4)
    assert curve.ys[0, :3].tolist() == [0, 2, 4] and np.isnan(curve.ys[0, 3])

  def test_no_mean_without_all_runs(self):
    # It would jump from 5 to 10 where the worse run ends.
    short = (np.float64([1, 3]), np.float64([0, 0]))
    long = (np.float64([1, 3, 5, 7]), np.float64([10, 10, 10, 10]))
    curve = summary.curve([short, long], 8, bins=4)
    assert curve.full.tolist() == [True, True, False, False]
    assert curve.mean[:2].tolist() == [5, 5] and np.isnan(curve.mean[2:]).all()
    assert curve.end == 5

  def test_nothing(self):
    empty = np.zeros(0)
    assert summary.curve([(empty, empty)], 10) is None
    assert summary.curve([], 10) is None
