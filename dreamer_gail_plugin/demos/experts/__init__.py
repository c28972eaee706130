"""Experts by rule and by planning, to record demonstrations from."""
