"""A column of Scope's log is whole after a kill, and on a full disk."""

import inspect
import pathlib
import struct

import elements
import numpy as np
import pytest
import scope
from scope import formats

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.patches import scope_rows

IMAGE = np.zeros((4, 4, 3), np.uint8)


def add(logdir, step, *keys):
  """Write values of some kinds, as a start of a run does."""
  writer = scope.Writer(logdir, workers=0)
  values = {'score': 1.5, 'text': 'x', 'image': IMAGE}
  writer.add(step, {k: values[k] for k in keys})
  writer.flush()


def steps(logdir, key):
  return np.asarray(scope.Reader(logdir)[key][0]).tolist()


def test_release_cannot_read_what_comes_after_half_a_row(
    tmp_path, monkeypatch):
  monkeypatch.setattr(
      formats, 'table_append', inspect.unwrap(formats.table_append))
  assert scope_rows.needed()
  add(tmp_path, 1, 'score')
  with (tmp_path / 'scope' / 'score.float').open('ab') as file:
    file.write(b'half')
  add(tmp_path, 2, 'score')
  with pytest.raises(struct.error):
    steps(tmp_path, 'score')


@pytest.mark.parametrize('kind', [pathlib.Path, elements.Path])
def test_half_a_row_is_cut_off(tmp_path, kind):
  assert not scope_rows.needed()
  add(kind(tmp_path), 1, 'score', 'image')
  for name in ('score.float', 'image.png/index'):
    with (tmp_path / 'scope' / name).open('ab') as file:
      file.write(b'half')
  add(kind(tmp_path), 2, 'score', 'image')
  assert steps(tmp_path, 'score') == steps(tmp_path, 'image') == [1, 2]


class Full:
  """A file of which the disk takes half, and then no more."""

  def __init__(self, file):
    self.file = file

  def __enter__(self):
    return self

  def __exit__(self, *args):
    self.file.close()

  def write(self, data):
    self.file.write(data[:len(data) // 2])
    self.file.flush()
    raise OSError(28, 'No space left on device')


def full(path, mode='r', *, opened=pathlib.Path.open):
  """Open a file on a disk that is full."""
  file = opened(path, mode)
  return file if 'r' in mode else Full(file)


def test_full_disk(tmp_path, monkeypatch, capsys):
  keys = ('score', 'text', 'image')
  add(tmp_path, 1, *keys)
  with monkeypatch.context() as patch:
    patch.setattr(pathlib.Path, 'open', full)
    add(tmp_path, 2, *keys)
  assert capsys.readouterr().out.count('are lost: No space left') == 3
  add(tmp_path, 3, *keys)
  for key in keys:
    assert steps(tmp_path, key) == [1, 3]
  assert len(list((tmp_path / 'scope' / 'image.png').iterdir())) == 3


def test_no_error_of_an_output_ends_a_run(tmp_path, monkeypatch, capsys):
  logger = build.make_logger(configs.load_config([
      '--configs', 'minatar', 'debug', '--logdir', str(tmp_path)]))
  def fail(*args):
    raise OSError(28, 'No space left on device')
  monkeypatch.setattr(scope.Writer, 'flush', fail)
  for value in (1, 2, 3):
    logger.add({'score': value})
    logger.write()
    [x.wait() for x in logger.outputs if hasattr(x, 'wait')]
  monkeypatch.undo()
  logger.close()
  assert 'ScopeOutput has lost metrics: [Errno 28]' in capsys.readouterr().out
  rows = (elements.Path(tmp_path) / 'metrics.jsonl').read().splitlines()
  assert len(rows) == 3
