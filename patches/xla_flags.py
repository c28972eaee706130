"""The flags of XLA that a user sets are lost.

Wrong: `embodied.jax.internal.setup` replaces the environment variable
XLA_FLAGS, which is where users, and this plugin, set options of the compiler.
Versions: dreamer 3.3.0 and upstream's git.
Mended: what the variable held before stays in it, after upstream's flags, so
that it wins where both name the same flag.
"""

import functools
import os
from unittest import mock


def needed():
  """Return whether upstream's setup replaces the variable."""
  with (mock.patch.dict(os.environ, XLA_FLAGS='--mine'),
        mock.patch.object(module().jax.config, 'update')):
    module().setup(platform='cpu')
    return '--mine' not in os.environ['XLA_FLAGS'].split()


def apply():
  """Let upstream's agent see a setup that keeps the flags."""
  module().setup = keep_flags(module().setup)


def module():
  """Return upstream's module that sets up JAX."""
  import embodied.jax
  return embodied.jax.internal


def keep_flags(setup):
  """Return `setup` such that XLA_FLAGS holds upstream's and older flags."""
  @functools.wraps(setup)
  def wrapper(*args, **kwargs):
    old = os.environ.pop('XLA_FLAGS', '').split()
    setup(*args, **kwargs)
    new = os.environ.get('XLA_FLAGS', '').split()
    new = [flag for flag in new if flag not in old]
    os.environ['XLA_FLAGS'] = ' '.join([*new, *old])
  return wrapper
