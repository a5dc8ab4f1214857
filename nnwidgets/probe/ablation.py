"""Switching units off, to see what a model's output owes to them.

The layer's output is set to zero for the chosen channels, units, or as a whole, each time it is
called in one run, and everything after it is computed from that. Zero is what a ReLU gives for a
dead unit; where a layer's outputs are not around zero it is an input the later layers have never
seen, so a large change says that the model relies on them being as they are, not how much they say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.probe.ablation_pictures import Pictures, changed_pictures, pictures_of
from nnwidgets.probe.blocks import Block, note
from nnwidgets.probe.look import Look, look
from nnwidgets.probe.nests import replaced
from nnwidgets.probe.reach import (
    ReachError,
    canonical,
    earlier_modules,
    not_called,
    submodule,
)
from nnwidgets.probe.readout import Readout, read_out
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number, whole
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.units import UnitError, as_unit, batch_axis, channel_axis, main_tensor

__all__ = ["Ablation", "ablate"]

_LISTED: Final = 256


@dataclass(frozen=True, eq=False)
class Ablation:
    """A model's outputs with and without some units.

    Attributes
    ----------
    layer
        Name of the layer.
    units
        What was switched off; None is the whole layer.
    before, after
        float64, shape (samples, outputs): probabilities where the outputs are taken for classes.
    readout
        Says what the numbers are (see `nnwidgets.probe.readout.Readout`).
    flips
        Samples whose predicted class changed; none where there are no classes.
    pictures
        What the model returned both times, where that is pictures.
    """

    layer: str
    units: tuple[int | tuple[int, ...], ...] | None
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    readout: Readout
    flips: NDArray[np.int64]
    pictures: Pictures | None = field(default=None, repr=False)

    def blocks(self, sample_index: int = 0, *, labels: Sequence[str] | None = None) -> list[Block]:
        """Return the outputs of one sample side by side, and in words what changed.

        Parameters
        ----------
        sample_index
            Which sample of the batch.
        labels
            Names of the outputs.

        Raises
        ------
        UnitError
            If there is no such sample.
        """
        count, outputs = self.before.shape
        if not 0 <= sample_index < count:
            raise UnitError("probe.unit.sample", index=str(sample_index), count=str(count))
        names = list(labels or ())
        if len(names) != outputs:
            names = [str(i) for i in range(outputs)]
        before, after = self.before[sample_index], self.after[sample_index]
        size = np.maximum(np.abs(before), np.abs(after))
        # Of very many classes those that are likely before or after, in their own order.
        listed = np.sort(np.argsort(-np.nan_to_num(size, nan=np.inf), kind="stable")[:_LISTED])
        with np.errstate(over="ignore"):
            arrays: dict[str, NDArray[Any]] = {
                "before": before[listed].astype(np.float32),
                "after": after[listed].astype(np.float32),
                "units": listed.astype(np.int32),
            }
        meta = {
            "labels": [names[i] for i in listed],
            "probabilities": self.readout.classes,
            "count": outputs,
        }
        drawn = () if self.pictures is None else changed_pictures(self.pictures, sample_index)
        blocks = [*drawn, Block("outputs", meta, arrays, ("ui.inspector.ablation.outputs", {}))]
        blocks.append(self._change(sample_index, names))
        if self.readout.classes and count > 1:
            flipped, total = whole(len(self.flips)), whole(count)
            blocks.append(note("probe.ablation.flips", count=flipped, total=total))
        key, params = self.readout.words()
        return [*blocks, note(key, **params)]

    def _change(self, sample_index: int, names: Sequence[str]) -> Block:
        """Return a sentence on what changed for one sample."""
        if np.array_equal(self.before, self.after, equal_nan=True):
            return note("probe.ablation.none")
        before, after = self.before[sample_index], self.after[sample_index]
        if not np.isfinite(after).all():
            return note("probe.ablation.not_finite", "warning")
        if not self.readout.classes:
            most = int(np.argmax(np.nan_to_num(np.abs(after - before))))
            return note(
                "probe.ablation.output", name=names[most], before=number(before[most]),
                after=number(after[most]),
            )  # fmt: skip
        was, now = int(before.argmax()), int(after.argmax())
        params = {
            "name": names[was],
            "before": _percent(before[was]),
            "after": _percent(after[was]),
        }
        if was == now:
            return note("probe.ablation.same", **params)
        return note("probe.ablation.flip", now=names[now], share=_percent(after[now]), **params)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def ablate(
    model: nn.Module,
    sample: Any,
    layer: str,
    units: int | Sequence[int | tuple[int, ...]] | None = None,
) -> Ablation:
    """Run a model with and without some units of a layer.

    Parameters
    ----------
    model
        A private copy, in evaluation mode.
    sample
        The probe batch, see `nnwidgets.probe.look.call_arguments`.
    layer
        Name of the layer; each of its calls is changed.
    units
        Channels (ints), and single units (tuples of indices into the layer's output without the
        batch), switched off in every sample. None is the whole layer.

    Raises
    ------
    Refusal
        If there is no such layer or unit, the layer is not called or returns no tensor, or the
        model raises with or without it.
    """
    name = canonical(model, layer)
    wanted = None if units is None else _wanted(units)
    called: list[bool] = []
    edit = _editor(model, name, wanted, called)
    before = _checked(look(model, sample), "probe.reach.failed_in")
    changed = _checked(look(model, sample, edit={name: edit}), "probe.ablation.failed")
    if not called:
        raise not_called(model, layer)
    first = read_out(before.result, inputs=sample, model=model)
    second = read_out(changed.result, inputs=sample, how=first.how, model=model)
    if first.values.shape != second.values.shape:
        raise Refusal(
            "probe.ablation.shape", before=str(first.values.shape), after=str(second.values.shape)
        )
    flips = np.zeros(0, np.int64)
    if first.classes and first.values.size:
        moved = first.values.argmax(axis=1) != second.values.argmax(axis=1)
        flips = np.flatnonzero(moved & np.isfinite(second.values).all(axis=1))
    pictures = pictures_of(before.result, changed.result)
    return Ablation(layer, wanted, first.values, second.values, first, flips, pictures)


def _wanted(units: Any) -> tuple[int | tuple[int, ...], ...]:
    items = (
        units if isinstance(units, (list, tuple, set, frozenset, np.ndarray, range)) else [units]
    )
    found = [as_unit(item) for item in items]
    return tuple(item[0] if len(item) == 1 else item for item in found)


def _checked(seen: Look, key: str) -> Look:
    if isinstance(seen.problem, Refusal):
        raise seen.problem
    if seen.problem is not None:
        words = f"{type(seen.problem).__name__}: {seen.problem}"
        raise ReachError(key, problem=words) from seen.problem
    return seen


def _editor(
    model: nn.Module,
    name: str,
    units: tuple[int | tuple[int, ...], ...] | None,
    called: list[bool],
) -> Callable[[Any], Any]:
    module = submodule(model, name)
    before = earlier_modules(model, name)

    def edit(output: Any) -> Any:
        called.append(True)
        tensor = main_tensor(output)
        if units is None:
            floating = [t for t in tensors_in(output) if t.dtype.is_floating_point]
            return replaced(output, {id(t): torch.zeros_like(t) for t in floating})
        axis = channel_axis(module, tensor, before)
        changed = tensor.clone()
        for unit in units:
            if isinstance(unit, int):
                _channel(changed, axis, unit).zero_()
            else:
                _one_unit(module, changed, unit).zero_()
        new = {id(tensor): changed}
        if isinstance(module, nn.RNNBase):
            new |= _last_states(module, output, tensor, units)
        result = replaced(output, new)
        if main_tensor(result) is not changed:
            raise UnitError("probe.ablation.container", type=type(output).__name__)
        return result

    return edit


def _channel(tensor: Tensor, axis: int, channel: int) -> Tensor:
    count = tensor.shape[axis]
    if not -count <= channel < count:
        raise UnitError("probe.unit.channel", unit=str(channel), count=str(count))
    return tensor.select(axis, channel)


def _one_unit(module: nn.Module, tensor: Tensor, unit: tuple[int, ...]) -> Tensor:
    """Return the unit in every sample, as a view."""
    batch = batch_axis(module, tensor)
    samples = tensor.unsqueeze(0) if batch is None else tensor.movedim(batch, 0)
    shape = tuple(samples.shape[1:])
    fits = len(unit) == len(shape)
    if not fits or any(not -n <= i < n for i, n in zip(unit, shape, strict=True)):
        raise UnitError("probe.unit.range", unit=str(unit), shape="×".join(map(str, shape)))
    place: Any = unit
    return samples.movedim(0, -1)[place]


def _last_states(
    module: nn.RNNBase, output: Any, tensor: Tensor, units: Sequence[int | tuple[int, ...]]
) -> dict[int, Tensor]:
    """Switch channels off in the last hidden state too, which says the same as the output."""
    states = [t for t in tensors_in(output[1]) if t is not tensor]
    if not states:
        return {}
    hidden = states[0].clone()
    directions = 2 if module.bidirectional else 1
    width = tensor.shape[-1] // directions
    for unit in units:
        if isinstance(unit, int):
            direction, place = divmod(unit % tensor.shape[-1], width)
            hidden[direction - directions, ..., place] = 0
    return {id(states[0]): hidden}
