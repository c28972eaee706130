"""Saves are whole or not there, and what is not whole is found."""

import hashlib
import pathlib
import pickle
import shutil
import subprocess

import elements
import pytest

from dreamer_gail_plugin.running import saves
from helpers.refusals import refused


def save(directory, value=1, step=None):
  """Write a save that holds a value; return its folder."""
  name = saves.write(directory, {'agent': lambda: value}, step)
  return pathlib.Path(directory) / name


def value(folder):
  return pickle.loads((folder / 'agent.pkl').read_bytes())


def old(directory, name='20250101T000000F000000'):
  """Write a save as upstream and versions of before do; return its folder."""
  folder = directory / name
  elements.checkpoint.save(folder, {'agent': lambda: 1})
  (directory / 'latest').write_text(name)
  return folder


class Clock(saves.datetime.datetime):
  """A clock that stands still, to be put into the module."""

  @classmethod
  def now(cls):
    return cls(2026, 1, 1)


class TestWrite:

  def test_upstream_can_read_it(self, tmp_path):
    folder = save(tmp_path, 5, step=40)
    store = elements.Checkpoint(tmp_path)
    assert store.latest() == elements.Path(folder) and store.exists()
    loaded = []
    elements.checkpoint.load(folder, {'agent': loaded.append})
    assert loaded == [5] and folder.name.endswith('-000000000040')

  def test_checksums_are_those_of_sha256sum(self, tmp_path):
    folder = save(tmp_path)
    digest = hashlib.sha256((folder / 'agent.pkl').read_bytes()).hexdigest()
    assert (folder / 'done').read_text() == f'{digest}  agent.pkl\n'
    if shutil.which('sha256sum'):
      subprocess.run(
          ['sha256sum', '--check', '--quiet', 'done'], cwd=folder, check=True)

  def test_nothing_is_left_of_a_failure(self, tmp_path):
    def full():
      raise OSError(28, 'No space left on device')
    good = save(tmp_path)
    with pytest.raises(OSError):
      saves.write(tmp_path, {'agent': lambda: 2, 'replay': full})
    assert sorted(tmp_path.iterdir()) == [good, tmp_path / 'latest']
    assert (tmp_path / 'latest').read_text() == good.name

  @pytest.mark.parametrize('number', range(12))
  def test_killed_at_any_moment(self, tmp_path, monkeypatch, number):
    # A kill runs nothing of ours any more: neither handlers nor clean-up.
    first, count = save(tmp_path, 1), []
    monkeypatch.setattr(shutil, 'rmtree', lambda *args, **kwargs: None)
    def moment(function):
      def wrapper(*args, **kwargs):
        count.append(1)
        if len(count) > number:
          raise SystemExit
        return function(*args, **kwargs)
      return wrapper
    for module, name in (
        (saves.elements.checkpoint, 'save'), (saves.os, 'fsync'),
        (saves.os, 'replace'), (pathlib.Path, 'rename'),
        (pathlib.Path, 'write_text')):
      monkeypatch.setattr(module, name, moment(getattr(module, name)))
    try:
      second = save(tmp_path, 2)
    except SystemExit:
      second = None
    monkeypatch.undo()
    found, wrong = saves.newest(tmp_path)
    assert not wrong
    assert value(found) == 2 or (not second and found == first)
    assert value(save(tmp_path, 3)) == 3
    assert not list(tmp_path.glob('.*.part'))

  def test_the_disk_has_all_before_it_is_latest(self, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        saves.atomic, 'sync', lambda path: synced.append(path.name))
    name = save(tmp_path).name
    part = f'.{name}.part'
    assert synced[:4] == ['agent.pkl', 'done', part, tmp_path.name]
    assert synced[4].startswith('.latest')


class TestNames:

  def test_sort_in_order_whatever_the_clock_says(self, tmp_path, monkeypatch):
    names = [save(tmp_path, x, step=x).name for x in (100, 200)]
    monkeypatch.setattr(saves.datetime, 'datetime', Clock)
    for step in (300, 10):
      names.append(save(tmp_path, step, step).name)
      saves.clean(tmp_path, 2)
      assert (tmp_path / names[-1]).is_dir()
    assert names == sorted(names)
    assert [x.name for x in saves.folders(tmp_path)] == names[-2:]

  def test_folders_of_others_do_not_count(self, tmp_path):
    save(tmp_path)
    for name in ('2nd', 'mine', '20260101', '99991231T235959F999999.bak'):
      (tmp_path / name).mkdir()
    assert len(saves.folders(tmp_path)) == 1
    saves.clean(tmp_path, 1)
    assert (tmp_path / 'mine').is_dir() and (tmp_path / '2nd').is_dir()


class TestNewest:

  def test_of_none(self, tmp_path):
    assert saves.newest(tmp_path / 'nothing') == (None, {})
    assert saves.choose(tmp_path) == (None, {})

  @pytest.mark.parametrize('text', ['', '20250101T000000F000000'])
  def test_latest_names_none(self, tmp_path, text, capsys):
    folder = save(tmp_path)
    (tmp_path / 'latest').write_text(text)
    assert saves.choose(tmp_path)[0] == folder
    output = capsys.readouterr().out
    assert 'latest names no save' in output and folder.name in output

  def test_latest_is_obeyed(self, tmp_path):
    first, _ = save(tmp_path), save(tmp_path)
    (tmp_path / 'latest').write_text(first.name)
    assert saves.newest(tmp_path) == (first, {})

  DAMAGE = {
      'lacks agent.pkl': lambda x: (x / 'agent.pkl').unlink(),
      "has no file 'done'": lambda x: (x / 'done').unlink(),
      'agent.pkl is not as it was written':
          lambda x: (x / 'agent.pkl').write_bytes(b''),
  }

  @pytest.mark.parametrize('text', DAMAGE)
  def test_damaged(self, tmp_path, text, capsys):
    good, bad = save(tmp_path, 1), save(tmp_path, 2)
    self.DAMAGE[text](bad)
    assert saves.choose(tmp_path) == (good, {bad.name: text})
    output = capsys.readouterr().out.replace('\n', ' ')
    assert f'{bad.name} {text}' in output and good.name in output

  def test_one_bit(self, tmp_path):
    folder = saves.write(tmp_path, {'agent': lambda: bytes(1000)})
    path = tmp_path / folder / 'agent.pkl'
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    assert 'not as it was written' in saves.problem(path.parent)

  def test_none_is_whole(self, tmp_path):
    folder = save(tmp_path)
    (folder / 'agent.pkl').unlink()
    with refused(str(tmp_path), folder.name, 'lacks agent.pkl', '--logdir'):
      saves.choose(tmp_path)

  def test_first_save_of_old_was_killed(self, tmp_path):
    (old(tmp_path) / 'done').unlink()
    (tmp_path / 'latest').unlink()
    assert saves.choose(tmp_path)[0] is None

  def test_saves_of_before(self, tmp_path):
    folder = old(tmp_path)
    assert saves.newest(tmp_path) == (folder, {})
    for cut in (-1, 0):
      data = (folder / 'agent.pkl').read_bytes()
      (folder / 'agent.pkl').write_bytes(data[:cut])
      assert saves.problem(folder) == 'agent.pkl is cut off'


class TestClean:

  def test_keeps_the_last(self, tmp_path):
    made = [save(tmp_path) for _ in range(4)]
    saves.clean(tmp_path, None)
    assert saves.folders(tmp_path) == made
    saves.clean(tmp_path, 2)
    assert saves.folders(tmp_path) == made[2:]

  def test_never_what_latest_names(self, tmp_path):
    first, _, last = [save(tmp_path) for _ in range(3)]
    (tmp_path / 'latest').write_text(first.name)
    saves.clean(tmp_path, 1)
    assert saves.folders(tmp_path) == [first, last]

  def test_damaged_ones_do_not_count(self, tmp_path):
    good, bad, last = [save(tmp_path) for _ in range(3)]
    saves.clean(tmp_path, 2, {bad.name})
    assert saves.folders(tmp_path) == [good, last]
