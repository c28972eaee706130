"""The sizes of the paper have the paper's parameter counts."""

import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.perf import sizes

PAPER = {'small': 18e6, 'medium': 37e6, 'large': 77e6, 'xlarge': 200e6}


@pytest.mark.slow
@pytest.mark.parametrize('size', PAPER)
def test_paper_sizes_on_atari(size):
  model, disc = sizes.count(configs.load_config(['--configs', 'atari', size]))
  assert abs(model / PAPER[size] - 1) < 0.1
  assert 0 < disc < model


def test_tiny_on_minatar():
  model, _ = sizes.count(configs.load_config(['--configs', 'minatar', 'tiny']))
  assert 6e5 < model < 8e5
