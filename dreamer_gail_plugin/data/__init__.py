"""Demonstrations on the disk: stores, recipes, and how to record them."""
