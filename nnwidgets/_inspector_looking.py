"""How an inspector looks: when, at what, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from time import perf_counter
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

import traitlets as t
from torch import nn

from nnwidgets._inspector_arguments import first_choice
from nnwidgets._inspector_gradients import KeptGradients
from nnwidgets._inspector_pages import held_pages
from nnwidgets._inspector_picture import InspectorPicture
from nnwidgets._inspector_sample import ProbeBatch
from nnwidgets._inspector_scene import Ask, Scene
from nnwidgets._inspector_tabs import blocks_of
from nnwidgets.catalogue import text
from nnwidgets.live.budget import work_clock
from nnwidgets.live.channel import Paced
from nnwidgets.live.looks import Looks
from nnwidgets.live.registry import inner_model
from nnwidgets.live.session import Session
from nnwidgets.live.widget import Part
from nnwidgets.probe.activity import ActivityWatch
from nnwidgets.probe.activity_sample import ActivitySample
from nnwidgets.probe.blocks import Block, note
from nnwidgets.probe.first_inputs import SAMPLES
from nnwidgets.probe.layer_health import LayerHealth
from nnwidgets.probe.layer_history import LayerHistory
from nnwidgets.probe.layers import LayerWatch
from nnwidgets.probe.look import Arguments
from nnwidgets.probe.packed_rows import packed_layers
from nnwidgets.probe.reach import submodule
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.snapshot_watch import SnapshotWatch
from nnwidgets.probe.structure import Node, Structure, trace_structure
from nnwidgets.probe.time_first import fewer_samples, remember, sample_axes, takes_time_first
from nnwidgets.probe.twin import Twin, TwinError
from nnwidgets.probe.twin_copy import named_modules, signature

__all__ = ["Looking"]

R = TypeVar("R")

_BYTES_PER_SECOND: Final = 300_000
_WALKED: Final = 300  # modules


class View(NamedTuple):
    """What a look has shown; replaced as a whole, so that no thread ever sees half of it.

    Attributes
    ----------
    number
        Of the look; 0 before the first.
    ask
        The question.
    scene
        What there was to look at; None if nothing.
    blocks
        What is shown of it.
    """

    number: int
    ask: Ask
    scene: Scene | None
    blocks: list[Block]


class Looking(Looks):
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
        self._layers = session.sampling.shared(LayerWatch, model)
        self._watch = ActivityWatch(model, self._layers)
        self._watch.want_inputs = sample is None
        self._history = LayerHistory()
        self._kept = session.sampling.shared(SnapshotWatch, model)
        self._snapshots = self._kept.snapshots
        self._gradients = KeptGradients()
        self._health = LayerHealth()
        self._newest: ActivitySample | None = None
        self._structure: Structure | None = None
        self._traced: tuple[object, ...] = ()  # what it was traced with
        self._traces = 0
        self._ask = Ask(first_choice(model, only))
        self._done: dict[str, list[Block]] = {}  # work done on demand, by tab
        self._view = View(0, self._ask, None, [])
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

    # -- what is shown -------------------------------------------------------------------

    @property
    def _blocks(self) -> list[Block]:
        return self._view.blocks

    @property
    def _scene(self) -> Scene | None:
        return self._view.scene

    @property
    def _seen(self) -> int:
        """Looks so far."""
        return self._view.number

    def _look(self) -> None:
        """Bring structure and picture up to date; at a safe point, under the session's lock."""
        model = self._session.model
        if self.closed or model is None:
            return
        self._stale = self._asked_for = False
        self._cursor = self._session.cursor
        try:
            self._trace_if_changed(model)
            begun = work_clock()
            self._show(self._cursor)
        except KeyboardInterrupt:
            self._stale = True
            raise
        finally:
            self._looked_at = perf_counter()
            self._part_changed("_layer")
        self._look_seconds = work_clock() - begun

    def _trace_if_changed(self, model: nn.Module) -> None:
        if self._structure is None or self._traced != self._to_trace(model):
            self._trace(model)

    def _to_trace(self, model: nn.Module) -> tuple[object, ...]:
        """Describe all that the structure depends on."""
        modules = named_modules(inner_model(model))
        trained = tuple(p.requires_grad for p in model.parameters())
        return id(self._probe), signature(modules), trained

    def _trace(self, model: nn.Module) -> None:
        traced = self._to_trace(model)
        if self._probe is not None:
            self._probe.placed = False  # another model may have its samples elsewhere
        try:
            with self._open_twin() as root:
                sample = None if self._probe is None else self._probe.sample
                self._structure = trace_structure(root, inner_model(model), sample)
        except TwinError:
            self._structure = trace_structure(None, model)
        self._traced = traced
        self._traces += 1
        for trait in ("_tree", "_graph", "_samples"):
            self._part_changed(trait)

    @contextmanager
    def _open_twin(self, weights: Any = None) -> Iterator[nn.Module]:
        """Open the twin; where its samples stand is known of it."""
        with self._twin.open(weights) as root:
            if self._probe is not None:
                if not self._probe.placed:
                    self._find_samples(root)
                remember(root, self._probe.axes)
            yield root

    def _find_samples(self, root: nn.Module) -> None:
        """Find out which dimensions count the samples, where time may stand first."""
        probe, model = self._probe, self._session.model
        if probe is None or model is None:
            return
        axes = sample_axes(root, probe.sample)
        if probe.taken and takes_time_first(root):  # all samples were kept, for want of knowing
            probe.taken = False
            sample, axes = fewer_samples(root, probe.sample, axes, SAMPLES)
            probe.hold(sample)
        probe.place(axes, packed_layers(root, probe.sample))
        for one in (root, inner_model(model)):
            remember(one, probe.axes)

    def _show(self, cursor: int | None) -> None:
        ask, step, weights = self._ask, self._session.step, None
        if cursor is not None and cursor < step:
            found = self._snapshots.nearest(cursor)
            if found is not None and found[0] < step:
                step, weights = found
        scene: Scene | None = None
        try:
            with self._open_twin(weights) as root:
                scene = self._scene_of(ask, root, step, past=weights is not None)
                blocks = blocks_of(scene)
        except (TwinError, Refusal) as refusal:
            scene, blocks = None, [note(refusal.key, "warning", **refusal.params)]
        except Exception as problem:
            words = f"{type(problem).__name__}: {problem}"[:300]
            blocks = [note("probe.inspect.problem", "error", problem=words)]
            self._view = View(self._view.number + 1, ask, None, blocks)
            raise
        if scene is not None:  # without the copy, which belongs to the twin
            scene.root = scene.real = nn.Identity()
            scene.seen = None
        self._view = View(self._view.number + 1, ask, scene, blocks)

    def _scene_of(self, ask: Ask, root: nn.Module, step: int, *, past: bool) -> Scene:
        model = self._session.model
        assert model is not None
        sample = None if self._probe is None else self._probe.sample
        return Scene(
            ask, root, submodule(model, ask.layer), sample, step, past,
            self._gradients, self._history, self._newest, self._done, self._shown_language,
            rows=None if self._probe is None else self._probe.rows.get(ask.layer),
        )  # fmt: skip

    def held(self) -> dict[str, Any]:
        """Return the pictures of all layers that a saved page holds (see ``js/src/offline.ts``).

        As many as fit into 6 MB and can be made in twenty seconds, in order of definition, those
        tabs first that need no unit.
        """
        return self._at_rest(lambda: held_pages(self))

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
        try:
            self._take_in(sample)
        except Exception as problem:  # the session has more to do after this step
            self.on_failure("sample", problem)

    def _take_in(self, sample: ActivitySample) -> None:
        self._newest = sample
        self._history.add(sample)
        self._health.add(sample)
        self._keep_gradients(sample.step)
        if self._probe is None and self._watch.inputs is not None:
            self._take_inputs(*self._watch.inputs)
        self._part_changed_by_sample()

    def _keep_gradients(self, step: int) -> None:
        model = self._session.model
        if model is None:
            return
        # To walk through thousands of modules would take longer than the sample itself.
        walked = list(islice(inner_model(model).modules(), _WALKED + 1))
        chosen = [submodule(model, self._ask.layer)] if len(walked) > _WALKED else walked
        self._gradients.take(chosen, step)

    def _take_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        sample: Any = args if not kwargs else kwargs if not args else Arguments(args, kwargs)
        self._probe = ProbeBatch(sample[0] if type(sample) is tuple and len(args) == 1 else sample)
        self._probe.taken = True
        self._stale = True

    def _part_changed_by_sample(self) -> None:
        following = self._session.cursor is None
        if not (following or self._stale):
            return
        self._stale = True
        self._look_if_rested()

    # -- inside --------------------------------------------------------------------------

    def _rows_of(self, structure: Structure) -> list[Node]:
        """Return the rows that are shown: the layers, and the model if it owns parameters."""
        rows = structure.nodes if structure.root is None else (structure.root, *structure.nodes)
        return [n for n in rows if self._only is None or n.info.name in self._only]

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
            for sampler in (self._watch, self._layers, self._kept):
                self._session.sampling.remove(sampler)
        self._container = None
        if (gradients := getattr(self, "_gradients", None)) is not None:
            gradients.forget()
        super().close()
        if (twin := getattr(self, "_twin", None)) is not None:
            twin.forget()  # last: the last picture may have made the copy anew
