"""Scores: read from a run's log, averaged, listed."""

import json
import shlex
import shutil

import elements
import numpy as np
import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import scores
from helpers import dummies

ROWS = [(100, 1.0), (9_000, 2.0), (10_100, 4.0), (19_000, 6.0)]


def lines(rows):
  return ''.join(
      json.dumps({'step': s, 'episode/score': x}) + '\n' for s, x in rows)


@pytest.fixture
def logdir(tmp_path):
  """The logdir of a finished run, as upstream leaves it."""
  (tmp_path / 'scores.jsonl').write_text(lines(ROWS))
  config = elements.Config(
      logdir=str(tmp_path), task='dummy_five', seed=3, random_agent=False,
      agent={'gail': {'reward': 'gail'}})
  config.save(elements.Path(tmp_path) / 'config.yaml')
  return tmp_path


class TestRead:

  def test_values(self, logdir):
    steps, values = scores.read(logdir)
    assert steps.tolist() == [x for x, _ in ROWS]
    assert values.tolist() == [x for _, x in ROWS]

  def test_empty(self, logdir):
    (logdir / 'scores.jsonl').write_text('')
    steps, values = scores.read(logdir)
    assert steps.shape == values.shape == (0,)

  def test_what_was_done_twice_counts_once(self, logdir):
    # Saved at 9,500, killed after 19,000, resumed.
    again = [(9_600, 7.0), (9_900, 8.0)]
    (logdir / 'scores.jsonl').write_text(lines([*ROWS, *again]))
    steps, values = scores.read(logdir)
    assert list(zip(steps, values)) == [*ROWS[:2], *again]
    assert scores.window(logdir, 1_000)['mean'] == (2 + 7 + 8) / 3

  def test_missing(self, tmp_path):
    with pytest.raises(UserError, match='scores.jsonl: not found'):
      scores.read(tmp_path)

  @pytest.mark.parametrize('line', [
      '{"step": 12}', '[1, 2]', '7', '{"step": 12, "episode/score": "x"}'])
  def test_edited_line(self, logdir, line):
    text = lines(ROWS[:2]) + line + '\n' + lines(ROWS[2:])
    (logdir / 'scores.jsonl').write_text(text)
    with pytest.raises(UserError, match='scores.jsonl: line 3 has no step'):
      scores.read(logdir)

  @pytest.mark.parametrize('line', [
      '{"step": 12, "episode/sco', '{"step": 12, "episode/score": 3', '',
      '\x00' * 50, '\udcff', '[' * 100_000])
  @pytest.mark.parametrize('last', [True, False])
  def test_torn_line(self, logdir, line, last, capsys):
    more = [] if last else ROWS[2:]
    text = lines(ROWS[:2]) + line + '\n' * (not last) + lines(more)
    (logdir / 'scores.jsonl').write_text(text, errors='surrogateescape')
    steps, _ = scores.read(logdir)
    assert steps.tolist() == [x for x, _ in [*ROWS[:2], *more]]
    said = capsys.readouterr().err
    if line or not last:
      assert f'1 of {3 + len(more)} lines, the first is line 3\n' in said
    scores.row(logdir, 10)
    assert capsys.readouterr().err == said  # Once.


class TestWindow:

  def test_last_steps(self, logdir):
    # Steps 9,001 to 19,000.
    assert scores.window(logdir) == {'mean': 5, 'sd': 1, 'episodes': 2}
    assert scores.window(logdir, 1) == {'mean': 6, 'sd': 0, 'episodes': 1}
    assert scores.window(logdir, 10_001)['episodes'] == 3
    assert scores.window(logdir, 1e9)['mean'] == 13 / 4

  def test_no_episodes(self, logdir):
    (logdir / 'scores.jsonl').write_text('')
    result = scores.window(logdir)
    assert np.isnan(result['mean']) and result['episodes'] == 0


class TestPlayRandom:

  def test_whole_episodes(self):
    # Episodes of five steps with the rewards 0 to 4.
    play = lambda **kw: scores.play_random(dummies.make_env, **kw)
    assert play(episodes=3) == {'mean': 10, 'sd': 0, 'episodes': 3}
    assert play(steps=12)['episodes'] == 2
    assert play(steps=1)['episodes'] == 1

  def test_is_repeatable(self):
    class Env(dummies.Dummy):
      def step(self, action):
        return {**super().step(action), 'reward': np.float32(action['action'])}
    results = [scores.play_random(Env, episodes=20) for _ in range(2)]
    assert results[0] == results[1] and results[0]['sd'] > 0


class TestTable:

  def test_rows(self, logdir):
    row = scores.row(logdir, 1)
    assert row == {
        'task': 'dummy_five', 'method': 'gail', 'seed': 3, 'steps': 19_000,
        'last': 1, 'mean': 6, 'sd': 0, 'episodes': 1, 'logdir': logdir.name}
    head, rule, line = scores.table([row]).split('\n')
    assert head.split() == [
        'task', 'method', 'seed', 'steps', 'score', 'and', 'run']
    assert line.split() == [
        'dummy_five', 'gail', '3', '19,000', '6.00', '(sd', '0.00,', '1',
        'episodes)', logdir.name]

  def test_random_agent(self, logdir):
    path = elements.Path(logdir) / 'config.yaml'
    elements.Config.load(path).update(random_agent=True).save(path)
    assert scores.row(logdir, 1)['method'] == 'random'

  def test_not_a_run(self, tmp_path):
    with pytest.raises(UserError, match='config.yaml: not found'):
      scores.row(tmp_path, 1)

  def test_file_without_scores_is_json(self, logdir, tmp_path):
    (logdir / 'scores.jsonl').write_text('')
    out = tmp_path / 'scores.json'
    scores.main([str(logdir), '--out', str(out)])
    row, = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert row['mean'] is row['sd'] is None and row['episodes'] == 0

  def test_folders_of_one_name(self, logdir, tmp_path, capsys):
    for name in 'ab':
      shutil.copytree(logdir, tmp_path / name / 'log')
    scores.main([str(tmp_path / x / 'log') for x in 'ab'])
    lines = capsys.readouterr().out.splitlines()
    assert [x.split()[-1] for x in lines[2:]] == ['a/log', 'b/log']

  def test_no_folder_for_the_file(self, logdir, tmp_path):
    with pytest.raises(UserError, match='there is no folder'):
      scores.main([str(logdir), '--out', str(tmp_path / 'none' / 'x.json')])

  def test_command(self, logdir, capsys):
    out = logdir / 'table.json'
    scores.main([str(logdir), str(logdir), '--last', '1', '--out', str(out)])
    assert capsys.readouterr().out.count('dummy_five') == 2
    assert json.loads(out.read_text()) == [scores.row(logdir, 1)] * 2
    assert not list(logdir.glob('*.part'))

  def test_a_run_without_a_game_yet(self, logdir, capsys):
    new = logdir / 'new'
    new.mkdir()
    shutil.copy(logdir / 'config.yaml', new)
    scores.main([str(logdir), str(new), '--out', str(logdir / 'x.json')])
    *_, first, second = capsys.readouterr().out.splitlines()
    assert '5.00  (sd 1.00, 2 episodes)' in first
    assert 'no episode has ended yet  ' in second
    rows = json.loads((logdir / 'x.json').read_text())
    assert (rows[1]['mean'], rows[1]['steps']) == (None, 0)

  def test_d_s_share(self, logdir, tmp_path, capsys):
    twin = tmp_path / 'log-constant'
    twin.mkdir()
    (twin / 'scores.jsonl').write_text(lines([(100, 1.5)]))
    text = (logdir / 'config.yaml').read_text()
    (twin / 'config.yaml').write_text(
        text.replace('reward: gail', 'reward: constant'))
    scores.main([str(logdir), str(twin), '--last', '1000'])
    said = "D's share of gail is +4.50 beside its twin constant (1.50)"
    assert f'dummy_five: {said}' in capsys.readouterr().out


class TestSummary:

  def summary(self, logdir, expert):
    config = elements.Config.load(elements.Path(logdir) / 'config.yaml')
    return scores.summary(config, expert, dummies.make_env)

  def marks(self, text):
    names = ('random policy', 'this run', 'expert')
    return {
        name: float(line.split(name)[1].split()[0])
        for line in text.split('\n') for name in names
        if line.startswith(f'  {name} ')}

  def test_beside_random_and_expert(self, logdir):
    text = self.summary(logdir, {'score': 12.5})
    assert self.marks(text) == {
        'random policy': 10, 'this run': 5, 'expert': 12.5}
    assert 'dummy_five' in text and str(logdir) in text

  def test_home(self, logdir, monkeypatch):
    # The default of --logdir starts with the user's home.
    monkeypatch.setenv('HOME', str(logdir.parent))
    assert scores.row(f'~/{logdir.name}', 1) == scores.row(logdir, 1)

  def test_no_expert(self, logdir):
    assert self.marks(self.summary(logdir, None)) == {
        'random policy': 10, 'this run': 5}

  @pytest.mark.parametrize('text', [None, '', '{"step": 3, "epi'])
  def test_no_scores_are_no_error(self, logdir, text):
    # A short run ends no episode, a logger may write no file, and a killed
    # run may have cut a line; none of these may spoil the end of a run.
    (logdir / 'scores.jsonl').unlink()
    if text is not None:
      (logdir / 'scores.jsonl').write_text(text)
    text = self.summary(logdir, None)
    assert '  random policy     10.00  ' in text
    assert '  this run       no episode has ended yet\n' in text


def test_the_viewer_gets_a_whole_path(tmp_path, monkeypatch):
  (tmp_path / 'my runs').mkdir()
  monkeypatch.chdir(tmp_path / 'my runs')
  words = shlex.split(scores.curves('log'))
  assert words[-2:] == ['curves', str(tmp_path / 'my runs')]
