"""Experiments: many runs, their results, tables and figures."""
