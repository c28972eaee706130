"""Demonstrations on the disk: stores, recipes, and how they are recorded."""
