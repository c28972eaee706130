"""The table and the figure of a benchmark, by hand-made results."""

import json

import numpy as np
import pytest
from PIL import Image

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import stats
from dreamer_gail_plugin.experiments import __main__ as benchmark
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.experiments import suites
from dreamer_gail_plugin.experiments import table

BREAKOUT, SEAQUEST = 'minatar_breakout', 'minatar_seaquest'
# Random play scores 2 and the expert 12, so normalised is (x - 2) / 10.
SCORES = {
    ('gail', BREAKOUT): [12, 8], ('gail', SEAQUEST): [7, 9],
    ('env', BREAKOUT): [8, 4], ('env', SEAQUEST): [9],
    ('random', BREAKOUT): [2, 2]}


def make(method, task, seed, score, **changes):
  """Return a result with a sampled score; the greedy one is 1 more."""
  brief = lambda score: {
      'step': 9, 'command': '', 'scores': [],
      # Its mean over the seeds is 2.
      'summary': {'mean': float(score), 'random_mean': 1.5 + seed}}
  found = {'sampled': brief(score), 'greedy': brief(score + 1)}
  if method == 'random':
    del found['greedy']
  return {
      'format': 1, 'method': method, 'task': task, 'seed': seed,
      'steps': 20000, 'expert': 12.0, 'evaluations': found,
      'wall_seconds': {'train': 3600.0 * (1 + seed)}, 'training': {
          'steps': [10000, 20000], 'scores': [score / 2, score],
          'episodes': [5, 5]}, **changes}


def all_results():
  """Return the results of SCORES."""
  return [
      make(*key, seed, score) for key, values in SCORES.items()
      for seed, score in enumerate(values)]


@pytest.fixture
def folder(tmp_path):
  """Return a folder with the results of SCORES."""
  for x in all_results():
    results.save(
        tmp_path / f'{x["task"]}-{x["method"]}-{x["seed"]}.json', x)
  return tmp_path


def scores(found=None, **kw):
  """Return the Scores of results."""
  return table.Scores(
      found or all_results(), suites.SUITES['minatar'], **kw)


class TestScores:

  def test_normalised_by_hand(self):
    assert scores().marks[BREAKOUT] == (2.0, 12.0)
    assert scores().normalised('gail', BREAKOUT).tolist() == [1.0, 0.6]
    assert scores().normalised('random', BREAKOUT).tolist() == [0, 0]
    greedy = scores(policy='greedy')
    assert greedy.normalised('gail', BREAKOUT).tolist() == [1.1, 0.7]
    assert greedy.normalised('random', BREAKOUT).tolist() == [0, 0]

  def test_iqm_by_hand(self):
    # Of 0.5 0.6 0.7 1.0, without a quarter at either end.
    value, low, high = scores().iqm('gail')
    assert value == pytest.approx(0.65)
    assert (low, high) == stats.bootstrap(
        [[1.0, 0.6], [0.5, 0.7]], stats.iqm, seed=0)

  def test_improvement_by_hand(self):
    # Breakout: 12 beats both, 8 ties with one and beats the other. Seaquest:
    # 7 loses against 9, the other ties.
    value, *ends = scores().improvement('gail', 'env')
    assert value == (3.5 / 4 + 0.5 / 2) / 2
    assert np.isnan(ends).all()  # `env` has one run of Seaquest.
    # On the one task that random play has.
    assert scores().improvement('gail', 'random')[0] == 1
    value, low, high = scores([
        *all_results(), make('env', SEAQUEST, 1, 5)]).improvement(
            'gail', 'env')
    assert 0 <= low < value < high <= 1

  def test_no_interval_of_single_runs(self):
    value, *ends = scores().iqm('env')  # Of 0.6 0.2 and 0.7.
    assert value == pytest.approx(0.5) and np.isnan(ends).all()

  def test_missing(self):
    runs, methods, tasks = scores().missing()
    assert methods == ['constant', 'null', 'cloning', 'plain_cloning']
    assert tasks == [
        'minatar_asterix', 'minatar_freeway', 'minatar_space_invaders']
    assert ('env', SEAQUEST, 1) in runs and ('env', SEAQUEST, 0) not in runs
    assert len(runs) == 3 * 2 * 2 - sum(map(len, SCORES.values()))

  def test_unlike_experts(self):
    other = make('gail', BREAKOUT, 2, 5, expert=30.0)
    with pytest.raises(UserError, match='the same demonstrations'):
      scores([*all_results(), other])

  def test_strangers(self):
    with pytest.raises(UserError, match='not of this benchmark'):
      scores([make('gail', 'atari_pong', 0, 1)])
    with pytest.raises(UserError, match='two results'):
      scores([make('gail', BREAKOUT, 0, 1)] * 2)


class TestTable:

  def test_prints(self, folder, capsys):
    assert benchmark.main(
        ['table', 'minatar', '--results', str(folder)]) == 0
    lines = capsys.readouterr().out.rstrip('\n').split('\n')
    cells = [x.split() for x in lines]
    # sd of two values 4 apart: 4 / sqrt(2).
    assert [BREAKOUT, 'gail', '2', '20,000', '1.50', '10.00', '2.83', '11.00',
            '2.83', '0.80'] in cells
    assert [SEAQUEST, 'env', '1', '20,000', '1.00', '9.00', '-', '10.00', '-',
            '0.70'] in cells
    assert [BREAKOUT, 'random', '2', '0', '1.50', '2.00', '0.00', '-', '-',
            '0.00'] in cells
    assert [BREAKOUT, 'expert', '12.00', '1.00'] in cells
    assert 'No runs of: constant, null, cloning, plain_cloning.' in lines
    assert any('minatar_seaquest-env-1' in x for x in lines)
    assert ['gail', 'Dreamer-GAIL', '2', '4'] in [x[:4] for x in cells]
    assert ['env', 'DreamerV3', 'with', 'reward', '2', '3', '0.50', '[single',
            'runs]', '0.56', '[single', 'runs]'] in cells
    assert ['random', 'Random', 'play', '1', '2', '0.00', '[0.00,', '0.00]',
            '1.00', '[1.00,', '1.00]'] in cells
    low, high = scores().iqm('gail')[1:]
    assert lines[-1] == (
        f'expert-normalised IQM: 0.65 [{low:.2f}, {high:.2f}]')

  def test_markdown(self, folder, capsys):
    benchmark.main(
        ['table', 'minatar', '--results', str(folder), '--markdown'])
    lines = capsys.readouterr().out.split('\n')
    assert lines[1] == '|' + ' --- |' * 10
    assert (
        f'| {SEAQUEST} | gail | 2 | 20,000 | 1.50 | 8.00 | 1.41 | 9.00 | 1.41 '
        f'| 0.60 |') in lines

  def test_method_of_the_first_folder(self, folder, tmp_path_factory, capsys):
    first = tmp_path_factory.mktemp('first')
    results.save(first / 'x.json', make('gail', BREAKOUT, 0, 4))
    benchmark.main(['table', 'minatar', '--results', str(first), str(folder)])
    cells = [x.split() for x in capsys.readouterr().out.split('\n')]
    # Neither seed 1 nor Seaquest of the second, which has other settings.
    assert [BREAKOUT, 'gail', '1', '20,000', '1.00', '4.00', '-', '5.00', '-',
            '0.20'] in cells
    assert not [x for x in cells if x[:2] == [SEAQUEST, 'gail']]
    # Random play of the one seed that is left there: 1.5.
    assert [SEAQUEST, 'env', '1', '20,000', '1.00', '9.00', '-', '10.00', '-',
            '0.71'] in cells

  def test_without_gail(self):
    found = [x for x in all_results() if x['method'] == 'env']
    assert table.lines(scores(found))[-1].endswith('there is no run of gail')

  @pytest.mark.parametrize('text', ['{', '[]', '{"format": 1}', '3'])
  def test_damaged_file(self, folder, text):
    (folder / 'x.json').write_text(text)
    with pytest.raises(UserError, match='x.json'):
      benchmark.main(['table', 'minatar', '--results', str(folder)])

  def test_no_files(self, tmp_path):
    with pytest.raises(UserError, match='benchmark run'):
      benchmark.main(['table', 'minatar', '--results', str(tmp_path)])


class TestPlot:

  def test_draws(self, folder, tmp_path, capsys):
    path = tmp_path / 'figure.png'
    args = ['plot', 'minatar', '--results', str(folder), '--out', str(path)]
    assert benchmark.main(args) == 0
    image = np.asarray(Image.open(path))
    # Three panels beside each other, each with something in it.
    for panel in np.array_split(image, 3, 1):
      assert len(np.unique(panel.reshape(-1, 3), axis=0)) > 50
    with pytest.raises(UserError, match='is there already'):
      benchmark.main(args)

  def test_windows_without_an_end(self):
    from dreamer_gail_plugin.experiments import plot
    curve = plot._curve([
        {'steps': [1, 2, 3, 4], 'scores': [None, 1.0, None, 3.0]},
        {'steps': [1, 2, 3], 'scores': [None, 5.0, 5.0]}])
    np.testing.assert_array_equal(curve.x, [2, 3, 4])
    np.testing.assert_array_equal(curve.ys, [[1, 2, 3], [5, 5, np.nan]])


class TestFile:

  def test_round_trip_a_line_a_key(self, tmp_path):
    value = {'format': 1, 'list': [1.5, None], 'text': 'a"\n'}
    results.save(tmp_path / 'x' / 'y.json', value)
    text = (tmp_path / 'x' / 'y.json').read_text()
    assert json.loads(text) == value and text.count('\n') == 3
    assert [x.name for x in (tmp_path / 'x').iterdir()] == ['y.json']
    with pytest.raises(ValueError):
      results.save(tmp_path / 'x' / 'y.json', {'bad': float('nan')})
    assert json.loads((tmp_path / 'x' / 'y.json').read_text()) == value
