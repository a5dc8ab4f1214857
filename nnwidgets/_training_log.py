"""``log()``: a value on its way from the training loop into the history."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from time import perf_counter, thread_time
from typing import Any, Final

from torch import Tensor

from nnwidgets._training_arguments import merged
from nnwidgets._training_export import TrainingHistory
from nnwidgets._training_series import OwnSeries
from nnwidgets.live.diary import Diary
from nnwidgets.live.lazy import as_number
from nnwidgets.live.open_rows import OpenRows
from nnwidgets.live.pulse import Kind, Pulse
from nnwidgets.live.session import Session
from nnwidgets.live.steps import StepAxis
from nnwidgets.probe.nonfinite import NonFiniteTracker

__all__ = ["TrainingLog"]

_TIMED_EVERY: Final = 16  # one log() in so many is timed, and charged for all of them
_LOG: Final = int(Kind.LOG)
_MANY: Final = 2**62  # steps from which one can still count on in int64


class _Quick:
    """What a quick ``log()`` reads and writes, together in one small object."""

    __slots__ = ("pulse", "rows", "seconds", "timed")

    def __init__(self, pulse: Pulse) -> None:
        self.pulse = pulse
        self.rows = OpenRows((), 0.0)  # where the numbers go
        self.seconds = 0.0  # that one has taken
        self.timed = False  # the next one is


class TrainingLog:
    """The part of a monitor that logs."""

    history: TrainingHistory
    _own: OwnSeries
    _diary: Diary
    _session: Session
    _tracker: NonFiniteTracker | None

    def _begin_logging(self, session: Session) -> None:
        self._began = perf_counter()
        self._steps = StepAxis(session)
        self._logs = 0
        self._charged = 0  # of these
        self._charge_at = 0
        self._quick = _Quick(session.pulse)
        self._changing = threading.RLock()  # the table that quick calls write to
        self._logged_at: float | None = None  # step of the newest log() that was no quick one

    def log(
        self,
        metrics: Mapping[str, Any] | None = None,
        /,
        *,
        step: int | float | None = None,
        **named: Any,
    ) -> None:
        """Log metrics at a step.

        Parameters
        ----------
        metrics
            Values by name: floats, integers, numpy scalars, 0-d tensors on any device (kept
            without waiting for the device, and worth what they hold now). ``"val_loss"`` or
            ``"val/loss"`` is shown with ``"loss"``.
        step
            Where on the step axis. By default the number of steps that the optimiser has
            taken; without an optimiser, counted on from 0 (or from the last `step` given)
            whenever a name comes again.
        **named
            More metrics.

        Raises
        ------
        TypeError
            If the call can never work: `metrics` is no mapping, a name is no string or is given
            twice, `step` is no number. A *value* that is no number never raises: it becomes
            one line in the widget.
        """
        if step is None and (metrics is None or (not named and metrics.__class__ is dict)):
            # What nearly every call is: the names of the last one, plain finite numbers, and a
            # session that wants to hear nothing. See `nnwidgets.live.pulse` for why all of it is
            # here, and touches so few things.
            given = named if metrics is None else metrics
            quick = self._quick
            pulse = quick.pulse
            rows = quick.rows  # once: another thread may put others there at any time
            now = perf_counter()
            if now < pulse.log_until and tuple(given) == rows.names:
                row: list[Any] = [now, pulse.step]
                try:
                    for value in given.values():
                        if value.__class__ is Tensor and value.is_cpu:
                            value = value.item()
                        # a finite float less itself is 0; NaN and infinities are not
                        if value.__class__ is not float or value - value != 0.0:
                            break
                        row.append(value)
                except Exception:  # a tensor of several numbers: told below, in words
                    pass
                if len(row) == rows.width:
                    rows.cells.fromlist(row)
                    pulse.active = now
                    if pulse.seen < _LOG:
                        pulse.seen = _LOG
                    if quick.timed:
                        quick.timed, quick.seconds = False, perf_counter() - now
                    if quick.rows is not rows:
                        self.history.again(rows)
                    return
        self._log(named if metrics is None else merged(metrics, named), step)

    def _log(self, values: Mapping[str, Any], step: int | float | None) -> None:
        quick = self._quick
        self._logs += 1 + quick.rows.count
        timed = self._logs >= self._charge_at
        began = thread_time() if timed else 0.0
        with self._changing:
            old = quick.rows
            before = self._logged_at if old.newest is None else old.newest
            if old.after is not None and old.newest is not None:
                self._steps.counted(old.newest, old.names)
            # which may raise: what is quick goes on as it was
            at = self._logged_at = self._steps.at(step, values)
            self.history.close_rows()
            for value in values.values():
                if value.__class__ is not float or value - value != 0.0:
                    values = self._look_closer(values)
                    break
            now = perf_counter()
            if values:
                self._own.give_way(values)
                self.history.append(at, now - self._began, values)
            counts = not self._session.slots and abs(at) < _MANY
            quick.rows = self.history.open_rows(
                tuple(values) if counts or self._session.slots else (),
                self._began,
                at if counts else None,
            )
            if old:  # another thread was in the middle of a quick call
                self.history.again(old)
            self._follow_steps()  # an optimiser that has come meanwhile has not seen these rows
        if timed:
            calls, self._charged = self._logs - self._charged, self._logs
            self._charge_at = self._logs + _TIMED_EVERY
            cost = thread_time() - began
            other = min(quick.seconds or cost, cost)
            quick.timed = True
            self._session.governor.charge(cost + (calls - 1) * other)
        self._session.logged(now, new_step=at != before)

    def _follow_steps(self) -> None:
        """Let quick calls count no more where an optimiser has come that does."""
        if self._quick.rows.after is None or not self._session.slots:
            return
        with self._changing:
            old = self._quick.rows
            if old.after is not None and old.newest is not None:
                self._steps.counted(old.newest, old.names)
                self._logged_at = old.newest
            self._quick.rows = self.history.open_rows((), self._began)
            if old:
                self.history.again(old)

    def _look_closer(self, values: Mapping[str, Any]) -> dict[str, Any]:
        looked = {}
        number: Any
        for name, value in values.items():
            number = None
            if value.__class__ is Tensor and value.is_cpu and not value.ndim:
                # What is logged in nearly every loop; inside of torch.vmap it raises.
                with contextlib.suppress(Exception):
                    number = value.item()
            if number.__class__ is not float:
                number = as_number(value)
            looked[name] = number
            if number.__class__ is float and number - number != 0.0:
                self._session.look_into_next_step()  # for where it came from
                if self._tracker is not None:
                    self._tracker.suspect(self._session.step)
        return looked

    def _note_rejected(self) -> None:
        for name, step, reason in self.history.take_rejected():
            self._diary.message(
                "message.not_a_number",
                about=name,
                step=int(step),
                name=name,
                reason=reason,
            )
