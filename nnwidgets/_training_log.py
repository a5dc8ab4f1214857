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
from nnwidgets.live.session import Session
from nnwidgets.live.steps import StepAxis
from nnwidgets.probe.nonfinite import NonFiniteTracker

__all__ = ["TrainingLog"]

_TIMED_EVERY: Final = 16  # one log() in so many is timed, and charged for all of them
_MOST_ROWS: Final = 4096  # in one table, which is kept until the next one begins
_MANY: Final = 2**62  # steps from which one can still count on in int64


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
        self._logs = 0  # calls before those in the table
        self._charged = 0  # of these
        self._charge_at = 0
        self._table = OpenRows((), 0.0)  # where quick calls write
        self._quick_seconds = 0.0  # that one has taken
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
            rows = self._table  # once: another thread may put another there at any time
            pulse = rows.pulse
            now = perf_counter()
            if now < pulse.log_until and len(given) == rows.size:
                row: list[Any] = [now, pulse.step]
                try:
                    for name in rows.names:
                        value = given[name]
                        if value.__class__ is Tensor and value.is_cpu:
                            value = value.item()
                        # a finite float less itself is 0; NaN and infinities are not
                        if value.__class__ is not float or value - value != 0.0:
                            break
                        row.append(value)
                    else:
                        rows.write(row)
                        if rows.attend:
                            self._attend(rows, now)
                        return
                except Exception:  # other names, a tensor of several numbers: told below, in words
                    pass
        self._log(named if metrics is None else merged(metrics, named), step)

    def _attend(self, rows: OpenRows, began: float) -> None:
        """See to `rows`, where a quick call has just written: it is timed, or came too late."""
        with self._changing:
            if self._table is rows:
                rows.attend, self._quick_seconds = False, perf_counter() - began
            else:
                self.history.again(rows)

    @property
    def _log_count(self) -> int:
        """Calls of ``log()``."""
        return self._logs + self._table.count

    def _log(self, values: Mapping[str, Any], step: int | float | None) -> None:
        timed = self._log_count >= self._charge_at
        began = thread_time() if timed else 0.0
        now = perf_counter()
        with self._changing:
            before = self._table.newest
            before = self._logged_at if before is None else before
            if step is not None or not self._goes_on(values, now):
                self._begin_anew(values, step, now)
            if timed:
                self._charge(thread_time() - began)
                self._remind_others()
            at = self._table.newest
        self._session.logged(now, new_step=(self._logged_at if at is None else at) != before)

    def _goes_on(self, values: Mapping[str, Any], now: float) -> bool:
        """Write one more row where the last one went; False if this call is another kind."""
        rows, pulse = self._table, self._session.pulse
        if len(values) != rows.size or rows.count >= _MOST_ROWS:
            return False
        if rows.after is None:
            if not self._session.slots:
                return False
        elif self._session.slots or not rows.cells or rows.cells[1 - rows.width] != pulse.step:
            return False
        row: list[Any] = [now, pulse.step]
        for name in rows.names:
            value = values.get(name)
            if value.__class__ is Tensor:
                value = _item(value)
            if value.__class__ is not float or value - value != 0.0:
                return False
            row.append(value)
        rows.write(row)
        rows.pulse = pulse
        return True

    def _begin_anew(self, values: Mapping[str, Any], step: int | float | None, now: float) -> None:
        """Append what may be of any kind, and a table for calls that are like this one."""
        rows = self._table
        if rows.after is not None and rows.newest is not None:
            self._steps.counted(rows.newest, rows.names)
        # which may raise: what is quick goes on as it was
        at = self._logged_at = self._steps.at(step, values)
        self._logs += 1
        rows.end()  # whoever breaks this off, by an interrupt, leaves no table that nobody reads
        self.history.close_rows()
        for value in values.values():
            if value.__class__ is not float or value - value != 0.0:
                values = self._look_closer(values)
                break
        if values:
            self._own.give_way(values)
            self.history.append(at, now - self._began, values)
        counts = not self._session.slots and abs(at) < _MANY
        names = tuple(values) if counts or self._session.slots else ()
        self._begin_rows(names, at if counts else None)
        self._follow_steps()  # an optimiser that has come meanwhile has not seen these rows

    def _charge(self, cost: float) -> None:
        """Charge this call with `cost` seconds, and those since the last that was charged."""
        calls, self._charged = self._log_count - self._charged, self._log_count
        self._charge_at = self._charged + _TIMED_EVERY
        other = min(self._quick_seconds or cost, cost)
        self._table.attend = True  # the next one is timed
        self._session.governor.charge(cost + (calls - 1) * other)

    def _remind_others(self) -> None:
        """Let other monitors of the session take a long call too.

        The first one behind a step is heard for all of them: else it would be the same one's for
        good, and what the others take never charged.
        """
        for other in self._session.listeners:
            if isinstance(other, TrainingLog) and other is not self:
                other._table.rest()

    def _follow_steps(self) -> None:
        """Let quick calls count no more where an optimiser has come that does."""
        if self._table.after is None or not self._session.slots:
            return
        with self._changing:
            old = self._table
            if old.after is not None and old.newest is not None:
                self._steps.counted(old.newest, old.names)
                self._logged_at = old.newest
            self._begin_rows((), None)

    def _begin_rows(self, names: tuple[str, ...], after: float | None) -> None:
        old = self._table
        self._logs += old.count
        self._table = self.history.open_rows(names, self._began, after)
        self._table.pulse = self._session.pulse
        old.attend = True  # whoever writes there from now on says so
        if old:  # another thread was in the middle of a quick call
            self.history.again(old)

    def _look_closer(self, values: Mapping[str, Any]) -> dict[str, Any]:
        looked = {}
        number: Any
        for name, value in values.items():
            number = _item(value) if value.__class__ is Tensor else None
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


def _item(value: Tensor) -> Any:
    """Read what is logged in nearly every loop; None if it cannot be read here and now."""
    # Inside of torch.vmap it raises.
    with contextlib.suppress(Exception):
        if value.is_cpu and not value.ndim:
            return value.item()
    return None
