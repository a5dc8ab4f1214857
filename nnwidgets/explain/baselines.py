"""What stands for "nothing there": the baseline that an explanation is relative to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nnwidgets.explain.tokens import looked_up
from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked
    from nnwidgets.explain.inputs import Slot
    from nnwidgets.explain.question import Question
    from nnwidgets.probe.blocks import Words

__all__ = ["NAMES", "baseline_names", "baseline_tensors", "baseline_words", "blurred"]

NAMES: Final = ("zero", "mean", "blurred", "sample")
"""Those that have a name; also ``"pad"`` for token ids, and ``"sample:7"`` for one sample."""

_MOST: Final = 256  # samples that a mean is taken over
_BLUR: Final = 10  # the blur's standard deviation is the longer side divided by this


def baseline_names(asked: Asked, question: Question | None = None) -> tuple[str, ...]:
    """Return the names of the baselines that there are for these inputs.

    Parameters
    ----------
    asked
        The sample.
    question
        What it comes from.
    """
    names = ["zero", "mean"]
    if any(_blurs(slot) for slot in asked.slots):
        names.append("blurred")
    if question is not None and question.count > 1:
        names.append("sample")
    if any(slot.integer for slot in asked.slots) and _pad_ids(asked) is not None:
        names.append("pad")
    return tuple(names)


def baseline_words(baseline: Any, asked: Asked, question: Question | None = None) -> Words:
    """Return what a baseline is, as a sentence of the catalogue.

    Parameters
    ----------
    baseline
        As in `baseline_tensors`.
    asked
        The sample.
    question
        What it comes from.
    """
    tokens = asked.slots[0].integer and bool(asked.model.wiring.pieces[0])
    if baseline is None or (isinstance(baseline, str) and baseline == "zero"):
        return ("explain.baseline.zero_tokens" if tokens else "explain.baseline.zero"), {}
    if isinstance(baseline, (int, float)) and not isinstance(baseline, bool):
        return "explain.baseline.number", {"value": f"{baseline:g}"}
    if not isinstance(baseline, str):
        return "explain.baseline.given", {}
    if baseline == "mean":
        if question is None or question.count == 1:
            return "explain.baseline.mean_own", {}
        return "explain.baseline.mean", {"count": str(min(question.count, _MOST))}
    if baseline == "blurred":
        return "explain.baseline.blurred", {}
    if baseline == "pad":
        return "explain.baseline.pad", {}
    return "explain.baseline.sample", {"index": str(_which(baseline, asked, question))}


def baseline_tensors(
    asked: Asked, question: Question | None = None, baseline: Any = None
) -> tuple[Tensor, ...]:
    """Return one baseline for each of the inputs.

    Parameters
    ----------
    asked
        The sample.
    question
        What it comes from: the other samples, for ``"mean"`` and ``"sample"``.
    baseline
        None or ``"zero"``: zeros (of tokens: the zero vector). A number; for token ids a whole one
        is an id, as captum has it, and a float fills the vectors. ``"mean"``: of each element over
        the samples, at most 256 of them, spread evenly (of tokens: the mean vector
        over samples and positions); of a single sample, the mean of each of its channels.
        ``"blurred"``: the input itself, smoothed by a Gaussian whose standard deviation is a tenth
        of the longer side. ``"sample"``: the next sample, ``"sample:7"`` sample 7. ``"pad"``: the
        vector of the padding token at each place. A tensor or array, in the input's shape with or
        without the batch or one that broadcasts to it; for token ids also ids. For several inputs
        a tuple of these or a dict by name; a single one stands for all of them.

    Returns
    -------
    tuple of Tensor
        Each with the shape, type and device of its input.

    Raises
    ------
    Refusal
        If there is no such baseline for these inputs, or if it does not fit them.
    TypeError
        If it is nothing of the kind.
    """
    count = len(asked.inputs)
    if isinstance(baseline, dict):
        unknown = set(baseline) - {slot.name for slot in asked.slots}
        if unknown:
            known = ", ".join(slot.name for slot in asked.slots)
            raise Refusal("explain.baseline_input", name=str(sorted(unknown)[0]), known=known)
        each = [baseline.get(slot.name) for slot in asked.slots]
    elif isinstance(baseline, (tuple, list)) and len(baseline) == count:
        each = list(baseline)
    elif isinstance(baseline, (tuple, list)):
        raise Refusal("explain.baseline_count", given=str(len(baseline)), count=str(count))
    else:
        each = [baseline] * count
    whole = isinstance(baseline, str)
    return tuple(_one(asked, question, n, wanted, whole) for n, wanted in enumerate(each))


def _one(asked: Asked, question: Question | None, number: int, wanted: Any, whole: bool) -> Tensor:
    given = asked.inputs[number]
    if wanted is None:
        return torch.zeros_like(given)
    if isinstance(wanted, str):
        return _named(asked, question, number, wanted, whole).to(given).expand_as(given).clone()
    if isinstance(wanted, bool) or not isinstance(
        wanted, (int, float, np.number, np.ndarray, Tensor)
    ):
        raise TypeError(
            "baseline must be a number, a tensor or array that fits the input, or one of "
            f"{', '.join(NAMES)}, not {type(wanted).__name__}"
        )
    values = torch.as_tensor(wanted if isinstance(wanted, Tensor) else np.array(wanted)).detach()
    if _are_ids(values, asked, number):
        values = _vectors(asked, number, values.to(given.device))
    if not bool(torch.isfinite(values).all()):
        raise Refusal("explain.baseline_not_finite")
    try:
        return values.to(given).broadcast_to(given.shape).clone()
    except RuntimeError:
        shapes = {"given": _size(values.shape), "wanted": _size(given.shape[1:])}
        raise Refusal("explain.baseline_shape", **shapes) from None


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "1"


def _named(asked: Asked, question: Question | None, number: int, name: str, whole: bool) -> Tensor:
    given, slot = asked.inputs[number], asked.slots[number]
    if name == "zero":
        return torch.zeros_like(given)
    if name == "mean":
        return _mean(asked, question, number)
    if name == "blurred":
        if _blurs(slot):
            return blurred(given, slot)
        if whole and any(_blurs(other) for other in asked.slots):
            return torch.zeros_like(given)
        raise Refusal("explain.baseline_blurred", kind=slot.kind)
    if name == "pad":
        ids = _pad_ids(asked)
        if slot.integer and asked.model.wiring.pieces[number] and ids is not None:
            return _vectors(asked, number, torch.full(slot.shape, ids, device=given.device))
        if whole and ids is not None and any(asked.model.wiring.pieces):
            return torch.zeros_like(given)
        raise Refusal("explain.baseline_pad")
    if name == "sample" or name.startswith("sample:"):
        index = _which(name, asked, question)
        assert question is not None
        return question.on(asked.root).inputs_of([index])[number]
    raise Refusal("explain.baseline_unknown", name=name, known=", ".join((*NAMES, "pad")))


def _which(name: str, asked: Asked, question: Question | None) -> int:
    """Return the sample that a baseline names: the next one, or the one given by its number."""
    _, _, number = name.partition(":")
    if question is None or (question.count == 1 and not number):
        raise Refusal("explain.baseline_sample")
    if not number:
        return (asked.index + 1) % question.count
    if not number.lstrip("-").isdecimal():
        raise Refusal("explain.baseline_unknown", name=name, known=", ".join((*NAMES, "pad")))
    index = int(number)
    if not 0 <= index < question.count:
        raise Refusal("explain.index_range", index=number, last=str(question.count - 1))
    return index


def _mean(asked: Asked, question: Question | None, number: int) -> Tensor:
    given, slot = asked.inputs[number], asked.slots[number]
    vectors = bool(asked.model.wiring.pieces[number])
    if question is None or question.count == 1:
        if vectors or slot.kind in ("sequence", "tokens"):
            axes: tuple[int, ...] = tuple(range(1, given.dim() - 1)) or (given.dim() - 1,)
        elif slot.kind == "image" and slot.channel_axis is not None:
            axes = (2, 3) if slot.channel_axis == 0 else (1, 2)
        elif slot.kind == "signal":
            axes = (given.dim() - 1,)
        else:
            axes = tuple(range(1, given.dim()))
        return _finite_mean(given, axes) if axes else given
    count = question.count
    chosen = sorted({round(at) for at in np.linspace(0, count - 1, min(count, _MOST))})
    total = _finite_mean(question.on(asked.root).inputs_of(chosen)[number], (0,))
    if vectors and not any(piece.column is not None for piece in asked.model.wiring.pieces[number]):
        total = _finite_mean(total, tuple(range(1, total.dim() - 1)))
    return total


def _finite_mean(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    if not axes:
        return values
    wide = values.double()
    finite = torch.isfinite(wide)
    count = finite.sum(axes, keepdim=True).clamp(min=1)
    return (torch.where(finite, wide, 0.0).sum(axes, keepdim=True) / count).to(values.dtype)


def _blurs(slot: Slot) -> bool:
    return slot.kind in ("image", "signal", "sequence")


def blurred(values: Tensor, slot: Slot) -> Tensor:
    """Smooth an input along its places.

    Parameters
    ----------
    values
        (1, …), an image, a signal or a sequence.
    slot
        Which of them.

    Returns
    -------
    Tensor
        Of the same shape. Beyond the edges the outermost value goes on; NaN spreads.
    """
    if slot.kind == "image":
        axes = [2, 3] if slot.channel_axis == 0 else [1, 2]
    else:
        axes = [values.dim() - 1] if slot.kind == "signal" else [1]
    spread = max(1.0, max(values.shape[axis] for axis in axes) / _BLUR)
    reach = math.ceil(3 * spread)
    at = torch.arange(-reach, reach + 1, dtype=torch.float64, device=values.device)
    kernel = torch.exp(-0.5 * (at / spread) ** 2)
    kernel = kernel / kernel.sum()
    result = values.double()
    for axis in axes:
        moved = result.movedim(axis, -1)
        rows = F.pad(moved.reshape(-1, 1, moved.shape[-1]), (reach, reach), mode="replicate")
        smooth = F.conv1d(rows, kernel[None, None])
        result = smooth.reshape(moved.shape).movedim(-1, axis)
    return result.to(values.dtype)


def _are_ids(values: Tensor, asked: Asked, number: int) -> bool:
    return bool(asked.model.wiring.pieces[number]) and not values.dtype.is_floating_point


def _vectors(asked: Asked, number: int, ids: Tensor) -> Tensor:
    """Look ids up in the embeddings of an input, each piece in its own."""
    slot, given = asked.slots[number], asked.inputs[number]
    try:
        ids = ids.long().broadcast_to((1, *slot.shape))
    except RuntimeError:
        shapes = {"given": _size(ids.shape), "wanted": _size(slot.shape)}
        raise Refusal("explain.baseline_shape", **shapes) from None
    vectors = torch.zeros_like(given)
    with torch.no_grad():
        for piece in asked.model.wiring.pieces[number]:
            module = asked.root.get_submodule(piece.module)
            mine = ids if piece.column is None else ids[:, piece.column]
            rows = int(getattr(module, "num_embeddings", 0))
            if bool((mine < 0).any()) or (rows and bool((mine >= rows).any())):
                raise Refusal("explain.baseline_ids", last=str(rows - 1))
            features = slice(piece.start, piece.start + piece.width)
            if piece.column is None:
                vectors[..., features] = looked_up(module, mine).to(vectors.dtype)
            else:
                vectors[:, piece.column, features] = looked_up(module, mine).to(vectors.dtype)
    return vectors


def _pad_ids(asked: Asked) -> int | None:
    """Return the id of the padding token, as the embedding or a Hugging Face config says it."""
    for pieces in asked.model.wiring.pieces:
        for piece in pieces:
            known = getattr(asked.root.get_submodule(piece.module), "padding_idx", None)
            if known is not None:
                return int(known)
    known = getattr(getattr(asked.root, "config", None), "pad_token_id", None)
    return int(known) if isinstance(known, int) and any(asked.model.wiring.pieces) else None
