"""Helpers for the tests of the page: a server in a thread."""

import contextlib
import threading
import time

from dreamer_gail_plugin.demos.play import controls
from dreamer_gail_plugin.demos.play import game
from dreamer_gail_plugin.demos.play import server
from dreamer_gail_plugin.demos.play import session


@contextlib.contextmanager
def serving(task, out, wanted=100, seed=0):
  """Serve a task and yield (port, Session)."""
  first = game.make(task, 0)
  playing = session.Session(task, out, seed, {
      'task': task, 'source': 'test',
      'action_meanings': [] if first.continuous else first.names})
  play = server.Play(playing, controls(first, first.names), wanted)
  with server.listen([0]) as socket:
    program = server.make_server(play)
    thread = threading.Thread(
        target=program.run, kwargs={'sockets': [socket]}, daemon=True)
    thread.start()
    while not program.started:
      assert thread.is_alive()
      time.sleep(0.01)
    try:
      yield socket.getsockname()[1], playing
    finally:
      program.should_exit = True
      thread.join(20)
      assert not thread.is_alive()
      playing.close()
