"""Which upstream is installed: the release, or a checkout of its git."""

import inspect
import os

import pytest

from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.patches import loops

NAMES = upstream.apply()
# The folder of a run's saves, by its loops `train` and `train_eval`.
SAVES = 'ckpt' if "'ckpt'" in inspect.getsource(
    loops.module('train')) else 'checkpoint.pkl'
# The same of the agent and the logger in `parallel`.
PARALLEL = {
    'ckpt': ('ckpt/agent', 'ckpt/logger'),
    'checkpoint.pkl': ('agent.pkl', 'logger.pkl')}[SAVES]


def path(*folders):
  """Return a PYTHONPATH of folders, and of the checkout that is tested."""
  first = [os.environ.get('DREAMERV3_CHECKOUT')]
  return os.pathsep.join(str(x) for x in [*filter(None, first), *folders])


def needs(name):
  """Return a mark that skips tests of a patch that is not in use here."""
  return pytest.mark.skipif(
      name not in NAMES, reason=f'this upstream does not need {name}')
