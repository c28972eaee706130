import os
import pathlib
import re
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent
NAMES = ('configs.yaml', 'expert_data', 'patches')

pytest.importorskip('hatchling', reason='hatchling builds the wheel')


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
  """Return the path of a wheel built from the checkout."""
  missing = [x for x in NAMES if not (ROOT / x).exists()]
  if missing:
    pytest.skip(f'not in this checkout: {missing}')
  folder = tmp_path_factory.mktemp('dist')
  subprocess.run(
      [sys.executable, '-m', 'hatchling', 'build', '-t', 'wheel',
       '-d', str(folder)], cwd=ROOT, check=True, capture_output=True)
  [path] = folder.glob('*.whl')
  return path


class TestWheel:

  def test_no_generic_names_at_the_top(self, wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {x.split('/')[0] for x in names}
    assert tops == {
        'dreamer_gail_plugin', 'dreamer_gail_plugin-0.1.0.dist-info'}
    assert not [x for x in names if x.endswith('.pyc')]

  def test_whole_package(self, wheel):
    tracked = [
        x.relative_to(ROOT).as_posix()
        for x in (ROOT / 'dreamer_gail_plugin').rglob('*.py')]
    assert set(tracked) <= set(zipfile.ZipFile(wheel).namelist())

  def test_licence(self, wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert [x for x in names if x.endswith('/LICENSE')]

  def test_asks_for_no_cuda(self, wheel):
    archive = zipfile.ZipFile(wheel)
    [name] = [x for x in archive.namelist() if x.endswith('/METADATA')]
    wanted = [
        x for x in archive.read(name).decode().splitlines()
        if x.startswith('Requires-Dist: ') and 'extra ==' not in x]
    assert len(wanted) > 20
    assert not [x for x in wanted if re.search('cuda|dreamer|MinAtar', x)]

  def test_finds_its_own_files_outside_the_checkout(self, wheel, tmp_path):
    # A wheel without scripts is installed by unpacking it.
    site, elsewhere = tmp_path / 'site', tmp_path / 'elsewhere'
    zipfile.ZipFile(wheel).extractall(site)
    elsewhere.mkdir()
    code = (
        'import dreamer_gail_plugin\n'
        'from dreamer_gail_plugin import patches, upstream\n'
        f'for name in {NAMES}: print(upstream.resource(name))\n'
        'print(patches.__file__)\n'
        'print(len(upstream.apply()) >= len(patches.ORDER) - 1)\n')
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=elsewhere, text=True,
        env={**os.environ, 'PYTHONPATH': str(site)}, capture_output=True)
    package = site / 'dreamer_gail_plugin'
    want = [*(package / x for x in NAMES), package / 'patches/__init__.py']
    assert done.stdout.split() == [*map(str, want), 'True'], done.stderr
    data = list((ROOT / 'expert_data').glob('*.*'))
    for path in data:
      copy = package / 'expert_data' / path.name
      assert copy.read_bytes() == path.read_bytes()
