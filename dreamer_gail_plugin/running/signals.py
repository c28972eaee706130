"""Signals to a run: Ctrl+C and SIGTERM end it with a save, SIGUSR1 saves.

Before the first step Ctrl+C and SIGTERM end it at once, with a line that says
so. Python's own handlers would wait there until XLA has compiled.
"""

import contextlib
import os
import signal
import sys
import threading
import time

ENDING = (signal.SIGINT, signal.SIGTERM)
ALL = (*ENDING, signal.SIGUSR1)
# Seconds in which further signals are the same one: `uv run` hands on to its
# program what the terminal or `kill` has sent to both of them.
SAME = 1


class Stop(Exception):
  """Ends a run loop after a step, as a signal asks for it."""


class Listener:
  """What the signals of this process ask for.

  `ending` is the signal that ends the run, or None. `saving` is whether a
  save is due.
  """

  def __init__(self):
    self.active = False
    self.listening = False
    self.ending = None
    self.saving = False

  def obey(self, save, share=list):
    """Do after a step what was asked for; raises Stop to end the run.

    `share` makes of [ending, saving] what counts. A signal that comes
    meanwhile waits for the next step.
    """
    if not self.active:
      return
    if not self.listening:
      self.listening = True
      signal.set_wakeup_fd(-1)
      for number in ENDING:
        signal.signal(number, self._end)
    ending, saving = share([self.ending or 0, self.saving])
    if saving:
      self.saving = False
      save()
    if ending:
      self.ending = signal.Signals(ending)
      raise Stop(self.ending.name)

  def _end(self, number, frame):
    self.ending = signal.Signals(number)
    for x in ENDING:
      signal.signal(x, signal.SIG_IGN)
    again = 'A second Ctrl+C' if number == signal.SIGINT else 'Ctrl+C'
    # Not by print, which this may have interrupted.
    os.write(2, (
        f'\n{self.ending.name}: the run ends its step and saves. {again} ends '
        'it at once, without a save.\n').encode())
    # Waiting here is simple, and the run has nothing to lose by it.
    time.sleep(SAME)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, self._end)

  def _save(self, number, frame):
    self.saving = True


LISTENER = Listener()


@contextlib.contextmanager
def handled(early=''):
  """Handle the signals while a run loop runs; yield the listener.

  `early` follows the words on a signal that comes before the first step.
  """
  LISTENER.__init__()
  old = {x: signal.getsignal(x) for x in ALL}
  try:
    with _ended_at_once(early):
      signal.signal(signal.SIGUSR1, LISTENER._save)
      LISTENER.active = True
      yield LISTENER
  finally:
    LISTENER.active = False
    for number, handler in old.items():
      signal.signal(number, handler)


@contextlib.contextmanager
def _ended_at_once(words):
  """Let ENDING end the process until the listener listens.

  Python's C code writes their numbers into a pipe, which a thread reads.
  """
  end, start = os.pipe()
  os.set_blocking(start, False)
  for number in ENDING:
    signal.signal(number, lambda *_: None)
  old = signal.set_wakeup_fd(start)
  thread = threading.Thread(target=_end_early, args=(end, words), daemon=True)
  thread.start()
  try:
    yield
  finally:
    signal.set_wakeup_fd(old)
    os.close(start)
    thread.join()
    os.close(end)


def _end_early(pipe, words):
  while read := os.read(pipe, 1):
    if read[0] not in ENDING:
      continue
    if LISTENER.listening:  # It came just before; now it is heard.
      os.kill(os.getpid(), read[0])
      continue
    sys.stdout.flush()
    os.write(2, (
        f'\nStopped by {signal.Signals(read[0]).name} before the first '
        f'step{words}\n').encode())
    os._exit(128 + read[0])
