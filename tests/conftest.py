"""Mends upstream before any test module imports it."""

import dreamer_gail_plugin  # noqa: F401
