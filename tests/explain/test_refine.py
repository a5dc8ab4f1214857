"""Refinement against the full grid: how far off it is on the way, and that it ends up equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnwidgets.explain.answers import Answers, waiting
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.refine import Refinement, refine
from nnwidgets.explain.surface import Surface, surface
from nnwidgets.explain.view_plane import Slice

PLANE = Slice([[-2.0, -2.0], [2.0, 2.0]])


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


def generated(
    seed: int, outputs: int, scale: float, activation: Callable[[], nn.Module]
) -> nn.Module:
    """An MLP with random weights; the larger their scale, the more its surface is crinkled."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, width in ((2, 32), (32, 32), (32, 32), (32, outputs)):
        layer = nn.Linear(inputs, width)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(width, inputs, generator=generator))
            layer.weight.mul_(scale / inputs**0.5)
            layer.bias.copy_(torch.randn(width, generator=generator))
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1]).eval()


def wrong(found: Surface, full: Surface) -> float:
    assert found.label is not None
    assert full.label is not None
    return float((found.label != full.label).mean())


# Smooth networks and crinkled ones: of the last kind, boundaries run through a tenth of all places.
KINDS = st.sampled_from(
    [(1.0, nn.Tanh), (2.5, nn.Tanh), (4.0, nn.Tanh), (1.5, nn.ReLU), (4.0, nn.ReLU), (2.0, Sine)]
)


@settings(max_examples=25)
@given(st.integers(0, 2**20), st.sampled_from([1, 2, 3, 5, 10]), KINDS)
def test_a_third_of_the_answers_gives_nearly_all_labels(
    seed: int, outputs: int, kind: tuple[float, Callable[[], nn.Module]]
) -> None:
    predictor = Predictor(generated(seed, outputs, *kind), classes=max(outputs, 2))
    state = None
    for state in refine(predictor, PLANE, 256, most=0.35):  # noqa: B007 - the last one counts
        pass
    assert state is not None
    assert state.share <= 0.35
    assert wrong(state.surface(), surface(predictor, PLANE, 256)) <= 0.005


@settings(max_examples=10)
@given(st.integers(0, 2**20), st.sampled_from([(1.0, nn.Tanh), (2.5, nn.Tanh), (1.5, Sine)]))
def test_values_are_close(seed: int, kind: tuple[float, Callable[[], nn.Module]]) -> None:
    predictor = Predictor(generated(seed, 1, *kind), output="regression")
    full = surface(predictor, PLANE, 256).values
    *_, state = refine(predictor, PLANE, 256, most=0.35)
    found = state.surface().values
    assert full is not None
    assert found is not None
    away = (found - full) / np.ptp(full)
    assert np.abs(away).max() <= 0.02
    assert np.sqrt(np.square(away).mean()) <= 0.002


class Closed:
    """Answers each point by itself, so that its numbers do not depend on the others' company."""

    def __init__(self, kind: str = "classes") -> None:
        self.kind = kind
        self.asked: list[int] = []
        self.seen: list[Any] = []

    def answer(self, points: Any, check: Callable[[], None] = waiting) -> Answers:
        check()
        self.asked.append(len(points))
        self.seen.append(points)
        x, y = points[:, 0], points[:, 1]
        one = 1 / (1 + np.exp(-np.float64(5) * np.sin(3 * x) * y))
        if self.kind == "values":
            return Answers(None, np.column_stack([x * y, x - y]), np.column_stack([x, y]))
        shares = np.column_stack([one, 1 - one])
        if self.kind == "nan":
            shares[x > 1] = np.nan
        return Answers(shares, epistemic=x * y, aleatoric=one)


def same(found: Surface, full: Surface) -> bool:
    names = ("probabilities", "label", "entropy", "epistemic", "aleatoric", "values")
    pairs = [(getattr(found, name), getattr(full, name)) for name in names]
    return all((a is None and b is None) or np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize("kind", ["classes", "values", "nan"])
@pytest.mark.parametrize("size", [(2, 2), (3, 40), (37, 50), (64, 64)])
@pytest.mark.parametrize("slice_size", [1, 50, 10_000])
def test_in_the_end_it_is_the_full_grid(kind: str, size: tuple[int, int], slice_size: int) -> None:
    if slice_size == 1 and size == (64, 64):
        size = (20, 9)
    predictor = Closed(kind)
    *_, state = refine(predictor, PLANE, size, slice_size=slice_size)
    assert same(state.surface(), surface(Closed(kind), PLANE, size))
    assert state.done
    assert state.settled
    assert state.next_points() is None
    assert state.share == 1
    assert all(count <= slice_size for count in predictor.asked[1:])
    points: Any = np.concatenate(predictor.seen)
    assert len(points) == size[0] * size[1]
    assert len(np.unique(points, axis=0)) == len(points)


def test_labels_of_a_network_are_those_of_the_full_grid_in_the_end() -> None:
    predictor = Predictor(generated(3, 4, 4.0, nn.Tanh).double())
    *_, state = refine(predictor, PLANE, 64)
    full = surface(predictor, PLANE, 64)
    assert wrong(state.surface(), full) == 0
    found: Any = state.surface().probabilities
    wanted: Any = full.probabilities
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_there_is_a_full_picture_after_each_slice() -> None:
    full = surface(Closed(), PLANE, 80)
    known: Any = full.epistemic
    errors = []
    for state in refine(Closed(), PLANE, 80, slice_size=200):
        found = state.surface()
        assert found.probabilities is not None
        assert found.probabilities.shape == (2, 80, 80)
        assert np.isfinite(found.probabilities).all()
        np.testing.assert_allclose(found.probabilities.sum(0), 1)
        assert found.epistemic is not None
        assert found.epistemic.shape == (80, 80)
        told: Any = found.epistemic
        np.testing.assert_allclose(told, known, atol=1e-6)  # which is bilinear itself
        errors.append(wrong(found, full))
    assert errors[0] > errors[5] >= errors[-1] == 0


def test_boundaries_come_first() -> None:
    """All labels are right long before all places were asked, wherever the boundary is."""

    class Edge:
        def answer(self, points: Any, check: Callable[[], None] = waiting) -> Answers:
            one = 1 / (1 + np.exp(-50 * (points[:, 0] - 0.3 * np.sin(3 * points[:, 1]))))
            return Answers(np.column_stack([one, 1 - one]))

    full = surface(Edge(), PLANE, 129)
    right = [
        state.share
        for state in refine(Edge(), PLANE, 129, slice_size=200)
        if wrong(state.surface(), full) == 0
    ]
    assert right[0] < 0.12
    assert right[-1] == 1


def test_a_calm_surface_is_settled_early() -> None:
    class Calm:
        def answer(self, points: Any, check: Callable[[], None] = waiting) -> Answers:
            share = 0.8 + 0.01 * points[:, 0]
            return Answers(np.column_stack([share, 1 - share]))

    *_, state = refine(Calm(), PLANE, 256, most=0.9)
    assert state.settled
    assert state.share < 0.2


@pytest.mark.parametrize("most", [0.1, 0.25])
def test_no_more_is_asked_than_may_be(most: float) -> None:
    predictor = Predictor(generated(1, 3, 2.0, Sine))
    *_, state = refine(predictor, PLANE, 100, most=most, slice_size=300)
    assert most - 0.01 < state.share <= most


# --- as a widget uses it --------------------------------------------------------------------------


def test_points_are_the_same_until_they_are_answered() -> None:
    state = Refinement(PLANE, 33)
    first, again = state.next_points(), state.next_points()
    assert first is not None
    assert again is not None
    assert np.array_equal(first, again)
    state.put(Closed().answer(first))
    assert state.asked == len(first) == 25
    other = state.next_points()
    assert other is not None
    assert not np.array_equal(other[: len(first)], first)


def test_a_slice_may_be_smaller_than_usual() -> None:
    state = Refinement(PLANE, 65)
    state.put(Closed().answer(state.next_points()))
    points = state.next_points(7)
    assert points is not None
    assert len(points) == 7


def test_wrong_order_of_calls() -> None:
    state = Refinement(PLANE, 33)
    with pytest.raises(ValueError, match="nothing was asked yet"):
        state.surface()
    with pytest.raises(ValueError, match="takes the answers"):
        state.put(Answers(np.zeros((3, 2))))
    first = state.next_points()
    with pytest.raises(ValueError, match="takes the answers"):
        state.put(Answers(np.zeros((3, 2))))
    state.put(Closed().answer(first))
    second = state.next_points()
    with pytest.raises(ValueError, match="same fields"):
        state.put(Closed("values").answer(second))
    with pytest.raises(ValueError, match="slice_size"):
        Refinement(PLANE, slice_size=0)


def test_it_can_be_stopped_between_and_in_slices() -> None:
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) > 2:
            raise InterruptedError

    work = refine(Closed(), PLANE, 65, slice_size=100, check=check)
    next(work)
    state = next(work)
    with pytest.raises(InterruptedError):
        next(work)
    found: Any = state.surface().entropy
    assert np.isfinite(found).all()
