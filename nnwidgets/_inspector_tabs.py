"""What each tab of an inspector shows of a layer: blocks, made from a look at the twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from torch import nn

from nnwidgets._inspector_scene import SORTS, TABS, Ask, Scene
from nnwidgets.probe.ablation import ablate
from nnwidgets.probe.arithmetic import explain_forward
from nnwidgets.probe.attention import AttentionTap, attention_blocks, maps_within
from nnwidgets.probe.backward_terms import backward_terms
from nnwidgets.probe.blocks import Block, note
from nnwidgets.probe.contribution_blocks import contribution_blocks
from nnwidgets.probe.display import activation_blocks
from nnwidgets.probe.flow import producer
from nnwidgets.probe.layer_history import KINDS
from nnwidgets.probe.look import Call, Look, look
from nnwidgets.probe.outputs import sample_of
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.packed_rows import as_packed, first_packed, place_in_rows, rows_of
from nnwidgets.probe.reach import submodule, why_not_seen
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.relevance import channel_scores
from nnwidgets.probe.ridge import history_blocks
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.tree import type_name
from nnwidgets.probe.units import (
    Unit,
    as_unit,
    batch_axis,
    channel_axis,
    main_tensor,
    strongest,
    unit_words,
)
from nnwidgets.probe.weight_tensors import main_parameter
from nnwidgets.probe.weights import weight_blocks

__all__ = ["SORTS", "TABS", "Ask", "Scene", "blocks_of"]


def blocks_of(scene: Scene) -> list[Block]:
    """Return what a tab shows; a refusal is a block too.

    `Scene.calls` and `Scene.unit` say afterwards how often the layer was called and which unit is
    shown.
    """
    scene.unit = scene.ask.unit
    try:
        blocks = _MAKERS[scene.ask.tab](scene)
    except Refusal as refusal:
        blocks = [refusal.block("warning")]
    return [*scene.extra.get(scene.ask.tab, ()), *blocks]


def _run(scene: Scene) -> Look:
    """Run the private model on the probe batch and keep the layer's calls."""
    if scene.seen is None:
        scene.seen = look(scene.root, scene.sample, [scene.ask.layer], copy=True)
        scene.calls = len(scene.seen.calls[scene.ask.layer])
    return scene.seen


def _call(scene: Scene) -> Call:
    """Return the layer's call to show.

    Raises
    ------
    Refusal
        If there is none.
    """
    if scene.sample is None:
        raise Refusal("probe.inspect.no_sample")
    seen = _run(scene)
    calls = seen.calls[scene.ask.layer]
    if calls:
        call = calls[min(scene.ask.call, len(calls) - 1)]
        if any_without_data(tensors_in(call.output)):
            raise Refusal("explain.meta_model")
        return call
    raise why_not_seen(scene.root, scene.ask.layer, seen)


def _before(scene: Scene) -> list[nn.Module]:
    """Return the leaf modules in front of the layer, in order of definition, the nearest last."""
    found: list[nn.Module] = []
    for name, module in scene.root.named_modules():
        if name == scene.ask.layer:
            break
        if not module._modules:
            found.append(module)
    return found[-8:]


def _activations(scene: Scene) -> list[Block]:
    ask = scene.ask
    if ask.source == "batch":
        return _of_batch(scene)
    call = _call(scene)
    scores = None
    notes: list[Block] = []
    if ask.sort == "contribution":
        try:
            scores = channel_scores(
                scene.root, scene.sample, ask.layer, ask.sample_index, call=ask.call
            )
        except Refusal as refusal:
            notes = [refusal.block()]
    blocks = activation_blocks(
        scene.module, as_packed(call, scene.rows), ask.sample_index,
        sort=ask.sort, unit=ask.unit, scores=scores, output=ask.output, depth=ask.depth,
        before=_before(scene), step=scene.step,
    )  # fmt: skip
    # What a click on a switch does appears beside the switch: at the end.
    return [*_attention(scene), *blocks, *notes, *_without(scene)]


def _without(scene: Scene) -> list[Block]:
    """Return what the model gives with some units off, for this sample and these weights."""
    ask = scene.ask
    if ask.off is None:
        return []
    units = None if ask.off == "layer" else ask.off
    try:
        found = ablate(scene.root, scene.sample, ask.layer, units)
        return found.blocks(ask.sample_index)
    except Refusal as refusal:
        return [refusal.block("warning")]


def _of_batch(scene: Scene) -> list[Block]:
    ask = scene.ask
    batch = None if scene.newest is None else scene.newest.batch
    if batch is None or batch.name != ask.layer or not batch.calls:
        return [note("probe.inspect.no_batch")]
    scene.calls = len(batch.calls)
    assert scene.newest is not None
    scene.step, scene.past = scene.newest.step, False  # whatever step is shown elsewhere
    call = batch.calls[min(ask.call, len(batch.calls) - 1)]
    sort = "activity" if ask.sort == "contribution" else ask.sort
    return activation_blocks(
        scene.module, call, min(ask.sample_index, batch.samples - 1),
        sort=sort, unit=ask.unit, output=ask.output, depth=ask.depth,
        before=_before(scene), step=scene.step,
    )  # fmt: skip


def _attention(scene: Scene) -> list[Block]:
    """Return the attention maps of the layer, or of those inside it.

    They want a run of their own, which takes no fused shortcut.
    """
    ask = scene.ask
    if not _may_attend(scene.module):
        return []
    tap = AttentionTap(scene.root, [ask.layer], sample_index=ask.sample_index)
    with tap:
        look(scene.root, scene.sample, ())
    maps = maps_within(tap.maps, ask.layer)
    if not maps:
        named = any(word in type_name(scene.module).lower() for word in ("attention", "attn"))
        return [note("probe.attention.none")] if named or tap.left_out else []
    if ask.layer in maps:
        return attention_blocks(maps[ask.layer], ask.sample_index, call=ask.call)
    if len(maps) == 1:
        return attention_blocks(next(iter(maps.values())), ask.sample_index, call=ask.call)
    return []  # a whole encoder: each layer has its own


def _may_attend(module: nn.Module) -> bool:
    """Say whether a look for attention is worth a run: not for torch's own simple layers."""
    if isinstance(module, nn.MultiheadAttention):
        return True
    return bool(module._modules) or not type(module).__module__.startswith("torch.nn.")


def _weights(scene: Scene) -> list[Block]:
    _count_calls(scene)
    ask = scene.ask
    blocks = weight_blocks(
        scene.module, unit=ask.unit, channel=ask.channel, sort=ask.sort, part=ask.part,
        step=scene.step,
    )  # fmt: skip
    return [*blocks, *_update(scene)]


def _gradients(scene: Scene) -> list[Block]:
    _count_calls(scene)
    if scene.past:
        return [note("probe.inspect.past_gradient"), *_histories(scene, ("gradient",))]
    ask = scene.ask
    kept = scene.gradients.of_module(scene.real)
    blocks = weight_blocks(
        scene.real, "gradient", unit=ask.unit, channel=ask.channel, sort=ask.sort,
        part=ask.part, gradients=kept, step=scene.step if kept is None else scene.gradients.step,
    )  # fmt: skip
    if kept is not None:
        blocks.append(note("probe.inspect.kept_gradient", step=f"{scene.gradients.step:,}"))
    return [*blocks, *_update(scene)]


def _update(scene: Scene) -> list[Block]:
    """Say how large the layer's gradient and its update were in the newest sampled step."""
    newest = scene.newest
    row = None if newest is None or scene.past else newest.row(scene.ask.layer)
    if newest is None or row is None:
        return []
    kinds = ("grad_norm", "update_ratio")
    values = [float(newest.of_layers(getattr(newest.layers, kind))[row]) for kind in kinds]
    if all(value != value for value in values):
        return []
    items = [
        [f"ui.inspector.numbers.{kind}", "number", "–" if value != value else None]
        for kind, value in zip(kinds, values, strict=True)
    ]
    title = ("ui.inspector.updates", {"step": f"{newest.step:,}"})
    return [Block("numbers", {"items": items}, {"values": np.array(values)}, title)]


def _history(scene: Scene) -> list[Block]:
    return _histories(scene, KINDS)


def _histories(scene: Scene, kinds: tuple[str, ...]) -> list[Block]:
    blocks: list[Block] = []
    for kind in kinds:
        found = history_blocks(scene.history, scene.ask.layer, kind)
        if len(found) > 1 or kind == kinds[0]:
            blocks += found
    main = main_parameter(scene.real)
    if main is not None and main[0] != "weight" and len(blocks) > 1:
        blocks.append(note("probe.inspect.history_of", name=main[0]))
    return blocks


def _contributions(scene: Scene) -> list[Block]:
    ask = scene.ask
    call = _call(scene)
    module = scene.module
    rows = rows_of(call, scene.rows)
    shown = call if rows is None else as_packed(call, rows)
    unit = scene.unit = _whole_unit(module, shown, ask, _before(scene))
    row, inside = ask.sample_index, unit
    if rows is not None:
        _, row, inside = place_in_rows(rows, call, ask.sample_index, unit)
    if ask.backward:
        terms = backward_terms(
            scene.root, scene.sample, ask.layer, ask.sample_index, inside, call=ask.call, row=row
        )
        return [terms.block(language=scene.language, unit=unit)]
    before = None
    made = producer(scene.root, scene.sample, ask.layer, call=ask.call)
    if made is not None:
        name, which = made
        produced = look(scene.root, scene.sample, [name], copy=True).calls[name]
        if which < len(produced):
            before = (name, submodule(scene.root, name), produced[which])
    blocks = contribution_blocks(module, call, ask.sample_index, unit, before=before, rows=rows)
    arithmetic = explain_forward(module, call, row, inside, language=scene.language)
    arithmetic.meta["unit"] = unit_words(as_unit(unit))
    return [*blocks, arithmetic]


def _whole_unit(module: nn.Module, call: Call, ask: Ask, before: list[nn.Module]) -> Unit:
    """Return the unit asked for; the strongest of its channel, or of all, where it is not whole."""
    output = main_tensor(call.output)
    if not output.numel():
        raise Refusal("probe.display.empty", shape="×".join(map(str, output.shape)))
    sequences = first_packed(call.output)
    if sequences is not None:  # one sample of them has no batch, and its own length
        module, output = nn.Identity(), sample_of(module, sequences, ask.sample_index).unsqueeze(0)
        ask = replace(ask, sample_index=0)
    axis = channel_axis(module, output, before)
    batch = batch_axis(module, output)
    dims = output.dim() - (batch is not None)
    given = () if ask.unit is None else as_unit(ask.unit)
    if len(given) == dims:
        return given if dims != 1 else given[0]
    if given:
        whole = strongest(module, output, ask.sample_index, given[0], axis)
    else:
        sample = sample_of(module, output, ask.sample_index)
        place = axis + output.dim()
        place -= batch is not None and batch < place
        sample = sample.real if sample.is_complex() else sample
        channels = sample.float().movedim(place, 0).flatten(1) if dims > 1 else sample.float()
        best = int(channels.amax(1).argmax() if dims > 1 else channels.argmax())
        whole = strongest(module, output, ask.sample_index, best, axis)
    return whole if len(whole) != 1 else whole[0]


def _feature(scene: Scene) -> list[Block]:
    ask = scene.ask
    if scene.unit is None:
        call = as_packed(_call(scene), scene.rows)
        whole = as_unit(_whole_unit(scene.module, call, ask, _before(scene)))
        axis = channel_axis(scene.module, main_tensor(call.output), _before(scene))
        scene.unit = whole[axis + len(whole) if axis < 0 else axis]
    _count_calls(scene)
    return [] if "feature" in scene.extra else [note("probe.inspect.feature")]


def _count_calls(scene: Scene) -> None:
    scene.calls = max(scene.calls, 1)


_MAKERS: Final[Mapping[str, Callable[[Scene], list[Block]]]] = {
    "activations": _activations,
    "weights": _weights,
    "gradients": _gradients,
    "history": _history,
    "contributions": _contributions,
    "feature": _feature,
}
