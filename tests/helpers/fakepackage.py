"""An installed package with entry points, without installing one."""

import sys


def install(folder, monkeypatch, code, group, points):
  """Put package `mypackage` 1.2 on the path, with a module for each point.

  `points` is {name: module}; `code` is that of every module.
  """
  info = folder / 'site' / 'mypackage-1.2.dist-info'
  info.mkdir(parents=True)
  for module in points.values():
    (info.parent / f'{module}.py').write_text(code)
    # Set first, so that it is gone again after the test.
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, module)
  (info / 'METADATA').write_text('Name: mypackage\nVersion: 1.2\n')
  lines = [f'[{group}]', *(f'{k} = {v}' for k, v in points.items())]
  (info / 'entry_points.txt').write_text('\n'.join(lines))
  monkeypatch.syspath_prepend(info.parent)
