"""The suite `few`: how many steps are shown, in runs and in the figure."""

import json
import pathlib
import types

import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import results
from dreamer_gail_plugin.experiments import __main__ as experiments
from dreamer_gail_plugin.experiments import pack
from dreamer_gail_plugin.experiments import plans
from dreamer_gail_plugin.experiments import plot
from dreamer_gail_plugin.experiments import runner
from dreamer_gail_plugin.experiments import table
from helpers.runresults import BREAKOUT
from helpers.runresults import SEAQUEST
from helpers.runresults import make


def few(tmp_path, *methods, shown=None, suite='few'):
  """Return the plans of one game and one seed."""
  return plans.make(types.SimpleNamespace(
      suite=suite, seeds=1, steps=None, steps_of=None, scale=1.0,
      logdirs=tmp_path / 'logs', results=tmp_path / 'results',
      tasks=[BREAKOUT], methods=methods, shown=shown), [])


class TestPlans:

  def test_each_number_of_steps_is_a_run(self, tmp_path):
    found = few(tmp_path, 'gail', 'constant')
    assert [x.name for x in found] == [
        *(f'{BREAKOUT}-gail-{x}-0' for x in (100, 300, 1024, 10240)),
        f'{BREAKOUT}-constant-0']  # Once, as it learns nothing from them.
    assert [x.setting for x in found] == [
        '100 steps', '300 steps', '1,024 steps', '10,240 steps', '']

  def test_what_they_learn_from(self, tmp_path, monkeypatch):
    monkeypatch.setattr(plans.baselines, 'installed', lambda name: None)
    key = 'agent.gail.expert'
    found = few(tmp_path, 'gail', 'bco', shown=[300, 10240])
    path = str(tmp_path / 'logs/demonstrations' / f'{BREAKOUT}_300.h5')
    assert [x.config.get(key, x.config.get('expert')) for x in found] == [
        path, 'auto', path, 'auto']
    flags = found[0].show()
    assert flags[flags.index('--length') + 1] == '300'

  def test_other_suites_show_all(self, tmp_path):
    with pytest.raises(UserError, match='minatar shows all'):
      few(tmp_path, 'gail', shown=[300], suite='minatar')


class TestDemonstrations:

  def test_are_made_once(self, tmp_path, monkeypatch, capsys):
    made = []

    def program(command, **kw):
      made.append(command)
      pathlib.Path(command[-1]).write_text('')
      return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(runner.subprocess, 'run', program)
    todo = few(tmp_path, 'gail', 'cloning', 'constant', shown=[300, 10240])
    runner._demonstrate(todo)
    runner._demonstrate(todo)
    assert len(made) == 1 and made[0][-1].endswith(f'{BREAKOUT}_300.h5')
    assert '300 steps of the planner' in capsys.readouterr().out

  def test_that_fail_end_it(self, tmp_path, monkeypatch):
    monkeypatch.setattr(plans, 'PYTHON', ('false',))
    with pytest.raises(UserError, match='could not be made'):
      runner._demonstrate(few(tmp_path, 'gail', shown=[300]))


def test_a_study_keeps_how_many_were_shown(tmp_path):
  path = tmp_path / 'x.jsonl.gz'
  pack.pack(path, [make('gail', BREAKOUT, 0, 1, setting='300 steps')])
  pack.pack(path, [make('gail', BREAKOUT, 0, 2)])
  assert [x.get('setting') for x in results.study(path)] == ['300 steps', None]


class TestFigure:

  def scores(self):
    """Return scores of gail at two numbers of steps, and its twin's."""
    return table.Scores([
        make('constant', BREAKOUT, 0, 5),
        make('gail', BREAKOUT, 0, 6, setting='300 steps'),
        make('gail', BREAKOUT, 1, 8, setting='300 steps'),
        make('gail', BREAKOUT, 0, 11),
        make('constant', SEAQUEST, 0, 5)])

  def test_a_line_is_by_the_steps_shown(self):
    ax = plot.by_shown(self.scores(), BREAKOUT)
    points = ax.containers[0].lines[0].get_xydata()
    assert points.tolist() == [[300, 7], [10240, 11]]
    low, high = ax.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == (6, 8)
    texts = [x.get_text() for x in ax.figure.legends[0].get_texts()]
    assert sorted(texts) == ['constant', 'expert', 'gail', 'random']

  def test_a_task_without_learners_has_no_panel(self):
    assert plot.by_shown(self.scores(), SEAQUEST) is None

  def test_of_some_methods(self, tmp_path, capsys):
    for i, x in enumerate([
        make('gail', BREAKOUT, 0, 6, setting='300 steps'),
        make('env', BREAKOUT, 0, 9)]):
      (tmp_path / f'{i}.json').write_text(json.dumps(x))
    args = ['table', str(tmp_path), '--methods']
    assert experiments.main([*args, 'gail']) == 0
    text = capsys.readouterr().out
    assert 'gail' in text and 'env' not in text
    with pytest.raises(UserError, match='no result of it, but of gail, env'):
      experiments.main([*args, 'ppo'])
