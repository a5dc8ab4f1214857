"""One explanation: the numbers a method gave, and what has to be known to read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.probe.blocks import Words

__all__ = ["Explanation", "Target", "Values"]

Values = NDArray[Any] | tuple[NDArray[Any], ...] | dict[str, NDArray[Any]]
"""One array for one input, a tuple for several, a dict for keyword inputs."""

Target = int | tuple[int, ...] | Callable[[Any], Any] | None
"""What was asked about: a class, a place in the output, or a callable that picks the score."""

# Methods that throw away negative evidence, so that their map may be empty for a good reason.
_RECTIFIED: Final = frozenset({"grad_cam", "grad_cam_plus_plus", "layer_cam", "guided_grad_cam"})


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a method answered about one sample.

    Attributes
    ----------
    values
        Attributions in the input's shape without the batch and in the method's own sign and units.
        Class activation maps: the input's plane at the input's resolution. Token ids: one value a
        token. Several inputs: a tuple, of a dict sample a dict.
    method
        Its name.
    target
        The class, place in the output or callable that was asked about; None where the model has
        one output.
    layer
        Name of the layer, for methods that look at one.
    convergence_delta
        How far the attributions are from adding up to the difference that they should explain, in
        the units of the score; None where the method promises no such thing.
    seconds
        Wall time it took.
    warnings
        Sentences in English on what limits it.
    index
        Which sample.
    baseline
        What stood for "nothing there", in words; None for methods that use none.
    inputs_shape
        Shape of each attributed input, without the batch.
    details
        Further numbers by name: ``r2``, ``spread`` (same form as `values`), ….
    words
        The warnings as keys of the catalogue with their parameters, for other languages.
    evaluations
        Times that the model was run, a forward and a backward pass counting one each, each over
        one sample.
    """

    values: Values
    method: str
    target: Target
    layer: str | None
    convergence_delta: float | None
    seconds: float
    warnings: tuple[str, ...] = ()
    index: int = 0
    baseline: str | None = None
    inputs_shape: tuple[tuple[int, ...], ...] = ()
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    evaluations: int = 0
    words: tuple[Words, ...] = ()

    def __repr__(self) -> str:
        """Return what it is, without the numbers."""
        shapes = ", ".join("×".join(map(str, np.shape(array))) for array in self.arrays)
        parts = [f"{self.method}, values {shapes or 'none'}", f"index {self.index}"]
        target = getattr(self.target, "__name__", self.target)
        parts += [f"target {target}"] if self.target is not None else []
        parts += [f"layer {self.layer!r}"] if self.layer is not None else []
        parts += [f"baseline {self.baseline}"] if self.baseline is not None else []
        if self.convergence_delta is not None:
            parts.append(f"convergence_delta {self.convergence_delta:.3g}")
        parts += [f"{len(self.warnings)} warnings"] if len(self.warnings) > 1 else []
        parts += ["1 warning"] if len(self.warnings) == 1 else []
        return f"Explanation({', '.join(parts)})"

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """The values of all inputs, in their order."""
        if isinstance(self.values, dict):
            return tuple(self.values.values())
        return self.values if isinstance(self.values, tuple) else (self.values,)

    @property
    def flaws(self) -> str | None:
        """What is wrong with the map, if anything.

        Returns
        -------
        str or None
            ``"not_finite"``: some value is NaN or infinite. ``"empty"``: there is no value, or all
            are zero. ``"constant"``: several values, all the same.
        """
        values = self._numbers()
        if not np.isfinite(values).all():
            return "not_finite"
        if not values.size or not values.any():
            return "empty"
        if values.size > 1 and values.min() == values.max():
            return "constant"
        return None

    def _numbers(self) -> NDArray[Any]:
        """Return all values in a row, but for inputs that the map says nothing about.

        Of several inputs a layer may look at some only: the others are NaN throughout.
        """
        numbers = [np.asarray(array).ravel() for array in self.arrays]
        if self.layer is not None:
            said = [row for row in numbers if not np.isnan(row).all()]
            numbers = said or numbers
        return np.concatenate(numbers) if numbers else np.zeros(0)

    @property
    def flaw_words(self) -> Words | None:
        """What is wrong with the map and the likely cause, as a sentence of the catalogue."""
        flaw = self.flaws
        if flaw is None:
            return None
        if flaw == "not_finite":
            values = self._numbers()
            count = int((~np.isfinite(values)).sum())
            return "explain.flaw.not_finite", {"count": str(count), "total": str(values.size)}
        if flaw == "constant":
            if self.layer is not None:
                return "explain.flaw.constant_layer", {"layer": self.layer}
            return "explain.flaw.constant", {}
        if self.method in _RECTIFIED:
            return "explain.flaw.empty_rectified", {}
        if self.method == "occlusion" or self.baseline is not None:
            return "explain.flaw.empty_baseline", {"baseline": self.baseline or "0"}
        return "explain.flaw.empty", {}
