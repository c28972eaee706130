"""What the paper compares with, on the same tasks and demonstrations.

Each is the work of the library its field uses and needs the extra
`baselines`, but for MGAIL, which no library has: it is ours, in JAX.
"""
