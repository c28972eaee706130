"""Timings of the plugin, always A against B in one run."""
