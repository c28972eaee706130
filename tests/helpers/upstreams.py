"""Which upstream is installed: the release, or a checkout of its git."""

import inspect

import pytest

from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.patches import loops

NAMES = upstream.apply()
# The folder of a run's saves, by its loops `train` and `train_eval`.
SAVES = 'ckpt' if "'ckpt'" in inspect.getsource(
    loops.module('train')) else 'checkpoint.pkl'


def needs(name):
  """Return a mark that skips tests of a patch that is not in use here."""
  return pytest.mark.skipif(
      name not in NAMES, reason=f'this upstream does not need {name}')
