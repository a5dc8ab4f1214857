"""A writer that never waits, readers on other threads, and Ctrl-C at any moment."""

import sys
import threading

import numpy as np
import pytest

from nnwidgets.live import columns
from nnwidgets.live.history import History


@pytest.fixture
def switching():
    """Threads that take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_readers_see_a_growing_prefix_and_nothing_is_lost(switching):
    history = History()
    count, done, failures = 30_000, threading.Event(), []

    def read():
        try:
            seen = 0
            while not done.is_set():
                if "loss" in history:
                    series = history["loss"]
                    assert len(series) >= seen
                    seen = len(series)
                    np.testing.assert_array_equal(series.values, series.steps)
                    view = history.view(["loss", "other"], buckets=50)
                    assert view.hi[view.part(0)][-1] >= seen - 1
                    assert history.last("loss")[0] >= seen - 1
                    assert history.revision >= seen
        except BaseException as problem:
            failures.append(problem)
            raise

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for step in range(count):
        history.append(step, step * 1e-3, {"loss": step, "other": -step})
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert history["loss"].values.tolist() == list(range(count))
    assert history["other"].values.tolist() == [-float(i) for i in range(count)]


def test_several_writers_lose_nothing(switching):
    history = History()
    count = 8_000

    def write(name):
        for step in range(count):
            history.append(step, 0.0, {name: step})

    writers = [threading.Thread(target=write, args=(f"series {i}",)) for i in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        history.settle()
    assert history.revision == 3 * count
    for name in history:
        assert history[name].values.tolist() == list(range(count))


def test_append_does_not_wait_for_a_reader():
    history = History()
    inside, leave = threading.Event(), threading.Event()

    def slow():
        inside.set()
        assert leave.wait(30)
        return 1.0

    history.append(0, 0.0, {"loss": slow})
    reader = threading.Thread(target=history.settle)
    reader.start()
    assert inside.wait(30)
    for step in range(1, 5000):  # more than are folded at once; a wait here would be for ever
        history.append(step, 0.0, {"loss": 1.0})
    leave.set()
    reader.join()
    assert history.count("loss") == 5000


class _Interrupt:
    """Raises KeyboardInterrupt at the n-th line run inside the given files."""

    def __init__(self, at, files):
        self.left, self.files = at, files

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.endswith(self.files):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def test_an_interrupt_anywhere_in_a_fold_loses_and_doubles_nothing(monkeypatch):
    monkeypatch.setattr(columns, "_FIRST_CAPACITY", 4)
    files = ("history.py", "pending.py", "store.py", "columns.py")
    rows = [(0, {"a": 1.0}), (1, {"a": 2.0, "b": lambda: 3.0}), (2.5, {"b": 4.0, "c": "no"})]
    rows += [(i, {"a": float(i)}) for i in range(3, 12)]
    at = interrupted = 0
    while interrupted == at:
        at += 1
        history = History()
        history.append(0, 0.0, {"a": 0.0})
        history.settle()
        for step, values in rows:
            history.append(step, 0.0, values)
        previous = sys.gettrace()
        sys.settrace(_Interrupt(at, files))
        try:
            history.settle()
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(previous)
        history.append(12, 0.0, {"a": 12.0})
        assert history["a"].values.tolist() == [0.0, 1.0, 2.0, *map(float, range(3, 13))]
        assert history["a"].steps.tolist() == [0, 0, 1, *range(3, 13)]
        assert history["b"].values.tolist() == [3.0, 4.0]
        assert history["b"].steps.tolist() == [1, 2.5]
        assert history.revision == len(rows) + 2
        assert len(history.take_rejected()) == 1
    assert interrupted > 50
