"""The reference that is made of docstrings."""

import importlib.util
import pathlib

import pytest

pytest.importorskip('pdoc', reason='of the group docs')

SCRIPT = pathlib.Path(__file__).parent.parent / 'docs' / 'api.py'


def test_builds_without_warnings(tmp_path):
  spec = importlib.util.spec_from_file_location('api', SCRIPT)
  api = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(api)
  api.main(tmp_path)
  pages = {
      x.relative_to(tmp_path).with_suffix('').as_posix().replace('/', '.'):
      x.read_text() for x in tmp_path.rglob('*.html')}
  assert pages.keys() == {'index', 'dreamer_gail_plugin', *(
      f'dreamer_gail_plugin.{x}' for x in api.MODULES)}
  for name in api.package.__all__:
    assert f'id="{name}"' in pages['dreamer_gail_plugin'], name
  for name, page in pages.items():
    if name != 'index':
      assert 'id="_' not in page.replace('id="__init__', ''), name
