"""MGAIL (Baram et al., 2017), which no library has: ours, in JAX."""
