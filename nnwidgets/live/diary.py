"""What happened when: marks on the curves, and messages to the user.

Both are bounded. A message that comes again is counted, not repeated: a metric that is no
number in each of a million steps makes one line.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = ["Diary", "Event", "Message"]

_MOST_EVENTS: Final = 400
_MOST_MESSAGES: Final = 20

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Event:
    """A mark at a step: a catalogue key ``event.<kind>`` and what to put into its sentence."""

    kind: str
    step: int
    time: float
    params: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The catalogue key of its sentence."""
        return f"event.{self.kind}"


@dataclass
class Message:
    """A line for the user: a catalogue key, how often it came, and the step of the first."""

    key: str
    params: dict[str, str]
    level: Level
    step: int | None
    count: int = 1


class Diary:
    """Events and messages of one widget; thread-safe.

    When there are too many events, runs of the same kind are thinned evenly: a learning rate
    that was moved a thousand times does not push out the one NaN.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._messages: dict[tuple[Any, ...], Message] = {}

    @property
    def events(self) -> list[Event]:
        """The events, in the order in which they came."""
        with self._lock:
            return list(self._events)

    @property
    def messages(self) -> list[Message]:
        """The messages, newest kind last."""
        with self._lock:
            return list(self._messages.values())

    def event(self, kind: str, step: int, time: float, **params: str) -> None:
        """Mark a step."""
        with self._lock:
            self.revision += 1
            self._events.append(Event(kind, step, time, params))
            if len(self._events) > _MOST_EVENTS:
                kinds = [event.kind for event in self._events]
                crowded = max(set(kinds), key=kinds.count)
                places = [i for i, kind in enumerate(kinds) if kind == crowded][1:-1:2]
                for place in reversed(places):
                    del self._events[place]

    def message(
        self,
        key: str,
        level: Level = "warning",
        *,
        step: int | None = None,
        about: str = "",
        **params: str,
    ) -> None:
        """Tell the user something; `about` says which messages of this key are the same.

        The sentence may contain ``{step}``, the step of the first one.
        """
        with self._lock:
            self.revision += 1
            known = self._messages.get((key, about))
            if known is not None:
                known.count += 1
                return
            if step is not None:
                params["step"] = str(step)
            self._messages[key, about] = Message(key, params, level, step)
            if len(self._messages) > _MOST_MESSAGES:
                del self._messages[next(iter(self._messages))]
