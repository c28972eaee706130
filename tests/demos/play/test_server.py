"""The server of the recording page, without a browser."""

import base64
import contextlib
import http.client
import io
import json
import signal
import socket as socketlib
import subprocess
import sys
import time

import numpy as np
import PIL.Image
import pytest

from dreamer_gail_plugin.data import hdf5
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as command
from dreamer_gail_plugin.demos import play

for name in play.PACKAGES:
  pytest.importorskip(name, reason=f'{name} belongs to the extra `play`')

from websockets import exceptions  # noqa: E402
from websockets.sync import client  # noqa: E402

from dreamer_gail_plugin.demos.play import server  # noqa: E402
from helpers import playtools  # noqa: E402
from helpers import toyenv  # noqa: E402
from helpers.refusals import exit_code  # noqa: E402

TASK = 'minatar_breakout'
Closed = exceptions.ConnectionClosed


class Tab:
  """What a tab of the browser does."""

  def __init__(self, port, **kwargs):
    self.socket = client.connect(
        f'ws://127.0.0.1:{port}/play', compression=None,
        **{'origin': f'http://127.0.0.1:{port}', **kwargs}).__enter__()
    self.hello = json.loads(self.socket.recv())
    self.state = json.loads(self.socket.recv())

  def send(self, do, **fields):
    """Send a command about the state that is shown; return the new one."""
    place = {k: self.state[k] for k in ('episode', 'step')}
    self.socket.send(json.dumps({'do': do, **place, **fields}))
    self.state = json.loads(self.socket.recv())
    return self.state

  def press(self, *keys):
    """Ask for a step with these keys held; return the new state."""
    return self.send('step', keys=keys)

  def close(self):
    """Close the connection properly."""
    self.socket.close()

  def vanish(self):
    """Lose the connection without a word."""
    self.socket.socket.shutdown(socketlib.SHUT_RDWR)


@pytest.fixture
def served(tmp_path):
  """Serve a game; return (port, session, path of the store)."""
  path = tmp_path / 'a.h5'
  with playtools.serving(TASK, path) as (port, session):
    yield port, session, path


def lengths(path):
  """Return the lengths of the trajectories of a store."""
  with store.Store(path) as file:
    return file.lengths


def get(port, host, path='/'):
  """Return the response to a request with this Host."""
  connection = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
  connection.request('GET', path, headers={'Host': host})
  response = connection.getresponse()
  response.text = response.read().decode()
  connection.close()
  return response


class TestPlay:

  def test_keys_become_actions(self, served):
    port, session, path = served
    tab = Tab(port)
    assert tab.hello['task'] == TASK and tab.hello['idle']
    assert {x['name'] for x in tab.hello['buttons']} == {
        'left', 'right', 'noop'}
    assert tab.press('ArrowLeft')['action'] == 'left'
    assert tab.press('KeyD')['action'] == 'right'
    state = tab.press()
    assert (state['action'], state['step'], state['ended']) == (
        'noop', 3, '')
    assert session.episode.acts == [1, 2, 0]
    state = tab.send('keep')
    assert (state['step'], state['episode']) == (0, 1)
    assert state['kept'] == {'episodes': 1, 'steps': 3, 'score': 0}
    with store.Store(path) as file:
      assert file.read(0)['action'].tolist() == [1, 2, 0]

  def test_shows_the_screen(self, served):
    port, session, _ = served
    tab = Tab(port)
    for _ in range(3):
      data = tab.press('ArrowLeft')['image'].partition('base64,')[2]
      image = np.array(PIL.Image.open(io.BytesIO(base64.b64decode(data))))
      assert (image == session.episode.game.screen()).all()

  def test_until_the_end_and_back(self, served):
    port, session, path = served
    tab = Tab(port)
    while not tab.state['ended']:
      tab.press('ArrowLeft')
    length = tab.state['step']
    assert tab.press('ArrowLeft')['step'] == length
    assert tab.send('undo', count=4)['step'] == length - 4
    assert not tab.state['ended']
    assert tab.send('discard')['step'] == 0
    assert not path.exists() and tab.state['episode'] == 1

  def test_stale_commands_do_nothing(self, served):
    # The second of two clicks, or a tab that missed something.
    port, session, path = served
    tab = Tab(port)
    tab.press()
    old = tab.state
    tab.send('keep')
    new, tab.state = tab.state, old
    for do in ('keep', 'discard', 'undo', 'step'):
      assert tab.send(do) == new
      tab.state = old
    assert lengths(path) == [1] and session.number == 1

  def test_a_failed_save_is_told(self, served, monkeypatch):
    port, session, path = served
    tab = Tab(port)
    tab.press()
    def full(*args):
      raise OSError(28, 'No space left on device')
    with monkeypatch.context() as patch:
      patch.setattr('os.fsync', full)
      state = tab.send('keep')
    assert 'No space left' in state['message'] and state['step'] == 1
    assert state['kept']['episodes'] == 0 and not path.exists()
    state = tab.send('keep')
    assert not state['message'] and lengths(path) == [1]

  @pytest.mark.parametrize('error', [RuntimeError, ValueError, KeyError])
  def test_any_error_of_a_save_is_told(self, served, monkeypatch, error):
    port, session, path = served
    tab = Tab(port)
    tab.press()
    def fail(*args):
      raise error("Can't decrement id ref count")
    with monkeypatch.context() as patch:
      patch.setattr(hdf5, 'reserve', fail)
      assert tab.send('keep')['message'].startswith('Not saved, try again: ')
    assert not tab.send('keep')['message'] and lengths(path) == [1]

  def test_no_undo_is_told(self, served, monkeypatch):
    port, session, _ = served
    tab = Tab(port)
    tab.press()
    monkeypatch.setattr(session, 'undo', lambda count: False)
    assert 'no undo' in tab.send('undo')['message']
    assert not tab.press()['message']


class TestConnections:

  def test_the_last_tab_plays(self, served):
    port, session, path = served
    first = Tab(port)
    first.press()
    first.send('keep')
    first.press('ArrowLeft')
    second = Tab(port)
    assert second.state['step'] == 1 and second.state['kept']['steps'] == 1
    with pytest.raises(Closed) as caught:
      first.press()
    assert caught.value.rcvd.code == server.TAKEN
    assert second.press('ArrowRight')['step'] == 2
    assert session.episode.acts == [1, 2] and lengths(path) == [1]
    third = Tab(port)  # As the button of the first tab does.
    assert third.send('keep')['kept']['steps'] == 3
    assert lengths(path) == [1, 2]

  @pytest.mark.parametrize('end', ('close', 'vanish'))
  def test_a_closed_tab_loses_nothing(self, served, end):
    port, session, path = served
    tab = Tab(port)
    tab.press()
    tab.send('keep')
    tab.press('ArrowLeft')
    getattr(tab, end)()
    assert lengths(path) == [1]
    again = Tab(port)
    assert again.state['step'] == 1 and again.state['kept']['episodes'] == 1
    assert again.press()['step'] == 2

  def test_vanishing_while_it_is_saved(self, served, monkeypatch):
    port, session, path = served
    tab = Tab(port)
    tab.press()
    keep = session.keep
    def slow():
      time.sleep(0.3)
      keep()
    monkeypatch.setattr(session, 'keep', slow)
    tab.socket.send(json.dumps({'do': 'keep', 'episode': 0, 'step': 1}))
    tab.vanish()
    again = Tab(port)
    # Whether it came before or after the save, all is there once.
    deadline = time.time() + 20
    while session.number == 0 and time.time() < deadline:
      time.sleep(0.05)
    assert lengths(path) == [1]
    assert again.send('keep')['kept']['episodes'] == 1

  def test_a_tab_that_does_not_answer(self, served):
    # Handing over must not wait for it.
    port, _, _ = served
    tab = Tab(port)
    tab.socket.recv_messages.pause()
    start = time.time()
    assert Tab(port).press()['step'] == 1
    assert time.time() - start < 5


class TestStrangers:

  def test_host(self, served):
    port, _, _ = served
    for host in (f'127.0.0.1:{port}', f'localhost:{port}', 'localhost'):
      response = get(port, host)
      assert response.status == 200 and '<title>Play' in response.text
      assert "default-src 'none'" in response.headers[
          'Content-Security-Policy']
    for host in ('evil.example', f'evil.example:{port}', '',
                 f'127.0.0.1.evil.example:{port}', f'0.0.0.0:{port}'):
      response = get(port, host)
      assert response.status == 400 and '<title>' not in response.text

  @pytest.mark.parametrize('origin', (
      'http://evil.example', 'null', None, 'https://127.0.0.1:{port}',
      'http://127.0.0.1', 'http://127.0.0.1:1', 'http://localhost:{port}'))
  def test_origin(self, served, origin):
    port, session, _ = served
    origin = origin and origin.format(port=port)
    with pytest.raises(exceptions.InvalidStatus) as caught:
      Tab(port, origin=origin)
    assert caught.value.response.status_code == 403

  def test_rebound_name(self, served):
    # Host and Origin agree, but the name is not ours.
    port, _, _ = served
    with socketlib.create_connection(('127.0.0.1', port)) as socket:
      with pytest.raises(exceptions.InvalidStatus) as caught:
        client.connect(
            f'ws://evil.example:{port}/play', sock=socket,
            origin=f'http://evil.example:{port}')
      assert caught.value.response.status_code == 400

  def test_both_of_our_names(self, served):
    port, _, _ = served
    with socketlib.create_connection(('127.0.0.1', port)) as socket:
      with client.connect(
          f'ws://localhost:{port}/play', sock=socket,
          origin=f'http://localhost:{port}') as connection:
        assert json.loads(connection.recv())['task'] == TASK

  def test_only_this_machine(self, served):
    # Also not by other addresses of it.
    port, _, _ = served
    address = None
    with contextlib.suppress(OSError):
      with socketlib.socket(type=socketlib.SOCK_DGRAM) as socket:
        socket.connect(('192.0.2.1', 9))  # Sends nothing.
        address = socket.getsockname()[0]
    if not address or address.startswith('127.'):
      pytest.skip('no other address')
    with pytest.raises(OSError):
      socketlib.create_connection((address, port), timeout=2)

  @pytest.mark.parametrize('text', (
      '', '{', '3', '[]', '{}', '{"do": "run"}', '{"do": "__init__"}',
      '{"do": "step", "keys": 3}', '{"do": "step", "keys": [3]}',
      '{"do": "undo", "count": 0}', '{"do": "undo", "count": true}',
      '{"do": "undo", "count": 1e99}', '[' * 9000, b'\x00\xff'))
  def test_nonsense_ends_the_connection(self, served, text):
    port, session, path = served
    tab = Tab(port)
    tab.press()
    tab.socket.send(text)
    with pytest.raises(Closed) as caught:
      tab.socket.recv()
    assert caught.value.rcvd.code == server.NONSENSE
    assert Tab(port).press()['step'] == 2

  def test_too_long_a_message(self, served):
    port, _, _ = served
    tab = Tab(port)
    with pytest.raises(Closed):
      tab.socket.send('x' * (server.LONGEST + 1))
      tab.socket.recv()
    assert Tab(port).press()['step'] == 1


class TestCommand:

  def run(self, *flags, task=TASK):
    return exit_code(command.main, ['play', '--task', task, *map(str, flags)])

  @pytest.fixture
  def refused(self, capsys):
    """Run the command; expect exit code 2 and one line of error."""
    def refused(*flags, **kwargs):
      assert self.run(*flags, **kwargs) == 2
      text = capsys.readouterr().err
      assert text.startswith('error: ')
      return text
    return refused

  @pytest.mark.parametrize('flags, words', [
      (['--steps', 0], '--steps 0'),
      (['--port', 70000], '--port 70000'),
      (['--seed', -3], '--seed -3'),
      (['--actions', 'left,right'], 'expected 3 different names'),
      (['--actions', 'a,b,b'], 'expected 3 different names')])
  def test_flags(self, refused, tmp_path, flags, words):
    assert words in refused('--out', tmp_path / 'a.h5', *flags)
    assert not list(tmp_path.iterdir())

  @pytest.mark.parametrize('task, words', [
      ('minatar_pong', 'pong'), (toyenv.TASK, 'neither one choice')])
  def test_tasks(self, refused, tmp_path, task, words):
    assert words in refused('--out', tmp_path / 'a.h5', task=task)

  def test_folder(self, refused, tmp_path):
    assert 'no folder' in refused('--out', tmp_path / 'none' / 'a.h5')

  def test_port_in_use(self, refused, tmp_path):
    with server.listen([0]) as socket:
      port = socket.getsockname()[1]
      text = refused('--out', tmp_path / 'a.h5', '--port', port)
    assert f'--port {port}' in text

  def test_next_free_port(self, tmp_path, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(
        server, 'serve', lambda play, socket: seen.append(
            socket.getsockname()[1]))
    with server.listen([0]) as first, server.listen([0]) as last:
      ports = [x.getsockname()[1] for x in (first, last)]
      monkeypatch.setattr(play, 'PORTS', ports)
      last.close()
      assert self.run('--out', tmp_path / 'a.h5') == 0
    assert seen == ports[1:]

  def test_name_of_another_kind(self, refused, tmp_path):
    assert 'ends in .h5' in refused('--out', tmp_path / 'a.txt')
    assert not list(tmp_path.iterdir())

  def test_file_in_use(self, refused, tmp_path):
    with server.lock(tmp_path / 'a.h5'):
      text = refused('--out', tmp_path / 'a.h5', '--port', 0)
    assert 'another program is recording' in text

  def test_other_files(self, refused, tmp_path, capsys):
    path = tmp_path / 'a.h5'
    path.write_text('mine')
    assert 'cannot be read' in refused('--out', path, '--port', 0)
    assert path.read_text() == 'mine'
    path.unlink()
    assert exit_code(command.main, [
        'planner', '--task', TASK, '--policy', 'random', '--length', '20',
        '--trajectories', '1', '--workers', '1', '--out', str(path)]) == 0
    whole = path.read_bytes()
    capsys.readouterr()
    assert 'has the source' in refused('--out', path, '--port', 0)
    assert 'store has minatar_breakout' in refused(
        '--out', path, '--port', 0, task='minatar_freeway')
    assert path.read_bytes() == whole

  @pytest.mark.parametrize('missing', play.PACKAGES)
  def test_missing_extra(self, refused, tmp_path, monkeypatch, missing):
    find = play.importlib.util.find_spec
    monkeypatch.setattr(
        play.importlib.util, 'find_spec',
        lambda name: None if name == missing else find(name))
    text = refused('--out', tmp_path / 'a.h5')
    assert f'({missing} not installed)' in text and '--extra play' in text

  @pytest.mark.slow
  def test_whole_program(self, tmp_path):
    # Start, play, end by Ctrl+C, and go on in the same file.
    for index in range(2):
      program = subprocess.Popen(
          [sys.executable, '-u', '-m', 'dreamer_gail_plugin.demos', 'play',
           '--task', TASK, '--port', '0', '--licence', 'CC0-1.0', '--seed',
           '4', '--out', str(tmp_path / 'a.h5')], text=True,
          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
      try:
        port = int(
            program.stdout.readline().split('127.0.0.1:')[1].split()[0])
        tab = Tab(port)
        tab.press('ArrowLeft')
        tab.send('keep')
        tab.press()
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
      finally:
        program.kill()
      assert program.returncode == 0 and not err
      assert f'Kept episode {index + 1}: 1 steps' in out
      assert 'The last episode, 1 steps, was not kept.' in out
      assert f'{index + 1} trajectories, {index + 1} steps' in out
      check, show, train = out.split('Next:\n')[1].splitlines()
      assert check.endswith(f'demos check {tmp_path / "a.h5"}')
      assert show.endswith(f'demos show {tmp_path / "a.h5"}')
      assert train.endswith(
          'train --configs minatar tiny gail anchor --task minatar_breakout '
          f'--agent.gail.expert {tmp_path / "a.h5"}')
    with store.Store(tmp_path / 'a.h5') as file:
      assert file.attrs['licence'] == 'CC0-1.0'
      assert file.attrs['task'] == TASK
      assert [x['number'] for x in file.infos] == [0, 1]
    assert [x.name for x in tmp_path.iterdir()] == ['a.h5']
