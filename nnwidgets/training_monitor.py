"""TrainingMonitor: a training loop, watched and steered from the notebook."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, ClassVar, Final, TypeVar

import numpy as np
import traitlets as t
from torch import nn
from torch.optim import Optimizer

from nnwidgets._training_arguments import (
    LR_RANGE,
    check_budget,
    check_model,
    check_title,
    checked_lr_scale,
    named_optimizers,
)
from nnwidgets._training_export import TrainingExport, TrainingHistory
from nnwidgets._training_health import Diagnosis, Samples
from nnwidgets._training_log import TrainingLog
from nnwidgets._training_picture import MOST_ROWS, MOST_SERIES, Picture
from nnwidgets._training_series import OwnSeries
from nnwidgets.catalogue import text
from nnwidgets.live import wire
from nnwidgets.live.background import Run
from nnwidgets.live.cells import retire_earlier
from nnwidgets.live.channel import Paced
from nnwidgets.live.control import State
from nnwidgets.live.diary import Diary
from nnwidgets.live.kernel import Route, kernel_link
from nnwidgets.live.loop import Loops, Tracked
from nnwidgets.live.session import Session
from nnwidgets.live.widget import LiveWidget, Part, action, bundle, check_language
from nnwidgets.probe.findings import Finding
from nnwidgets.probe.layers import LayerRow, LayerWatch
from nnwidgets.probe.nonfinite import NonFiniteTracker

__all__ = ["TrainingMonitor"]

T = TypeVar("T")
R = TypeVar("R")
Optimizers = Optimizer | Sequence[Optimizer] | Mapping[str, Optimizer]

_MANY_LOGS: Final = 20  # at step 0: the optimiser that was given may not be the one that steps
_BYTES_PER_SECOND: Final = 250_000


class TrainingMonitor(TrainingLog, TrainingExport, LiveWidget):
    """Curves, findings and controls of a training loop, live in the notebook.

    Works with ``log()`` alone; given the optimiser it counts steps by itself and steers the
    learning rate; given the model too it watches every layer. The loop needs no other change.

    Parameters
    ----------
    model
        The module that is trained. Held weakly; nothing of it is changed. Several models (a
        GAN) are passed as one ``nn.ModuleDict``.
    optimizer
        The optimiser, or several in a list or in a dictionary by name.
    title
        Shown at the head of the widget.
    budget
        Fraction of wall time that watching may take, above 0 and at most 0.5.
    language
        ``"en"``, ``"zh"`` or None for the language of the page.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of these kinds; before anything has been changed.

    Examples
    --------
    >>> monitor = TrainingMonitor(model, optimizer)
    >>> for x, y in monitor.track(loader, epochs=10):
    ...     loss = train_step(x, y)
    ...     monitor.log(loss=loss)
    """

    _esm = t.Unicode(bundle("training_monitor.js")).tag(sync=True)
    _css = t.Unicode(bundle("training_monitor.css")).tag(sync=True)
    _curves = t.Dict().tag(sync=True)
    _layers = t.Dict().tag(sync=True)
    _quiet: ClassVar[frozenset[str]] = frozenset({"_live", "_curves", "_layers", "_notes"})

    def __init__(
        self,
        model: nn.Module | None = None,
        optimizer: Optimizers | None = None,
        *,
        title: str = "",
        budget: float = 0.02,
        language: str | None = None,
    ) -> None:
        check_model(model)
        named = named_optimizers(optimizer)
        check_budget(budget)
        check_title(title)
        check_language(language)
        retire_earlier(type(self))
        session = Session.of(model, list(named.values()), host=kernel_link())
        for name, one in named.items():
            session.attach(one, name)
        self.history = TrainingHistory()
        self._own = OwnSeries(self.history)
        self._begin_logging(session)
        self._loops = Loops(session)
        self._diary = Diary()
        self._samples = Samples()
        self._diagnosis = Diagnosis(self.history, self._samples)
        self._said: tuple[float, bool, list[str]] = (float("-inf"), False, [])
        self._last_state: State = "idle"
        self._paused = False  # as the marks on the curves tell
        # A container made in the call itself would be gone with it; all else is held weakly.
        self._container = model if isinstance(model, (nn.ModuleDict, nn.ModuleList)) else None
        self._watch: LayerWatch | None = None
        self._tracker: NonFiniteTracker | None = None
        super().__init__(session, budget=budget, language=language, title=title)
        if model is not None:
            self._watch = session.sampling.shared(LayerWatch, model)
            self._tracker = NonFiniteTracker(model)
            session.sentinels.append(self._tracker)
        picture = Picture(self, self._next_seq)
        for trait, build, pace in (
            ("_live", picture.live, Paced(0.1, _BYTES_PER_SECOND, 0.1)),
            ("_curves", picture.curves, Paced(0.25, _BYTES_PER_SECOND, 0.25)),
            ("_layers", picture.layers, Paced(0.5, _BYTES_PER_SECOND, 0.05)),
            ("_notes", picture.notes, Paced(1.5, _BYTES_PER_SECOND, 0.1, slowest=20.0)),
        ):
            self._add_part(Part(trait, build, pace))
        self._open_for_business()

    # -- the loop ------------------------------------------------------------------------

    def track(
        self, iterable: Iterable[T], *, epochs: int = 1, total: int | None = None
    ) -> Tracked[T]:
        """Iterate with progress; pausing and stopping act between two items.

        Parameters
        ----------
        iterable
            A DataLoader, a range, a generator … Two nested calls show as epoch and batch.
        epochs
            How often to go through it.
        total
            Number of items, where `iterable` has no length.

        Raises
        ------
        TypeError, ValueError
            If `iterable` cannot be iterated, or not that often; if a number is none.

        Notes
        -----
        A stop ends the loop before the next item is fetched, so an iterator that you passed
        in is left where it was. It lasts for the cell, so that an inner loop that is begun
        again by a plain outer one ends at once.
        """
        return self._loops.track(iterable, epochs=epochs, total=total)

    def run(self, function: Callable[..., R], *args: Any) -> Run[R]:
        """Train in a background thread and return at once.

        Parameters
        ----------
        function, args
            Called as ``function(*args)``.

        Raises
        ------
        TypeError
            If `function` cannot be called.
        RuntimeError
            If an earlier run is still under way.

        Returns
        -------
        Run
            With ``result(timeout=None)``, ``stop()`` and ``done``. A stop ends also a loop
            that neither uses `track` nor asks `should_stop`: at its next step.
        """
        if not callable(function):
            raise TypeError(
                f"run() needs a function, not {type(function).__name__}; pass train, not train()."
            )
        return Run(self._session, function, args)

    @action("pause")
    def pause(self) -> None:
        """Wait between two steps until `resume`, `step` or `stop`."""
        self._session.control.pause()

    @action("resume")
    def resume(self) -> None:
        """Go on after `pause`."""
        self._session.control.resume()

    @action("step")
    def step(self) -> None:
        """Take one step, then wait again."""
        self._session.control.step()

    @action("stop")
    def stop(self) -> None:
        """End the loop: at once with `track` and `run`, else when it asks `should_stop`."""
        if self._session.control.state in ("running", "paused"):
            self._session.event("stop")
        self._session.stop()

    @property
    def state(self) -> State:
        """``"idle"``, ``"running"``, ``"paused"``, ``"stopped"`` or ``"finished"``."""
        return self._session.control.state

    @property
    def should_stop(self) -> bool:
        """Whether a stop has been asked for; for loops that do not use `track`."""
        return self._session.should_stop

    @property
    def lr_scale(self) -> float:
        """Factor on every group's learning rate, from 0.01 to 100.

        Applied during the optimiser's step only, so that schedulers never see it: what they
        set times this factor is the rate in use.
        """
        return self._session.lr_scale

    @lr_scale.setter
    def lr_scale(self, value: float) -> None:
        value = checked_lr_scale(value)
        if not self._session.slots and value != 1.0:
            raise ValueError(
                "no optimiser is known, so there is no learning rate to scale; "
                "pass it as TrainingMonitor(model, optimizer)."
            )
        self._session.set_lr_scale(value)

    # -- what is known -------------------------------------------------------------------

    def findings(self) -> list[Finding]:
        """Return what there is to tell about the run, the most urgent first."""
        return self._find(self.language or "en")

    @property
    def status(self) -> str:
        """What can and cannot be observed, in plain sentences."""
        return " ".join(self._say_what_is_seen(self.language or "en"))

    # -- answers to the browser ----------------------------------------------------------

    @action("set_lr_scale")
    def _set_lr_scale(self, value: float) -> None:
        self.lr_scale = min(LR_RANGE[1], max(LR_RANGE[0], float(value)))

    @action("cursor")
    def _set_cursor(self, step: int | None) -> None:
        self._session.set_cursor(None if step is None else int(step))

    @action("view")
    def _view(
        self,
        x0: float | None = None,
        x1: float | None = None,
        buckets: int = 400,
        axis: str = "step",
    ) -> dict[str, Any]:
        picture = Picture(self, self._next_seq)
        return picture.curves_between(x0, x1, min(max(int(buckets), 8), 2000), settle=False)

    @action("export")
    def _export(self, format: str, dark: bool = False) -> dict[str, Any]:
        name, mime, data = self._as_file(format, dark=dark)
        return wire.pack(
            {"name": name, "mime": mime}, {"file": np.frombuffer(data, dtype=np.uint8)}
        )

    # -- what the session tells ----------------------------------------------------------

    def cell_over(self) -> None:
        """The cell has ended; loops that an exception has broken off are over."""
        if not self._session.looping:
            self._loops.abandon()
        self.history.settle()  # nothing trains in this thread, and the kernel may shut down
        super().cell_over()

    def on_change(self) -> None:
        """State, cursor or learning-rate factor changed."""
        state = self._session.control.state
        if state != self._last_state:
            if state == "running" and not self.history.revision:
                self._began = perf_counter()  # times count from the first step, not from the cell
            if state in ("finished", "stopped") and self._tracker is not None:
                self._tracker.settle()  # no forward pass comes that it could wait for
            self._last_state = state
            self._mark_pauses(state)
        self._follow_steps()
        super().on_change()

    def _mark_pauses(self, state: State) -> None:
        control = self._session.control
        if state == "paused" and not self._paused:
            self._paused = True
            self.on_event("pause", self._step_now())
        elif self._paused and state != "paused" and not control.pause_wanted:  # no single step
            self._paused = False
            if state == "running" and not control.stopping:
                self.on_event("resume", self._step_now())

    def on_rate(self, step: int, name: str, value: float) -> None:
        """Log the effective learning rate; under another name if the user logs one too."""
        if value != value:  # on a device; reading it would wait
            return
        key = f"learning_rate/{name}" if name else "learning_rate"
        self._own.append(step, perf_counter() - self._began, key, value, "in use")

    def on_sample(self, sampler: Any, sample: Any) -> None:
        """Keep what a sampled step showed."""
        if sampler is not self._watch:
            return
        self._samples.add(sample)
        squared = np.nansum(np.square(sample.grad_norm))
        if np.isfinite(sample.grad_norm).any():
            now = perf_counter() - self._began
            norm = float(np.sqrt(squared))
            self._own.append(sample.step, now, "gradient_norm", norm, "sampled")

    def on_message(self, key: str, **params: str) -> None:
        """Show a line in the widget."""
        self._diary.message(key, "warning", step=self._step_now(), about="", **params)
        self._part_changed("_notes")

    def on_event(self, kind: str, step: int, **params: str) -> None:
        """Mark a step on the curves."""
        self._diary.event(kind, step, perf_counter() - self._began, **params)
        self._part_changed("_notes")

    # -- inside --------------------------------------------------------------------------

    def _step_now(self) -> int:
        counted = self._table.newest
        return self._session.step or int(self._steps.newest if counted is None else counted)

    def _rows(self) -> tuple[LayerRow, ...]:
        return () if self._watch is None else self._watch.rows

    def _find(self, language: str) -> list[Finding]:
        origin = None if self._tracker is None else self._tracker.origin
        return self._diagnosis.findings(
            self._rows(),
            language,
            epochs=[step for _, step, _ in self._loops.epoch_marks],
            rate_changes=[event.step for event in self._diary.events if event.kind == "lr"],
            origin=origin,
        )

    def _elapsed(self) -> float:
        return self._session.governor.wall

    def _steps_per_second(self) -> float:
        seconds = self._session.step_seconds
        return 1.0 / seconds if seconds > 0 else math.nan

    def _route(self) -> Route:
        return self._link.route

    def _sentences(self) -> list[str]:
        now, steps = perf_counter(), bool(self._session.slots)
        # Asked ten times a second; a large model takes a while.
        if now - self._said[0] > 2.0 or steps != self._said[1]:
            self._said = now, steps, self._say_what_is_seen(self._shown_language)
        return self._said[2]

    def _say_what_is_seen(self, language: str) -> list[str]:
        session, said = self._session, []
        if not session.slots:
            said.append(text("status.no_optimizer", language))
        elif not session.step and self._log_count >= _MANY_LOGS:
            said.append(text("status.optimizer_idle", language, count=f"{self._log_count:,}"))
        if self._watch is None:
            said.append(text("status.no_model", language))
        else:
            model = session.model
            if model is None:
                said.append(text("status.model_gone", language))
            elif session.slots and not _updates(session, model):
                said.append(text("status.optimizer_elsewhere", language))
            said += [text(key, language, **params) for key, params in self._watch.notes]
            if self._tracker is not None:
                said += [text(key, language, **params) for key, params in self._tracker.notes]
        for key, shown, total in (
            ("status.too_many_series", MOST_SERIES, len(self.history.names(settle=False))),
            ("status.too_many_layers", MOST_ROWS, len(self._rows())),
        ):
            if total > shown:
                said.append(text(key, language, shown=str(shown), total=str(total)))
        if self._samples.count:
            count, steps = f"{self._samples.count:,}", f"{self._step_now():,}"
            said.append(text("status.sampled", language, count=count, steps=steps))
        return said or [text("status.ready", language)]

    def close(self) -> None:
        """Detach from model, optimiser and kernel; the views disappear. Idempotent.

        The history stays, with everything that reads it.
        """
        if not self.closed and self._watch is not None:
            self._session.sampling.remove(self._watch)
        if not self.closed and self._tracker is not None:
            if self._tracker in self._session.sentinels:
                self._session.sentinels.remove(self._tracker)
            self._tracker.close()
        self._container = None
        super().close()


def _updates(session: Session, model: nn.Module) -> bool:
    ours = {id(parameter) for parameter in model.parameters()}
    return not ours or any(id(p) in ours for slot in session.slots for p in slot.parameters())
