"""The parts of a TrainingMonitor's picture, built from what the monitor knows."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nnwidgets.catalogue import text
from nnwidgets.live import wire
from nnwidgets.probe.metrics import higher_is_better, panels, split_name

if TYPE_CHECKING:
    from nnwidgets.training_monitor import TrainingMonitor

__all__ = ["MOST_ROWS", "MOST_SERIES", "Picture"]

_BUCKET_BYTES: Final = 33  # of one bucket on the wire: x, x1, t, lo, hi, mean, flags
_CURVE_BYTES: Final = 140_000  # all curves of a picture together
_MOST_BUCKETS: Final = 400
MOST_SERIES: Final = 120
MOST_ROWS: Final = 300
_SPARK_POINTS: Final = 60
_SPARK_BYTES: Final = 60_000  # all sparklines of a picture together
_LONG_WAIT: Final = 0.3  # seconds after which a click that has not acted is said to be queued

Packed = dict[str, Any]


class Picture:
    """Builds each part, or None when nothing in it has changed since.

    Parameters
    ----------
    monitor
        Whose picture it is.
    next_seq
        Gives each part a number; the browser draws only what is newer.
    """

    def __init__(self, monitor: TrainingMonitor, next_seq: Callable[[], int]) -> None:
        self._monitor = monitor
        self._seq = next_seq
        self._last: dict[str, Any] = {}
        self._wish: tuple[str | None, float] = (None, 0.0)  # a click not granted yet, since when

    def live(self) -> Packed | None:
        """State, progress, newest values: all that changes all the time."""
        monitor = self._monitor
        session, history = monitor.session, monitor.history
        control, progress = session.control, monitor._loops.progress
        names = history.names(settle=False)[:MOST_SERIES]
        route = monitor._route()
        scheduled = [rate for slot in session.slots for rate in slot.scheduled_rates()]
        rate = scheduled[0] if scheduled else float("nan")
        meta: dict[str, Any] = {
            "state": control.state,
            "stopping": control.stopping and control.state == "running",
            "step": monitor._step_now(),
            "epoch": list(progress.epoch) if progress.epoch else None,
            "progress": [progress.done, progress.total]
            if progress.done or progress.total
            else None,
            "route": {"key": route.key, "params": {}, "live": route.live},
            "queued": self._queued(),
            "can": {
                "steer": bool(session.slots),
                "step": True,
                "stop": True,
                "layers": monitor._watch is not None,
            },
            "names": list(names),
            "cursor": session.cursor,
            "budget": session.governor.budget,
            "error": monitor._error,
            "status": monitor._sentences(),
        }
        last = [history.last(name, settle=False)[1] for name in names]
        resting = control.state not in ("running", "paused")
        state = (
            repr((meta, last, session.lr_scale, rate)),
            0 if resting else int(perf_counter() * 4),
        )
        if self._same("live", state):
            return None
        return wire.live_part(
            {"seq": self._seq(), **meta},
            rate=progress.rate if progress.rate == progress.rate else monitor._steps_per_second(),
            eta=progress.eta,
            overhead=session.governor.overhead,
            effective_rate=rate * session.lr_scale,
            elapsed=monitor._elapsed(),
            lr_scale=session.lr_scale,
            scheduled_rate=rate,
            last=last,
        )

    def _queued(self) -> dict[str, str] | None:
        """Return the click that waits for the end of a long step; short waits are not told."""
        control = self._monitor.session.control
        wish = None
        if control.state == "running":
            wish = "stop" if control.stopping else "pause" if control.pause_wanted else None
        now = perf_counter()
        if wish != self._wish[0]:
            self._wish = (wish, now)
        if wish is None or now - self._wish[1] < _LONG_WAIT:
            return None
        return {"action": wish, "waits": "step"}

    def curves(self) -> Packed | None:
        """Every series over the whole run."""
        history = self._monitor.history
        history.settle(block=False)
        # values that a device is still computing come later, without another row
        state = (history.revision, history.waiting, len(self._monitor._loops.epoch_marks))
        if not history.revision or self._same("curves", state):
            return None
        return self.curves_between(None, None, _MOST_BUCKETS, settle=False)

    def curves_between(
        self, x0: float | None, x1: float | None, buckets: int, *, settle: bool = True
    ) -> Packed:
        """Pack every series between two steps; None for the very ends."""
        history = self._monitor.history
        names = history.names(settle=settle)[:MOST_SERIES]
        groups = panels(names)
        shown = [name for group in groups for name in group.names]
        most = max(8, min(buckets, _CURVE_BYTES // (_BUCKET_BYTES * max(1, len(shown)))))
        view = history.view(
            shown, x0, x1, most, margin=0 if x0 is None and x1 is None else 1, settle=settle
        )
        heads: list[dict[str, Any]] = []
        best: list[tuple[float, float]] = []
        for number, group in enumerate(groups):
            for name in group.names:
                base, role = split_name(name)
                higher = higher_is_better(base) if group.kind == "metric" else None
                place = len(heads)
                heads.append(
                    {
                        "name": name,
                        "panel": number,
                        "role": role,
                        "start": int(view.start[place]),
                        "count": int(view.count[place]),
                        "points": history.count(name, settle=settle),
                        "bad": history.bad(name, settle=settle),
                        "higher_better": higher,
                        "step_line": group.kind == "lr",
                    }
                )
                known = higher is not None and role in ("val", "test", "")
                best.append(
                    history.best(name, bool(higher), settle=settle)
                    if known
                    else (float("nan"), float("nan"))
                )
        ends = [float(view.x.min()), float(view.x1.max())] if len(view.x) else [0.0, 0.0]
        meta = {
            "seq": self._seq(),
            "series": heads,
            "panels": [{"title": group.title, "kind": group.kind} for group in groups],
            "range": ends,
            "zoom": None if x0 is None and x1 is None else [x0, x1],
        }
        return wire.curves_part(meta, view, best, self._epochs())

    def _epochs(self) -> list[tuple[float, float]]:
        monitor = self._monitor
        marks = list(monitor._loops.epoch_marks)
        every = -(-len(marks) // 400) or 1
        return [(float(step), at - monitor._began) for _, step, at in marks[::every]]

    def layers(self) -> Packed | None:
        """Gradient norm, update ratio and dead units of every layer."""
        monitor = self._monitor
        if monitor._watch is None or self._same("layers", monitor._samples.count):
            return None
        kept = monitor._samples.all()
        if not kept:
            return None
        rows = monitor._watch.rows[: min(MOST_ROWS, len(kept[-1].grad_norm))]
        count = max(1, len(rows))
        most = min(_SPARK_POINTS, max(8, _SPARK_BYTES // (8 * count)))
        steps, grad_norm, update_ratio = monitor._samples.matrix(most)
        return wire.layers_part(
            {
                "seq": self._seq(),
                "rows": [
                    {
                        "name": row.name,
                        "type": row.type,
                        "label": row.label,
                        "frozen": row.frozen,
                        "dead_known": row.dead_known,
                    }
                    for row in rows
                ],
                "step": kept[-1].step,
            },
            steps=steps,
            grad_norm=_float32(grad_norm[:count]),
            update_ratio=_float32(update_ratio[:count]),
            dead=kept[-1].dead[:count],
            units=kept[-1].units[:count],
        )

    def notes(self) -> Packed | None:
        """Findings, events and messages, as sentences."""
        monitor = self._monitor
        language = monitor._shown_language
        monitor._note_rejected()
        found = monitor._find(language)
        state = (
            monitor._diary.revision,
            language,
            [(f.kind, f.severity, f.step, f.message) for f in found],
        )
        if self._same("notes", state):
            return None
        return wire.pack(
            {
                "seq": self._seq(),
                "findings": [
                    {
                        "kind": f.kind,
                        "severity": f.severity,
                        "step": f.step,
                        "title": f.title,
                        "body": f.body,
                        "advice": f.advice,
                        "key": f.key,
                        "params": dict(f.params),
                    }
                    for f in found
                ],
                "events": [
                    {
                        "kind": event.kind,
                        "step": event.step,
                        "key": event.key,
                        "params": event.params,
                        "text": text(event.key, language, **event.params),
                    }
                    for event in monitor._diary.events
                ],
                "messages": [
                    {
                        "text": text(message.key, language, **message.params),
                        "level": message.level,
                        "step": message.step,
                        "count": message.count,
                    }
                    for message in monitor._diary.messages
                ],
            }
        )

    def _same(self, part: str, state: object) -> bool:
        if self._last.get(part) == state:
            return True
        self._last[part] = state
        return False


def _float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # beyond 3.4e38 reads as infinite, and is as good as
        return values.astype(np.float32)
