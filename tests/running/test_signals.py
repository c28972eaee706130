"""What a run says of signals; what they do to it is in test_main_runs."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from dreamer_gail_plugin.running import signals


@pytest.mark.parametrize('number, words', [
    (signal.SIGINT, 'A second Ctrl+C'), (signal.SIGTERM, 'Ctrl+C')])
def test_what_the_next_one_does(capfd, monkeypatch, number, words):
  monkeypatch.setattr(signals, 'SAME', 0.01)
  with signals.handled() as listener:
    listener.obey(None)
    os.kill(os.getpid(), number)
    assert listener.ending == number
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
  assert capfd.readouterr().err == (
      f'\n{number.name}: the run ends its step and saves. {words} ends it at '
      'once, without a save.\n')


@pytest.mark.parametrize('number', signals.ENDING)
def test_one_that_comes_twice_is_one(capfd, monkeypatch, number):
  waits = []

  def again(seconds):
    waits.append(seconds)
    [os.kill(os.getpid(), x) for x in signals.ENDING]
  monkeypatch.setattr(time, 'sleep', again)
  with signals.handled() as listener:
    listener.obey(None)
    os.kill(os.getpid(), number)
    assert waits == [1] and listener.ending == number
    assert signal.getsignal(signal.SIGTERM) == listener._end
  assert capfd.readouterr().err.count('the run ends its step') == 1


@pytest.mark.parametrize('number', signals.ENDING)
class TestBeforeTheFirstStep:

  def test_ends_at_once_and_says_so(self, number):
    # It is long in C, as where XLA compiles.
    process = subprocess.Popen([sys.executable, '-c', (
        'import hashlib, os, signal, signals\n'
        'with signals.handled(", as it was"):\n'
        '  signal.raise_signal(signal.SIGUSR1)\n'
        '  print("printed", end="")\n'
        '  os.write(2, b"ready")\n'
        '  hashlib.pbkdf2_hmac("sha1", b"", b"", 10 ** 9)')],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=pathlib.Path(signals.__file__).parent, env={})
    try:
      assert process.stderr.read(5) == b'ready'
      with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)  # SIGUSR1 has not ended it.
      process.send_signal(number)
      out, err = process.communicate(timeout=20)
    finally:
      process.kill()
    assert process.returncode == 128 + number
    assert out == b'printed' and err.decode() == (
        f'\nStopped by {number.name} before the first step, as it was\n')

  def test_one_at_the_border_is_heard(self, number, monkeypatch, capfd):
    monkeypatch.setattr(signals, 'SAME', 0.01)
    end, start = os.pipe()
    os.write(start, bytes([number]))
    os.close(start)
    with signals.handled() as listener:
      listener.obey(None)
      signals._end_early(end, '')
      assert listener.ending == number
    os.close(end)
    assert 'the run ends its step' in capfd.readouterr().err
