"""Every layer of every model family: terms, arithmetic, gradients, ablation and features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.ablation import ablate
from nnwidgets.probe.arithmetic import explain_forward
from nnwidgets.probe.backward_terms import backward_terms
from nnwidgets.probe.best_samples import best_samples
from nnwidgets.probe.contributions import NoContributions, contributions, has_contributions
from nnwidgets.probe.features import maximise
from nnwidgets.probe.flow import producer
from nnwidgets.probe.look import Call, call_arguments, look
from nnwidgets.probe.nests import fresh_arguments
from nnwidgets.probe.reach import earlier_modules
from nnwidgets.probe.readout import model_output
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.relevance import channel_scores
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.twin import Twin
from nnwidgets.probe.units import batch_axis, channel_axis, main_tensor, packed
from tests.probe.model_families import FAMILIES
from tests.probe.test_arithmetic import evaluated
from tests.probe.test_backward_terms import autograd

NAMES = sorted(FAMILIES)


@contextmanager
def opened(family: str) -> Iterator[tuple[nn.Module, Any]]:
    """A twin of a model of the family, and its sample."""
    model, sample = FAMILIES[family]()
    args, kwargs = fresh_arguments(sample)
    with suppress(Exception), torch.no_grad(), torch.random.fork_rng():
        model(*args, **kwargs)  # lazy layers take their shapes
    with Twin(model).open() as twin:
        yield twin, sample


def repeated(function: Any, *args: Any) -> Any:
    """The result, with the random numbers of every other call (one model makes layers in it)."""
    torch.manual_seed(0)  # the twin puts them back
    return function(*args)


def layers(model: nn.Module, sample: Any) -> Iterator[tuple[str, nn.Module, Call, Tensor]]:
    """The layers that were called and returned a tensor, with their first call; at most 40."""
    seen = look(model, sample, [name for name, _ in model.named_modules()], copy=True)
    found = [(name, calls[0]) for name, calls in seen.calls.items() if calls]
    for name, call in found[:40]:
        try:
            yield name, model.get_submodule(name), call, main_tensor(call.output)
        except Refusal:
            continue


def units(module: nn.Module, output: Tensor) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The first unit of the first sample and the last one of the last."""
    axis = batch_axis(module, output)
    inner = [n for i, n in enumerate(output.shape) if i != axis]
    if output.numel():
        yield 0, (0,) * len(inner)
        yield (0 if axis is None else output.shape[axis] - 1), tuple(n - 1 for n in inner)


def close(a: float, b: float, dtype: torch.dtype) -> bool:
    tolerance = max(1e-4, 40 * torch.finfo(dtype).eps)
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance) or (a != a and b != b)


@pytest.mark.parametrize("family", NAMES)
def test_terms_and_arithmetic_give_each_layers_own_output(family: str) -> None:
    with opened(family) as (model, sample):
        told = 0
        for name, module, call, output in layers(model, sample):
            for index, unit in units(module, output):
                block = explain_forward(module, call, index, unit)
                assert block.meta["lines"]
                # Where terms cancel, the fifth digit of a float32 may differ, and this is said.
                for line, kind in block.meta["lines"]:
                    if kind == "note" and "itself" in line:
                        own = float(main_tensor(call.output)[(index, *unit)])
                        written = evaluated(block.meta["lines"][-2][0].rsplit(" = ", 1)[1])
                        assert abs(own - written) < 1e-6 or output.dtype == torch.bfloat16
                if not has_contributions(module) or packed(call.output):
                    with pytest.raises(NoContributions):
                        contributions(module, call, index, unit)
                    continue
                found = contributions(module, call, index, unit)
                if not isinstance(module, nn.RNNCell):
                    assert close(found.total, found.output, output.dtype), name
                told += 1
        assert told > 0


@pytest.mark.parametrize("family", NAMES)
def test_gradients_are_autograds(family: str) -> None:
    with opened(family) as (model, sample):
        told = 0
        for name, module, _, output in layers(model, sample):
            for index, unit in units(module, output):
                try:
                    found = repeated(backward_terms, model, sample, name, index, unit)
                except Refusal:
                    continue
                parts = sum(consumer.gradient for consumer in found.consumers) + found.rest
                assert close(parts, found.total, output.dtype)
                for consumer in found.consumers:
                    if consumer.outputs is not None:
                        total = float(consumer.product.sum())
                        assert close(total, consumer.gradient, torch.bfloat16)
                told += found.total != 0
                scores = channel_scores(model, sample, name, index)
                before = earlier_modules(model, name)
                assert len(scores) == output.shape[channel_axis(module, output, before)]
                assert np.isfinite(scores).all()
                plain = isinstance(sample, Tensor) and name and not found.direct
                if plain and batch_axis(module, output) == 0 and output.dim() == len(unit) + 1:
                    score = scored(found, index)
                    own = repeated(autograd, model, sample, name, (index, *unit), score)
                    assert close(found.total, own, output.dtype), name
        assert told > 0 or family == "broken"
        assert all(parameter.grad is None for parameter in model.parameters())


def scored(found: Any, index: int) -> Any:
    def score(result: Any) -> Tensor:
        return model_output(result)[(index, *found.target)]

    return score


@pytest.mark.parametrize("family", NAMES)
def test_ablation_and_producers(family: str) -> None:
    with opened(family) as (model, sample):
        changed = 0
        for name, module, _, output in layers(model, sample):
            source = producer(model, sample, name)
            assert source is None or source[0] in dict(model.named_modules())
            for units_off in (None, [0]):
                try:
                    found = ablate(model, sample, name, units_off)
                except Refusal:
                    assert family == "broken"
                    continue
                assert found.before.shape == found.after.shape
                assert found.blocks(0)
                changed += not np.array_equal(found.before, found.after)
            assert output.shape[channel_axis(module, output, earlier_modules(model, name))] > 0
        assert changed > 0 or family == "broken"


@pytest.mark.parametrize("family", NAMES)
def test_features_and_best_samples(family: str) -> None:
    with opened(family) as (model, sample):
        first = next(tensors_in(call_arguments(sample)))
        made = 0
        for name, module, _, output in list(layers(model, sample))[:12]:
            _, unit = list(units(module, output))[-1]
            try:
                best = best_samples(model, sample, name, unit)
                assert (best.seen, best.total) == (len(first), len(first))
                assert (np.diff(best.values) <= 0).all()
            except Refusal:
                pass
            try:
                found = maximise(model, name, unit, sample, steps=3)
            except Refusal:
                continue
            assert found.image.shape == tuple(first.shape[1:])
            assert np.isfinite(found.image).all()
            made += 1
        # With time first no row of the input is a sample: nothing is made.
        if family == "rnn_cell":
            assert made == 0
        else:
            assert made > 0 or not first.is_floating_point() or family == "broken"
