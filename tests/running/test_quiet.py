"""What is kept from the terminal, and what is not."""

import elements
import numpy as np
import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.running import quiet


class TestHushed:

  def speak(self, verbose, error=None):
    with quiet.hushed(verbose):
      print('upstream')
      if error:
        raise error

  @pytest.mark.parametrize('verbose, want', [
      (False, ''), (True, 'upstream\n')])
  def test_prints(self, verbose, want, capsys):
    self.speak(verbose)
    print('after')
    assert capsys.readouterr().out == want + 'after\n'

  def test_a_failure_shows_what_came_before(self, capsys):
    with pytest.raises(KeyError):
      self.speak(False, KeyError('x'))
    assert capsys.readouterr().out == 'upstream\n'

  def test_a_mistake_of_the_user_does_not(self, capsys):
    with pytest.raises(UserError):
      self.speak(False, UserError('x'))
    assert capsys.readouterr().out == ''


def test_metrics_go_to_files_alone(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(elements.logger, 'printing', elements.logger.printing)
  logger = elements.logger
  outputs = [
      logger.TerminalOutput(),
      logger.JSONLOutput(tmp_path, 'metrics.jsonl', parallel=False)]
  for output in quiet.without_metrics(outputs):
    output([(1, 'score', np.array(2.0))])
  assert capsys.readouterr().out == ''
  assert (tmp_path / 'metrics.jsonl').read_text() == (
      '{"step": 1, "score": 2.0}\n')
