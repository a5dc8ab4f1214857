"""LayerInspector: inside a network, layer by layer, while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
import traitlets as t
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets._exporting import exported
from nnwidgets._inspector_arguments import check_inspected, check_sample, wanted_layers
from nnwidgets._inspector_verbs import Verbs
from nnwidgets._training_arguments import check_budget, named_optimizers
from nnwidgets.live.cells import retire_earlier
from nnwidgets.live.jobs import Job
from nnwidgets.live.kernel import kernel_link
from nnwidgets.live.session import Session
from nnwidgets.live.widget import action, bundle, check_language
from nnwidgets.probe.contributions import contributions
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.packed_rows import packed_contributions, rows_of
from nnwidgets.probe.reach import submodule
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.structure import LayerInfo
from nnwidgets.probe.summary import TensorSummary, summarise
from nnwidgets.probe.table import summary_text
from nnwidgets.probe.tensors import quietly
from nnwidgets.probe.tree import type_name
from nnwidgets.probe.units import Unit, as_unit
from nnwidgets.probe.weight_tensors import own_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LayerInspector"]

_KINDS: Final = ("activation", "weight", "gradient")


class LayerInspector(Verbs):
    """The layers of a model: structure, activations, weights, gradients, contributions, live.

    What is shown of activations comes from a fixed *probe batch*, run through a private copy of
    the model in evaluation mode, so that pictures of different steps can be compared and nothing
    of the model changes. Statistics over the run come from the *training batches* of sampled
    steps. Everything says which of the two it is from.

    Parameters
    ----------
    model
        Any module. Held weakly; nothing of it is changed.
    sample
        The probe batch: a tensor, a tuple (positional inputs) or a dictionary (keyword inputs),
        as the model is called with it. Without one the first samples of a training batch are
        used as soon as there is one.
    optimizer
        The optimiser, or several in a list or dictionary: its steps are seen without any change
        to the loop. Not needed if a `TrainingMonitor` on the same model has it.
    layers
        Names of the layers to show; all by default.
    budget
        Fraction of wall time that watching may take, above 0 and at most 0.5.
    language
        ``"en"``, ``"zh"`` or None for the language of the page.

    Attributes
    ----------
    selected : str
        Name of the layer that is shown; can be set and observed.
    unit : int or tuple of int or None
        The unit that is shown, an index into the layer's output without the batch: an int for
        vectors, ``(channel, row, column)`` for maps, ``(token, feature)`` for sequences; a
        channel alone stands for its strongest place. Can be set and observed.
    sample_index : int
        Which sample of the probe batch is shown; can be set and observed.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of these kinds; before anything has been changed.

    Examples
    --------
    >>> inspector = LayerInspector(model, images[:8], optimizer=optimizer)
    >>> inspector.selected = "features.0"
    >>> inspector.stats("features.0").mean
    """

    _esm = t.Unicode(bundle("layer_inspector.js")).tag(sync=True)
    _css = t.Unicode(bundle("layer_inspector.css")).tag(sync=True)

    def __init__(
        self,
        model: nn.Module,
        sample: Any = None,
        *,
        optimizer: Any = None,
        layers: Sequence[str] | None = None,
        budget: float = 0.02,
        language: str | None = None,
    ) -> None:
        check_inspected(model)
        check_sample(sample)
        named = named_optimizers(optimizer)
        only = wanted_layers(model, layers)
        check_budget(budget)
        check_language(language)
        retire_earlier(type(self))
        session = Session.of(model, list(named.values()), host=kernel_link())
        for name, one in named.items():
            session.attach(one, name)
        super().__init__(session, model, sample, only, budget=budget, language=language)
        self._open_for_business()

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """Every module below the root, in order of definition.

        Output shapes and FLOPs are those of the sample, in evaluation mode; None without one.
        """
        return tuple(n.info for n in self._rows_of(self._known_structure()) if n.info.name)

    @property
    def flops(self) -> int | None:
        """Floating-point operations of one forward pass of the sample; None without one."""
        return self._known_structure().total_flops

    def stats(self, layer: str, kind: str = "activation") -> TensorSummary:
        """Return the newest summary of a layer.

        Parameters
        ----------
        layer
            Its name.
        kind
            ``"activation"``: of the training batch of the newest sampled step; before any, of
            the sample in evaluation mode. ``"weight"``: of the module's ``.weight`` as it is.
            ``"gradient"``: of that weight's gradient as the last backward pass left it; where the
            loop has cleared it, as it was in the newest sampled step.

        Returns
        -------
        TensorSummary
            ``.step`` is the step it is from.

        Raises
        ------
        ValueError
            If there is no such layer or kind, or nothing to summarise; in one sentence.
        """
        module = self._module(layer)
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(_KINDS)}, not {kind!r}.")
        if kind == "activation":
            newest = self._newest
            found = None if newest is None else newest.summary(layer)
            if found is not None:
                return found
            return self._at_rest(lambda: summarise(self._output(layer), self._session.step))

        def read() -> TensorSummary:
            step, found = self._session.step, _with_data(_weight_of(module, layer))
            if kind == "gradient":
                kept = self._gradients.of(found)
                if kept is None or found.grad is not None:
                    found = _gradient_of(found, layer)
                else:
                    step, found = self._gradients.step, kept
            with quietly():
                return summarise(found.detach(), step)

        return self._at_rest(read)

    def activations(self, layer: str) -> NDArray[Any]:
        """Return what a layer gives for the probe batch, in evaluation mode, as things stand.

        Parameters
        ----------
        layer
            Its name.

        Returns
        -------
        ndarray
            In the shape of the layer's output (the first tensor of several, the last call of
            several), float32 for half precision.

        Raises
        ------
        ValueError
            If there is no such layer or no sample, or the model fails; in one sentence.
        """
        self._module(layer)
        return self._at_rest(lambda: _array(self._output(layer)))

    def weights(self, layer: str) -> NDArray[Any]:
        """Return a copy of a layer's ``.weight``.

        Raises
        ------
        ValueError
            If there is no such layer, or it has none.
        """
        module = self._module(layer)
        return self._at_rest(lambda: _array(_with_data(_weight_of(module, layer)).detach().clone()))

    def contributions(self, layer: str, unit: Unit) -> NDArray[np.float64]:
        """Return the terms activation × weight that make up a unit, for the shown sample.

        Parameters
        ----------
        layer
            Name of a linear layer, convolution, embedding or normalisation.
        unit
            Index into the layer's output without the batch.

        Returns
        -------
        ndarray
            float64, in the shape of the unit's weights. Summed they are the unit's
            pre-activation less its bias.

        Raises
        ------
        ValueError
            If there is no such layer, unit or sample, or the layer's output is no such sum.
        """
        self._module(layer)
        as_unit(unit)

        def compute() -> NDArray[np.float64]:
            with self._open_twin() as root:
                call = self._call(root, layer)
                module = submodule(root, layer)
                rows = None if self._probe is None else self._probe.rows.get(layer)
                if (packed := rows_of(call, rows)) is not None:
                    return packed_contributions(
                        module, call, packed, self.sample_index, unit
                    ).values
                return contributions(module, call, self.sample_index, unit).values

        return self._at_rest(compute)

    def refresh(self) -> None:
        """Look at the model anew: structure, shapes and the layer that is shown."""
        self._module("")

        def anew() -> None:
            self._traced = ()
            self._twin.forget()
            self._look()

        self._at_rest(anew)

    def summary(self) -> str:
        """Return a table of all layers with shapes, parameters and FLOPs."""
        return summary_text(self._known_structure())

    @property
    def status(self) -> str:
        """What can and cannot be observed, in plain sentences."""
        return " ".join(self._say_what_is_seen(self.language or "en"))

    def figure(self, *, dark: bool = False) -> Figure:
        """Return what is shown of the selected layer as a matplotlib figure.

        As the last line of a cell it is shown, with or without matplotlib's inline backend.

        Parameters
        ----------
        dark
            On a dark ground.
        """
        from nnwidgets.export.blocks_figure import blocks_figure

        if self._stale:
            self._at_rest(self._look)
        layer = self._ask.layer
        kind = type(self._module(layer)).__name__
        _, _, scene, blocks = self._view
        step = self._session.step if scene is None else scene.step
        return blocks_figure(
            blocks,
            title=" · ".join(part for part in (layer, kind, f"step {step:,}") if part),
            dark=dark,
            language=self.language or "en",
        )

    def save_html(self, path: str | PathLike[str]) -> None:
        """Write one offline page on which all layers can be looked through as they are now.

        Of a very large model as many as fit into 6 MB, in order of definition.
        """
        from nnwidgets.export.html import save_page

        if self._stale:
            self._at_rest(self._look)
        save_page(path, self, title=self._page_title)

    @action("export", long=True)
    def _export(self, job: Job, format: str, dark: bool = False) -> dict[str, Any]:
        """Make a file for the browser; drawing takes too long to hold the training up."""
        stem = "".join(c if c.isalnum() else "-" for c in f"{self._ask.layer} {self._ask.tab}")
        return exported(self, format, stem.strip("-"), dark=dark)

    @property
    def _page_title(self) -> str:
        return f"Layers · {self._ask.layer}"


def _weight_of(module: nn.Module, layer: str) -> Tensor:
    """Return a module's weight; one that is computed from others is computed beside the module."""
    own = dict(module._parameters.items())
    if isinstance(own.get("weight"), nn.parameter.UninitializedParameter):
        raise ValueError(f"{layer!r} is lazy: its weight has no shape before the first batch.")
    parameter = own.get("weight")
    if parameter is not None:
        return parameter
    weight = {held.name: held.value for held in own_weights(module)}.get("weight")
    if weight is None:
        names = ", ".join(name for name, p in own.items() if p is not None)
        has = f"its parameters are {names}" if names else "it has no parameters of its own"
        raise ValueError(f"{layer!r} ({type_name(module)}) has no .weight; {has}.")
    return weight


def _with_data(weight: Tensor) -> Tensor:
    if any_without_data([weight]):
        raise Refusal("explain.meta_model")
    return weight


def _gradient_of(weight: Tensor, layer: str) -> Tensor:
    if not weight.is_leaf or not isinstance(weight, nn.Parameter):
        raise ValueError(
            f"the weight of {layer!r} is computed from other parameters, which have gradients in "
            "its place: see the tab of gradients."
        )
    if weight.grad is None:
        raise ValueError(
            f"the weight of {layer!r} has no gradient; it has one after a backward pass "
            "(and before zero_grad)."
        )
    return weight.grad


def _array(tensor: Tensor) -> NDArray[Any]:
    tensor = tensor.detach().cpu()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    elif tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.dtype.is_floating_point and tensor.dtype.itemsize < 4:  # few of which numpy has
        tensor = tensor.float()
    found: NDArray[Any] = tensor.resolve_conj().resolve_neg().numpy()
    return found
