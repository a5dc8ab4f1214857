"""Copies of a history: the same numbers, and no tie to whoever logs."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnwidgets.live import history_state
from nnwidgets.live.history import History
from tests.live.test_history import rows

Copy = Callable[[History], History]


def pickled(history: History) -> History:
    made = pickle.loads(pickle.dumps(history))
    assert isinstance(made, History)
    return made


COPIES: list[Copy] = [
    pickled,
    copy.copy,
    copy.deepcopy,
    lambda history: pickle.loads(pickle.dumps(history, protocol=2)),
]


def assert_same(one: History, other: History) -> None:
    assert list(one) == list(other)
    assert one.revision == other.revision
    for name in one:
        for column in ("steps", "values", "times"):
            mine, its = getattr(one[name], column), getattr(other[name], column)
            assert mine.dtype == its.dtype
            np.testing.assert_array_equal(mine, its)
        assert one.count(name) == other.count(name)
        assert one.bad(name) == other.bad(name)
        for ask in (one.last(name), one.best(name, True), one.best(name, False)):
            assert len(ask) == 2
        np.testing.assert_array_equal(one.last(name), other.last(name))
        for higher in (True, False):
            np.testing.assert_array_equal(one.best(name, higher), other.best(name, higher))
    for axis in ("step", "time"):
        mine, its = one.view(list(one), axis=axis), other.view(list(one), axis=axis)
        for column in ("x", "x1", "t", "lo", "hi", "mean", "flags", "start", "count"):
            np.testing.assert_array_equal(getattr(mine, column), getattr(its, column))


@settings(max_examples=60)
@given(rows=rows, later=rows, way=st.sampled_from(COPIES))
def test_a_copy_holds_the_same_and_goes_its_own_way(rows, later, way):  # type: ignore[no-untyped-def]
    history, twin = History(), History()
    for i, (step, values) in enumerate(rows):
        history.append(step, i / 8, values)
        twin.append(step, i / 8, values)
    made = way(history)
    assert type(made) is History
    assert_same(made, twin)
    for i, (step, values) in enumerate(later):
        history.append(step, 9 + i / 8, values)
    assert_same(made, twin)  # what is logged later is logged in the one
    for i, (step, values) in enumerate(later):
        made.append(step, 9 + i / 8, values)
    assert_same(made, history)  # … and a copy can be logged into like any other


@pytest.mark.parametrize("way", COPIES)
def test_rows_of_a_quick_log_are_in_it(way: Copy) -> None:
    history = History()
    open_rows = history.open_rows(("loss",), 0.0)
    open_rows.cells.fromlist([0.5, 1, 2.25])
    made = way(history)
    open_rows.cells.fromlist([0.6, 2, 7.0])
    assert made["loss"].values.tolist() == [2.25]
    assert history["loss"].values.tolist() == [2.25, 7.0]
    made.close_rows()
    made.append(9, 1.0, {"loss": 3})
    assert made["loss"].steps.tolist() == [1, 9]


def test_another_process_reads_it_without_us_being_there() -> None:
    history = History()
    for step in range(1000):
        history.append(step, step / 10, {"loss": 1 / (step + 1), "acc": lambda: np.float32(0.5)})
    history.append(1000, 101.0, {"note": "no number", "loss": float("nan")})
    script = (
        "import pickle, sys; h = pickle.load(sys.stdin.buffer); "
        "print(list(h), h['loss'].values[:1000].sum().hex(), h['acc'].values.sum(), h.bad('loss'))"
    )
    data = pickle.dumps(history)
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=data,
        capture_output=True,
        timeout=120,
    )
    total = history["loss"].values[:1000].sum().hex()
    assert done.stdout.decode().strip() == f"['loss', 'acc'] {total} 500.0 1", done.stderr


def test_a_state_is_made_of_what_torch_load_reads_without_being_asked() -> None:
    plain = {dict, list, tuple, str, int, bytes}

    def look(at: object) -> None:
        assert type(at) in plain
        if isinstance(at, dict):
            look(list(at.items()))
        elif isinstance(at, list | tuple):
            for one in at:
                look(one)

    history = History()
    history.append(0.5, 0.0, {"a": 1.0})
    history.append(1, 0.0, {"b": 2.0})
    history.append(2, 0.0, {"a": 2.0})
    look(history.__getstate__())


def test_a_state_of_a_later_version_is_refused_in_words() -> None:
    state = History().__getstate__() | {"version": history_state._VERSION + 1}
    with pytest.raises(ValueError, match="newer version of nnwidgets"):
        History().__setstate__(state)
