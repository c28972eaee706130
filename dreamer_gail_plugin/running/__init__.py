"""What stands around a run: checks, checkpoints, progress, provenance."""
