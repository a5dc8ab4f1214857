"""Telling sessions where notebook cells begin and end, and retiring widgets of a re-run cell."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import ClassVar, Protocol

from nnwidgets.live.kernel import KernelLink, kernel_link
from nnwidgets.live.session import Session

__all__ = ["Cells", "retire_earlier"]


class InCell(Protocol):
    """A widget, as seen from here."""

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""

    @property
    def session(self) -> Session:
        """What it watches."""

    def cell_over(self) -> None:
        """The running cell has ended."""

    def close(self) -> None:
        """Detach it for good."""


class Cells:
    """The cells of one kernel; use `Cells.of`."""

    _known: ClassVar[weakref.WeakKeyDictionary[KernelLink, Cells]] = weakref.WeakKeyDictionary()

    def __init__(self, link: KernelLink) -> None:
        self._link = weakref.ref(link)
        self._widgets: weakref.WeakSet[InCell] = weakref.WeakSet()
        self._home: weakref.WeakKeyDictionary[InCell, tuple[str, int]] = weakref.WeakKeyDictionary()
        self._run = 0
        link.on_cell_start(self._start)
        link.on_cell_end(self._end)

    @classmethod
    def of(cls, link: KernelLink) -> Cells:
        """Return the cells of `link`."""
        cells = cls._known.get(link)
        if cells is None:
            cells = cls._known[link] = cls(link)
        return cells

    def add(self, widget: InCell) -> None:
        """Remember in which cell `widget` was made."""
        self._widgets.add(widget)
        link = self._link()
        if link is not None and link.cell_id is not None:
            self._home[widget] = (link.cell_id, self._run)

    def retire(self, kind: type) -> None:
        """Close widgets of this class that an earlier run of the running cell has made."""
        link = self._link()
        cell = None if link is None else link.cell_id
        if cell is None:
            return
        for widget, (home, run) in list(self._home.items()):
            # no comparison of types: traitlets gives an instance a class of its own
            if home == cell and run != self._run and isinstance(widget, kind):
                widget.close()

    def _open(self) -> list[InCell]:
        return [widget for widget in list(self._widgets) if not widget.closed]

    def _sessions(self) -> Iterator[Session]:
        seen: set[int] = set()
        for widget in self._open():
            if id(widget.session) not in seen:
                seen.add(id(widget.session))
                yield widget.session

    def _start(self, cell: str | None) -> None:
        self._run += 1
        for session in self._sessions():
            session.cell_began()

    def _end(self, problem: BaseException | None) -> None:
        for session in self._sessions():
            session.cell_ended(problem)
        for widget in self._open():
            widget.cell_over()


def retire_earlier(kind: type) -> None:
    """Close what an earlier run of the running cell has made: it is run again to replace it."""
    Cells.of(kernel_link()).retire(kind)
