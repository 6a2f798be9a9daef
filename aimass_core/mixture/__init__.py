"""Gaussian mixtures: soft segments of customers."""
