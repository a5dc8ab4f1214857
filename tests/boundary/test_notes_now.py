"""What a plot says of its points is true of the points that are there now."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from nnwidgets.explain.points_store import PointStore

ROWS = np.array([[0.0, 1.0], [np.nan, 0.0], [1.0, 0.5], [2.0, 2.0]])


def _keys(store: PointStore) -> dict[str, dict[str, str]]:
    return {key.rpartition(".")[2]: params for key, params in store.notes}


def test_one_class_until_there_is_another() -> None:
    store = PointStore(ROWS[[0, 2, 3]], [1, 1, 1], class_names=["cat", "dog"])
    assert _keys(store) == {"one_class": {"name": "dog"}}
    (added,) = store.add([5.0, 5.0], "cat")
    assert _keys(store) == {}
    store.delete([added])
    assert _keys(store) == {"one_class": {"name": "dog"}}
    store.undo()
    assert _keys(store) == {}
    store.label([0, 1, 2], ["cat"] * 3)
    assert _keys(store) == {"one_class": {"name": "cat"}}


def test_a_second_class_that_is_held_out_counts_too() -> None:
    assert _keys(PointStore(ROWS[[0, 2]], [0, 0], test=(ROWS[[3]], [1]))) == {}


def test_rows_that_were_left_out_go_with_the_data() -> None:
    store = PointStore(ROWS, [0, 1, 1, 0])
    lost = {"not_finite": {"count": "1", "total": "4"}}
    assert _keys(store) == lost
    store.move([0], [[3.0, 3.0]])
    store.split(0.3)
    assert _keys(store) == lost
    store.replace(ROWS[[0, 2]], [0, 1])
    assert _keys(store) == {}
    store.undo()
    assert _keys(store) == lost
    store.clear()
    assert _keys(store) == {}
    store.undo()
    store.add(ROWS, [1, 0, 1, 0])
    assert _keys(store) == {"not_finite": {"count": "2", "total": "8"}}


def test_of_training_and_test_data_both_are_counted() -> None:
    store = PointStore(ROWS, [0, 1, 1, 0], test=(ROWS[:3], [0, 1, 1]))
    assert _keys(store) == {"not_finite": {"count": "2", "total": "7"}}


def test_values_that_look_like_classes_until_one_does_not() -> None:
    store = PointStore(ROWS[[0, 2, 3]], [0.0, 1.0, 1.0])
    assert _keys(store) == {"whole_values": {}}
    store.add([1.0, 1.0], 0.25)
    assert _keys(store) == {}
    values = np.arange(1000) % 3 + np.where(np.arange(1000) == 900, 0.5, 0)
    assert _keys(PointStore(np.zeros((1000, 2)), values)) == {}


def test_the_status_follows() -> None:
    torch.manual_seed(0)
    with DecisionBoundaryPlot(nn.Linear(2, 2), ROWS, [1, 1, 1, 1]) as plot:
        assert "one class" in plot.status
        assert "1 of 4 points" in plot.status
        plot.set_data(ROWS[[0, 2]], [0, 1])
        assert "one class" not in plot.status
        assert "points hold" not in plot.status
