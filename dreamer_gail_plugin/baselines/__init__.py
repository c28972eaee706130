"""What the paper compares with, on the same tasks and demonstrations.

Each is the work of the library its field uses. All need the extra
`baselines`.
"""
