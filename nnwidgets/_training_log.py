"""``log()``: a value on its way from the training loop into the history."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter, thread_time
from typing import Any, Final

from torch import Tensor

from nnwidgets._training_arguments import merged
from nnwidgets._training_export import TrainingHistory
from nnwidgets._training_series import OwnSeries
from nnwidgets.live.diary import Diary
from nnwidgets.live.lazy import as_number
from nnwidgets.live.pulse import Kind
from nnwidgets.live.session import Session
from nnwidgets.live.steps import StepAxis
from nnwidgets.probe.nonfinite import NonFiniteTracker

__all__ = ["TrainingLog"]

_TIMED_EVERY: Final = 16  # one log() in so many is timed, and charged for all of them
_LOG: Final = int(Kind.LOG)


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
        self._time_at = -1  # the call that is timed if it is a quick one
        self._quick_seconds = 0.0
        self._logged_at: float | None = None  # step of the newest log()
        self._usual: tuple[str, ...] = ()  # the names that it gave
        self._pulse = session.pulse
        self._rows_kept = self.history.rows

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
        self._logs += 1
        pulse = self._pulse
        if step is None and metrics is None:
            now = perf_counter()
            names = tuple(named)
            if now < pulse.log_until and names == self._usual:
                # What nearly every call is: the names of the last one, plain finite numbers,
                # and a session that wants to hear nothing. No other function is called: see
                # `nnwidgets.live.pulse`.
                numbers = []
                for value in named.values():
                    if value.__class__ is Tensor and value.is_cpu and not value.ndim:
                        value = value.item()
                    if value.__class__ is not float or value - value != 0.0:
                        break
                    numbers.append(value)
                else:
                    at = self._logged_at = pulse.step
                    self._rows_kept.append((at, now - self._began, names, tuple(numbers)))
                    pulse.active = now
                    if pulse.seen < _LOG:
                        pulse.seen = _LOG
                    if self._logs == self._time_at:
                        self._quick_seconds = perf_counter() - now
                    return
        self._log(named if metrics is None else merged(metrics, named), step)

    def _log(self, values: Mapping[str, Any], step: int | float | None) -> None:
        timed = self._logs >= self._charge_at
        began = thread_time() if timed else 0.0
        before = self._logged_at
        at = self._logged_at = self._steps.at(step, values)
        for value in values.values():
            # a finite float less itself is 0; NaN and infinities are not
            if value.__class__ is not float or value - value != 0.0:
                values = self._look_closer(values)
                break
        now = perf_counter()
        if values:
            self._own.give_way(values)
            self.history.append(at, now - self._began, values)
            self._usual = tuple(values)
        if timed:
            calls, self._charged = self._logs - self._charged, self._logs
            self._charge_at = self._logs + _TIMED_EVERY
            self._time_at = self._logs + 2  # a quick one, if it is one
            cost = thread_time() - began
            other = min(self._quick_seconds or cost, cost)
            self._session.governor.charge(cost + (calls - 1) * other)
        self._session.logged(now, new_step=at != before)

    def _look_closer(self, values: Mapping[str, Any]) -> dict[str, Any]:
        looked = {}
        number: Any
        for name, value in values.items():
            if value.__class__ is Tensor and value.is_cpu and not value.ndim:
                number = value.item()  # what is logged in nearly every loop
                if number.__class__ is complex:
                    number = as_number(value)
            else:
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
