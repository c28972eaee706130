"""The notebook of docs/ runs, and is committed without what it printed."""

import os
import pathlib

import pytest

nbformat = pytest.importorskip('nbformat', reason='of the group docs')
nbclient = pytest.importorskip('nbclient', reason='of the group docs')

ROOT = pathlib.Path(__file__).parent.parent
PATH = ROOT / 'docs' / 'first_hour.ipynb'
SMALL = """
BLOCKS = ['minatar', 'tiny', 'gail', 'debug']
STEPS, GAMES = 250, 2
LOGDIR = pathlib.Path('logdir')
"""


def read():
  """Return the notebook and its cell of parameters."""
  book = nbformat.read(PATH, 4)
  [cell] = [
      x for x in book.cells if 'parameters' in x.metadata.get('tags', ())]
  return book, cell


def test_has_no_outputs():
  book, _ = read()
  code = [x for x in book.cells if x.cell_type == 'code']
  assert len(code) > 4 and PATH.stat().st_size < 20_000
  assert not [x for x in code if x.outputs or x.execution_count]


@pytest.mark.slow
def test_runs(tmp_path, monkeypatch):
  monkeypatch.setenv('PYTHONPATH', os.pathsep.join([
      str(ROOT), os.environ.get('PYTHONPATH', '')]))
  book, cell = read()
  cell.source += SMALL
  nbclient.NotebookClient(
      book, timeout=300, kernel_name='python3',
      resources={'metadata': {'path': str(tmp_path)}}).execute()
  shown = [y for x in book.cells for y in x.get('outputs', ())]
  assert not [x for x in shown if x.output_type == 'error']
  assert [x for x in shown if 'image/gif' in x.get('data', {})]
  assert 'this run' in ''.join(x.get('text', '') for x in shown)
  assert list(tmp_path.glob('logdir/eval/*_sampled.json'))
