"""What a run says of signals; what they do to it is in test_main_runs."""

import os
import signal

import pytest

from dreamer_gail_plugin.running import signals


@pytest.mark.parametrize('number, words', [
    (signal.SIGINT, 'A second Ctrl+C'), (signal.SIGTERM, 'Ctrl+C')])
def test_what_the_next_one_does(capfd, number, words):
  with signals.handled() as listener:
    listener.obey(None)
    os.kill(os.getpid(), number)
    assert listener.ending == number
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
  assert capfd.readouterr().err == (
      f'\n{number.name}: the run ends its step and saves. {words} ends it at '
      'once, without a save.\n')
