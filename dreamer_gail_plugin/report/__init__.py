"""The report: one page about many runs. See docs/report.md."""
