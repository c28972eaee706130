"""Lets saved agents act, and evaluates them by the protocol of the paper."""
