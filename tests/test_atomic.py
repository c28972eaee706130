"""Files that are whole, or as they were."""

import json

import pytest

from dreamer_gail_plugin import atomic
from dreamer_gail_plugin.errors import UserError


class TestWrite:

  def test_takes_the_name_at_the_end(self, tmp_path):
    path = tmp_path / 'x.txt'
    with atomic.write(path) as part:
      part.write_text('new')
      assert not path.exists()
    assert path.read_text() == 'new'
    assert list(tmp_path.iterdir()) == [path]

  def test_a_failure_leaves_what_was_there(self, tmp_path):
    path = tmp_path / 'x.txt'
    path.write_text('old')
    with pytest.raises(ZeroDivisionError), atomic.write(path) as part:
      part.write_text('half')
      part.write_text(str(1 / 0))
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


class TestWriteJson:

  def test_makes_the_folder(self, tmp_path):
    path = tmp_path / 'new' / 'x.json'
    atomic.write_json(path, {'a': [1, None]})
    assert json.loads(path.read_text()) == {'a': [1, None]}

  def test_cannot_be_written(self, tmp_path):
    (tmp_path / 'file').touch()
    path = tmp_path / 'file' / 'x.json'
    with pytest.raises(UserError, match='x.json: cannot be written'):
      atomic.write_json(path, {})

  def test_numbers_that_json_lacks(self, tmp_path):
    with pytest.raises(ValueError):
      atomic.write_json(tmp_path / 'x.json', float('nan'))
    assert not list(tmp_path.iterdir())
