"""Numba kernels: serial, or with a user's function inlined; each imported on first use."""
