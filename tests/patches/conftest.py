"""What the tests of the run loops share."""

import elements
import pytest

from helpers.looptools import train


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """Return the logdir of a finished run."""
  logdir = elements.Path(tmp_path_factory.mktemp('trained'))
  train(logdir)
  return logdir
