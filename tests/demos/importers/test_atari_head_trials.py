"""Which trials of Atari-HEAD are taken: the best, chains, splits, lists."""

import json
import pathlib

import numpy as np
import pytest

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos.importers import atari_head_files as files
from helpers.atarihead import META
from helpers.atarihead import Trial
from helpers.atarihead import blank
from helpers.atarihead import refused
from helpers.atarihead import run
from helpers.demotools import load
from helpers.refusals import exit_code

REAL = pathlib.Path(__file__).parents[3] / '../shared/data/atari_head'


@pytest.fixture
def three(tmp_path):
  root = tmp_path / 'source'
  for number, value in ((5, 10), (6, 30), (7, 20)):
    screens, rows = blank(9)
    trial = Trial(root, 'seaquest', screens + np.uint8(value), rows, number)
  rows = [
      f'{game},{number}, R,{load},{score},9,450,1,1,0.5,0.6%,{mean},20'
      for game, number, load, score, mean in [
          ('seaquest', 5, 0, 100, 'FALSE'), ('seaquest', 6, 0, 300, 'TRUE'),
          ('seaquest', 7, 0, 200, 'FALSE'),
          ('seaquest_highscore', 8, 6, 900, 'FALSE'),
          ('seaquest', 9, 5, 800, 'FALSE'), ('alien', 1, 0, 999, 'FALSE')]]
  trial.write_meta(*rows)
  return trial


class TestTrials:

  def test_best_normal_ones(self, three, capsys):
    _, out = run(three, number=None)
    parts = load(out)
    assert [x['image'][0, 0, 0, 0] for x in parts] == [20, 10]
    with store.Store(out) as demo:
      assert demo.attrs['expert_score'] == 150
      assert demo.infos[0]['trial_score'] == 200
    text = capsys.readouterr().out
    assert 'trial 6: left out, as its frames were averaged' in text
    assert 'WARNING' not in text

  def test_named_ones(self, three):
    _, out = run(three, number=5)
    assert [x['image'][0, 0, 0, 0] for x in load(out)] == [10]

  def test_meta_beside_the_game_folder(self, three):
    three.root = three.root / 'seaquest'
    _, out = run(three, '--best', 1, number=None)
    assert [x['image'][0, 0, 0, 0] for x in load(out)] == [20]

  def test_highscore_trials_start_in_mid_game(self, three):
    high = three.folder / 'highscore'
    high.mkdir()
    for path in (three.labels, three.frames):
      path.rename(high / path.name)
    (three.root / 'meta_data.csv').unlink()
    _, out = run(three)
    assert not load(out)[0]['is_first'].any()

  def test_best_one_is_not_there(self, three, capsys):
    three.root.joinpath('seaquest', three.labels.name).unlink()
    refused(capsys, three, 'the 2 best by', 'are 7 5, but there is no trial 7',
            '--trials (5 6)', number=None)

  def test_named_one_is_not_there(self, three, capsys):
    refused(capsys, three, 'no trial 8', '--trials (5 6 7)', number=8)

  def test_meta_is_needed_only_without_trials(self, three, capsys):
    (three.root / 'meta_data.csv').unlink()
    refused(capsys, three, 'no meta_data.csv', '--trials (there are 5 6 7)',
            number=None)
    code, _ = run(three)
    assert code == 0

  def test_bad_meta(self, three, capsys):
    path = three.root / 'meta_data.csv'
    text = path.read_text()
    path.write_text(text.replace('highest_score', 'Score'))
    refused(capsys, three, path, 'columns missing: highest_score')
    path.write_text(text.replace('0,200,', '0,x,'))
    refused(capsys, three, path, 'line 4', "'x'")


class TestAveraged:

  def test_named_one_is_refused(self, three, capsys):
    refused(capsys, three, 'trial 6: its recorder averaged',
            '--averaged match', number=6)

  def test_kept_with_a_warning(self, three, capsys):
    code, out = run(three, '--averaged', 'keep', number=6)
    assert code == 0
    assert 'WARNING: trial 6: its recorder averaged' in capsys.readouterr().out
    with store.Store(out) as demo:
      assert not json.loads(demo.attrs['preprocessing'])['average']

  def test_match_takes_averaged_ones_only(self, three, capsys):
    code, out = run(three, '--averaged', 'match', number=None)
    assert code == 0
    with store.Store(out) as demo:
      assert demo.attrs['trials'] == '[6]'
      assert json.loads(demo.attrs['preprocessing'])['average']
    text = capsys.readouterr().out
    assert 'trial 7: left out, as its frames were not averaged' in text
    assert '--env.atari.average True' in text
    refused(capsys, three, 'trial 7 were not averaged', number=7,
            flags=['--averaged', 'match', '--overwrite'])


class TestChains:

  @pytest.fixture
  def chain(self, tmp_path):
    # 1 to 10 start games; 21 continues 6, 22 continues 21.
    root = tmp_path / 'source'
    rows = []
    for number in (*range(1, 11), 21, 22):
      screens, labels = blank(9)
      trial = Trial(
          root, 'seaquest', screens + np.uint8(number), labels, number)
      load = {21: 6, 22: 21}.get(number, 0)
      game = 'seaquest_highscore' if load else 'seaquest'
      rows.append(
          f'{game},{number},R,{load},{number * 10},9,450,1,1,1,1%,FALSE,20')
    trial.write_meta(*rows)
    return trial

  def attrs(self, out):
    with store.Store(out) as demo:
      starts = [demo.read(i)['is_first'][0] for i in range(len(demo))]
      return json.loads(demo.attrs['trials']), demo.attrs, starts

  def test_highscores_only_when_asked_for(self, chain):
    _, out = run(chain, number=None)
    assert self.attrs(out)[0] == [10, 9]
    _, out = run(chain, '--highscore', '--best', 3, '--overwrite', number=None)
    trials, attrs, starts = self.attrs(out)
    assert trials == [22, 21, 10]
    # 21 and 22 are one game with 220 points, 10 is another.
    assert attrs['expert_score'] == (220 + 100) / 2
    assert starts == [False, False, True]

  @pytest.mark.parametrize('flags, taken', [
      ([], [457, 407]), (['--highscore'], [539, 538])])
  def test_two_best_of_the_paper(self, tmp_path, flags, taken):
    # The best that start a game, or, to the letter, the best of all.
    for number in (407, 457, 538, 539):
      trial = Trial(tmp_path / 'source', 'seaquest', *blank(9), number)
    trial.write_meta(*[
        f'{game},{number},R,{load},{score},9,450,1,1,1,1%,FALSE,20'
        for game, number, load, score in (
            ('seaquest', 407, 0, 62580), ('seaquest', 457, 0, 64710),
            ('seaquest_highscore', 538, 248, 514200),
            ('seaquest_highscore', 539, 538, 585570))])
    code, out = run(trial, *flags, number=None)
    assert code == 0 and self.attrs(out)[0] == taken
    assert self.attrs(out)[2] == [not flags] * 2

  def test_whole_chain(self, chain):
    _, out = run(chain, '--chain', 22, number=None)
    trials, attrs, starts = self.attrs(out)
    assert trials == [6, 21, 22]
    assert starts == [True, False, False]
    assert attrs['expert_score'] == 220

  def test_chain_is_in_one_split(self, chain):
    # Every fifth of the ten games by number: 1 and 6, and what continues 6.
    flags = ['--highscore', '--best', 50, '--overwrite']
    _, out = run(chain, *flags, '--split', 'test', number=None)
    assert set(self.attrs(out)[0]) == {1, 6, 21, 22}
    _, out = run(chain, *flags, '--split', 'train', number=None)
    assert set(self.attrs(out)[0]) == {2, 3, 4, 5, 7, 8, 9, 10}

  def test_split_refuses_what_is_in_the_other(self, chain, capsys):
    refused(capsys, chain, '--split train: does not have trial 21',
            number=21, flags=['--split', 'train'])

  def test_unknown_chain(self, chain, capsys):
    refused(capsys, chain, '--chain 77', 'no such trial', number=None,
            flags=['--chain', 77])

  def test_chain_that_goes_round(self, chain):
    chain.write_meta(*[
        f'seaquest,{a},R,{b},10,9,450,1,1,1,1%,FALSE,20'
        for a, b in ((1, 2), (2, 1))])
    code, out = run(chain, '--chain', 2, number=None)
    assert code == 0 and self.attrs(out)[0] == [1, 2]


class TestList:

  def test_of_the_real_meta_data(self, capsys):
    meta = REAL / 'meta_data.csv'
    if not meta.exists():
      pytest.skip('the real meta_data.csv is not beside the project')
    total = 0
    for game in files.GAMES:
      code = exit_code(demos.main, [
          'atari_head', '--source', str(REAL), '--game', game, '--list'])
      assert code == 0
      lines = capsys.readouterr().out.splitlines()
      total += len(lines) - 1
      if game == 'seaquest':
        assert lines[1].split() == [
            '539', 'R', '585,570', '8,316', '1', 'no', *lines[1].split()[6:]]
        row, = [x.split() for x in lines if x.split()[0] == '54']
        assert row[2:6] == ['53,140', '17,200', '1', 'yes']
        assert row[7] == 'yes'
    assert total == 471

  def test_needs_meta_data_alone(self, tmp_path, capsys):
    (tmp_path / 'meta_data.csv').write_text(
        META + '\nalien,5, R,0,1000,17000,1,1,1,1,1%,TRUE,20\n')
    assert run_list(tmp_path) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[1].split() == [
        '5', 'R', '1,000', '17,000', '1', 'yes', 'test', 'no']
    assert run_list(tmp_path, 'seaquest') == 2
    assert 'has no trials of the game' in capsys.readouterr().err
    (tmp_path / 'meta_data.csv').unlink()
    assert run_list(tmp_path) == 2
    assert 'no meta_data.csv' in capsys.readouterr().err


def run_list(folder, game='alien'):
  return exit_code(demos.main,
      ['atari_head', '--source', str(folder), '--game', game, '--list'])
