"""The smallest widget that has everything: two parts, and an action of every kind."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import numpy as np
import traitlets as t

from nnwidgets.live import wire
from nnwidgets.live.channel import Paced
from nnwidgets.live.session import Session
from nnwidgets.live.widget import LiveWidget, Part, action


class Probe(LiveWidget):
    """A widget with two parts and an action of every kind."""

    _esm = t.Unicode("export default {}").tag(sync=True)
    _slow = t.Dict().tag(sync=True)
    _quiet: ClassVar[frozenset[str]] = frozenset({"_live", "_slow", "_notes"})

    def __init__(self, session: Session, **options: Any) -> None:
        super().__init__(session, **options)
        self.value = 0
        self.slow_value = 0
        self.broken = False
        self.problem: Exception = ValueError("planted")
        self.threads: list[int] = []
        self._add_part(Part("_live", self._build_live, Paced(0.1, 1e6)))
        self._add_part(Part("_slow", self._build_slow, Paced(1.0, 1e6)))
        self._built: dict[str, Any] = {}
        self._open_for_business()

    def _build_live(self) -> dict[str, Any] | None:
        if self.broken:
            raise ValueError("planted")
        state = (self.value, self._error, self.session.control.state)
        if self._built.get("live") == state:
            return None
        self._built["live"] = state
        return wire.pack(
            {"seq": self._next_seq(), "value": self.value, "error": self._error},
            {"x": np.full(3, np.nan)},
        )

    def _build_slow(self) -> dict[str, Any] | None:
        if self._built.get("slow") == self.slow_value:
            return None
        self._built["slow"] = self.slow_value
        return wire.pack({"seq": self._next_seq(), "value": self.slow_value})

    @action("add")
    def add(self, a: int, b: int = 1) -> int:
        return a + b

    @action("fail")
    def fail(self) -> None:
        raise ValueError("this cannot be done; do that instead.")

    @action("fail silently")
    def fail_silently(self) -> None:
        raise RuntimeError

    @action("raise")
    def raise_problem(self) -> None:
        raise self.problem

    @action("odd")
    def odd(self) -> object:
        return object()

    @action("array")
    def array(self) -> dict[str, Any]:
        return wire.pack({"what": "ones"}, {"ones": np.ones(4, np.float32)})

    @action("touch", touches_model=True)
    def touch(self) -> str:
        self.threads.append(threading.get_ident())
        return "touched"

    @action("touch and fail", touches_model=True)
    def touch_and_fail(self) -> None:
        raise ValueError("planted")


def values(updates: list[dict[str, Any]], trait: str = "_live") -> list[int]:
    """Return what the pictures of a part showed."""
    return [update[trait]["meta"]["value"] for update in updates if trait in update]
