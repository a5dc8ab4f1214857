"""Summaries of tensors, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnwidgets.probe import summary as summary_module
from nnwidgets.probe.summary import BINS, QUANTILES, TensorSummary, summarise, summarise_many

FLOATS = st.sampled_from([np.float32, np.float64])


def arrays(**elements: Any) -> st.SearchStrategy[np.ndarray]:
    def of(kind: Any) -> st.SearchStrategy[np.ndarray]:
        width = 32 if kind is np.float32 else 64
        shape = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)
        return hnp.arrays(kind, shape, elements=st.floats(width=width, **elements))

    return FLOATS.flatmap(of)


usual = arrays(min_value=-1024, max_value=1024, allow_subnormal=False)
wild = arrays(allow_nan=True, allow_infinity=True)


def on_device(tensor: torch.Tensor, step: int | None = None) -> TensorSummary:
    """What another device than the CPU does, done on the CPU."""
    packed = summary_module._on_device(summary_module.plain_values(tensor).reshape(-1))
    return summary_module._unpacked(packed.numpy(), tuple(tensor.shape), step)


def agree(summary: TensorSummary, array: np.ndarray) -> None:
    """Compare with numpy, on the finite values in float64."""
    flat = array.reshape(-1).astype(np.float64)
    finite = flat[np.isfinite(flat)]
    assert summary.shape == array.shape
    assert summary.nan_count == np.isnan(flat).sum()
    assert summary.inf_count == np.isinf(flat).sum()
    counts, edges = summary.histogram
    assert counts.dtype == np.int64
    assert edges.dtype == np.float64
    assert counts.shape == (BINS,)
    assert edges.shape == (BINS + 1,)
    assert counts.sum() == finite.size
    if not finite.size:
        numbers = [summary.mean, summary.std, summary.min, summary.max, summary.zero_fraction]
        assert np.isnan(numbers).all()
        assert np.isnan(summary.quantiles).all()
        return
    size = np.abs(finite).max()
    assert summary.mean == pytest.approx(finite.mean(), rel=1e-9, abs=1e-12 * size)
    # Numpy's own squares vanish below 1e-154.
    assert summary.std == pytest.approx(finite.std(), rel=1e-7, abs=max(1e-9 * size, 1e-150))
    assert (summary.min, summary.max) == (finite.min(), finite.max())
    assert summary.zero_fraction == (finite == 0).mean()
    np.testing.assert_allclose(
        summary.quantiles, np.quantile(finite, QUANTILES), rtol=1e-9, atol=1e-12 * size
    )
    assert (np.diff(edges) >= 0).all()
    # Brute force: the bin that each value lies in, by the edges stated.
    bins = np.clip(np.searchsorted(edges, finite, "right") - 1, 0, BINS - 1)
    np.testing.assert_array_equal(counts, np.bincount(bins, minlength=BINS))


@pytest.mark.parametrize("describe", [summarise, on_device])
@given(array=usual)
def test_agrees_with_numpy(describe: Any, array: np.ndarray) -> None:
    agree(describe(torch.from_numpy(array)), array)


@pytest.mark.parametrize("describe", [summarise, on_device])
@given(array=wild)
def test_survives_every_number(describe: Any, array: np.ndarray) -> None:
    summary = describe(torch.from_numpy(array))
    finite = array[np.isfinite(array)]
    assert summary.nan_count == np.isnan(array).sum()
    assert summary.inf_count == np.isinf(array).sum()
    assert summary.histogram[0].sum() == finite.size
    assert (np.diff(summary.histogram[1]) >= 0).all()
    if finite.size:
        assert (summary.min, summary.max) == (finite.min(), finite.max())
        assert np.isfinite(summary.quantiles).all()
        assert (np.diff(summary.quantiles) >= -1e-9 * np.abs(finite).max()).all()


def test_is_exact_far_from_zero_and_for_many() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3_000_000, generator=generator) * 0.01 + 1000
    summary = summarise(values.reshape(3, 1000, 1000), 7)
    array = values.numpy().astype(np.float64)
    assert summary.step == 7
    assert summary.shape == (3, 1000, 1000)
    assert summary.mean == pytest.approx(array.mean(), rel=1e-12)
    assert summary.std == pytest.approx(array.std(), rel=1e-9)
    np.testing.assert_allclose(summary.quantiles, np.quantile(array, QUANTILES), rtol=1e-12)
    assert summary.histogram[0].sum() == values.numel()
    agree(on_device(values[:100_000]), values[:100_000].numpy())


def test_histogram_is_numpys() -> None:
    array = np.random.default_rng(0).normal(size=5000)
    counts, edges = summarise(torch.from_numpy(array)).histogram
    expected, expected_edges = np.histogram(array, BINS)
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_allclose(edges, expected_edges, rtol=1e-12, atol=1e-12)
    same = summarise(torch.full((9,), 3.0)).histogram
    np.testing.assert_array_equal(same[0], np.histogram(np.full(9, 3.0), BINS)[0])
    np.testing.assert_allclose(same[1], np.histogram(np.full(9, 3.0), BINS)[1])


def test_huge_and_tiny_values_keep_their_spread() -> None:
    for size in (1e-200, 1e200):
        summary = summarise(torch.tensor([-size, size, size, -size], dtype=torch.float64))
        assert summary.std == pytest.approx(size)
        assert summary.mean == 0
    assert summarise(torch.tensor([1e30, -1e30])).std == pytest.approx(1e30)


KINDS = [
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.int8,
    torch.uint8,
    torch.int64,
    torch.bool,
    torch.complex64,
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_type(kind: torch.dtype) -> None:
    values = (torch.arange(24).reshape(2, 3, 4) - (0 if kind is torch.uint8 else 7)).to(kind)
    if kind.is_complex:
        values = values * (1 + 2j)
    plain = values.abs() if kind.is_complex else values
    agree(summarise(values), plain.to(torch.float64).numpy())


def test_half_precision_does_not_overflow() -> None:
    values = torch.full((4096,), 60_000.0, dtype=torch.float16)
    values[::2] = -60_000.0
    assert summarise(values).std == 60_000.0


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support", "ignore:torch.quantize_per")
def test_awkward_layouts() -> None:
    dense = torch.randn(6, 8)
    dense[dense < 0] = 0
    for tensor in (dense.t(), dense[:, ::2], dense.expand(3, 6, 8), dense.requires_grad_()):
        agree(summarise(tensor), tensor.detach().numpy())
    dense = dense.detach()
    for sparse in (dense.to_sparse(), dense.to_sparse_csr()):
        agree(summarise(sparse), dense.numpy())
    twice = torch.sparse_coo_tensor([[1, 1]], [2.0, 3.0], (3,), check_invariants=True)
    assert summarise(twice).max == 5
    quantized = torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8)
    agree(summarise(quantized), quantized.dequantize().numpy())
    jagged = torch.nested.nested_tensor([torch.ones(2), torch.zeros(1)], layout=torch.jagged)
    assert summarise(jagged).mean == pytest.approx(2 / 3)


def test_what_holds_no_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="meta device"):
        summarise(torch.empty(3, device="meta"))


def test_many_at_once() -> None:
    tensors = [torch.randn(3, 4), torch.zeros(0), torch.tensor(2.0)]
    several = summarise_many(tensors, [1, None, 3])
    assert [summary.step for summary in several] == [1, None, 3]
    for summary, tensor in zip(several, tensors, strict=True):
        agree(summary, tensor.numpy())
    assert summarise_many([], []) == []


def test_tensors_of_other_devices_come_over_together(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = [torch.randn(5), torch.randn(2, 2)]
    plain = summarise_many(tensors, [0, 0])
    monkeypatch.setattr(summary_module, "_is_local", lambda values: False)
    copies = []
    stack = torch.stack
    monkeypatch.setattr(torch, "stack", lambda rows, **kw: copies.append(len(rows)) or stack(rows))
    there = summarise_many(tensors, [0, 0])
    assert copies[-1] == 2
    for one, other in zip(plain, there, strict=True):
        assert one.std == pytest.approx(other.std)
        np.testing.assert_array_equal(one.histogram[0], other.histogram[0])


def test_nothing_is_recorded_or_changed() -> None:
    weight = torch.nn.Parameter(torch.randn(4, 4))
    before = weight.detach().clone()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert summarise(weight).std == pytest.approx(float(before.double().std(correction=0)))
    assert torch.equal(before, weight)
    assert weight.grad is None
