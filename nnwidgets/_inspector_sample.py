"""The probe batch of an inspector: the same inputs every time, so that pictures compare."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from nnwidgets.probe.look import Arguments, call_arguments, copied
from nnwidgets.probe.packed_rows import PackedRows
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.time_first import SampleAxes

__all__ = ["ProbeBatch"]

_MOST_SHOWN: Final = 32
_THUMB: Final = 32  # pixels a side


class ProbeBatch:
    """What a model is called with to be looked at.

    Parameters
    ----------
    sample
        A tensor, a tuple of positional inputs or a mapping of keyword inputs.

    Attributes
    ----------
    sample
        As given, but copied: whoever gave it may go on to change it in place, and a sample that
        was computed would keep all alive that it was computed from.
    count
        How many samples the batch holds: the first dimension that most tensors share, 1 if
        none does. Where the model takes time first, what `place` was told.
    axes
        Where the samples stand; None where that is the first dimension.
    rows
        By name of the layer, those whose outputs are rows of packed sequences.
    placed
        Whether that has been found out.
    taken
        Whether it was taken from the training, and may hold more samples than need be looked at.
    """

    def __init__(self, sample: Any) -> None:
        self.hold(_kept(sample))
        self.axes: SampleAxes | None = None
        self.placed = self.taken = False
        self.rows: dict[str, PackedRows] = {}

    def hold(self, sample: Any) -> None:
        """Hold this sample from now on, in the place of another."""
        self.sample = sample
        sizes = [tensor.size(0) for tensor in _inputs(sample) if tensor.ndim > 1]
        sizes = sizes or [tensor.size(0) for tensor in _inputs(sample) if tensor.ndim]
        sequences = next((v for v in _values(sample) if isinstance(v, PackedSequence)), None)
        self.count = max(set(sizes), key=sizes.count) if sizes else 1
        if sequences is not None:
            self.count = int(sequences.batch_sizes[0])

    def place(self, axes: SampleAxes | None, rows: dict[str, PackedRows]) -> None:
        """Take in where the samples stand."""
        self.axes, self.rows, self.placed = axes, rows, True
        if axes is not None:
            self.count = axes.count

    @property
    def _time_first(self) -> bool:
        return self.axes is not None and self.axes.inputs[:1] == (1,)

    def picture(self) -> tuple[str, NDArray[np.uint8] | None]:
        """Return what the samples are, ``"image"``, ``"vector"`` or ``"other"``, and thumbnails.

        Returns
        -------
        kind, thumbs
            Thumbnails are uint8, (n, height, width) or (n, height, width, 3), of at most 32
            samples and 32 pixels a side, from each sample's own darkest to its brightest value;
            None for what is no image.
        """
        first = next(iter(_inputs(self.sample)), None)
        if (
            first is None
            or not first.dtype.is_floating_point
            or self._time_first
            or first.is_nested
        ):
            return "other", None
        if first.ndim == 4 and first.shape[1] in (1, 3, 4) and min(first.shape[2:]) > 1:
            images = first[:_MOST_SHOWN, : 3 if first.shape[1] > 1 else 1]
        elif first.ndim == 3 and min(first.shape[1:]) > 7 and first.shape[1] == first.shape[2]:
            images = first[:_MOST_SHOWN, None]
        else:
            return ("vector" if first.ndim == 2 else "other"), None
        step = [max(1, -(-size // _THUMB)) for size in images.shape[2:]]
        small = images[:, :, :: step[0], :: step[1]].detach().float().cpu().numpy()
        small = np.moveaxis(small, 1, -1)
        thumbs = np.stack([_stretched(one) for one in small])
        return "image", thumbs[..., 0] if thumbs.shape[-1] == 1 else thumbs


def _kept(sample: Any) -> Any:
    if isinstance(sample, Arguments):
        return Arguments(copied(sample.args), copied(sample.kwargs))
    return copied(sample)


def _inputs(sample: Any) -> list[Tensor]:
    return list(tensors_in(_values(sample)))


def _values(sample: Any) -> tuple[Any, ...]:
    args, kwargs = call_arguments(sample)
    return (*args, *kwargs.values())


def _stretched(image: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    finite = image[np.isfinite(image)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    place = (image - low) / (high - low) if high > low else np.zeros_like(image)
    levels: NDArray[np.uint8] = np.rint(np.nan_to_num(np.clip(place, 0, 1)) * 255).astype(np.uint8)
    return levels
