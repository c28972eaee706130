"""What a run says of signals; what they do to it is in test_main_runs."""

import os
import signal
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
