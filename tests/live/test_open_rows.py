"""Rows that come to a table without a call, beside rows that are appended."""

from __future__ import annotations

import sys
import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.live.history import History
from nnwidgets.live.open_rows import OpenRows

NAMES = (("loss",), ("loss", "accuracy"), ("accuracy",))
numbers = st.floats(allow_nan=False, width=32)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("row"), numbers),
        st.tuples(st.just("append"), numbers),
        st.tuples(st.just("open"), st.integers(0, 2)),
        st.tuples(st.just("fold"), st.just(0)),
    ),
    max_size=60,
)


@given(moves)
def test_every_point_is_kept_in_its_order(made: list[tuple[str, float]]) -> None:
    """Whatever is mixed, each series is what plain lists say."""
    history, count = History(), 0
    expected: dict[str, list[tuple[int, float, float]]] = {"loss": [], "accuracy": []}
    names: tuple[str, ...] = NAMES[0]
    rows = history.open_rows(names, 10.0)
    for step, (move, value) in enumerate(made, 1):
        if move == "open":
            names = NAMES[int(value)]
            rows = history.open_rows(names, 10.0)
        elif move == "fold":
            history.settle()
        else:
            if move == "row":
                rows.write([10.0 + step / 4, step, *[value] * len(names)])
            else:
                history.close_rows()
                history.append(step, step / 4, dict.fromkeys(names, value))
                rows = history.open_rows(names, 10.0)
            count += 1
            for name in names:
                expected[name].append((step, value, step / 4))
        assert history.revision == count
    for name, points in expected.items():
        if points:
            series = history[name]
            np.testing.assert_array_equal(series.steps, [p[0] for p in points])
            np.testing.assert_array_equal(series.values, [p[1] for p in points])
            np.testing.assert_array_equal(series.times, [p[2] for p in points])
    assert history.waiting == 0


def test_other_series_may_be_appended_meanwhile() -> None:
    history = History()
    rows = history.open_rows(("loss",), 0.0)
    rows.write([0.5, 1, 2.0])
    history.append(1, 0.75, {"learning_rate": 0.1})
    rows.write([1.0, 2, 3.0])
    assert history["loss"].values.tolist() == [2.0, 3.0]
    assert history["learning_rate"].steps.tolist() == [1]


def test_a_row_that_comes_late_is_kept_once() -> None:
    """Another thread has closed the table, and a reader emptied it, in the middle of a call."""
    history = History()
    rows = history.open_rows(("loss",), 0.0)
    rows.write([0.5, 1, 2.0])
    history.close_rows()
    assert history["loss"].values.tolist() == [2.0]
    rows.write([1.0, 2, 3.0])
    history.again(rows)
    history.again(rows)
    assert history.waiting == 1
    assert history["loss"].values.tolist() == [2.0, 3.0]
    assert history.revision == 2


def test_reading_never_disturbs_who_writes() -> None:
    history, count = History(), 20_000
    over = threading.Event()
    seen: list[int] = []
    problems: list[Exception] = []

    def read() -> None:
        try:
            while not over.is_set():
                if "loss" in history:
                    values = history["loss"].values
                    np.testing.assert_array_equal(values, np.arange(len(values)))
                    seen.append(len(values))
        except Exception as problem:
            problems.append(problem)

    reader = threading.Thread(target=read)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the threads take turns at nearly every step
    reader.start()
    try:
        rows: OpenRows = history.open_rows(("loss",), 0.0)
        for i in range(count):
            if i % 501 == 500:
                rows = history.open_rows(("loss",), 0.0)
            rows.write([float(i), i, float(i)])
    finally:
        over.set()
        reader.join()
        sys.setswitchinterval(usual)
    assert not problems
    assert seen == sorted(seen)
    np.testing.assert_array_equal(history["loss"].values, np.arange(count))


def test_tables_are_folded_where_nobody_reads() -> None:
    history = History()
    for i in range(200):
        rows = history.open_rows(("loss",), 0.0)
        rows.write([float(i), i, 0.5])
    assert len(history._pending) < 20
    assert history.count("loss") == 200


def test_tables_to_which_nothing_came_are_not_kept() -> None:
    """As where no log() is a quick one: rows between them would be stored one by one."""
    history = History()
    for i in range(300):
        history.close_rows()
        history.append(i, i, {"loss": 0.5})
        history.open_rows(("loss",), 0.0)
    assert history.waiting == 300
    assert not any(isinstance(one, OpenRows) for one in history._pending)
    assert history.count("loss") == 300
