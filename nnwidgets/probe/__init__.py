"""Looking into a model: layers, gradients, where NaN began, and findings in words.

Torch and numpy, no widget; useful in a plain script. Nothing is imported here, so that a script
that needs one module of it pays for one.
"""
