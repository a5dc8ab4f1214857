"""Points that are drawn, dragged and deleted: X, y, observers and the loader follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from nnwidgets.explain.toy_data import toy
from tests.boundary.conftest import (
    Make,
    asked,
    click,
    cloud,
    finished,
    part,
    refused,
    small_net,
)
from tests.live.doubles import background
from tests.training import Training


def given_out(plot: DecisionBoundaryPlot, **options: Any) -> set[tuple[float, ...]]:
    """All that one epoch of the loader gives, as rows with their label."""
    rows: list[tuple[float, ...]] = []
    for x, y in plot.loader(**options):
        rows += [(*one, label) for one, label in zip(x.tolist(), y.tolist(), strict=True)]
    assert len(set(rows)) == len(rows)
    return set(rows)


def held(plot: DecisionBoundaryPlot) -> set[tuple[float, ...]]:
    rows = torch.as_tensor(plot.X, dtype=torch.float32).tolist()
    return {(*one, label) for one, label in zip(rows, plot.y.tolist(), strict=True)}


def test_points_are_copies_of_what_was_given(make: Make, training: Training) -> None:
    x, y = training.x.numpy().copy(), training.y.numpy().copy()
    plot = make(training.model, x, y)
    np.testing.assert_array_equal(plot.X, x)
    np.testing.assert_array_equal(plot.y, y)
    plot.move([0], [[9.0, 9.0]])
    assert x[0].tolist() == training.x[0].tolist()
    copies = plot.X
    copies[0] = 0  # of the points as they were then
    assert plot.set_data(copies, plot.y) is None
    np.testing.assert_array_equal(plot.X, copies)


def test_every_edit_is_seen_in_X_and_y(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    x, y = training.x.numpy(), training.y.numpy()
    seen: list[tuple[str, Any]] = []
    plot.observe(lambda change: seen.append((change["name"], len(change["new"]))), ["X", "y"])
    ids = plot.add([[0.5, 0.25], [1.0, 2.0]], [2, 0])
    np.testing.assert_allclose(plot.X, np.vstack([x, [[0.5, 0.25], [1.0, 2.0]]]))
    assert plot.y.tolist() == [*y.tolist(), 2, 0]
    assert seen == [("y", 42), ("X", 42)]  # both are of one time when X is told of
    plot.move(ids, [[3.0, 3.0], [4.0, 4.0]])
    np.testing.assert_allclose(plot.X[-2:], [[3, 3], [4, 4]])
    plot.label([ids[0]], 1)
    assert plot.y[-2:].tolist() == [1, 0]
    plot.delete([ids[0]])
    np.testing.assert_allclose(plot.X[-1], [4, 4])
    assert len(plot.X) == len(plot.y) == 41
    assert plot.undo()
    assert plot.y[-2:].tolist() == [1, 0]
    assert plot.undo()
    assert plot.y[-2:].tolist() == [2, 0]
    assert plot.redo()
    assert plot.y[-2:].tolist() == [1, 0]
    plot.clear()
    assert plot.X.shape == (0, 2)
    assert plot.y.shape == (0,)
    assert plot.undo()
    assert len(plot.X) == 42
    assert len(seen) == 2 * 9


def test_one_point_with_its_label(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    (name,) = plot.add([7.0, 8.0], 2)
    assert plot.X[-1].tolist() == [7, 8]
    assert plot.y[-1] == 2
    (other,) = plot.add(torch.tensor([1.0, 1.0]), 0)
    assert other != name


def test_held_out_points_stay_apart(make: Make, training: Training) -> None:
    held_out, right = cloud(9, seed=2)
    plot = make(training.model, training.x, training.y, test=(held_out, right))
    np.testing.assert_allclose(plot.test[0], held_out)
    np.testing.assert_array_equal(plot.test[1], right)
    assert len(plot.X) == 40
    plot.add([[1.0, 2.0]], [1], test=True)
    assert len(plot.X) == 40
    assert len(plot.test[0]) == 10
    assert len(given_out(plot)) == 40
    plot.X = plot.X + 1
    np.testing.assert_allclose(plot.test[0][:9], held_out)
    np.testing.assert_allclose(plot.X, training.x + 1, rtol=1e-6)


# -- setting -------------------------------------------------------------------------------------


def test_setting_X_moves_the_points_and_setting_y_labels_them(
    make: Make, training: Training
) -> None:
    plot = make(training.model, training.x, training.y)
    names = plot._space.points.snapshot().ids.tolist()
    seen: list[Any] = []
    plot.observe(lambda change: seen.append(change["name"]), ["X", "y"])
    plot.X = training.x * 2
    np.testing.assert_allclose(plot.X, training.x * 2)
    assert plot._space.points.snapshot().ids.tolist() == names
    plot.y = 2 - training.y
    np.testing.assert_array_equal(plot.y, 2 - training.y)
    assert set(seen) == {"X", "y"}
    assert held(plot) == given_out(plot)
    assert plot.undo()
    assert plot.undo()
    np.testing.assert_allclose(plot.X, training.x)
    np.testing.assert_array_equal(plot.y, training.y)


def test_set_data_takes_other_points_at_all(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    x, y = cloud(17, seed=4)
    plot.set_data(x * 10, y)
    np.testing.assert_allclose(plot.X, x * 10)
    np.testing.assert_array_equal(plot.y, y)
    left, right, bottom, top = part(plot, "_surface")[0]["rectangle"]
    assert left < float(x[:, 0].min()) * 10  # the picture goes where they are
    assert right > float(x[:, 0].max()) * 10
    assert bottom < float(x[:, 1].min()) * 10
    assert top > float(x[:, 1].max()) * 10


@pytest.mark.parametrize(
    "edit",
    [
        lambda plot: setattr(plot, "X", [[1.0, 2.0]]),
        lambda plot: setattr(plot, "X", np.zeros((40, 3))),
        lambda plot: setattr(plot, "X", np.full((40, 2), np.nan)),
        lambda plot: setattr(plot, "X", "abc"),
        lambda plot: setattr(plot, "X", None),
        lambda plot: setattr(plot, "y", [1, 2]),
        lambda plot: setattr(plot, "y", np.full(40, 3)),
        lambda plot: setattr(plot, "y", np.full(40, -1)),
        lambda plot: setattr(plot, "y", np.full(40, 0.5)),
        lambda plot: setattr(plot, "y", ["a"] * 40),
        lambda plot: setattr(plot, "y", None),
        lambda plot: setattr(plot, "y", 1),
        lambda plot: plot.set_data(np.zeros((5, 2))),
        lambda plot: plot.set_data(np.zeros((5, 2)), [0, 1]),
        lambda plot: plot.set_data(np.zeros((5, 3)), [0] * 5),
        lambda plot: plot.add([[1.0, 2.0]]),
        lambda plot: plot.add([[1.0, 2.0]], [3]),
        lambda plot: plot.add([[1.0, 2.0]], [0.5]),
        lambda plot: plot.add([[1.0, 2.0, 3.0]], [0]),
        lambda plot: plot.add([[np.nan, 2.0]], [0]),
        lambda plot: plot.add([[1.0, 2.0]], [0, 1]),
        lambda plot: plot.move([0], [[np.inf, 0.0]]),
        lambda plot: plot.move([0], [[1.0, 2.0, 3.0]]),
        lambda plot: plot.move([0, 1], [[1.0, 2.0]]),
        lambda plot: plot.move([999], [[1.0, 2.0]]),
        lambda plot: plot.label([0], 3),
        lambda plot: plot.label([999], 0),
        lambda plot: plot.delete([999]),
        lambda plot: plot.toy("moon"),
        lambda plot: plot.toy("plane"),
        lambda plot: plot.toy("moons", 0),
        lambda plot: plot.toy("moons", noise=-1),
        lambda plot: plot.loader(0),
        lambda plot: plot.loader(2.5),
    ],
)
def test_an_edit_that_cannot_be_meant_changes_nothing(
    make: Make, training: Training, edit: Any
) -> None:
    plot = make(training.model, training.x, training.y)
    finished(plot)
    version = plot._space.points.snapshot().version
    refused(lambda: edit(plot), Exception)
    assert plot._space.points.snapshot().version == version
    np.testing.assert_allclose(plot.X, training.x)
    np.testing.assert_array_equal(plot.y, training.y)
    assert not plot.undo()
    assert plot._error is None


# -- the loader ----------------------------------------------------------------------------------


def test_the_loader_yields_exactly_the_current_points(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y, test=cloud(7, seed=1))
    assert given_out(plot) == held(plot)
    plot.add([[0.5, 0.5]], [1])
    assert given_out(plot, batch_size=7) == held(plot)
    plot.delete([3, 4])
    plot.move([5], [[8.0, 8.0]])
    plot.label([6], 0)
    assert given_out(plot, batch_size=1000, shuffle=False) == held(plot)
    assert len(held(plot)) == 39
    plot.undo()
    assert given_out(plot) == held(plot)
    plot.toy("blobs", 30)
    assert given_out(plot) == held(plot)
    assert len(plot.loader(8)) == 4
    plot.clear()
    assert given_out(plot) == set()
    sizes = [len(x) for x, _ in make(training.model, training.x, training.y).loader(32)]
    assert sizes == [32, 8]


def test_batches_are_what_a_loss_takes(make: Make, training: Training) -> None:
    plot = make(training.model, training.x.double(), training.y.int())
    x, y = next(iter(plot.loader(5)))
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    x.fill_(0)  # the loop's own
    assert plot.X.any()
    random = torch.get_rng_state()
    orders = [[x[0, 0].item() for x, _ in plot.loader(1, seed=seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert torch.equal(torch.get_rng_state(), random)
    model = small_net(1)
    values = make(model, training.x, training.x[:, 0])
    _, y = next(iter(values.loader(5)))
    assert y.dtype == torch.float32
    said = refused(lambda: make(training.model, training.x).loader())
    assert "labels" in said


def test_points_that_are_edited_in_the_middle_of_an_epoch(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    rows: set[tuple[float, ...]] = set()
    for number, (x, _) in enumerate(plot.loader(10)):
        rows |= {tuple(one) for one in x.tolist()}
        if number == 0:
            plot.add([[50.0, 50.0]], [0])
    assert (50.0, 50.0) in rows  # still comes in this epoch
    assert len(rows) == 41


def test_edits_and_batches_in_many_threads(make: Make, training: Training) -> None:
    """Every batch is of points and labels that belonged together at some time."""
    x = np.repeat(np.arange(30.0)[:, None], 2, axis=1)
    plot = make(training.model, x, (np.arange(30) % 3))
    over: list[int] = []

    def edit() -> None:
        for turn in range(60):
            value = 100.0 + turn
            plot.add([value, value], (100 + turn) % 3)
            plot.delete([int(plot._space.points.snapshot().ids[0])])
        over.append(1)

    with background(edit):
        epochs = 0
        while not over or epochs < 3:
            epochs += 1
            for rows, labels in plot.loader(7):
                assert torch.equal(rows[:, 0], rows[:, 1])
                assert torch.equal(rows[:, 0].long() % 3, labels)
    assert given_out(plot) == held(plot)
    assert len(plot.X) == 30


# -- clicks --------------------------------------------------------------------------------------


def test_clicks_do_what_the_verbs_do(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    part(plot, "_surface")
    click(plot, "add", at=[0.5, -0.25], y=2)
    assert (plot.X[-1].tolist(), plot.y[-1]) == ([0.5, -0.25], 2)
    click(plot, "add", at=[0.5, -0.25], y=2, test=True)
    assert len(plot.test[0]) == 1
    for place in (1.0, 2.0, 3.0):
        click(plot, "move", ids=[4], at=[[place, place]], gesture="drag 1")
    assert plot.X[4].tolist() == [3, 3]
    click(plot, "undo")  # a drag is one edit
    np.testing.assert_allclose(plot.X[4], training.x[4])
    click(plot, "redo")
    assert plot.X[4].tolist() == [3, 3]
    click(plot, "label", ids=[4, 5], y=0)
    assert plot.y[4:6].tolist() == [0, 0]
    click(plot, "delete", ids=[4, 777])
    assert len(plot.X) == 40
    meta, drawn = part(plot, "_points")
    assert meta["count"] == {"train": 40, "test": 1}
    assert (meta["can_undo"], meta["can_redo"]) == (True, False)
    np.testing.assert_allclose(drawn["xy"][drawn["test"] == 0], plot.X)
    click(plot, "clear")
    assert len(plot.X) == 0
    click(plot, "toy", name="moons", noise=0.05, n=60, seed=3)
    made = toy("moons", 60, classes=2, noise=0.05, seed=3)
    np.testing.assert_array_equal(plot.X, made.X)
    np.testing.assert_array_equal(plot.y, made.y)
    assert plot._error is None


def test_the_value_of_a_point_is_another_at_once_and_again_its_own(make: Make) -> None:
    x = cloud()[0]
    model = nn.Linear(2, 1)
    plot = make(model, x, x[:, 0].clone())
    part(plot, "_surface")
    click(plot, "point", at=x[4].tolist(), id=4)
    own = float(x[4, 0])
    for given in (-2.5, 3):  # a whole number that was typed comes as one
        click(plot, "label", ids=[4], y=given)
        finished(plot)
        assert plot.y[4] == given
        assert part(plot, "_points")[1]["y"][4] == given
        assert part(plot, "_point")[0]["true"] == given
    click(plot, "label", ids=[4], y=1e300)  # none that 32 bits can hold
    assert plot.y[4] == 3
    click(plot, "undo")
    click(plot, "undo")
    finished(plot)
    assert plot.y[4] == np.float32(own)
    assert part(plot, "_point")[0]["true"] == pytest.approx(own)


def test_what_the_model_says_of_a_dragged_point_follows(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    part(plot, "_surface")
    for at in ([4.0, 4.0], [-4.0, 0.0], [0.0, -4.0], [0.1, 0.1]):
        click(plot, "move", ids=[7], at=[at], gesture="g")
        finished(plot)
        meta, arrays = part(plot, "_surface")
        points, drawn = part(plot, "_points")
        assert meta["points_version"] == points["version"]
        said = asked(training.model, plot.X).argmax(1)
        np.testing.assert_array_equal(arrays["said"], said)
        np.testing.assert_array_equal(arrays["wrong"], said != plot.y)
        np.testing.assert_allclose(drawn["xy"][7], at, rtol=1e-6)


def test_an_emptied_picture_is_drawn_into_again(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    rectangle = part(plot, "_surface")[0]["rectangle"]
    plot.clear()
    finished(plot)
    meta, arrays = part(plot, "_surface")
    assert (meta["state"], meta["rectangle"]) == ("ready", rectangle)
    assert meta["accuracy"] == {"train": None, "test": None}
    assert len(arrays.get("wrong", ())) == 0
    assert part(plot, "_points")[0]["count"] == {"train": 0, "test": 0}
    assert plot.surface().probabilities is not None
    click(plot, "add", at=[0.5, 0.5], y=1)
    finished(plot)
    assert len(part(plot, "_points")[1]["xy"]) == 1
    assert part(plot, "_surface")[0]["rectangle"] == rectangle


def test_toys_suit_the_model(make: Make, training: Training) -> None:
    assert part(make(training.model, training.x, training.y), "_choices")[0]["toys"]
    one = small_net(1)
    values = make(one, training.x, training.x[:, 0])
    assert part(values, "_choices")[0]["toys"] == ["plane"]
    values.toy("plane", 50, noise=0.0)
    np.testing.assert_allclose(values.y, values.X @ np.float32([0.8, -0.5]) + 0.2, atol=1e-5)
    four = small_net(3, 4)
    wide = make(four, *cloud(features=4))
    assert part(wide, "_choices")[0]["toys"] == []
    assert "two features" in refused(lambda: wide.toy("moons"))
    two = small_net(2)
    plot = make(two, training.x, training.y % 2)
    for name in part(plot, "_choices")[0]["toys"]:
        plot.toy(name, 40)
        assert set(plot.y.tolist()) == {0, 1}
    assert plot.undo()
