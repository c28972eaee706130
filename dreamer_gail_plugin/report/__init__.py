"""The report: one page about many runs. See docs/evaluation.md."""
