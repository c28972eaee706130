"""Benchmarks: many runs, their table and their figure."""
