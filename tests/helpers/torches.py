"""What tests of the baselines on PyTorch need."""

import importlib.util

import pytest

from dreamer_gail_plugin.baselines import config as configlib

DEBUG = ('--task', 'minatar_breakout', '--settings', 'debug')
missing = [
    x for x in configlib.PACKAGES if not importlib.util.find_spec(x)]
extra = pytest.mark.skipif(
    bool(missing), reason=f'the extra `baselines` is not installed: {missing}')
