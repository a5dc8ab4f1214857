"""``track()`` gives the items of whatever is iterated, and nothing else."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from tests.live.looping import Tracker


class Endless(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(5))


ITERABLES = {
    "range": lambda: range(5),
    "list": lambda: [0, 1, 2, 3, 4],
    "tuple": lambda: (0, 1, 2, 3, 4),
    "dict": lambda: dict.fromkeys(range(5)),
    "generator": lambda: (i for i in range(5)),
    "iterator": lambda: iter(range(5)),
    "map": lambda: map(int, "01234"),
    "zip": lambda: zip(range(5), strict=True),
    "text": lambda: "abcde",
    "tensor": lambda: torch.arange(5),
    "empty": lambda: [],
    "loader": lambda: DataLoader(TensorDataset(torch.arange(5))),
    "iterable dataset": lambda: DataLoader(Endless(), batch_size=None),
}


@pytest.mark.parametrize("name", ITERABLES)
def test_every_iterable_gives_its_own_items(tracker: Tracker, name: str) -> None:
    make = ITERABLES[name]
    assert [repr(item) for item in tracker.track(make())] == [repr(item) for item in make()]
    assert tracker.state == "finished"


def test_getitem_is_enough(tracker: Tracker) -> None:
    class Old:
        def __getitem__(self, place: int) -> int:
            if place > 3:
                raise IndexError
            return place

    assert list(tracker.track(Old())) == [0, 1, 2, 3]


def test_workers_deliver_through_it(tracker: Tracker) -> None:
    loader = DataLoader(TensorDataset(torch.arange(6)), batch_size=2, num_workers=2)
    seen = [batch.tolist() for (batch,) in tracker.track(loader)]
    assert seen == [[0, 1], [2, 3], [4, 5]]
    assert tracker.progress.total == 3


def test_a_stop_while_workers_run_leaves_none_behind(tracker: Tracker) -> None:
    loader = DataLoader(TensorDataset(torch.arange(40)), num_workers=1)
    for i, _ in enumerate(tracker.track(loader)):
        if i == 2:
            tracker.session.stop()
    assert tracker.state == "stopped"
    gc.collect()
    assert not torch.multiprocessing.active_children()


def test_epochs_go_through_it_again(tracker: Tracker) -> None:
    assert list(tracker.track("ab", epochs=3)) == list("ababab")
    assert [epoch for epoch, _, _ in tracker.loops.epoch_marks] == [0, 1, 2]


def test_its_length(tracker: Tracker) -> None:
    assert len(tracker.track("abc")) == 3
    assert len(tracker.track("abc", epochs=4)) == 12
    assert len(tracker.track((i for i in "abc"), total=3)) == 3
    for endless in (tracker.track(i for i in "abc"), tracker.track(DataLoader(Endless()))):
        with pytest.raises(TypeError, match="pass total="):
            len(endless)


def test_it_can_be_asked_for_one_item_at_a_time(tracker: Tracker) -> None:
    tracked = tracker.track("abc")
    assert next(tracked) == "a"
    assert next(tracked) == "b"
    assert tracker.state == "running"
    assert next(tracked) == "c"
    with pytest.raises(StopIteration):
        next(tracked)
    assert tracker.state == "finished"


def test_with_ends_what_next_began(tracker: Tracker) -> None:
    with tracker.track("abc") as tracked:
        next(tracked)
        assert tracker.state == "running"
    assert tracker.state == "stopped"


def test_it_goes_through_zip_and_enumerate(tracker: Tracker) -> None:
    assert list(enumerate(tracker.track("ab"))) == [(0, "a"), (1, "b")]
    assert list(zip(tracker.track("ab"), "xyz", strict=False)) == [("a", "x"), ("b", "y")]
    assert tracker.state == "finished"


@pytest.mark.parametrize(
    ("iterable", "options", "error", "sentence"),
    [
        (5, {}, TypeError, "something to iterate over, not int; pass a DataLoader"),
        (None, {}, TypeError, "not NoneType"),
        ("ab", {"epochs": 0}, ValueError, "epochs must be a whole number of at least 1, not 0"),
        ("ab", {"epochs": 1.5}, ValueError, "not 1.5"),
        ("ab", {"epochs": True}, ValueError, "not True"),
        ("ab", {"total": -1}, ValueError, "total must be a whole number of items or None"),
        ("ab", {"total": "2"}, ValueError, "not '2'"),
        ((i for i in "ab"), {"epochs": 2}, ValueError, "iterate 2 times, and this generator can"),
    ],
)
def test_what_cannot_be_iterated_is_refused_at_once(
    tracker: Tracker, iterable: Any, options: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        tracker.track(iterable, **options)
    assert tracker.state == "idle"
