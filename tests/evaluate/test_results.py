"""Files of results, studies, and the way from the one to the other."""

import gzip
import json
import pathlib
import re

import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import results
from dreamer_gail_plugin.experiments import __main__ as experiments
from dreamer_gail_plugin.experiments import pack
from helpers.runresults import BREAKOUT
from helpers.runresults import OTHERS
from helpers.runresults import SEAQUEST
from helpers.runresults import all_results
from helpers.runresults import make

ROOT = pathlib.Path(__file__).parents[2]
STUDIES = sorted((ROOT / 'scores').glob(f'*{results.SUFFIX}'))


@pytest.fixture
def place(tmp_path, monkeypatch):
  """Go to a folder with the results in `results`; return it."""
  for x in all_results():
    results.save(
        tmp_path / 'results' / f'{x["task"]}-{x["method"]}-{x["seed"]}.json',
        x)
  monkeypatch.chdir(tmp_path)
  return tmp_path


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

  @pytest.mark.parametrize('text', ['{', '[]', '{"format": 1}', '3'])
  def test_damaged(self, place, text):
    (place / 'results' / 'x.json').write_text(text)
    with pytest.raises(UserError, match='x.json'):
      results.load('results')

  def test_no_files(self, tmp_path):
    with pytest.raises(UserError, match='experiments run'):
      results.load(str(tmp_path))


class TestStudy:

  def test_packed_and_read(self, place, capsys):
    assert experiments.main(['pack', 'mine', 'results']) == 0
    assert capsys.readouterr().out == (
        'scores/mine.jsonl.gz: 9 runs added, 0 replaced\n')
    for name in ('mine', 'scores/mine.jsonl.gz', 'results'):
      experiments.main(['table', name])
      assert '| env    | 6.00 (2.83) | 9.00        |' in (
          capsys.readouterr().out)

  def test_what_a_line_has(self, place):
    experiments.main(['pack', 'mine', 'results'])
    first, *others = results.load('mine')
    # Methods and tasks are in the order of tables.
    assert [x['method'] for x in others] == (
        ['random'] + 3 * ['env'] + 4 * ['gail'])
    assert first['flags'] == ['--seed', '0', '--more', '1']
    assert 'config' not in first and 'setting' not in first
    assert first['expert'] == 30.266667
    assert first['evaluations'] == {'sampled': {
        'step': 9, 'scores': [1, 3], 'summary': {
            'episodes': 2, 'mean': 2, 'sd': 1, 'length_mean': 0.333333,
            'random_mean': 1.5}}}
    assert others[-1]['training']['scores'] == [4.5, 9]

  def test_same_runs_same_bytes(self, place):
    path = place / 'scores' / 'mine.jsonl.gz'
    experiments.main(['pack', 'mine', 'results'])
    before = path.read_bytes()
    experiments.main(['pack', 'mine', 'results'])
    assert path.read_bytes() == before
    assert [x.name for x in path.parent.iterdir()] == [path.name]

  def test_more_runs_and_other_settings(self, place):
    path = place / 'x.jsonl.gz'
    assert pack.pack(path, all_results()) == (9, 0)
    assert pack.pack(path, [
        make('gail', BREAKOUT, 1, 3), make('gail', BREAKOUT, 2, 4)]) == (1, 1)
    assert pack.pack(path, [make('gail', SEAQUEST, 0, 5)], 'z') == (1, 0)
    assert pack.pack(path, [make('env', SEAQUEST, 0, 5)], 'a') == (1, 0)
    found = results.load(str(path))
    gail = [
        x['evaluations']['sampled']['summary']['mean'] for x in found
        if (x['method'], x['task']) == ('gail', BREAKOUT)]
    assert gail == [12, 3, 4]
    # Settings in the order in which they came.
    assert [x.get('setting', '') for x in found] == 10 * [''] + ['z', 'a']

  @pytest.mark.parametrize('data', [
      b'', b'no gzip', gzip.compress(b'{"format": 1}\n'),
      gzip.compress(b'\xff\n'), gzip.compress(b'{}\n')[:-4]],
      ids=['empty', 'no gzip', 'no run', 'no text', 'cut'])
  def test_damaged(self, tmp_path, data):
    path = tmp_path / 'x.jsonl.gz'
    path.write_bytes(data)
    with pytest.raises(UserError, match='x.jsonl.gz'):
      results.load(str(path))


class TestCommitted:

  def test_small(self):
    assert len(STUDIES) > 5
    assert sum(x.stat().st_size for x in STUDIES) < 1e6

  @pytest.mark.parametrize(
      'path', [
          x for x in STUDIES
          if x.name.partition('.')[0] not in OTHERS],
      ids=lambda x: x.name.partition('.')[0])
  def test_can_be_repeated(self, path, capsys):
    for run in results.load(str(path)):
      assert run['commits'] and run['flags'] and run['versions']
      assert run['machine']['cpu']
      for x in run['evaluations'].values():
        scores = x['scores']  # Some of CartPole have means alone.
        assert len(scores) in (0, x['summary']['episodes'])
        if scores:
          assert x['summary']['mean'] == pytest.approx(
              sum(scores) / len(scores), abs=1e-5)
    assert experiments.main(['table', str(path)]) == 0
    assert capsys.readouterr().out.count('\n|') > 2

  def test_pages_have_what_the_commands_print(self, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    experiments.main(['table', 'minatar'])
    table = capsys.readouterr().out.split('\n\n')[0]
    assert table in (ROOT / 'docs' / 'results.md').read_text()

  def test_studies_that_pages_name(self):
    named = set()
    for page in [ROOT / 'README.md', *(ROOT / 'docs').glob('*.md')]:
      named |= set(re.findall(
          r'(?:experiments |`)(?:table|plot) (\w+)[ `\n]', page.read_text()))
    studies = {x.name.partition('.')[0] for x in STUDIES}
    assert len(named) > 5 and named - studies == {'STUDY'}
