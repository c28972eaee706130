"""The page and its connection.

The page asks for every step, with the keys that were held when it showed the
observation, so the recorded action is an answer to what the person saw. A
connection that is lost or slow stops the game and loses nothing: the session
lives here.
"""

import asyncio
import base64
import contextlib
import io
import json
import pathlib
import socket as socketlib

import filelock
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from ...errors import UserError

HOST = '127.0.0.1'
# A page of another site must not reach the game through the browser, neither
# by address nor by a name that points here.
HOSTS = (HOST, 'localhost')
HEADERS = {
    'Content-Security-Policy': (
        "default-src 'none'; script-src 'unsafe-inline'; style-src "
        "'unsafe-inline'; img-src data:; connect-src 'self'; "
        "frame-ancestors 'none'"),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
}
# Codes by which the connection is closed, the first one of our own.
TAKEN, REFUSED, NONSENSE = 4001, 1008, 1007
LONGEST = 2 ** 14  # Bytes of a message.
MOST = 1000  # Keys held, and steps of one undo.


class Play:
  """A session as the page sees it: takes commands, gives states.

  Args:
    session: the Session.
    keys: the Keyboard of its task, or its Sliders.
    wanted: how many steps the person wants to record.
  """

  def __init__(self, session, keys, wanted):
    self.session = session
    self.keys = keys
    self.wanted = wanted
    self.message = ''

  def hello(self):
    """Return what the page needs to know once."""
    game = self.session.episode.game
    return {
        'task': self.session.task,
        'file': str(self.session.out),
        'wanted': self.wanted,
        'buttons': self.keys.legend(),
        'axes': self.keys.axes(),
        'idle': self.keys.idle is not None,
        'speed': game.speed,
        'legend': game.legend,
    }

  def state(self):
    """Return what the page shows now."""
    session, episode = self.session, self.session.episode
    message, self.message = self.message, ''
    ended = episode.over and (
        'over' if episode.obs[-1]['is_terminal'] else 'limit')
    return {
        'episode': session.number,
        'step': len(episode.acts),
        'score': episode.score,
        'action': self.keys.text(episode.acts[-1]) if episode.acts else '',
        'ended': ended or '',
        'image': _picture(episode.game.screen()),
        'kept': {
            'episodes': session.episodes,
            'steps': session.steps,
            'score': sum(session.scores) / max(1, len(session.scores))},
        'message': message,
    }

  def handle(self, text):
    """Carry out the command of a message and return the new state.

    A command names the episode and the step that the page shows; if the game
    is elsewhere, as after a second click, only the state is returned. Raises
    ValueError, or RecursionError from deep nesting, for what is no command.
    """
    command = _parse(text)
    place = self.session.number, len(self.session.episode.acts)
    if (command['episode'], command['step']) == place:
      getattr(self, '_' + command['do'])(command)
    return self.state()

  def _step(self, command):
    action = self.keys.choose(command[self.keys.part])
    if action is not None:
      self.session.step(action)

  def _undo(self, command):
    if not self.session.undo(command['count']):
      self.message = (
          'This game does not repeat itself exactly, so there is no undo.')

  def _keep(self, command):
    number, before = self.session.number, self.session.steps
    try:
      self.session.keep()
    except Exception as error:  # HDF5's errors are of many kinds.
      self.message = f'Not saved, try again: {error}'
    if self.session.number == number:
      return
    print(
        f'Kept episode {self.session.episodes}: '
        f'{self.session.steps - before} steps, score '
        f'{self.session.scores[-1]:g}; {self.session.steps} of {self.wanted} '
        'steps')

  def _discard(self, command):
    self.session.discard()


class App:
  """The ASGI application: the page at `/`, the connection at `/play`.

  One tab plays at a time, the one that came last.
  """

  def __init__(self, play):
    self.play = play
    self.player = None
    self.lock = asyncio.Lock()
    self.page = (pathlib.Path(__file__).parent / 'page.html').read_text()
    self.asgi = Starlette(
        routes=[
            Route('/', self._page),
            WebSocketRoute('/play', self._connect)],
        middleware=[Middleware(
            TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)])

  async def _page(self, request):
    return HTMLResponse(self.page, headers=HEADERS)

  async def _connect(self, websocket):
    headers = websocket.headers
    if headers.get('origin') != f'http://{headers.get("host")}':
      await websocket.close(REFUSED)
      return
    await websocket.accept()
    previous, self.player = self.player, websocket
    if previous:
      # It may be closing by itself, or lost.
      with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await previous.close(TAKEN)
    try:
      await self._play(websocket)
    except WebSocketDisconnect:
      pass
    finally:
      if self.player is websocket:
        self.player = None

  async def _play(self, websocket):
    await websocket.send_json(self.play.hello())
    async with self.lock:
      state = await run_in_threadpool(self.play.state)
    while self.player is websocket:
      await websocket.send_json(state)
      message = await websocket.receive()
      if message['type'] == 'websocket.disconnect':
        return
      async with self.lock:
        if self.player is not websocket:
          return
        try:
          state = await run_in_threadpool(
              self.play.handle, message.get('text'))
        except (ValueError, RecursionError):
          await websocket.close(NONSENSE)
          return


@contextlib.contextmanager
def lock(path):
  """Hold a store for one program that adds to it, or raise UserError."""
  name = path.with_name(f'.{path.name}.lock')
  held = filelock.FileLock(name)
  try:
    held.acquire(timeout=0)
  except filelock.Timeout:
    raise UserError(
        f'{path}: another program is recording into this file. Stop it, or '
        'name another file by --out.') from None
  try:
    yield
  finally:
    name.unlink(missing_ok=True)  # While held, so that nobody else has it.
    held.release()


def listen(ports):
  """Return a socket on this machine's own address, at the first free port.

  Raises UserError if none of the ports can be used.
  """
  for port in ports:
    socket = socketlib.socket()
    socket.setsockopt(socketlib.SOL_SOCKET, socketlib.SO_REUSEADDR, 1)
    try:
      socket.bind((HOST, port))
      socket.listen()  # Whoever comes from now on is served.
      return socket
    except OSError as error:
      socket.close()
      reason = error.strerror
  raise UserError(
      f'--port {port}: cannot be used ({reason}). Choose another one, or 0 '
      'for any that is free.')


def make_server(play):
  """Return the uvicorn.Server of a Play."""
  return uvicorn.Server(uvicorn.Config(
      App(play).asgi, log_level='warning', ws_max_size=LONGEST,
      lifespan='off'))


def serve(play, socket):
  """Serve on a bound socket until the process is interrupted."""
  print(
      f'Play at http://{HOST}:{socket.getsockname()[1]} (this machine only); '
      'Ctrl+C ends the recording', flush=True)
  with contextlib.suppress(KeyboardInterrupt):
    make_server(play).run(sockets=[socket])


def _parse(text):
  command = json.loads(text or '')
  if not isinstance(command, dict):
    raise ValueError(command)
  do, keys = command.get('do'), command.get('keys', [])
  values = command.get('values', [])
  count = command.get('count', 1)
  if do not in ('step', 'undo', 'keep', 'discard'):
    raise ValueError(do)
  if not isinstance(keys, list) or len(keys) > MOST:
    raise ValueError(keys)
  if not all(isinstance(x, str) for x in keys):
    raise ValueError(keys)
  if not isinstance(values, list) or len(values) > MOST or not all(
      type(x) in (int, float) and abs(x) < 1e300 for x in values):
    raise ValueError(values)
  if type(count) is not int or not 1 <= count <= MOST:
    raise ValueError(count)
  return {
      'do': do, 'keys': keys, 'values': values, 'count': count,
      'episode': command.get('episode'), 'step': command.get('step')}


def _picture(image):
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'png', compress_level=1)
  return 'data:image/png;base64,' + base64.b64encode(file.getvalue()).decode()
