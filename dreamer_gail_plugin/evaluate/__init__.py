"""Saved agents that act, and their evaluation by the protocol of the paper."""
