"""The last linear layer of a model, and what it makes of points: features times weights.

It is found by looking: of the linear layers that a forward calls, the last one whose output *is*
the scores, or becomes them by the softmax or sigmoid that they are known to have gone through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.explain.committee import evaluating
from nnwidgets.probe.refusal import Refusal

__all__ = ["LINKS", "LastLayer", "Scores", "find_last_layer"]

Scores = Callable[[nn.Module], Tensor]
"""Runs a module on some points and gives its scores: (n, K), or (n,) of one number a point."""

LINKS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "logits": lambda z: z,
    "logit": lambda z: z,
    "regression": lambda z: z,
    "probabilities": lambda z: z.softmax(1),
    "log_probabilities": lambda z: z.log_softmax(1),
    "probability": torch.sigmoid,
}
"""What comes after the last layer, by the kind of the scores (`nnwidgets.explain.outputs`)."""


@dataclass(frozen=True, eq=False)
class LastLayer:
    """The last linear layer of a model.

    Attributes
    ----------
    name
        In ``named_modules()``; empty if the model is nothing else.
    module
        The layer.
    kind
        Of the model's scores: a key of `LINKS`.
    """

    name: str
    module: nn.Linear
    kind: str

    @property
    def classes(self) -> bool:
        """Whether the scores stand for classes."""
        return self.kind != "regression"

    @property
    def weights(self) -> Tensor:
        """(outputs, features + 1), float64 on the CPU: the bias, if there is one, comes last."""
        parts = [self.module.weight.detach()]
        if self.module.bias is not None:
            parts.append(self.module.bias.detach()[:, None])
        return torch.cat(parts, 1).to("cpu", torch.float64)

    def features(self, model: nn.Module, run: Scores) -> Tensor:
        """Return what the layer is given for some points.

        Parameters
        ----------
        model
            That the layer belongs to.
        run
            Runs it on the points.

        Returns
        -------
        Tensor
            (n, features + 1), float64 on the CPU: a one comes last if there is a bias.
        """
        found: list[Tensor] = []

        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            found.append(inputs[0].detach().to("cpu", torch.float64))

        handle = self.module.register_forward_hook(look)
        try:
            with evaluating(model), torch.no_grad():
                run(model)
        finally:
            handle.remove()
        rows = torch.cat(found)
        if self.weights.shape[1] == rows.shape[1]:
            return rows
        return torch.cat([rows, torch.ones(len(rows), 1, dtype=rows.dtype)], 1)


def find_last_layer(model: nn.Module, run: Scores, kind: str) -> LastLayer:
    """Find the linear layer that gives the scores.

    Parameters
    ----------
    model
        A private copy.
    run
        Runs it on a few points, in one call.
    kind
        What the scores are: a key of `LINKS`.

    Raises
    ------
    Refusal
        If no linear layer gives them.
    """
    if kind not in LINKS:
        raise Refusal("explain.uncertainty.no_last_layer")
    calls: list[tuple[nn.Linear, Tensor]] = []

    def look(module: Any, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 2:
            calls.append((module, output.detach().clone()))

    names = {module: name for name, module in model.named_modules() if type(module) is nn.Linear}
    handles = [module.register_forward_hook(look) for module in names]
    try:
        with evaluating(model), torch.no_grad():
            scores = run(model).detach()
    finally:
        for handle in handles:
            handle.remove()
    if scores.dim() == 1:
        scores = scores[:, None]
    for module, output in reversed(calls):
        alone = sum(other is module for other, _ in calls) == 1
        if alone and output.shape == scores.shape and _equal(LINKS[kind](output), scores):
            return LastLayer(names[module], module, kind)
    raise Refusal("explain.uncertainty.no_last_layer")


def _equal(found: Tensor, scores: Tensor) -> bool:
    return torch.allclose(found, scores.to(found.dtype), rtol=1e-4, atol=1e-5, equal_nan=True)
