"""The viewer of curves serves this machine alone, unless it is told to."""

import socket
import sys

import pytest
import uvicorn

from dreamer_gail_plugin.evaluate import curves
from helpers.refusals import refused


@pytest.fixture
def served(monkeypatch):
  """Return what uvicorn is told, a list, instead of serving."""
  told = []
  monkeypatch.setattr(uvicorn, 'run', lambda *args, **kw: told.append(kw))
  monkeypatch.setattr(sys, 'argv', ['none'])
  monkeypatch.setattr(sys, 'path', list(sys.path))
  yield told
  # The viewer has modules of plain names, which others may have, too.
  for name in ('config', 'server', 'filesystems'):
    sys.modules.pop(name, None)


@pytest.mark.parametrize('flags, host', [
    ([], '127.0.0.1'), (['--host', '0.0.0.0'], '0.0.0.0')])
def test_host(served, tmp_path, monkeypatch, capsys, flags, host):
  (tmp_path / 'runs').mkdir()
  monkeypatch.chdir(tmp_path)
  with socket.create_server(('127.0.0.1', 0)) as taken:
    port = taken.getsockname()[1]
  curves.main(['runs', '--port', str(port), *flags])
  [told] = served
  assert (told['host'], told['port']) == (host, port)
  assert f'--basedir {tmp_path / "runs"}' in ' '.join(sys.argv)
  assert f'http://{host}:{port}' in capsys.readouterr().out


def test_mistakes(tmp_path):
  with refused(f'{tmp_path / "none"}: no such folder'):
    curves.parse([str(tmp_path / 'none')])
  with socket.create_server(('127.0.0.1', 0)) as taken:
    port = str(taken.getsockname()[1])
    with refused(f'--port {port}: cannot be used'):
      curves.parse([str(tmp_path), '--port', port])
  for host in ('a' * 300, '\0'):
    with refused('cannot be used'):
      curves.parse([str(tmp_path), '--host', host])
