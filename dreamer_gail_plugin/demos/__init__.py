"""Imports, records and inspects demonstrations: see docs/demonstrations.md."""
