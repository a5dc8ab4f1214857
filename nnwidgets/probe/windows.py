"""Which inputs a unit of a convolution or a pooling layer sees.

Everything is plain index arithmetic, one spatial dimension at a time, written down again from the
definitions in torch's documentation and not read off its operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.probe.given import numbers

__all__ = [
    "Window",
    "adaptive_window",
    "convolution_window",
    "pooling_window",
    "transposed_window",
    "tuple_of",
]

_NUMPY_PADDING: Final = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@dataclass(frozen=True, eq=False)
class Window:
    """The inputs under a kernel, for each spatial dimension.

    Attributes
    ----------
    places
        For each dimension, the input's coordinate under each tap of the kernel. Where the padding
        repeats the input, the coordinate it repeats.
    real
        For each dimension, whether there is an input under the tap. The places of those that are
        padding lie outside the input (or are -1, where no coordinate makes sense).
    """

    places: tuple[NDArray[np.int64], ...]
    real: tuple[NDArray[np.bool_], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Taps along each dimension."""
        return tuple(len(places) for places in self.places)

    def mask(self) -> NDArray[np.bool_]:
        """Return which taps of the whole kernel have an input."""
        result = np.ones(self.shape, bool)
        for axis, real in enumerate(self.real):
            result &= _along(real, axis, len(self.shape))
        return result

    def read(self, values: Tensor) -> NDArray[np.float64]:
        """Return the inputs under the kernel, padding as zeros.

        Parameters
        ----------
        values
            Shape (channels, size of each spatial dimension), on any device: only the part that
            the window touches is fetched.

        Returns
        -------
        ndarray
            Shape (channels, taps along each dimension).
        """
        firsts = []
        for axis, (places, real) in enumerate(zip(self.places, self.real, strict=True), start=1):
            inside = places[real]
            first, last = (int(inside.min()), int(inside.max())) if inside.size else (0, -1)
            values = values.narrow(axis, first, last - first + 1)
            firsts.append(first)
        if not values.numel():
            return np.zeros((values.shape[0], *self.shape))
        result = numbers(values)
        for axis, (places, first) in enumerate(zip(self.places, firsts, strict=True), start=1):
            near = np.clip(places - first, 0, result.shape[axis] - 1)
            result = np.take(result, near, axis=axis)
        return np.where(self.mask(), result, 0.0)

    def indices(self, channels: Sequence[int]) -> NDArray[np.int64]:
        """Return (channel, coordinates) of each tap in C order: shape (taps, 1 + dimensions)."""
        grid = np.meshgrid(np.asarray(channels, np.int64), *self.places, indexing="ij")
        return np.stack([axis.reshape(-1) for axis in grid], axis=1)


def _along(values: NDArray[Any], axis: int, dims: int) -> NDArray[Any]:
    return values.reshape([-1 if i == axis else 1 for i in range(dims)])


def tuple_of(value: Any, dims: int) -> tuple[int, ...]:
    """Return a geometry option that may be one number for all dimensions as one for each."""
    return (
        tuple(int(v) for v in value) if isinstance(value, (tuple, list)) else (int(value),) * dims
    )


def _window(places: list[NDArray[np.int64]], sizes: Sequence[int]) -> Window:
    real = [(p >= 0) & (p < size) for p, size in zip(places, sizes, strict=True)]
    return Window(tuple(places), tuple(real))


def convolution_window(module: Any, sizes: Sequence[int], position: Sequence[int]) -> Window:
    """Return what ``Conv1d``, ``Conv2d`` or ``Conv3d`` sees at a position of its output.

    Parameters
    ----------
    module
        The convolution, with any stride, dilation, padding and padding mode.
    sizes
        Of the input, each spatial dimension.
    position
        In the output.
    """
    places = []
    for axis, (size, at) in enumerate(zip(sizes, position, strict=True)):
        reach = module.dilation[axis] * (module.kernel_size[axis] - 1)
        if module.padding == "same":
            before = reach // 2
            after = reach - before
        else:
            before = after = 0 if module.padding == "valid" else module.padding[axis]
        taps = np.arange(module.kernel_size[axis], dtype=np.int64) * module.dilation[axis]
        place = at * module.stride[axis] - before + taps
        if module.padding_mode != "zeros":
            mode: Any = _NUMPY_PADDING[module.padding_mode]
            place = np.pad(np.arange(size), (before, after), mode)[place + before]
        places.append(place)
    return _window(places, sizes)


def transposed_window(module: Any, sizes: Sequence[int], position: Sequence[int]) -> Window:
    """Return the inputs that a transposed convolution spreads onto a position of its output.

    Input i meets output ``i * stride - padding + tap * dilation``; taps that no input reaches the
    position with have the place -1.
    """
    places = []
    for axis, (size, at) in enumerate(zip(sizes, position, strict=True)):
        taps = np.arange(module.kernel_size[axis], dtype=np.int64) * module.dilation[axis]
        place, rest = np.divmod(at + module.padding[axis] - taps, module.stride[axis])
        place[(rest != 0) | (place < 0) | (place >= size)] = -1
        places.append(place)
    return _window(places, sizes)


def pooling_window(module: Any, sizes: Sequence[int], position: Sequence[int]) -> Window:
    """Return what a max or average pooling layer sees at a position of its output."""
    dims = len(sizes)
    kernel, padding = tuple_of(module.kernel_size, dims), tuple_of(module.padding, dims)
    stride = kernel if module.stride is None else tuple_of(module.stride, dims)
    dilation = tuple_of(getattr(module, "dilation", 1), dims)
    places = [
        at * stride[i] - padding[i] + np.arange(kernel[i], dtype=np.int64) * dilation[i]
        for i, at in enumerate(position)
    ]
    return _window(places, sizes)


def adaptive_window(
    sizes: Sequence[int], out_sizes: Sequence[int], position: Sequence[int]
) -> Window:
    """Return what an adaptive pooling layer sees: from ⌊i·n/m⌋ up to ⌈(i+1)·n/m⌉."""
    places = [
        np.arange(at * size // out, -(-(at + 1) * size // out), dtype=np.int64)
        for size, out, at in zip(sizes, out_sizes, position, strict=True)
    ]
    return _window(places, sizes)


def average_divisor(module: nn.Module, window: Window, sizes: Sequence[int]) -> int:
    """Return what an average pooling layer divides the sum of its window by.

    With ``count_include_pad`` padding counts, but not what ``ceil_mode`` adds beyond it.
    """
    override = getattr(module, "divisor_override", None)
    if override is not None:
        return int(override)
    if not getattr(module, "count_include_pad", False):
        return int(window.mask().sum())
    padding = tuple_of(module.padding, len(sizes))
    counts = [
        int((places < size + pad).sum())
        for places, size, pad in zip(window.places, sizes, padding, strict=True)
    ]
    return int(np.prod(counts))
