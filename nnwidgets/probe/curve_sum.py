"""Sums that are logged as if they were losses.

``running_loss += loss.item()``, logged at each step and begun anew with each epoch, rises for as
long as an epoch lasts, in the best of runs. It is no loss to be judged: the mean would be.
"""

from __future__ import annotations

import numpy as np

from nnwidgets.probe.curve import Curve, Floats

_FEWEST = 20  # points
_STRETCH = 8  # … between two beginnings


def is_running_sum(loss: Curve) -> bool:
    """Say whether a curve is the sum of what came before, over and over from nothing."""
    if loss.higher or not loss.positive or len(loss) < _FEWEST:
        return False
    begins = np.flatnonzero(loss.y[1:] < 0.5 * loss.y[:-1]) + 1
    stretches = [part for part in np.split(loss.y, begins) if len(part) >= _STRETCH]
    # What is left over is the beginning of the newest epoch.
    if sum(map(len, stretches)) < 0.6 * len(loss):
        return False
    return all(map(_adds_up, stretches))


def _adds_up(y: Floats) -> bool:
    """Say whether a stretch begins with one term and goes up by one more each time.

    A loss that runs away begins with a level that its first steps are small against, falls now and
    then on its way, or grows faster and faster.
    """
    terms = np.diff(y)
    half = len(terms) // 2
    early, late = float(np.median(terms[:half])), float(np.median(terms[half:]))
    return bool(terms.min() >= 0) and 0 < late <= 1.5 * early and float(y[0]) <= 3 * early
