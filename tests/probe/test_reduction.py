"""The numbers of a distribution against numpy: exact where it is promised, close elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nnwidgets.probe import reduction
from nnwidgets.probe.bins import BINS, edges, rebin
from nnwidgets.probe.reduction import fetched, merged, read
from nnwidgets.probe.summary import QUANTILES


def reduced(tensor: Tensor) -> np.ndarray:
    (numbers,) = fetched([read(tensor)])
    return numbers


WAYS = {"host": reduced, "device": reduction._on_device}
"""What runs on a device is only torch, and can run here too."""


@pytest.fixture(params=WAYS)
def reduce(request: pytest.FixtureRequest) -> object:
    def run(tensor: Tensor) -> np.ndarray:
        return np.asarray(WAYS[request.param](tensor))

    return run


def check(got: np.ndarray, values: np.ndarray, rel: float = 1e-5) -> None:
    """Compare with what numpy says of the finite values."""
    flat = values.astype(np.float64).ravel()
    finite = flat[np.isfinite(flat)]
    assert got[reduction.SIZE] == finite.size
    assert got[reduction.NAN] == np.isnan(flat).sum()
    assert got[reduction.INF] == np.isinf(flat).sum()
    if finite.size == 0:
        assert np.isnan(got[reduction.MEAN])
        assert got[reduction.COUNTS].sum() == 0
        return
    scale = max(np.abs(finite).max(), 1e-30)
    assert got[reduction.ZERO] == pytest.approx((finite == 0).mean())
    assert got[reduction.MEAN] == pytest.approx(finite.mean(), rel=rel, abs=rel * scale)
    assert got[reduction.STD] == pytest.approx(finite.std(), rel=1e-4, abs=rel * scale)
    assert got[reduction.LOW] == finite.min()
    assert got[reduction.HIGH] == finite.max()
    quantiles = np.quantile(finite, QUANTILES)
    np.testing.assert_allclose(got[reduction.RANKS], quantiles, rtol=rel, atol=rel * scale)
    assert got[reduction.COUNTS].sum() == pytest.approx(finite.size)
    onto = edges(finite.min(), finite.max())
    expected, _ = np.histogram(finite, onto)
    # Rounding may put a value that lies on an edge into the bin beside it.
    away = np.abs(np.cumsum(got[reduction.COUNTS]) - np.cumsum(expected)).max()
    near = np.abs(finite[:, None] - onto[None, 1:-1]).min(1) < 1e-5 * (onto[-1] - onto[0])
    assert away <= near.sum() + 1e-6 * finite.size


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (5, 3, 2, 2), (64, 60)])
def test_small_tensors_are_read_exactly(
    reduce: object, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    torch.manual_seed(len(shape))
    x = torch.relu(torch.randn(shape)).to(dtype)
    check(reduce(x), x.double().numpy(), 1e-4 if dtype in (torch.float16, torch.bfloat16) else 1e-5)


@given(
    st.lists(
        st.floats(width=32, min_value=-(2.0**60), max_value=2.0**60)
        | st.sampled_from([0.0, math.nan, math.inf, -math.inf, 1.0]),
        max_size=50,
    )
)
def test_any_values(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    for way in WAYS.values():
        check(np.asarray(way(x)), x.numpy())


@pytest.mark.parametrize(
    "values",
    [[3e38, 3e38, -3e38], [1e-42, 2e-42], [1e30, -1e30, 5.0], [7.0, 7.0], [math.nan] * 3, []],
)
def test_awkward_values(reduce: object, values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    check(reduce(x), x.numpy())


@pytest.mark.parametrize("value", [3.0, -2e7, 0.0])
def test_equal_values_stand_in_the_bin_where_numpy_puts_them(reduce: object, value: float) -> None:
    values = torch.full((50,), value)
    expected, _ = np.histogram(values.double().numpy(), BINS)
    np.testing.assert_array_equal(reduce(values)[reduction.COUNTS], expected)


@pytest.mark.parametrize("high", [0.1, 0.7, 3.3])
def test_a_value_beside_an_edge_stands_on_its_own_side_of_it(reduce: object, high: float) -> None:
    """Edges are float64; rounded to float32, as the values are, they lie elsewhere."""
    onto = edges(0.0, float(np.float32(high)))
    rounded = onto[1:-1].astype(np.float32)
    assert (rounded < onto[1:-1]).any()
    assert (rounded > onto[1:-1]).any()
    values = np.concatenate(
        [
            onto[[0, -1]].astype(np.float32),
            rounded,
            np.nextafter(rounded, 0),
            np.nextafter(rounded, 9),
        ]
    ).astype(np.float32)
    expected, _ = np.histogram(values.astype(np.float64), onto)
    np.testing.assert_array_equal(reduce(torch.from_numpy(values))[reduction.COUNTS], expected)


@pytest.mark.parametrize("layout", ["plain", "transposed", "channels_last", "strided"])
def test_layouts(reduce: object, layout: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 6, 5, 3)
    if layout == "transposed":
        x = x.transpose(0, 2)
    elif layout == "channels_last":
        x = x.to(memory_format=torch.channels_last)
    elif layout == "strided":
        x = x[:, ::2, 1:, :2]
    check(reduce(x), x.numpy())


def test_large_tensors_are_read_in_part_and_evenly(reduce: object) -> None:
    torch.manual_seed(0)
    x = torch.relu(torch.randn(8, 64, 32, 32) * torch.linspace(0.5, 2, 64)[:, None, None])
    x[3, 5, 7, 11], x[7, 63, 31, 31] = math.nan, -math.inf
    got, flat = reduce(x), x.double().numpy()
    finite = flat[np.isfinite(flat)]
    assert x.numel() > reduction.EXACT
    # Of all elements:
    assert (got[reduction.NAN], got[reduction.INF]) == (1, 1)
    assert (got[reduction.LOW], got[reduction.HIGH]) == (finite.min(), finite.max())
    assert got[reduction.MEAN] == pytest.approx(finite.mean(), rel=1e-5)
    # From a part of them:
    assert got[reduction.STD] == pytest.approx(finite.std(), rel=0.04)
    assert got[reduction.ZERO] == pytest.approx((finite == 0).mean(), rel=0.04)
    expected = np.histogram(finite, edges(finite.min(), finite.max()))[0] / finite.size
    shares = got[reduction.COUNTS] / got[reduction.SIZE]
    assert shares.sum() == pytest.approx(1)
    assert np.abs(np.cumsum(shares) - np.cumsum(expected)).max() < 0.02
    for quantile, share in zip(got[reduction.RANKS], QUANTILES, strict=True):
        assert (finite < quantile).mean() <= share + 0.02
        assert (finite <= quantile).mean() >= share - 0.02


def test_a_lone_finite_value_among_many_is_found(reduce: object) -> None:
    x = torch.full((1000, 1000), math.nan)
    x[500, 501] = 3.0
    got = reduce(x)
    assert got[reduction.SIZE] == 1
    assert got[reduction.NAN] == 999_999
    assert got[reduction.LOW] == got[reduction.HIGH] == 3.0


def test_tensors_are_worked_out_together_as_each_by_itself() -> None:
    torch.manual_seed(0)
    x = torch.randn(40, 50)
    tensors = [
        x, x * 1e-20, x.double(), x[:3], x + 7, x.half(), x * 1e30, torch.zeros(40, 50),
        torch.full((3,), math.inf), torch.empty(0), torch.randn(100, 200), x,
    ]  # fmt: skip
    drawn = [read(tensor) for tensor in tensors]
    together = fetched([*drawn, drawn[0]])
    for tensor, numbers in zip([*tensors, x], together, strict=True):
        np.testing.assert_array_equal(numbers, reduced(tensor))
    assert fetched([]) == []


def test_what_was_read_is_described_although_it_has_changed_since() -> None:
    x = torch.randn(20, 30)
    expected = x.numpy().copy()
    drawn = read(x)
    x.relu_()
    (numbers,) = fetched([drawn])
    check(np.asarray(numbers), expected)


def test_a_sum_that_is_known_is_not_taken_again() -> None:
    x = torch.arange(6.0)
    (numbers,) = fetched([read(x, 30.0)])
    assert numbers[reduction.MEAN] == 5.0
    (numbers,) = fetched([read(torch.tensor([1.0, math.nan]), math.nan)])
    assert (numbers[reduction.NAN], numbers[reduction.MEAN]) == (1, 1)


@pytest.mark.parametrize(
    "shape", [(64, 16, 28, 28), (200, 7, 7), (3000, 5), (1 << 20,), (64, 64, 7, 7), (90, 10, 10)]
)
def test_what_is_drawn_meets_every_column_as_often(shape: tuple[int, ...]) -> None:
    for axis, along in enumerate(np.indices(shape, np.float32)):  # each holds its own place
        drawn = read(torch.from_numpy(along))
        assert isinstance(drawn, reduction.Drawn)
        counts = np.bincount(drawn.part.astype(int), minlength=shape[axis])
        assert counts.sum() == reduction.DRAWN
        if shape[axis] <= 64:
            assert counts.max() - counts.min() <= 0.1 * counts.mean() + 2


def test_complex_and_sparse() -> None:
    z = torch.tensor([3 + 4j, 0j])
    check((reduced(z)), np.array([5.0, 0.0]))
    places, values = torch.tensor([[1, 1, 4]]), torch.tensor([2.0, 3.0, 4.0])
    sparse = torch.sparse_coo_tensor(places, values, (6,), check_invariants=True)
    check((reduced(sparse)), np.array([5.0, 4.0]))  # what it stores, rows summed


def test_nothing_of_the_tensor_changes() -> None:
    x = torch.randn(5, 5, requires_grad=True)
    y = x * 2
    version, state = y._version, torch.get_rng_state()
    reduced(y)
    assert y._version == version
    assert torch.equal(torch.get_rng_state(), state)


@given(st.lists(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=30), min_size=1))
def test_calls_put_together_are_as_one_tensor(calls: list[list[float]]) -> None:
    together = merged([(reduced(torch.tensor(c))) for c in calls])
    flat = np.concatenate([np.asarray(c, np.float32) for c in calls]).astype(np.float64)
    assert together[reduction.SIZE] == flat.size
    assert together[reduction.ZERO] == pytest.approx((flat == 0).mean())
    assert together[reduction.MEAN] == pytest.approx(flat.mean(), abs=1e-3)
    assert together[reduction.STD] == pytest.approx(flat.std(), abs=1e-2)
    assert (together[reduction.LOW], together[reduction.HIGH]) == (flat.min(), flat.max())
    assert together[reduction.COUNTS].sum() == pytest.approx(flat.size)
    ranks = together[reduction.RANKS]
    assert (np.diff(ranks) >= 0).all()
    assert flat.min() <= ranks[0] <= ranks[-1] <= flat.max()


def test_calls_without_a_finite_value_count_what_they_hold() -> None:
    bad = reduced(torch.tensor([math.nan, math.inf]))
    good = reduced(torch.tensor([1.0, 3.0]))
    both = merged([bad, good, bad])
    assert (both[reduction.SIZE], both[reduction.NAN], both[reduction.INF]) == (2, 2, 2)
    assert both[reduction.MEAN] == 2
    none = merged([bad, bad])
    assert (none[reduction.SIZE], none[reduction.NAN]) == (0, 2)
    assert math.isnan(none[reduction.MEAN])


counts = st.lists(st.integers(0, 1000), min_size=1, max_size=80)
value = st.floats(-1e6, 1e6)


@given(counts, value, value, value, value, st.integers(1, 80))
def test_rebinning_keeps_every_count(
    counted: list[int], a: float, b: float, c: float, d: float, bins: int
) -> None:
    onto = edges(min(c, d), max(c, d), bins)
    moved = rebin(counted, min(a, b), max(a, b), onto)
    assert (moved >= 0).all()
    assert moved.sum() == pytest.approx(sum(counted))


def slow_rebin(counted: list[int], low: float, high: float, onto: np.ndarray) -> np.ndarray:
    """Each old bin over each new one."""
    old = np.linspace(low, high, len(counted) + 1)
    result = np.zeros(len(onto) - 1)
    for i, count in enumerate(counted):
        for j in range(len(result)):
            left = old[i] if j == 0 else max(old[i], onto[j])
            right = old[i + 1] if j == len(result) - 1 else min(old[i + 1], onto[j + 1])
            result[j] += count * max(0.0, right - left) / (old[i + 1] - old[i])
    return result


@given(counts, st.floats(-10, 10), st.floats(0.1, 10), st.floats(-10, 10), st.floats(0.1, 10))
def test_rebinning_goes_by_overlap(
    counted: list[int], low: float, width: float, start: float, range_: float
) -> None:
    onto = edges(start, start + range_, 16)
    moved = rebin(counted, low, low + width, onto)
    expected = slow_rebin(counted, low, low + width, onto)
    np.testing.assert_allclose(moved, expected, atol=1e-6 * (1 + sum(counted)))


def test_rebinning_onto_the_same_edges_changes_nothing() -> None:
    counted = np.random.default_rng(0).integers(0, 100, BINS)
    np.testing.assert_allclose(rebin(counted, -1.0, 3.0, edges(-1.0, 3.0)), counted, atol=1e-9)


def test_a_single_value_stays_in_its_bin() -> None:
    moved = rebin([0] * 32 + [9] + [0] * 31, 0.25, 0.25, edges(0.0, 1.0, 4))
    assert moved.tolist() == [0, 9, 0, 0]
