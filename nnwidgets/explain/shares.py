"""A model's own numbers read as probabilities, and as their logarithms, which keep more digits."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from nnwidgets.explain.outputs import OutputKind

__all__ = ["LEAST_LOG", "log_shares", "shares"]

LEAST_LOG: Final = -100.0
"""What the logarithm of a probability that the model itself gives is at least.

A softmax or sigmoid inside the model rounds small probabilities to 0. torch's
``binary_cross_entropy`` stops at the same place.
"""


def shares(scores: Tensor, kind: OutputKind) -> Tensor:
    """Return probabilities, (n, classes); of one logit or one probability those of two classes.

    Parameters
    ----------
    scores
        (n, numbers): what the model gives for n points.
    kind
        What its numbers are; not a regression.
    """
    if kind.kind in ("logit", "probability"):
        one = scores[:, 0].sigmoid() if kind.kind == "logit" else scores[:, 0]
        return torch.stack((1 - one, one)).T
    if kind.kind == "logits":
        # Along the first axis: over few classes torch is ten times as fast there.
        return scores.T.contiguous().softmax(0).T
    return scores.exp() if kind.kind == "log_probabilities" else scores


def log_shares(scores: Tensor, kind: OutputKind) -> Tensor:
    """Return logarithms of the probabilities, (n, classes), from logits without rounding to 0.

    Parameters
    ----------
    scores, kind
        As for `shares`. Where the model itself gives probabilities, their logarithms end at
        `LEAST_LOG`.
    """
    if kind.kind == "logit":
        sigmoid = torch.nn.functional.logsigmoid
        return torch.stack((sigmoid(-scores[:, 0]), sigmoid(scores[:, 0]))).T
    if kind.kind == "logits":
        return scores.log_softmax(1)
    if kind.kind == "log_probabilities":
        return scores
    return shares(scores, kind).log().clamp_min(LEAST_LOG)
