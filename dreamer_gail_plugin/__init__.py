"""Dreamer-GAIL: DreamerV3 that learns from demonstrations, without reward.

Importing this package mends upstream (see patches/); it does not start JAX.
"""

import importlib

from . import upstream

__version__ = '0.1.0'

PUBLIC = {
    'Agent': 'variants.compose',
    'ExpertReplay': 'expert',
    'ExpertStream': 'expert',
    'expert_stream': 'build',
    'gail_config': 'configs',
    'load_policy': 'evaluate.policy',
}

__all__ = list(PUBLIC)

upstream.apply()


def __getattr__(name):
  """Return a public name; its module is imported on first use (PEP 562)."""
  if name not in PUBLIC:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  module = importlib.import_module(f'{__name__}.{PUBLIC[name]}')
  return getattr(module, name)
