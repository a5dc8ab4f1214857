"""Where a unit's gradient came from, term by term, as backpropagation computes it.

The score depends on a unit through every layer that takes the unit's output on, so its derivative
is a sum over their outputs j:

    ∂score/∂unit = Σ_j  (∂out_j / ∂unit) · δ_j,      δ_j = ∂score / ∂out_j

The first factor is the layer's own slope there: the weight, for a linear layer or a convolution; 1
or 0 for a ReLU or a max pooling. It is taken from a run of that layer alone (twice differentiated:
the vector-Jacobian product is linear in its vector). The second is autograd's. What reaches the
score through operations that are no layers (an addition, a function) cannot be told apart by hooks;
it is the rest of autograd's total, and called that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from nnwidgets.probe.blocks import Block
from nnwidgets.probe.flow import not_in_place
from nnwidgets.probe.leaf import Run, Use, run_from
from nnwidgets.probe.nests import replaced
from nnwidgets.probe.readout import model_output, score_index
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.tree import type_name
from nnwidgets.probe.units import Unit, as_unit, batch_axis, locate, samples_first, unit_words
from nnwidgets.probe.written import SHOWN, Written, digits

__all__ = ["BackwardTerms", "Consumer", "backward_terms"]

_WEIGHTED: Final = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d,
    nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Consumer:
    """One call of a layer that took the unit's output on.

    Attributes
    ----------
    name, type
        Of the layer.
    gradient
        What came back through it, from autograd.
    outputs
        int64, shape (terms, dimensions): the layer's outputs that depend on the unit, without the
        batch. None where the layer's slopes could not be told; then the next three are empty.
    slope
        ∂out_j / ∂unit, float64.
    delta
        ∂score / ∂out_j, float64.
    product
        Their products; they sum to `gradient`.
    weighted
        Whether the slopes are the layer's weights.
    """

    name: str
    type: str
    gradient: float
    outputs: NDArray[np.int64] | None
    slope: NDArray[np.float64]
    delta: NDArray[np.float64]
    product: NDArray[np.float64]
    weighted: bool


@dataclass(frozen=True, eq=False)
class BackwardTerms:
    """The gradient of a score with respect to a unit, and what it is made of.

    Attributes
    ----------
    unit
        Index into the layer's output without the batch.
    score
        The value of the score.
    target
        Index of the score in the model's output without the batch; None for a loss.
    total
        ∂score / ∂unit, from autograd.
    consumers
        What came back through layers, in the order of the run.
    rest
        What did not: ``total`` less the consumers' gradients.
    direct
        The layer's output is the model's own.
    """

    unit: tuple[int, ...]
    score: float
    target: tuple[int, ...] | None
    total: float
    consumers: tuple[Consumer, ...]
    rest: float
    direct: bool

    def block(self, *, language: str = "en", shown: int = SHOWN, unit: Unit | None = None) -> Block:
        """Return it written out, an ``"arithmetic"`` block (see `nnwidgets.probe.arithmetic`).

        Parameters
        ----------
        language, shown
            See `nnwidgets.probe.written.Written`.
        unit
            Its name where it is another than that of its place in the layer's output.
        """
        out = Written(language, shown)
        name = unit_words(self.unit if unit is None else as_unit(unit))
        self._write_head(out, name)
        for consumer in self.consumers:
            _write_consumer(out, consumer)
        parts = [consumer.gradient for consumer in self.consumers]
        if self.has_rest:
            key = "rest" if not self.direct else ("loss" if self.target is None else "direct")
            out.say("term", f"probe.backward.{key}", value=digits(self.rest))
            parts.append(self.rest)
        if not parts:
            out.say("note", "probe.backward.none")
        if len(parts) > 1:
            joint = digits(parts[0])
            for part in parts[1:]:
                joint += f" − {digits(-part)}" if part < 0 else f" + {digits(part)}"
            out.say("result", "probe.backward.total", value=f"{joint} = {digits(self.total)}")
        else:
            out.say("result", "probe.backward.total", value=digits(self.total))
        return out.block(unit=name, direction="backward")

    @property
    def has_rest(self) -> bool:
        """Whether something reached the score on another way, beyond rounding."""
        size = sum(abs(consumer.gradient) for consumer in self.consumers) + abs(self.total)
        return not abs(self.rest) <= 1e-4 * size

    def _write_head(self, out: Written, unit: str) -> None:
        score = digits(self.score)
        if self.target is None:
            out.say("head", "probe.backward.head_loss", unit=unit, score=score)
        else:
            target = unit_words(self.target or (0,))
            out.say("head", "probe.backward.head", unit=unit, score=score, target=target)


def _write_consumer(out: Written, consumer: Consumer) -> None:
    words = {"layer": consumer.name or consumer.type, "type": consumer.type}
    if consumer.outputs is None:
        out.say("term", "probe.backward.through", value=digits(consumer.gradient), **words)
        out.say("note", "probe.backward.not_told", type=consumer.type)
        return
    out.say("head", f"probe.backward.{'weights' if consumer.weighted else 'slopes'}", **words)
    if not len(consumer.product):
        out.say("note", "probe.backward.no_slope")
        return
    order = np.argsort(-np.nan_to_num(np.abs(consumer.product), nan=np.inf), kind="stable")
    for i in order[: out.shown]:
        product = f"{digits(consumer.slope[i])} × {digits(consumer.delta[i])}"
        out.say(
            "term",
            "probe.backward.term",
            output=unit_words(consumer.outputs[i].tolist()),
            product=f"{product} = {digits(consumer.product[i])}",
        )
    out.others(consumer.product[order[out.shown :]])
    out.sum(len(order), float(consumer.product.sum()))


def backward_terms(
    model: nn.Module,
    sample: Any,
    layer: str,
    sample_index: int,
    unit: Unit,
    *,
    target: int | tuple[int, ...] | None = None,
    loss: Callable[[Any], Tensor] | None = None,
    call: int = 0,
    row: int | None = None,
) -> BackwardTerms:
    """Return where the gradient of a score with respect to one unit comes from.

    Parameters
    ----------
    model
        A private copy, in evaluation mode; its parameters get no gradient.
    sample
        See `nnwidgets.probe.look.call_arguments`.
    layer
        Name of the unit's layer.
    sample_index
        Which sample of the batch.
    unit
        Index into the layer's output without the batch.
    target
        The score, see `nnwidgets.probe.readout.score_index`: by default the largest output of the
        sample, the predicted class before softmax.
    loss
        Takes what the model returned and gives a single number, the score in place of an output.
    call
        Which of the layer's calls.
    row
        Where the sample stands in the layer's output, if it is elsewhere than in the model's.

    Raises
    ------
    Refusal
        If there is no such layer, unit, sample or target, the model raises, or nothing the score
        is made of can be differentiated.
    """
    run = run_from(model, sample, layer, call=call)
    if run.output.is_complex():
        raise Refusal("probe.contributions.complex", type=type_name(run.module))
    row = sample_index if row is None else row
    index, whole = locate(run.module, run.output, row, unit)
    score, where, direct = _score(model, run, sample_index, target, loss)
    outputs: list[Tensor | None] = [
        use.output if isinstance(use.output, Tensor) else None for use in run.uses
    ]
    wanted = [run.output, *(t for use in run.uses for t in use.given)]
    deltas_of = [t for t in outputs if t is not None and t.requires_grad]
    found = torch.autograd.grad(score, [*wanted, *deltas_of], allow_unused=True)
    gradient = dict(zip(map(id, [*wanted, *deltas_of]), found, strict=True))
    total = _at(gradient[id(run.output)], index)
    place = int(run.passed.storage_offset())
    place += sum(i * s for i, s in zip(index, run.passed.stride(), strict=True))
    consumers = []
    for use, output in zip(run.uses, outputs, strict=True):
        tangents = [
            _mask(view, place, clone.device)
            for view, clone in zip(use.views, use.given, strict=True)
        ]
        if not sum(int(tangent.sum()) for tangent in tangents):
            continue  # it was given a view without the unit
        back = 0.0
        for clone, tangent in zip(use.given, tangents, strict=True):
            arrived = gradient[id(clone)]
            if arrived is not None:
                back += float(arrived[tangent].sum().double())
        delta = None if output is None else gradient.get(id(output))
        consumers.append(_consumer(use, tangents, delta, back, row))
    rest = total - math.fsum(consumer.gradient for consumer in consumers)
    return BackwardTerms(whole, float(score.detach()), where, total, tuple(consumers), rest, direct)


def _score(
    model: nn.Module,
    run: Run,
    sample_index: int,
    target: int | tuple[int, ...] | None,
    loss: Callable[[Any], Tensor] | None,
) -> tuple[Tensor, tuple[int, ...] | None, bool]:
    """Return the score, where it stands, and whether it is read off the layer's own output."""
    where: tuple[int, ...] | None = None
    score: Any
    with torch.enable_grad():
        if loss is not None:
            score, read = loss(run.result), list(tensors_in(run.result))
        else:
            given = model_output(run.result)
            result = samples_first(model, given)
            index = score_index(result, sample_index, target)
            score, where, read = result[index].reshape(()), index[1:], [given]
    direct = any(tensor is run.passed or tensor._base is run.passed for tensor in read)
    if not isinstance(score, Tensor) or score.numel() != 1 or score.is_complex():
        raise Refusal("probe.backward.no_number")
    if not score.requires_grad:
        raise Refusal("probe.backward.no_gradient")
    return score, where, direct


def _at(gradient: Tensor | None, index: tuple[int, ...]) -> float:
    return 0.0 if gradient is None else float(gradient[index])


def _mask(
    view: tuple[tuple[int, ...], tuple[int, ...], int], place: int, device: torch.device
) -> Tensor:
    """Return which elements of a view lie at a place of its storage."""
    size, stride, offset = view
    places = torch.full(size, offset, device=device)
    for axis, (n, step) in enumerate(zip(size, stride, strict=True)):
        shape = [-1 if i == axis else 1 for i in range(len(size))]
        places = places + (torch.arange(n, device=device) * step).reshape(shape)
    return places == place


def _consumer(
    use: Use, tangents: list[Tensor], delta: Tensor | None, back: float, sample_index: int
) -> Consumer:
    name, kind = use.name, type_name(use.module)
    column = _slopes(use, tangents) if isinstance(use.output, Tensor) else None
    empty = np.zeros(0)
    untold = Consumer(name, kind, back, None, empty, empty, empty, False)
    if column is None:
        return untold
    places = column.nonzero()
    slope = column[tuple(places.T)].double().cpu().numpy()
    backward = np.zeros(len(slope))
    if delta is not None:
        backward = delta.detach()[tuple(places.T)].double().cpu().numpy()
    product = slope * backward
    size = np.abs(product).sum() + abs(back)
    if not abs(product.sum() - back) <= 2e-3 * size:
        return untold  # the layer gives something else each time, or keeps a state
    outputs = places.cpu().numpy().astype(np.int64)
    axis = batch_axis(use.module, use.output)
    if axis is not None and (outputs[:, axis] == sample_index).all():
        outputs = np.delete(outputs, axis, axis=1)
    weighted = isinstance(use.module, _WEIGHTED)
    return Consumer(name, kind, back, outputs, slope, backward, product, weighted)


def _slopes(use: Use, tangents: list[Tensor]) -> Tensor | None:
    """Return ∂out_j / ∂unit for all outputs of a layer, None where it cannot be had."""
    inputs = [clone.detach().requires_grad_() for clone in use.given]
    swap = {id(clone): new for clone, new in zip(use.given, inputs, strict=True)}
    args, kwargs = replaced(use.args, swap), replaced(use.kwargs, swap)
    try:
        with torch.enable_grad(), not_in_place(use.module), sdpa_kernel(SDPBackend.MATH):
            output = use.module(*args, **kwargs)
            vector = torch.zeros_like(output, requires_grad=True)
            back: Any = torch.autograd.grad(
                output, inputs, vector, create_graph=True, allow_unused=True
            )
            along = torch.zeros((), dtype=output.dtype, device=output.device)
            for arrived, tangent in zip(back, tangents, strict=True):
                if arrived is not None:
                    along = along + arrived[tangent].sum()
            if not along.requires_grad:
                return torch.zeros_like(output)
            column: Any = torch.autograd.grad(along, vector, allow_unused=True)[0]
    except Exception:  # not differentiable twice, or not a layer that can be called again
        return None
    found: Tensor = torch.zeros_like(output) if column is None else column
    return found.detach()
