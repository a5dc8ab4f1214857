"""What a sampled step showed of every module of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets.probe import reduction
from nnwidgets.probe.bins import edges
from nnwidgets.probe.look import Call
from nnwidgets.probe.sample import LayerRow, LayerSample
from nnwidgets.probe.summary import TensorSummary

__all__ = ["ActivityRow", "ActivitySample", "BatchActivity", "Distributions"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One module below the root, or the model itself where it owns parameters.

    Attributes
    ----------
    name
        As in ``named_modules()``.
    type
        Class name.
    label
        Class and sizes, such as ``"Conv2d 16→32"``.
    container
        Holds other modules.
    """

    name: str
    type: str
    label: str
    container: bool


@dataclass(frozen=True, slots=True, eq=False)
class Distributions:
    """Summaries of one tensor a row; float64, NaN is unknown.

    Attributes
    ----------
    numbers
        (rows, `nnwidgets.probe.reduction.WIDTH`): what stands where is told there.
    shapes
        Of the tensor (of the last one, where a module was called several times); None where there
        was none.
    """

    numbers: Floats
    shapes: tuple[tuple[int, ...] | None, ...]

    @property
    def size(self) -> Floats:
        """Finite elements; 0 where there was nothing."""
        return np.asarray(self.numbers[:, reduction.SIZE])

    @property
    def nan(self) -> Floats:
        """How many elements were NaN."""
        return np.asarray(self.numbers[:, reduction.NAN])

    @property
    def inf(self) -> Floats:
        """How many elements were infinite."""
        return np.asarray(self.numbers[:, reduction.INF])

    @property
    def zero_fraction(self) -> Floats:
        """Share of the finite elements that were exactly zero."""
        return np.asarray(self.numbers[:, reduction.ZERO])

    @property
    def mean(self) -> Floats:
        """Mean of the finite elements."""
        return np.asarray(self.numbers[:, reduction.MEAN])

    @property
    def std(self) -> Floats:
        """Their standard deviation (the population's)."""
        return np.asarray(self.numbers[:, reduction.STD])

    @property
    def min(self) -> Floats:
        """The smallest of them."""
        return np.asarray(self.numbers[:, reduction.LOW])

    @property
    def max(self) -> Floats:
        """The largest of them."""
        return np.asarray(self.numbers[:, reduction.HIGH])

    @property
    def counts(self) -> Floats:
        """(rows, 64): finite elements by value, in equal bins from `min` to `max`."""
        return np.asarray(self.numbers[:, reduction.COUNTS])

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where there was a tensor at all."""
        return np.array([shape is not None for shape in self.shapes], bool)

    def summary(self, row: int, step: int | None = None) -> TensorSummary | None:
        """Return one row as the summary of a tensor, None where there was none."""
        shape = self.shapes[row]
        if shape is None:
            return None
        numbers = self.numbers[row]
        low, high = numbers[[reduction.LOW, reduction.HIGH]].tolist()
        empty = numbers[reduction.SIZE] == 0
        return TensorSummary(
            mean=float(numbers[reduction.MEAN]),
            std=float(numbers[reduction.STD]),
            min=low,
            max=high,
            quantiles=numbers[reduction.RANKS].copy(),
            histogram=(
                np.rint(numbers[reduction.COUNTS]).astype(np.int64),
                edges(0.0, 1.0) if empty else edges(low, high),
            ),
            zero_fraction=float(numbers[reduction.ZERO]),
            nan_count=int(numbers[reduction.NAN]),
            inf_count=int(numbers[reduction.INF]),
            shape=shape,
            step=step,
        )


@dataclass(frozen=True, slots=True, eq=False)
class BatchActivity:
    """What one layer gave for the training batch of a step, in part.

    Attributes
    ----------
    name
        Of the layer.
    calls
        Its first calls in this step, outputs only: detached copies on the layer's device.
    samples, batch
        So many samples were kept of so many.
    """

    name: str
    calls: tuple[Call, ...]
    samples: int
    batch: int


@dataclass(frozen=True, slots=True, eq=False)
class ActivitySample:
    """What one sampled step showed; arrays have one entry a row.

    Attributes
    ----------
    step
        The step that was looked at.
    rows
        Every module below the root, in order of definition.
    activation
        Of what each module returned: the first tensor of numbers in it.
    weight
        Of the module's own ``.weight`` (without one, of its largest parameter), after the update.
    gradient
        Of that weight's gradient, right before the update, as the optimiser is given it.
    order
        int64: place in the order in which the modules first returned, from 0; −1: not called.
    calls
        int64: how often the module was called.
    saturated
        Of sigmoid, tanh, hard tanh (share of the outputs within 1 % of their range from its ends)
        and softmax (share of the distributions with more than 99 % at one place); NaN for others.
    varies, given_varies
        Whether what the module returned, and what it was given, differed from one sample of the
        batch to another: 1 or 0, NaN where that cannot be told. What it was given matters, and is
        looked at on a CPU, only where what it returned did not differ.
    final
        bool: gave (part of) what the model returned.
    layers, layer_rows
        Gradient norms, update ratios and dead units of the modules that own parameters.
    batch
        What the chosen layer gave, if there is one and it ran.
    seconds
        Time spent inside the forward pass of the user's model, in hooks.
    """

    step: int
    rows: tuple[ActivityRow, ...]
    activation: Distributions
    weight: Distributions
    gradient: Distributions
    order: NDArray[np.int64]
    calls: NDArray[np.int64]
    saturated: Floats
    varies: Floats
    given_varies: Floats
    final: NDArray[np.bool_]
    layers: LayerSample
    layer_rows: tuple[LayerRow, ...]
    batch: BatchActivity | None
    seconds: float
    _index: dict[str, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare `row`."""
        self._index.update({row.name: i for i, row in enumerate(self.rows)})

    def row(self, name: str) -> int | None:
        """Return where the module of that name stands, None if it is not there."""
        return self._index.get(name)

    def of_layers(self, values: Floats) -> Floats:
        """Spread an array of `layers` over all rows, NaN for modules that own no parameter."""
        result = np.full(len(self.rows), np.nan)
        for layer, value in zip(self.layer_rows, values.tolist(), strict=True):
            at = self._index.get(layer.name)
            if at is not None:
                result[at] = value
        return result

    def summary(self, name: str, kind: str = "activation") -> TensorSummary | None:
        """Return the summary of one module, None where it is not known.

        Parameters
        ----------
        name
            Of the module.
        kind
            ``"activation"``, ``"weight"`` or ``"gradient"``.
        """
        at = self._index.get(name)
        found: Any = {
            "activation": self.activation, "weight": self.weight, "gradient": self.gradient,
        }[kind]  # fmt: skip
        return None if at is None else found.summary(at, self.step)


def distributions(
    numbers: Sequence[Floats | None], shapes: Sequence[tuple[int, ...] | None]
) -> Distributions:
    """Put vectors of numbers (see ``nnwidgets.probe.reduction``) together, None where is none."""
    table = np.full((len(numbers), reduction.WIDTH), np.nan)
    table[:, [reduction.SIZE, reduction.NAN, reduction.INF]] = 0
    table[:, reduction.COUNTS] = 0
    for row, vector in enumerate(numbers):
        if vector is not None:
            table[row] = vector
    return Distributions(table, tuple(shapes))
