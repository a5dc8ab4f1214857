"""What somebody asks an inspector: the traits that can be set, and the clicks of the browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import traitlets as t

from nnwidgets._inspector_answering import Answering
from nnwidgets._inspector_arguments import layer_names, nearest
from nnwidgets._inspector_scene import SORTS, TABS, Ask
from nnwidgets.catalogue import text
from nnwidgets.live.jobs import CancelledError, Job
from nnwidgets.live.widget import action
from nnwidgets.probe.best_samples import best_samples, samples_block
from nnwidgets.probe.blocks import Block
from nnwidgets.probe.feature_blocks import feature_blocks
from nnwidgets.probe.features import maximise
from nnwidgets.probe.look import look
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.own_random import OwnRandom, draws_outside_torch
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.replay import bare_copy
from nnwidgets.probe.time_first import remember, takes_time_first
from nnwidgets.probe.units import as_unit

__all__ = ["Asking"]


class Asking(Answering):
    """The part of an inspector that is asked for something."""

    # -- traits --------------------------------------------------------------------------

    @t.validate("selected")
    def _check_selected(self, proposal: Any) -> str:
        name = str(proposal["value"])
        model = self._session.model
        known = [] if model is None else layer_names(model)
        if self._only is not None:
            known = [name for name in known if name in self._only]
        if name and model is None:
            raise t.TraitError(text("status.model_gone", "en"))
        if name not in known and not (name == "" and not known):
            if not name:
                raise t.TraitError(
                    "selected must name a layer, one of those in .layers; the model as a whole "
                    "is one only where it owns parameters itself."
                )
            if model is not None and name in dict(model.named_modules()):
                raise t.TraitError(f"layer {name!r} is not shown; name it in layers= as well.")
            raise t.TraitError(nearest(name, known))
        return name

    @t.validate("tab")
    def _check_tab(self, proposal: Any) -> str:
        if proposal["value"] not in TABS:
            raise t.TraitError(f"tab must be one of {', '.join(TABS)}, not {proposal['value']!r}.")
        return str(proposal["value"])

    @t.validate("sample_index")
    def _check_sample_index(self, proposal: Any) -> int:
        index = int(proposal["value"])
        count = self._samples_given()
        if not 0 <= index < count:
            raise t.TraitError(
                f"sample_index must be from 0 to {count - 1}: the probe batch holds {count}; "
                f"not {index}."
            )
        return index

    @t.validate("unit")
    def _check_unit(self, proposal: Any) -> int | tuple[int, ...] | None:
        value = proposal["value"]
        if value is None:
            return None
        try:
            whole = as_unit(value)
        except Refusal as refusal:
            raise t.TraitError(str(refusal)) from None
        if not whole:
            return None
        return whole[0] if len(whole) == 1 else whole

    @t.observe("selected", "tab", "sample_index", "unit")
    def _asked(self, change: Any) -> None:
        if not getattr(self, "_ready", False):
            return
        if change["name"] == "selected":
            self._ask = Ask(change["new"], self._ask.tab, sort=self._ask.sort)
            self._ask = replace(self._ask, sample_index=self.sample_index, source=self._ask.source)
            self._watch.chosen = change["new"] if self._ask.source == "batch" else None
            self._done = {}
            if self.unit is not None:
                self.unit = None  # of the layer before
                return
        else:
            self._ask = replace(self._ask, **{change["name"]: change["new"]})
        self._changed()

    # -- clicks --------------------------------------------------------------------------

    @action("select")
    def _click_select(self, layer: str) -> None:
        self.selected = layer

    @action("tab")
    def _click_tab(self, tab: str) -> None:
        self.tab = tab

    @action("unit")
    def _click_unit(self, unit: Any = None) -> None:
        self.unit = unit

    @action("sample")
    def _click_sample(self, index: int) -> None:
        self.sample_index = index

    @action("sort")
    def _click_sort(self, by: str) -> None:
        if by not in SORTS:
            raise ValueError(f"sort by one of {', '.join(SORTS)}, not {by!r}.")
        self._ask_for(sort=by)

    @action("source")
    def _click_source(self, source: str) -> None:
        if source not in ("probe", "batch"):
            raise ValueError(f'source must be "probe" or "batch", not {source!r}.')
        self._watch.chosen = self.selected if source == "batch" else None
        if source == "batch":
            self._session.look_into_next_step()
        self._ask_for(source=source)

    @action("call")
    def _click_call(self, index: int) -> None:
        self._ask_for(call=max(0, int(index)))

    @action("output")
    def _click_output(self, index: int) -> None:
        self._ask_for(output=int(index))

    @action("depth")
    def _click_depth(self, index: int) -> None:
        self._ask_for(depth=int(index))

    @action("channel")
    def _click_channel(self, index: int) -> None:
        self._ask_for(channel=int(index))

    @action("part")
    def _click_part(self, index: int) -> None:
        self._ask_for(part=int(index))

    @action("direction")
    def _click_direction(self, direction: str) -> None:
        self._ask_for(backward=direction == "backward")

    @action("cursor")
    def _click_cursor(self, step: int | None = None) -> None:
        self._session.set_cursor(None if step is None else int(step))

    @action("refresh", touches_model=True)
    def _click_refresh(self) -> None:
        self.refresh()

    @action("ablate")
    def _click_ablate(self, units: list[int] | None = None) -> None:
        self._need_sample()
        self._ask_for(off="layer" if units is None else tuple(map(int, units)))

    @action("restore")
    def _click_restore(self) -> None:
        self._ask_for(off=None)

    @action("feature", long=True)
    def _click_feature(self, job: Job) -> None:
        """Make an input that drives the unit most; on a copy of its own, in its own thread."""
        layer, unit, sample = self.selected, self._chosen_unit(), self._need_sample()
        root = self._at_rest(self._private_copy)
        with OwnRandom():
            found = maximise(
                root, layer, unit, sample, call=self._ask.call,
                progress=job.progress, cancelled=lambda: job.cancelled,
            )  # fmt: skip
        self._finish(job, layer, feature_blocks(found))

    @action("best_samples", long=True)
    def _click_best_samples(self, job: Job) -> None:
        """Find the samples of the probe batch that drive the unit most."""
        layer, unit, sample = self.selected, self._chosen_unit(), self._need_sample()
        root = self._at_rest(self._private_copy)
        with OwnRandom():
            found = best_samples(
                root, sample, layer, unit, call=self._ask.call,
                progress=job.progress, cancelled=lambda: job.cancelled,
            )  # fmt: skip
        self._finish(job, layer, samples_block(found, sample))

    # -- inside --------------------------------------------------------------------------

    def _ask_for(self, **changes: Any) -> None:
        self._ask = replace(self._ask, **changes)
        self._changed()

    def _need_sample(self) -> Any:
        if self._probe is None:
            raise Refusal("probe.inspect.no_sample")
        return self._probe.sample

    def _samples_given(self) -> int:
        """Return how many samples the probe batch holds."""
        if self._probe is None:
            return 1
        model = self._session.model
        if not self._probe.placed and model is not None and takes_time_first(model):
            self._known_structure()  # the model has to be run for it
        return self._probe.count

    def _chosen_unit(self) -> Any:
        shown = None if self._scene is None else self._scene.unit
        unit = self.unit if self.unit is not None else shown
        if unit is None:
            raise Refusal("probe.inspect.no_unit")
        return unit

    def _private_copy(self) -> Any:
        """Return a copy that may be run beside the training."""
        sample = self._need_sample()
        with self._open_twin() as root:
            if any_without_data(root.parameters()):
                raise Refusal("explain.meta_model")
            if not self._twin.copied:
                raise Refusal("probe.inspect.no_copy")
            if draws_outside_torch(lambda: look(root, sample)):
                raise Refusal("probe.random.python")
            copy = bare_copy(root)
            assert self._probe is not None
            remember(copy, self._probe.axes)
            return copy

    def _finish(self, job: Job, layer: str, blocks: list[Block]) -> None:
        if job.cancelled:
            raise CancelledError
        if self.selected == layer:  # else nobody looks at that layer any more
            self._done = {**self._done, "feature": blocks}
            self._changed()
