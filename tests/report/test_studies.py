"""Studies, as in scores/, are runs of a report."""

import gzip
import json
import pathlib

import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import results
from dreamer_gail_plugin.report import __main__ as report
from dreamer_gail_plugin.report import command
from dreamer_gail_plugin.report import methods
from dreamer_gail_plugin.report import strips
from dreamer_gail_plugin.report import studies
from dreamer_gail_plugin.report import summary
from helpers import runresults

pytest.importorskip('matplotlib', reason='needs the extra `report`')

from dreamer_gail_plugin.report import style  # noqa: E402

SCORES = pathlib.Path(__file__).parents[2] / 'scores'


def write(path, *runs):
  path.write_bytes(gzip.compress(''.join(
      json.dumps(x) + '\n' for x in runs).encode(), mtime=0))
  return path


@pytest.fixture
def study(tmp_path):
  """The path of a study of runresults.all_results."""
  runs = runresults.all_results()
  for x in runs:
    x['evaluations']['sampled']['step'] = x['steps']
  return write(tmp_path / 's.jsonl.gz', *runs)


def table(runs):
  known = methods.assign(runs)
  return {
      (x.task, x.method): x for x in summary.table(runs, known, {})}


def test_scores(study):
  rows = table(studies.load(study, named=False))
  # Equal games, as those of random play, count once.
  assert {k: sorted(v.values) for k, v in rows.items()} == {
      (task, method): sorted(set(v))
      for (method, task), v in runresults.SCORES.items()}
  row = rows[runresults.BREAKOUT, 'gail']
  assert (row.sources, row.uses_reward) == (['evaluation, sampled'], False)
  # One hour and two, and the mean length of the evaluations.
  assert row.hours == pytest.approx(1.5) and row.length == pytest.approx(1 / 3)
  assert rows[runresults.BREAKOUT, 'env'].uses_reward
  # 8 and 4; random play has 1.5 for seed 0 and 2.5 for seed 1, the expert 12.
  assert rows[runresults.BREAKOUT, 'env'].normalised == pytest.approx(
      (6.5 / 10.5 + 1.5 / 9.5) / 2)


def test_training_scores_stand_in_the_middle_of_their_windows(study):
  run = studies.load(study, named=False)[0]
  assert run.steps.tolist() == [5000, 15000]
  assert run.scores.tolist() == [6, 12]


def test_expert_and_flags(study):
  runs = studies.load(study, named=False)
  assert strips.experts(runs, [])[runresults.SEAQUEST].score == 12
  methods.assign(runs)
  sections = command.describe(runs)
  assert len(sections) == len(runresults.SCORES)
  assert sections[0]['commands'] == [(
      'flags, as the study has them', '--seed SEED --logdir x/y --more 1')]


def test_settings_and_files_are_methods_of_their_own(tmp_path):
  make = lambda **changes: runresults.make(
      'gail', runresults.BREAKOUT, 0, 5, **changes)
  path = write(tmp_path / 's.jsonl.gz', make(), make(setting='few'))
  names = lambda named: [x.method for x in studies.load(path, named)]
  assert names(False) == ['gail', 'gail (few)']
  assert names(True) == ['gail (in s)', 'gail (few, in s)']
  # Of several places the names tell which.
  other = write(tmp_path / 't.jsonl.gz', make())
  assert [x.method for x in report.load([path, other])] == [
      'gail (in s)', 'gail (few, in s)', 'gail (in t)']


def test_random_play_of_several_places_is_kept_apart(study):
  # Its games may have other limits. It is still a line in figures, and grey.
  runs = studies.load(study, named=True)
  known = methods.assign(runs)
  assert known['random (in s)'].reference
  assert not known['random (in s)'].uses_reward
  assert style.colours(known)['random (in s)'] == style.RANDOM


def test_games_that_are_not_kept(tmp_path):
  own = runresults.make('gail', runresults.BREAKOUT, 0, 5)
  own['evaluations']['sampled']['scores'] = []
  run, = studies.load(write(tmp_path / 's.jsonl.gz', own), False)
  assert summary.score(run).games.tolist() == [5]
  assert 'not each' in run.problems[0]


@pytest.mark.parametrize('changes', [
    {'seed': float('inf')}, {'machine': 3}, {'flags': 3}, {'commits': [[]]},
    {'flags': [3]}, {'method': ''}])
def test_strange_values(tmp_path, changes):
  own = runresults.make('gail', runresults.BREAKOUT, 0, 5)
  path = write(tmp_path / 's.jsonl.gz', {**own, **changes})
  try:
    runs = studies.load(path, False)
    methods.assign(runs)
    command.describe(runs)
  except UserError as error:
    assert 's.jsonl.gz' in str(error)


@pytest.mark.parametrize('path', sorted(
    x for x in SCORES.glob(f'*{results.SUFFIX}')
    if x.name.partition('.')[0] not in runresults.OTHERS),
    ids=lambda x: x.name)
def test_committed_ones(path):
  runs = studies.load(path, named=False)
  assert runs and all(x.usable and summary.score(x) for x in runs)
