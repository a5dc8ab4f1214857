"""Where a notebook's cells begin and end, and what a cell that is run again replaces."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from nnwidgets.live.cells import Cells, retire_earlier
from nnwidgets.live.session import Session
from tests.live.doubles import FakeLink


class Widget:
    def __init__(self, session: Session | None = None) -> None:
        self.session = session or Session()
        self.closed = False
        self.ended = 0

    def cell_over(self) -> None:
        self.ended += 1

    def close(self) -> None:
        self.closed = True


class Other(Widget):
    pass


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> FakeLink:
    fake = FakeLink()
    monkeypatch.setattr("nnwidgets.live.cells.kernel_link", lambda: fake)
    return fake


def make(link: FakeLink, kind: type[Any] = Widget, **options: Any) -> Any:
    """As a widget's constructor does it."""
    retire_earlier(kind)
    widget = kind(**options)
    Cells.of(link).add(widget)
    return widget


def test_one_record_per_link(link: FakeLink) -> None:
    assert Cells.of(link) is Cells.of(link)
    assert Cells.of(FakeLink()) is not Cells.of(link)


def test_a_cell_that_is_run_again_replaces_its_widget(link: FakeLink) -> None:
    with link.cell("a"):
        first = make(link)
    with link.cell("b"):
        elsewhere = make(link)
    with link.cell("a"):
        assert not first.closed  # not before there is another
        second = make(link)
        assert first.closed
    assert not elsewhere.closed
    assert not second.closed


def test_widgets_made_in_one_run_stay_together(link: FakeLink) -> None:
    with link.cell("a"):
        made = [make(link) for _ in range(3)]
    assert not any(widget.closed for widget in made)
    with link.cell("a"):
        again = [make(link) for _ in range(2)]
    assert all(widget.closed for widget in made)
    assert not any(widget.closed for widget in again)


def test_a_cell_that_is_run_again_without_making_one_keeps_it(link: FakeLink) -> None:
    with link.cell("a"):
        widget = make(link)
    with link.cell("a"):
        pass
    assert not widget.closed


def test_only_widgets_of_the_same_class_are_replaced(link: FakeLink) -> None:
    with link.cell("a"):
        widget, other = make(link), make(link, Other)
    with link.cell("a"):
        make(link, Other)
    assert not widget.closed
    assert other.closed


def test_an_instance_with_a_class_of_its_own_is_replaced(link: FakeLink) -> None:
    """As traitlets makes one when a trait is added to an instance."""
    with link.cell("a"):
        widget = make(link)
        widget.__class__ = type("Widget", (Widget,), {})
    with link.cell("a"):
        make(link)
    assert widget.closed


def test_without_cell_ids_nothing_is_replaced(link: FakeLink) -> None:
    with link.cell(None):
        first = make(link)
    with link.cell(None):
        make(link)
    assert not first.closed


def test_outside_of_cells_nothing_is_replaced(link: FakeLink) -> None:
    first = make(link)
    make(link)
    assert not first.closed


def test_every_session_hears_once_of_begin_and_end(link: FakeLink) -> None:
    heard: list[tuple[str, Any]] = []
    session = Session()
    session.cell_began = lambda: heard.append(("began", None))  # type: ignore[method-assign]
    session.cell_ended = lambda p: heard.append(("ended", p))  # type: ignore[method-assign]
    widgets = [make(link, session=session) for _ in range(3)]
    problem = ValueError("planted")
    link.begin("a")
    link.end(problem)
    assert heard == [("began", None), ("ended", problem)]
    assert [widget.ended for widget in widgets] == [1, 1, 1]


def test_a_closed_widget_hears_nothing(link: FakeLink) -> None:
    widget = make(link)
    widget.close()
    widget.session.cell_ended = lambda _: pytest.fail("told")  # type: ignore[method-assign]
    with link.cell("a"):
        pass
    assert widget.ended == 0


def test_widgets_and_links_are_held_weakly(link: FakeLink) -> None:
    with link.cell("a"):
        widget = make(link)
    gone = weakref.ref(widget)
    del widget
    gc.collect()
    assert gone() is None
    cells = weakref.ref(Cells.of(link))
    assert cells() is not None
