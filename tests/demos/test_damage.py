"""The table of `demos check` against damages is that of the docs."""

import pathlib

import pytest

from helpers import damage

PAGE = pathlib.Path(__file__).parents[2] / 'docs/demonstrations.md'
CHEAP = ('CartPole',)


def cells():
  """Return {source: {damage: cell}} of the table in the docs."""
  rows = [
      [x.strip() for x in line.strip('|').split('|')]
      for line in PAGE.read_text().splitlines() if line.startswith('| ')]
  head = next(i for i, x in enumerate(rows) if x[0] == 'damage')
  table = rows[head:head + len(damage.DAMAGES) + 2]
  return {
      name: {x[0]: x[i] for x in table[1:]}
      for i, name in enumerate(table[0]) if i}


TABLE = cells()
PATIENTS = {}


def patient(name, tmp_path_factory):
  """Return the Patient of a source, made once."""
  if name == 'Seaquest trial' and not damage.TRIALS.exists():
    pytest.skip('the real trial is not beside the project')
  if name not in PATIENTS:
    PATIENTS[name] = damage.Patient(name, tmp_path_factory.mktemp('damage'))
  return PATIENTS[name]


def test_the_table_is_whole():
  assert list(TABLE) == list(damage.SOURCES)
  assert len(damage.DAMAGES) == 18
  for column in TABLE.values():
    assert list(column) == ['none', *damage.DAMAGES]


@pytest.mark.parametrize('name, kind', [
    pytest.param(
        name, kind, marks=[] if name in CHEAP else pytest.mark.slow)
    for name in damage.SOURCES for kind in (None, *damage.DAMAGES)])
def test_cell(name, kind, tmp_path_factory):
  found = patient(name, tmp_path_factory).cell(kind)
  assert found == TABLE[name][kind or 'none']
