"""What every model is built on: the estimator, the recommender contract, result lists, checks.

Modules here import from `aimass_core.kernels` and from each other only.
"""
