"""Asking a model why: attribution and how far to believe it. Useful without Jupyter."""
