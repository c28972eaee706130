"""Mends upstream before any test module imports it."""

import jax
import pytest

import dreamer_gail_plugin  # noqa: F401


@pytest.fixture(autouse=True)
def transfers():
  """Undo, after a test, the ban on transfers that building an agent sets."""
  yield
  jax.config.update('jax_transfer_guard', 'allow')
