"""Points under edits: a plain list as the oracle, threads, undo, and loops that learn meanwhile."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.explain.points_given import points_given
from nnwidgets.explain.points_loader import PointsLoader
from nnwidgets.explain.points_store import PointStore
from nnwidgets.probe.refusal import Refusal
from tests.generators import generators

X = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
Y = np.array([0, 1, 1, 0])


def plain(store: PointStore) -> list[tuple[int, tuple[float, ...], int, bool]]:
    now = store.snapshot()
    assert now.y is not None
    return [
        (int(i), tuple(map(float, x)), int(y), bool(t))
        for i, x, y, t in zip(now.ids, now.X, now.y, now.test, strict=True)
    ]


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["add", "move", "label", "delete", "clear", "undo", "redo", "split"]),
        st.integers(0, 10**6),
    ),
    max_size=30,
)


@given(EDITS)
def test_edits_undo_and_redo_are_those_of_a_plain_list(edits: list[tuple[str, int]]) -> None:
    store = PointStore(X, Y)
    history, place = [plain(store)], 0
    for kind, number in edits:
        rows = list(history[place])
        ids = [row[0] for row in rows]
        chosen = sorted({ids[number % len(ids)], ids[(number // 7) % len(ids)]}) if ids else []
        if kind == "undo":
            assert store.undo() == (place > 0)
            place = max(place - 1, 0)
        elif kind == "redo":
            assert store.redo() == (place + 1 < len(history))
            place = min(place + 1, len(history) - 1)
        elif kind in ("move", "label", "delete") and not ids:
            getattr(store, kind)([], *([0] if kind != "delete" else []))
        else:
            at = float(number % 17)
            if kind == "add":
                (name,) = store.add([at, -at], number % 2, test=number % 3 == 0)
                assert name not in ids
                rows.append((name, (at, -at), number % 2, number % 3 == 0))
            elif kind == "move":
                store.move(chosen, [[at]] * len(chosen), features=[1])
                rows = [
                    (i, (x[0], at), y, t) if i in chosen else (i, x, y, t) for i, x, y, t in rows
                ]
            elif kind == "label":
                store.label(chosen, number % 2)
                rows = [
                    (i, x, number % 2, t) if i in chosen else (i, x, y, t) for i, x, y, t in rows
                ]
            elif kind == "delete":
                store.delete(chosen)
                rows = [row for row in rows if row[0] not in chosen]
            elif kind == "clear":
                store.clear()
                rows = []
            else:
                store.split(0.5, seed=number)
                rows = [(*row[:3], new[3]) for row, new in zip(rows, plain(store), strict=True)]
            history, place = [*history[: place + 1], rows], place + 1
        assert plain(store) == history[place]
        assert (store.can_undo, store.can_redo) == (place > 0, place + 1 < len(history))


def test_snapshots_do_not_change_and_cannot_be_changed() -> None:
    mine = X.copy()
    store = PointStore(mine, Y)
    before = store.snapshot()
    store.move([0], [[9, 9]])
    store.delete([3])
    np.testing.assert_array_equal(before.X, X)
    np.testing.assert_array_equal(mine, X)
    assert store.snapshot().version == 2
    with pytest.raises(ValueError, match="read-only"):
        store.snapshot().X[0] = 1


def test_a_gesture_is_undone_as_one() -> None:
    calls: list[int] = []
    store = PointStore(X, Y, changed=lambda: calls.append(1))
    for step in range(1, 20):
        store.move([2], [[step, step]], gesture="first")
    store.move([2], [[50, 50]], gesture="second")
    assert store.undo()
    assert store.snapshot().X[2].tolist() == [19, 19]
    assert store.undo()
    assert store.snapshot().X[2].tolist() == [0, 1]
    assert not store.undo()
    store.redo()
    assert store.snapshot().X[2].tolist() == [19, 19]
    assert len(calls) == 23


def test_test_points_are_held_out_and_split_keeps_classes_even() -> None:
    store = PointStore(X, Y, test=([[5, 5]], [1]))
    assert store.snapshot().test.tolist() == [False] * 4 + [True]
    batches = list(store.loader(10))
    assert len(batches) == 1
    assert 5.0 not in batches[0][0]
    big = PointStore(np.zeros((100, 2)), [0] * 80 + [1] * 20)
    big.split(0.25, seed=1)
    now = big.snapshot()
    assert np.bincount(now.y[now.test]).tolist() == [20, 5]
    with pytest.raises(ValueError, match="between 0 and 1"):
        big.split(2)


@given(st.integers(0, 23), st.integers(1, 30), st.booleans())
def test_an_epoch_gives_each_point_once(count: int, size: int, shuffle: bool) -> None:
    x = np.arange(count, dtype=np.float32)[:, None].repeat(2, 1)
    store = PointStore(np.concatenate([x, [[99, 99]]]), [*range(count), 99])
    store.delete([count])
    drawn = generators()
    loader = store.loader(size, shuffle=shuffle, seed=4)
    epochs = [list(loader), list(loader)]
    for epoch in epochs:
        assert len(epoch) == len(loader) == -(-count // size)
        assert [len(rows) for rows, _ in epoch] == [size] * (count // size) + [count % size] * (
            count % size > 0
        )
        seen = [int(label) for _, labels in epoch for label in labels]
        assert sorted(seen) == list(range(count))
        assert [float(row[0]) for rows, _ in epoch for row in rows] == seen
        assert shuffle or seen == list(range(count))
    if shuffle and count > 15:
        assert not torch.equal(epochs[0][0][0], epochs[1][0][0])
        again = next(iter(store.loader(size, seed=4)))
        assert torch.equal(epochs[0][0][0], again[0])
    assert generators() == drawn


def test_a_running_epoch_follows_edits() -> None:
    x = np.arange(12, dtype=np.float64)[:, None].repeat(2, 1)
    store = PointStore(x, np.arange(12))
    seen: list[int] = []
    places: dict[int, float] = {}
    added: tuple[int, ...] = ()
    for batch, (rows, labels) in enumerate(store.loader(4)):
        seen += labels.tolist()
        places.update(zip(labels.tolist(), rows[:, 0].tolist(), strict=True))
        if batch == 0:
            left = [name for name in range(12) if name not in seen]
            store.delete([left[0], seen[0]])
            store.move([left[1]], [[-7, -7]])
            added = store.add([[20, 20], [21, 21]], [20, 21])
    assert len(added) == 2
    assert sorted(seen) == sorted(set(range(12)) - {left[0]} | {20, 21})
    assert places[left[1]] == -7


def test_batches_are_the_loops_own_and_of_its_types() -> None:
    store = PointStore(X.astype(np.float64), Y)
    rows, labels = next(iter(store.loader(4)))
    assert (rows.dtype, labels.dtype) == (torch.float32, torch.int64)
    rows.fill_(3)
    np.testing.assert_array_equal(store.snapshot().X, X)
    values = PointStore(X, [0.5, 1, 2, 3])
    assert values.regression
    assert next(iter(values.loader(2)))[1].dtype == torch.float32
    for size in (0, 1.5, True):
        with pytest.raises(ValueError, match="batch_size"):
            store.loader(size)  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="no labels"):
        PointStore(X).loader()


def test_edits_from_many_threads_beside_a_loop() -> None:
    store = PointStore(np.zeros((50, 2)), np.zeros(50, int), classes=4)
    failed: list[BaseException] = []

    def edit(who: int) -> None:
        try:
            for turn in range(60):
                names = store.add([[who, turn], [who, turn]], [who, who])
                store.move(names[:1], [[turn, who]])
                store.delete(names[1:])
        except BaseException as problem:
            failed.append(problem)

    threads = [threading.Thread(target=edit, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    loader = store.loader(16)
    for _ in range(8):
        for rows, labels in loader:
            assert len(rows) == len(labels) <= 16
    for thread in threads:
        thread.join()
    assert failed == []
    now = store.snapshot()
    assert len(store) == 50 + 4 * 60
    assert len(set(now.ids.tolist())) == len(store)
    assert np.bincount(now.y).tolist() == [110, 60, 60, 60]
    assert now.version == 4 * 60 * 3


def test_undo_forgets_when_it_takes_too_much_memory() -> None:
    store = PointStore(np.zeros((200_000, 16), np.float32), np.zeros(200_000, int))
    for step in range(12):
        store.move([0], [[step] * 16])
    undone = sum(1 for _ in range(20) if store.undo())
    assert 1 <= undone < 12


# --- what is given --------------------------------------------------------------------------------


def test_labels_may_be_names() -> None:
    store = PointStore(X, ["cat", "dog", "cat", "ant"])
    assert store.class_names == ("ant", "cat", "dog")
    assert store.snapshot().y.tolist() == [1, 2, 1, 0]
    store.add([3, 3], "dog")
    assert store.snapshot().y[-1] == 2
    store.label([0], "ant")
    assert store.snapshot().y[0] == 0
    with pytest.raises(Refusal, match="bird is not among"):
        store.add([3, 3], "bird")
    assert len(store) == 5
    ordered = PointStore(X, ["b", "a", "a", "b"], class_names=["b", "a"])
    assert ordered.snapshot().y.tolist() == [0, 1, 1, 0]


def test_frames_tensors_and_flags_are_read() -> None:
    frame = pd.DataFrame({"width": [1, 2], "height": [3.5, 4]})
    found = points_given(frame, pd.Series([True, False]))
    assert found.feature_names == ("width", "height")
    assert found.y is not None
    assert found.y.tolist() == [1, 0]
    tensor = points_given(torch.ones(2, 3, requires_grad=True), torch.tensor([[1], [2]]))
    assert tensor.y is not None
    assert tensor.y.tolist() == [1, 2]
    assert tensor.X.dtype == np.float32
    assert points_given([[1, 2]]).classes
    half = points_given(np.ones((2, 2), np.float16), [0.5, 1])
    assert half.X.dtype == np.float32
    assert not half.classes


def test_rows_that_are_not_finite_are_left_out_and_said() -> None:
    bad = X.copy()
    bad[1, 0] = np.nan
    found = points_given(bad, Y)
    assert found.kept.tolist() == [0, 2, 3]
    assert found.notes == (("explain.points.not_finite", {"count": "1", "total": "4"}),)
    values = points_given(bad, [1.0, 2, np.inf, 3])
    assert values.kept.tolist() == [0, 3]
    with pytest.raises(Refusal, match="No row"):
        points_given(X * np.nan, Y)
    assert PointStore(bad, Y).notes == found.notes


def test_one_class_is_said() -> None:
    assert PointStore(X, [1] * 4).notes == (("explain.points.one_class", {"name": "1"}),)
    named = PointStore(X, ["cat"] * 4)
    assert named.notes[0][1] == {"name": "cat"}
    assert PointStore(X, [1.0] * 4).notes == ()


@pytest.mark.parametrize(
    ("x", "y", "options", "sentence"),
    [
        ([1, 2, 3], None, {}, "shape 3"),
        (np.zeros((2, 2, 2)), None, {}, "2×2×2"),
        ([["a", "b"]], None, {}, "numbers only"),
        ([[1, 2], [3]], None, {}, "numbers only"),
        (X, [0, 1], {}, "2 labels for 4"),
        (X, np.eye(4), {}, "argmax"),
        (X, [0, 1, -1, 0], {}, "negative"),
        (X, [0, 1, 2, 0], {"class_names": ["a", "b"]}, "no class 2"),
        (X, [0, 1, 2, 0], {"classes": 2}, "no class 2"),
        (X, ["a", None, "b", "a"], {}, "missing"),
        (X, ["a", "c", "b", "a"], {"class_names": ["a", "b"]}, "c is not among"),
        (X, Y, {"test": ([[1, 2, 3]], [0])}, "3 features, but 2"),
        (X, Y, {"test": ([[1, 2]], [0.5])}, "not fractions"),
        (X, Y, {"test": ([[1, 2]], None)}, "need some"),
    ],
)
def test_what_cannot_be_is_said(x: Any, y: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        PointStore(x, y, **options)


def test_a_wrong_edit_changes_nothing() -> None:
    store = PointStore(X, Y)
    for wrong in (
        lambda: store.move([0], [[np.nan, 0]]),
        lambda: store.move([0], [[1, 2, 3]]),
        lambda: store.move([77], [[1, 2]]),
        lambda: store.delete([0, 77]),
        lambda: store.label([0], 0.5),
        lambda: store.add([1, 2, 3], 0),
        lambda: store.add([1, 2]),
        lambda: store.replace([[1, 2, 3]], [0]),
    ):
        with pytest.raises((ValueError, KeyError)):
            wrong()
    assert store.snapshot().version == 0
    assert not store.can_undo
    store.replace([[5, 5]], [1])
    assert [row[1:] for row in plain(store)] == [((5.0, 5.0), 1, False)]


def test_a_value_too_large_for_the_others_changes_nothing() -> None:
    """As one of 32 bits it would be infinite, and a loop would learn from that."""
    store = PointStore(X, np.array([1, 2, 3, 4], np.float32))
    for wrong in (lambda: store.label([0], 1e300), lambda: store.add([1, 2], 1e300)):
        with pytest.raises(Refusal, match="must be a finite number"):
            wrong()
    half = PointStore(X, np.array([1, 2, 3, 4], np.float16))
    with pytest.raises(Refusal, match="too large for points of the type float16"):
        half.label([0], 1e6)
    assert store.snapshot().version == half.snapshot().version == 0
    store.label([0], 2)  # a whole number is a value, too
    labels = store.snapshot().y
    assert labels is not None
    assert labels.tolist() == [2, 2, 3, 4]


def test_an_epoch_without_points_says_so() -> None:
    """A loop over epochs would take no step then, at which anything else could be done."""
    store = PointStore(np.zeros((3, 2)), [0, 1, 0])
    told: list[int] = []
    loader = PointsLoader(store.snapshot, 2, starved=lambda: told.append(len(store)))
    assert len(list(loader)) == 2
    assert told == []
    store.clear()
    assert list(loader) == []
    assert told == [0]
    store.undo()
    assert len(list(loader)) == 2
    assert told == [0]


def test_among_values_whole_numbers_are_values_too() -> None:
    """Also negative ones, which no class could be: a browser sends -7.0 as -7."""
    store = PointStore(X, np.array([0.5, 1.5, 2.5, 3.5]))
    store.label([0], -7)
    store.label([1, 2], [-1, 20])
    store.label([3], torch.tensor([-2], dtype=torch.bfloat16))
    store.add([1, 2], -3)
    store.add([[1, 2], [3, 4]], np.array([-3, 40], object))
    labels = store.snapshot().y
    assert labels is not None
    assert labels.dtype == np.float64
    assert labels.tolist() == [-7, -1, 20, -2, -3, -3, 40]
    store.replace([[5, 5], [6, 6]], [-1, 2])
    assert [row[2] for row in plain(store)] == [-1.0, 2.0]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf"), 1e200])
def test_a_value_that_is_not_finite_changes_nothing(wrong: float) -> None:
    """Neither of the point itself, nor of others that are given theirs in the same call."""
    store = PointStore(X, np.array([0.5, 1.5, 2.5, 3.5]))
    for edit in (
        lambda: store.label([0], wrong),
        lambda: store.label([0, 1], [1.0, wrong]),
        lambda: store.add([1, 2], wrong),
    ):
        with pytest.raises(Refusal, match=r"value of a point must be a finite number"):
            edit()
    assert store.snapshot().version == 0
    bare = PointStore(X)
    with pytest.raises(Refusal, match=r"value of a point must be a finite number"):
        bare.give_labels([1.0, wrong, 2.0, 3.0])
    assert not bare.labelled
    assert bare.snapshot().version == 0


@pytest.mark.parametrize("wrong", ["high", None, [[1.0], [2.0, 3.0]]])
def test_what_is_no_value_at_all_is_refused(wrong: Any) -> None:
    store = PointStore(X, np.array([0.5, 1.5, 2.5, 3.5]), class_names=["low", "high"])
    with pytest.raises(Refusal):
        store.label([0], wrong)
    assert store.snapshot().version == 0
