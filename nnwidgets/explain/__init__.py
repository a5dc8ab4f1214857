"""Asking a model why: attribution, class activation maps, surrogates and trust checks.

Torch, numpy and captum (which is imported when the first explanation is asked for), no widget;
useful in a plain script. Nothing is imported here, so that a script that needs one module of it
pays for one.
"""
