"""Importers and recorders of demonstrations, see docs/demonstrations.md."""
