"""The program of the report: what it refuses, and what it leaves alone."""

import shutil

import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.report import __main__ as cli
from helpers import reportruns
from helpers.refusals import exit_code

pytest.importorskip('matplotlib', reason='needs the extra `report`')
pytest.importorskip('jinja2', reason='needs the extra `report`')

from dreamer_gail_plugin.report import page  # noqa: E402


class TestCli:

  def fails(self, capsys, *args):
    assert exit_code(cli.main, list(map(str, args))) == 2
    error = capsys.readouterr().err
    assert '\nerror: ' in f'\n{error}' and 'Traceback' not in error
    return error

  def test_missing_path(self, tmp_path, capsys):
    assert 'no such file or folder' in self.fails(
        capsys, tmp_path / 'none', '--out', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()

  def test_file_that_is_no_run(self, tmp_path, capsys):
    (tmp_path / 'x.txt').write_text('')
    assert 'not a score file' in self.fails(
        capsys, tmp_path / 'x.txt', '--out', tmp_path / 'out')

  def test_nothing_to_report(self, tmp_path, capsys):
    (tmp_path / 'run').mkdir()
    assert 'run: the folder holds no logs' in self.fails(
        capsys, tmp_path / 'run', '--out', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()

  def test_foreign_folder(self, tmp_path, capsys):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'index.html').write_text('mine')
    assert 'nothing is overwritten' in self.fails(
        capsys, tmp_path, '--out', out)
    assert (out / 'index.html').read_text() == 'mine'

  def test_missing_parent(self, tmp_path, capsys):
    assert 'create it first' in self.fails(
        capsys, tmp_path, '--out', tmp_path / 'a' / 'b')

  def test_missing_extra(self, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli, 'NEEDS', ('jinja2', 'not_there'))
    error = self.fails(capsys, tmp_path, '--out', tmp_path / 'out')
    assert 'needs not_there' in error and '--extra report' in error

  def test_no_game_has_ended_lately(self, tmp_path, monkeypatch):
    # As with an agent that has learned to survive.
    run = reportruns.save(tmp_path / 'run', steps=30_000, run__steps=6e4)
    shutil.rmtree(run / 'eval', ignore_errors=True)
    scores = (run / 'scores.jsonl').read_text().splitlines(True)
    (run / 'scores.jsonl').write_text(''.join(scores[:100]))
    monkeypatch.setattr(page, '_draw', lambda *args: {})
    assert exit_code(cli.main, [str(run), '--out', str(tmp_path / 'out')]) == 0
    assert (tmp_path / 'out' / 'index.html').exists()

  def test_anew(self, tmp_path, monkeypatch):
    # A second report replaces the first; one that fails leaves it.
    run = reportruns.save(tmp_path / 'run', steps=1000, run__steps=1000)
    monkeypatch.setattr(page, '_draw', lambda *args: {})
    path = cli.report([run], tmp_path / 'out')
    path.write_text(path.read_text() + 'old')
    cli.report([run], tmp_path / 'out')
    first = path.read_text()
    assert 'old' not in first[-5:]
    def broken(*args):
      raise UserError('no')
    monkeypatch.setattr(page, '_draw', broken)
    with pytest.raises(UserError):
      cli.report([run], tmp_path / 'out')
    assert path.read_text() == first
    assert {x.name for x in tmp_path.iterdir()} == {'run', 'out'}
