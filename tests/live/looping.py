"""``track()`` on a session, without a widget around it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nnwidgets.live.loop import Loops, Progress, Tracked
from nnwidgets.live.session import Session


class Tracker:
    """What a widget is to the loop: one call between the program and `Loops`."""

    def __init__(self, session: Session | None = None) -> None:
        self.session = session or Session()
        self.loops = Loops(self.session)

    def track(self, iterable: Iterable[Any], **options: Any) -> Tracked[Any]:
        return self.loops.track(iterable, **options)

    @property
    def state(self) -> str:
        return self.session.control.state

    @property
    def progress(self) -> Progress:
        return self.loops.progress
