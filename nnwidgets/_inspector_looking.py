"""How an inspector looks: when, at what, and what is kept of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, ClassVar, Final, TypeVar

import traitlets as t
from torch import Tensor, nn

from nnwidgets._inspector_arguments import nearest
from nnwidgets._inspector_picture import InspectorPicture
from nnwidgets._inspector_sample import ProbeBatch
from nnwidgets._inspector_tabs import Ask, Scene, blocks_of
from nnwidgets.catalogue import text
from nnwidgets.live import wire
from nnwidgets.live.channel import Paced
from nnwidgets.live.registry import inner_model
from nnwidgets.live.session import Session
from nnwidgets.live.widget import LiveWidget, Part
from nnwidgets.probe.activity import ActivityWatch
from nnwidgets.probe.activity_sample import ActivitySample
from nnwidgets.probe.blocks import Block, note
from nnwidgets.probe.layer_health import LayerHealth
from nnwidgets.probe.layer_history import LayerHistory
from nnwidgets.probe.look import Arguments, Call, look
from nnwidgets.probe.snapshots import WeightSnapshots
from nnwidgets.probe.structure import Node, Structure, trace_structure
from nnwidgets.probe.twin import Twin, TwinError
from nnwidgets.probe.units import main_tensor

__all__ = ["Looking"]

R = TypeVar("R")

_BYTES_PER_SECOND: Final = 300_000
_PAGES_BYTES: Final = 6_000_000  # of all pictures that a saved page holds
_PAGES_TABS: Final = ("activations", "weights", "history", "contributions", "gradients")
_PATIENCE: Final = 60.0  # seconds that a question from another thread waits for a safe point


class Looking(LiveWidget):
    """The part of an inspector that looks into the model.

    Everything that runs the model runs its twin, at a safe point or, when nothing trains, at once;
    always under the session's lock.

    Parameters
    ----------
    session
        Of the model.
    model
        What is looked into.
    sample
        The probe batch; None to use the first samples that the model is trained on.
    only
        Names of the layers to show; None for all.
    budget, language
        See `LiveWidget`.
    """

    _tree = t.Dict().tag(sync=True)
    _graph = t.Dict().tag(sync=True)
    _rows = t.Dict().tag(sync=True)
    _layer = t.Dict().tag(sync=True)
    _samples = t.Dict().tag(sync=True)
    selected = t.Unicode("").tag(sync=True)
    sample_index = t.Int(0).tag(sync=True)
    tab = t.Unicode("activations").tag(sync=True)
    unit = t.Any(None).tag(sync=True)

    _quiet: ClassVar[frozenset[str]] = frozenset(
        {"_live", "_notes", "_tree", "_graph", "_rows", "_layer", "_samples"}
    )

    def __init__(
        self,
        session: Session,
        model: nn.Module,
        sample: Any,
        only: Sequence[str] | None,
        *,
        budget: float,
        language: str | None,
    ) -> None:
        self._only = only
        # A container made in the call itself would be gone with it; all else is held weakly.
        self._container = model if isinstance(model, (nn.ModuleDict, nn.ModuleList)) else None
        self._twin = Twin(model)
        self._probe = None if sample is None else ProbeBatch(sample)
        self._watch = ActivityWatch(model)
        self._watch.want_inputs = sample is None
        self._history = LayerHistory()
        self._snapshots = WeightSnapshots()
        self._health = LayerHealth()
        self._newest: ActivitySample | None = None
        self._structure: Structure | None = None
        self._traced: object = None  # the probe batch that it was traced with
        self._ask = Ask(_first_choice(model, only))
        self._done: dict[str, list[Block]] = {}  # work done on demand, by tab
        self._blocks: list[Block] = []
        self._scene: Scene | None = None
        self._seen = 0  # looks
        self._look_seconds = 0.0
        self._stale = True
        self._look_comes = False
        self._cursor: int | None = None
        super().__init__(session, budget=budget, language=language)
        self.selected = self._ask.layer
        session.sampling.add(self._watch)
        picture = InspectorPicture(self, self._next_seq)
        for trait, build, pace in (
            ("_live", picture.live, Paced(0.1, _BYTES_PER_SECOND, 0.1)),
            ("_tree", picture.tree, Paced(1.0, _BYTES_PER_SECOND, 0.1)),
            ("_graph", picture.graph, Paced(1.0, _BYTES_PER_SECOND, 0.1)),
            ("_samples", picture.samples, Paced(1.0, _BYTES_PER_SECOND, 0.1)),
            ("_rows", picture.rows, Paced(0.5, _BYTES_PER_SECOND, 0.1)),
            ("_layer", picture.layer, Paced(0.25, _BYTES_PER_SECOND, 0.4)),
        ):
            self._add_part(Part(trait, build, pace))
        self._open_for_business()

    def _changed(self) -> None:
        """Something else is to be shown."""
        self._stale = True
        if self._ready and (self._shown or not self._session.training):
            self._look_soon()

    def _look_if_stale(self) -> None:
        if self._stale:
            self._look_soon()

    def _look_soon(self) -> None:
        session = self._session
        if self.closed:
            return
        here = threading.current_thread() is threading.main_thread()
        if session.in_training_thread if session.training else here:
            with session.lock:  # the thread that would be in the model is here
                self._look_guarded()
        elif not self._look_comes and (session.training or session.host.soon(_nothing)):
            # In a script nobody but the user says when: a look waits until it is asked for.
            self._look_comes = True
            session.submit(self._look_if_still_stale)

    def _look_if_still_stale(self) -> None:
        self._look_comes = False
        if self._stale:
            self._look_guarded()

    def _look_guarded(self) -> None:
        try:
            self._look()
        except Exception as problem:
            self.on_failure("look", problem)

    def _look(self) -> None:
        """Bring structure and picture up to date; at a safe point, under the session's lock."""
        if self.closed or self._session.model is None:
            return
        begun = perf_counter()
        self._stale = False
        self._cursor = self._session.cursor
        if self._structure is None or self._traced is not self._probe:
            self._trace()
        self._show(self._cursor)
        self._look_seconds = perf_counter() - begun
        self._seen += 1
        self._part_changed("_layer")

    def _trace(self) -> None:
        model = self._session.model
        assert model is not None
        sample = None if self._probe is None else self._probe.sample
        self._traced = self._probe
        try:
            with self._twin.open() as root:
                self._structure = trace_structure(root, inner_model(model), sample)
        except TwinError:
            self._structure = trace_structure(None, model)
        for trait in ("_tree", "_graph", "_samples"):
            self._part_changed(trait)

    def _show(self, cursor: int | None) -> None:
        ask, step, weights = self._ask, self._session.step, None
        if cursor is not None and self._snapshots.steps:
            found = self._snapshots.nearest(cursor)
            if found is not None and found[0] < step:
                step, weights = found
        try:
            with self._twin.open(weights) as root:
                scene = self._scene_of(ask, root, step, past=weights is not None)
                self._blocks = blocks_of(scene)
        except TwinError as problem:
            scene = None
            self._blocks = [note(problem.key, "warning", **problem.params)]
        if scene is not None:  # without the copy, which belongs to the twin
            scene.root = scene.real = nn.Identity()
            scene.seen = None
        self._scene = scene

    def _scene_of(self, ask: Ask, root: nn.Module, step: int, *, past: bool) -> Scene:
        model = self._session.model
        assert model is not None
        sample = None if self._probe is None else self._probe.sample
        return Scene(
            ask, root, model.get_submodule(ask.layer), sample, step, past,
            self._history, self._newest, self._done, self._shown_language,
        )  # fmt: skip

    def held(self) -> dict[str, Any]:
        """Return the pictures of all layers that a saved page holds (see ``js/src/offline.ts``).

        As many as fit into 6 MB, in order of definition, those tabs first that need no unit.
        """
        return self._at_rest(self._held_pages)

    def _held_pages(self) -> dict[str, Any]:
        pages: dict[str, Any] = {}
        room = _PAGES_BYTES
        picture = InspectorPicture(self, self._next_seq)
        if self._structure is not None and self._session.model is not None:
            with self._twin.open() as root:
                for tab in _PAGES_TABS:
                    for node in self._rows_shown():
                        ask = replace(self._ask, layer=node.info.name, tab=tab, unit=None, call=0)
                        ask = replace(ask, source="probe", output=None, depth=None, off=None)
                        scene = self._scene_of(ask, root, self._session.step, past=False)
                        scene.extra = {}
                        page = picture.page(ask, scene, blocks_of(scene))
                        room -= wire.size(page)
                        if room < 0:
                            break
                        pages[f"{ask.layer}\n{tab}"] = page
        return {
            "trait": "_layer",
            "by": ["selected", "tab"],
            "actions": {"select": ["selected", "layer"], "tab": ["tab", "tab"]},
            "pages": pages,
        }

    def _output(self, layer: str) -> Tensor:
        """Return what a layer gives for the probe batch."""
        with self._twin.open() as root:
            return main_tensor(self._call(root, layer).output)

    def _call(self, root: nn.Module, layer: str) -> Call:
        if self._probe is None:
            raise ValueError(text("probe.inspect.no_sample", "en"))
        seen = look(root, self._probe.sample, [layer], copy=True)
        if seen.calls[layer]:
            return seen.calls[layer][-1]
        if seen.problem is not None:
            where = seen.failed_in or type(root).__name__
            problem = f"{type(seen.problem).__name__}: {seen.problem}"
            raise ValueError(text("probe.inspect.failed", "en", layer=where, problem=problem))
        raise ValueError(text("probe.inspect.not_called", "en", layer=layer))

    def _at_rest(self, work: Callable[[], R]) -> R:
        """Run `work` where the model is at rest, and wait for it."""
        session = self._session
        if not session.training or session.in_training_thread:
            with session.lock:
                return work()
        ticket = session.submit(work)
        if not ticket.wait(_PATIENCE):
            ticket.cancelled = True
            raise TimeoutError(
                f"the training has not come to a safe point within {_PATIENCE:.0f} s; try again."
            )
        if ticket.problem is not None:
            raise ticket.problem
        result: R = ticket.result
        return result

    # -- what the session tells ----------------------------------------------------------

    def on_change(self) -> None:
        """State, cursor or learning-rate factor changed."""
        session, scene = self._session, self._scene
        # A loop that pauses or ends leaves the picture behind that it could last afford.
        behind = scene is not None and scene.step != session.step and session.cursor is None
        if session.cursor != self._cursor or (behind and not session.training):
            self._changed()
        super().on_change()

    def on_sample(self, sampler: Any, sample: Any) -> None:
        """Take in what a sampled step showed, and look again if it can be afforded."""
        if sampler is not self._watch or not isinstance(sample, ActivitySample):
            return
        self._newest = sample
        self._history.add(sample)
        self._health.add(sample)
        model = self._session.model
        if model is not None and self._snapshots.due(sample.step, perf_counter()):
            self._snapshots.take(model, sample.step)
        if self._probe is None and self._watch.inputs is not None:
            self._take_inputs(*self._watch.inputs)
        self._part_changed_by_sample()

    def _take_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        sample: Any = args if not kwargs else kwargs if not args else Arguments(args, kwargs)
        self._probe = ProbeBatch(sample[0] if type(sample) is tuple and len(args) == 1 else sample)
        self._stale = True

    def _part_changed_by_sample(self) -> None:
        following = self._session.cursor is None
        if not (following or self._stale):
            return
        governor = self._session.governor
        if self._shown and governor.allows(self._look_seconds, "sampling"):
            self._look_guarded()
        else:
            self._stale = True

    # -- inside --------------------------------------------------------------------------

    def _known_structure(self) -> Structure:
        if self._structure is None or self._traced is not self._probe:
            self._at_rest(self._trace)
        assert self._structure is not None
        return self._structure

    def _rows_shown(self) -> list[Node]:
        nodes = self._known_structure().nodes
        return [n for n in nodes if self._only is None or n.info.name in self._only]

    def _module(self, layer: object) -> nn.Module:
        """Return the user's module of that name.

        Raises
        ------
        ValueError
            If there is none, or the model is gone.
        """
        model = self._session.model
        if model is None:
            raise ValueError(text("status.model_gone", "en"))
        modules = dict(model.named_modules())
        if not isinstance(layer, str) or layer not in modules:
            raise ValueError(nearest(layer, [name for name in modules if name]))
        module: nn.Module = modules[layer]
        return module

    def _say_what_is_seen(self, language: str) -> list[str]:
        session = self._session
        notes = [*self._watch.notes, *self._twin.notes, *self._snapshots.notes]
        said = [text(key, language, **params) for key, params in dict(notes).items()]
        if session.model is None:
            said.append(text("status.model_gone", language))
        elif not session.slots:
            said.append(text("probe.inspect.no_optimizer", language))
        if self._probe is None:
            said.append(text("probe.inspect.no_sample", language))
        count = len(self._history.steps)
        if count:
            steps = f"{session.step:,}"
            said.append(text("probe.inspect.sampled", language, count=f"{count:,}", steps=steps))
        return said or [text("status.ready", language)]

    def close(self) -> None:
        """Detach from model, optimiser and kernel; the views disappear. Idempotent."""
        if not self.closed:
            self._session.sampling.remove(self._watch)
            self._twin.forget()
        self._container = None
        super().close()


def _nothing() -> None:
    """Do nothing."""


def _first_choice(model: nn.Module, shown: Sequence[str] | None) -> str:
    """Return the layer to show first: the first one with parameters."""
    modules = [(name, m) for name, m in inner_model(model).named_modules() if name]
    if shown is not None:
        modules = [(name, m) for name, m in modules if name in shown]
    owners = [name for name, m in modules if m._parameters]
    names = owners or [name for name, _ in modules] or [""]
    first: str = names[0]
    return first
