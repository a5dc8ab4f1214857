"""Boundaries and level lines: against closed forms, matplotlib, and the labels on either side."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from nnwidgets.explain.answers import Answers
from nnwidgets.explain.contours import boundaries, level_lines, ticks
from nnwidgets.explain.surface import Surface, grid, surface_of
from nnwidgets.probe.refusal import Refusal
from tests.explain.contours_by_hand import boundaries_by_hand, traced

AXIS = np.linspace(-2, 2, 101)


def classes(*scores: Any) -> Surface:
    """A surface of the softmax of some functions of x and y."""
    x, y = grid(AXIS, AXIS).T
    z = np.column_stack([np.broadcast_to(score(x, y), x.shape) for score in scores])
    shares = np.exp(z - z.max(1, keepdims=True))
    return surface_of(AXIS, AXIS, Answers(shares / shares.sum(1, keepdims=True)))


def values(function: Any) -> Surface:
    x, y = grid(AXIS, AXIS).T
    return surface_of(AXIS, AXIS, Answers(None, np.column_stack([function(x, y), x])))


def length(lines: Any) -> float:
    return float(sum(np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in lines))


@st.composite
def fields(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Places, and rough fields there: with ties, plateaus, gaps, closed lines and none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    count, columns, rows = draw(st.tuples(st.integers(1, 6), st.integers(2, 14), st.integers(2, 9)))
    x, y = np.sort(rng.normal(size=columns)), np.linspace(-1, 3, rows)
    z = rng.random((count, rows, columns))
    if draw(st.booleans()):
        z = np.round(3 * z) / 4
    if draw(st.booleans()):
        z[:, rng.random((rows, columns)) < 0.2] = np.nan
    return x, y, z.astype(draw(st.sampled_from([np.float32, np.float64])))


@given(fields())
def test_boundaries_are_those_found_point_after_point(field: tuple[Any, Any, Any]) -> None:
    x, y, z = field
    found = boundaries(Surface(x, y, z))
    wanted = boundaries_by_hand(x, y, z)
    assert [contour.of for contour in found] == [of for of, _ in wanted]
    for contour, (_, lines) in zip(found, wanted, strict=True):
        assert [line.tolist() for line in contour.lines] == [line.tolist() for line in lines]


@given(fields())
def test_level_lines_are_those_of_contourpy(field: tuple[Any, Any, Any]) -> None:
    x, y, z = field
    levels = (0.25, 0.4, 7.0)
    found = level_lines(Surface(x, y, None, values=z), levels)
    wanted = {level: lines for level in levels if (lines := traced(x, y, z[0], level))}
    assert [contour.level for contour in found] == list(wanted)
    for contour in found:
        assert [line.tolist() for line in contour.lines] == [
            line.tolist() for line in wanted[contour.level]
        ]


def test_a_straight_boundary_of_two_classes() -> None:
    (contour,) = boundaries(classes(lambda x, y: 0 * x, lambda x, y: x + 2 * y - 0.5))
    (line,) = contour.lines
    np.testing.assert_allclose(line[:, 0] + 2 * line[:, 1], 0.5, atol=1e-3)
    assert contour.of == 0
    assert length(contour.lines) == pytest.approx(np.hypot(4, 2), abs=1e-2)


def test_a_closed_boundary() -> None:
    (contour,) = boundaries(classes(lambda x, y: 0 * x, lambda x, y: 1 - x**2 - y**2))
    (line,) = contour.lines
    assert np.array_equal(line[0], line[-1])
    np.testing.assert_allclose(np.hypot(*line.T), 1, atol=2e-3)
    assert length(contour.lines) == pytest.approx(2 * np.pi, rel=1e-3)


def test_it_is_the_line_that_matplotlib_draws() -> None:
    surface = classes(lambda x, y: 0 * x, lambda x, y: np.sin(3 * x) + y)
    assert surface.probabilities is not None
    drawn = Figure().subplots().contour(AXIS, AXIS, surface.probabilities[1], [0.5])
    theirs = [path.vertices for path in drawn.get_paths()]
    ours = boundaries(surface)[0].lines
    assert length(ours) == pytest.approx(length(theirs), rel=1e-6)
    found = np.sort(np.concatenate(ours), axis=0)
    np.testing.assert_allclose(found, np.sort(np.concatenate(theirs), axis=0), atol=1e-9)


def test_three_classes_meet_in_one_point_and_each_boundary_is_drawn_once() -> None:
    """Three sectors of 120°: three rays from the middle, which hit the sides of the square."""
    angles = np.pi * np.array([1 / 6, 5 / 6, 3 / 2])
    surface = classes(*(lambda x, y, a=a: 3 * (x * np.cos(a) + y * np.sin(a)) for a in angles))
    found = boundaries(surface)
    assert [contour.of for contour in found] == [0, 1]
    rays = 2 + 2 * 2 / np.cos(np.pi / 6)  # up, and twice down to the side at an angle of 30°
    assert sum(length(contour.lines) for contour in found) == pytest.approx(rays, abs=0.05)
    ends = np.concatenate([line for contour in found for line in contour.lines])
    assert np.linalg.norm(ends, axis=1).min() < 0.03


@given(st.integers(2, 6), st.integers(0, 2**20))
def test_labels_differ_across_a_boundary_and_nowhere_else(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, c, d = rng.normal(size=(4, count)) * [[1], [1], [1], [0.5]]
    surface = classes(
        *(
            lambda x, y, k=k: a[k] + b[k] * x + c[k] * y + d[k] * x * y
            for k in range(count)
        )
    )  # fmt: skip
    label = surface.label
    assert label is not None
    step = AXIS[1] - AXIS[0]
    crossed = np.zeros((100, 100), dtype=bool)  # cells that a line runs through
    for contour in boundaries(surface):
        for line in contour.lines:
            dense = np.concatenate(
                [p + np.linspace(0, 1, 5)[:, None] * (q - p) for p, q in pairwise(line)]
            )
            column, row = np.clip(((dense + 2) / step).astype(int), 0, 99).T
            crossed[row, column] = True
            # A line lies where two classes are nearly equal and ahead of all others.
            near = surface.margin
            assert near is not None
            assert (np.minimum(near[row, column], near[row + 1, column + 1]) < 0.2).all()
    corners = np.stack([label[:-1, :-1], label[1:, :-1], label[:-1, 1:], label[1:, 1:]])
    mixed = corners.min(0) != corners.max(0)
    wide = np.zeros((102, 102), dtype=bool)
    for i in range(3):
        for j in range(3):
            wide[i : i + 100, j : j + 100] |= crossed
    assert (wide[1:-1, 1:-1] | ~mixed).all()
    around = np.zeros((102, 102), dtype=bool)
    for i in range(3):
        for j in range(3):
            around[i : i + 100, j : j + 100] |= mixed
    assert (around[1:-1, 1:-1] | ~crossed).all()


def test_a_class_that_is_nowhere_first_has_no_boundary() -> None:
    surface = classes(lambda x, y: x, lambda x, y: 0 * x - 9, lambda x, y: -x)
    (contour,) = boundaries(surface)
    assert contour.of == 0
    np.testing.assert_allclose(np.concatenate(contour.lines)[:, 0], 0, atol=1e-9)


def test_no_boundary_no_line() -> None:
    assert boundaries(classes(lambda x, y: 0 * x, lambda x, y: 0 * x - 1)) == ()
    assert boundaries(classes(lambda x, y: 0 * x, lambda x, y: 0 * x)) == ()


def test_a_closed_line_is_not_cut_at_its_seam() -> None:
    """A round class 1 against 2, half of it hidden behind class 0: one piece, not two."""
    for turn in np.linspace(0, 2 * np.pi, 7):
        surface = classes(
            lambda x, y, t=turn: 9 * (x * np.cos(t) + y * np.sin(t)),
            lambda x, y: 1 - x**2 - y**2,
            lambda x, y: 0 * x,
        )
        lines = {contour.of: contour.lines for contour in boundaries(surface)}
        assert len(lines[1]) == 1
        assert length(lines[1]) == pytest.approx(np.pi, rel=0.1)


def test_places_without_a_probability_have_no_line() -> None:
    x, y = grid(AXIS, AXIS).T
    one = 1 / (1 + np.exp(-y))
    one[x < 0] = np.nan
    found = boundaries(surface_of(AXIS, AXIS, Answers(np.column_stack([one, 1 - one]))))
    points = np.concatenate(found[0].lines)
    assert points[:, 0].min() == pytest.approx(0)
    assert length(found[0].lines) == pytest.approx(2)


# --- values ---------------------------------------------------------------------------------------


def test_level_lines_of_a_bowl() -> None:
    found = level_lines(values(lambda x, y: x**2 + y**2), [1.0, 0.25, 99.0])
    assert [contour.level for contour in found] == [0.25, 1.0]
    for contour in found:
        (line,) = contour.lines
        np.testing.assert_allclose(np.hypot(*line.T), np.sqrt(contour.level), atol=2e-3)


def test_levels_are_chosen_and_the_output() -> None:
    found = level_lines(values(lambda x, y: x * y), output=1)
    assert [contour.level for contour in found] == [-1.0, 0.0, 1.0]
    assert all(contour.of == 1 for contour in found)
    np.testing.assert_allclose(found[2].lines[0][:, 0], 1, atol=1e-9)
    with pytest.raises(Refusal, match="output 2"):
        level_lines(values(lambda x, y: x), output=2)


def test_values_that_are_constant_or_not_finite() -> None:
    assert level_lines(values(lambda x, y: 0 * x)) == ()
    assert level_lines(values(lambda x, y: x * np.nan)) == ()
    found = level_lines(values(lambda x, y: np.where(x < 0, np.inf, x)), [1.0])
    assert length(found[0].lines) == pytest.approx(4)


def test_the_other_kind_of_surface_is_refused() -> None:
    with pytest.raises(Refusal, match="no probabilities"):
        boundaries(values(lambda x, y: x))
    with pytest.raises(Refusal, match="no values"):
        level_lines(classes(lambda x, y: x, lambda x, y: y))


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e6), st.integers(2, 12))
def test_ticks_are_round_and_inside(low: float, size: float, count: int) -> None:
    high = low + size
    found = ticks(low, high, count)
    assert len(found) <= count
    assert all(low < tick < high for tick in found)
    if len(found) > 1:
        step = found[1] - found[0]
        assert step >= (high - low) / count * (1 - 1e-6)
        np.testing.assert_allclose(np.diff(found), step, rtol=1e-5, atol=1e-9)


def test_ticks_by_hand() -> None:
    assert ticks(0, 7) == (1, 2, 3, 4, 5, 6)
    assert ticks(-0.9, 0.9, 5) == (-0.5, 0, 0.5)
    assert ticks(3, 3) == ()
