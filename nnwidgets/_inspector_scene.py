"""What somebody asks an inspector to show, and what there is to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from torch import nn

from nnwidgets._inspector_gradients import KeptGradients
from nnwidgets.probe.activity_sample import ActivitySample
from nnwidgets.probe.blocks import Block
from nnwidgets.probe.layer_history import LayerHistory
from nnwidgets.probe.look import Look
from nnwidgets.probe.packed_rows import PackedRows
from nnwidgets.probe.reach import submodule
from nnwidgets.probe.units import Unit

__all__ = ["SORTS", "TABS", "Ask", "Scene"]

TABS: Final = ("activations", "weights", "gradients", "history", "contributions", "feature")
SORTS: Final = ("index", "activity", "variance", "contribution")


@dataclass(frozen=True)
class Ask:
    """What somebody wants to see.

    Attributes
    ----------
    layer
        Name of the module.
    tab
        One of `TABS`.
    unit
        Of the layer, or None.
    sample_index
        Position in the probe batch.
    sort
        One of `SORTS`.
    call
        Which call of a module that is called several times.
    output
        Which tensor of several; None for the main one.
    depth
        Slice of a volume; None for the middle one.
    channel
        Input channel of filters.
    part
        Of the weights of a recurrent layer or an embedding.
    backward
        Whether the arithmetic is that of the gradient.
    source
        ``"probe"`` or ``"batch"``: the probe batch, or the training batch of a sampled step.
    off
        Units that are switched off to see what the model's output owes to them; ``"layer"`` for
        all of them, None for none.
    """

    layer: str
    tab: str = "activations"
    unit: Unit | None = None
    sample_index: int = 0
    sort: str = "index"
    call: int = 0
    output: int | None = None
    depth: int | None = None
    channel: int | None = None
    part: int = 0
    backward: bool = False
    source: str = "probe"
    off: tuple[int, ...] | Literal["layer"] | None = None


@dataclass
class Scene:
    """What there is to look at.

    Attributes
    ----------
    ask
        What is wanted.
    root
        A private model in evaluation mode.
    real
        The user's module of the same name as the layer; only its weight and gradient are read.
    gradients
        Those of the newest sampled step.
    sample
        The probe batch; None if there is none yet.
    step
        The step that the weights are from.
    past
        Whether that is an earlier step than the newest.
    history
        Histograms over the run.
    newest
        What the newest sampled step showed, if there was one.
    extra
        Blocks of work done on demand (a feature), by tab.
    language
        Of the sentences.
    rows
        Where the layer's output is rows of packed sequences: which are whose.
    """

    ask: Ask
    root: nn.Module
    real: nn.Module
    sample: Any
    step: int
    past: bool
    gradients: KeptGradients
    history: LayerHistory
    newest: ActivitySample | None
    extra: Mapping[str, list[Block]] = field(default_factory=dict)
    language: str = "en"
    seen: Look | None = None
    rows: PackedRows | None = None
    calls: int = 0
    unit: Unit | None = None

    @property
    def module(self) -> nn.Module:
        """The layer, in the private model."""
        return submodule(self.root, self.ask.layer)
