"""The numbers of a sampled step against the plain way of getting them."""

from __future__ import annotations

import copy
import gc
import warnings
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.layers import LayerWatch
from tests.live.doubles import Background
from tests.probe.stepping import Functional, clean, dead_after, row, step

__all__ = ["clean"]


def test_rows_name_and_label_the_layers() -> None:
    shared = nn.Linear(4, 4)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), shared, shared, nn.LSTM(4, 6, 2),
        nn.Embedding(10, 4), nn.LayerNorm((2, 3)), nn.MultiheadAttention(8, 2),
    )  # fmt: skip
    labels = {r.name: r.label for r in LayerWatch(model).rows}
    assert labels == {
        "0": "Conv2d 1→4",
        "1": "BatchNorm2d 4",
        "3": "Linear 4→4",
        "5": "LSTM 4→6 ×2",
        "6": "Embedding 10×4",
        "7": "LayerNorm 2×3",
        "8": "MultiheadAttention 8, 2 heads",
        "8.out_proj": "NonDynamicallyQuantizableLinear 8→8",
    }


def test_rows_of_wrapped_models_are_those_of_the_model_inside() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    assert [r.name for r in LayerWatch(nn.DataParallel(model)).rows] == ["0", "1"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.compile(model, backend="eager")
    assert [r.name for r in LayerWatch(compiled).rows] == ["0", "1"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_gradient_norm_and_update_ratio(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1, bias=False)).to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    watch = LayerWatch(model)
    x = torch.randn(8, 3, dtype=dtype)
    before = copy.deepcopy(model)
    sample = step(watch, optimizer, lambda: model(x).square().mean(), 7)
    tolerance = 1e-2 if dtype is torch.bfloat16 else 1e-5
    assert sample.step == 7
    for name in ("0", "2"):
        layer, old = model.get_submodule(name), before.get_submodule(name)
        gradient = torch.cat([p.grad.double().flatten() for p in layer.parameters()])
        expected = float(gradient.norm())
        assert sample.grad_norm[row(watch, name)] == pytest.approx(expected, rel=tolerance)
        now, then = layer.weight.detach().double(), old.weight.detach().double()
        change = (now - then).norm() / then.norm()
        assert sample.update_ratio[row(watch, name)] == pytest.approx(float(change), rel=tolerance)
    assert watch.status == ""


@pytest.mark.parametrize("layout", ["plain", "channels_last", "transposed"])
def test_update_ratio_of_a_large_weight_is_estimated_from_a_part(layout: str) -> None:
    weight = torch.randn(512, 256, 2, 2)
    if layout == "channels_last":
        weight = weight.to(memory_format=torch.channels_last)
    if layout == "transposed":
        weight = torch.randn(256, 512, 2, 2).transpose(0, 1)
    model = nn.Conv2d(256, 512, 2)
    model.weight = nn.Parameter(weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, before = torch.randn(2, 256, 2, 2), model.weight.detach().clone()
    sample = step(LayerWatch(model), optimizer, lambda: model(x).square().sum())
    exact = float((model.weight.detach() - before).norm() / before.norm())
    assert sample.update_ratio[0] == pytest.approx(exact, rel=0.05)


def test_gradients_beyond_the_range_of_squares_keep_their_norm() -> None:
    model = nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    sample = step(LayerWatch(model), optimizer, lambda: (model(torch.ones(1, 2)) * 1e30).sum())
    assert sample.grad_norm[0] == pytest.approx(2**0.5 * 1e30, rel=1e-5)
    assert sample.nonfinite == ()


def test_scaled_gradients_are_reported_as_the_optimizer_sees_them() -> None:
    model = nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    scale = torch.tensor(1024.0)
    sample = step(
        LayerWatch(model),
        optimizer,
        lambda: (model(torch.ones(1, 2)) * 1024).sum(),
        grad_scale=scale,
    )
    assert sample.grad_norm[0] == pytest.approx(2**0.5)


def test_frozen_layers() -> None:
    model, x = Functional(), torch.randn(64, 4)
    model.hidden.requires_grad_(False)
    watch, samples = dead_after(model, lambda: model(x).square().mean())
    assert watch.rows[0].frozen
    assert not watch.rows[1].frozen
    assert np.isnan(samples[-1].grad_norm[0])
    assert np.isnan(samples[-1].dead[0])
    model.hidden.requires_grad_(True)
    sample = step(watch, torch.optim.SGD(model.parameters(), lr=0.1), lambda: model(x).mean())
    assert not watch.rows[0].frozen
    assert sample.grad_norm[0] > 0


def test_a_closure_computes_its_gradients_inside_the_update() -> None:
    model, x = nn.Sequential(nn.Linear(4, 1)), torch.randn(16, 4)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    watch = LayerWatch(model)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (model(x) - 3).square().mean()
        loss.backward()
        return loss

    for _ in range(2):
        watch.arm()
        watch.before_update(model.parameters())
        optimizer.step(closure)
        watch.after_update(model.parameters())
        sample = watch.finish(0)
        assert sample is not None
        assert model[0].weight.grad is not None
        assert model[0].bias.grad is not None
        expected = torch.cat([model[0].weight.grad.flatten(), model[0].bias.grad]).norm()
        assert sample.grad_norm[0] == pytest.approx(float(expected), rel=1e-5)


def test_two_optimizers_each_with_their_own_parameters() -> None:
    model = nn.ModuleDict({"g": nn.Linear(2, 2), "d": nn.Linear(2, 1)})
    g = torch.optim.SGD(model["g"].parameters(), lr=0.1)
    d = torch.optim.SGD(model["d"].parameters(), lr=0.1)
    x, watch = torch.randn(8, 2), LayerWatch(model)
    watch.arm()
    expected = {}
    for name, optimizer in (("d", d), ("g", g)):
        g.zero_grad()
        d.zero_grad()
        model["d"](model["g"](x)).square().mean().backward()
        gradients = [p.grad.flatten() for p in model[name].parameters()]
        expected[name] = float(torch.cat(gradients).norm())
        watch.before_update(model[name].parameters())
        optimizer.step()
        watch.after_update(model[name].parameters())
    sample = watch.finish(0)
    assert sample is not None
    for name, value in expected.items():
        assert sample.grad_norm[row(watch, name)] == pytest.approx(value, rel=1e-5)
        assert sample.update_ratio[row(watch, name)] > 0


def test_without_an_optimizer_gradients_are_read_when_the_step_ends() -> None:
    model = nn.Linear(2, 1)
    watch = LayerWatch(model)
    watch.arm()
    model(torch.ones(1, 2)).sum().backward()
    sample = watch.finish(0)
    assert sample is not None
    assert sample.grad_norm[0] == pytest.approx(3**0.5)
    assert np.isnan(sample.update_ratio[0])


def test_a_scripted_model() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = torch.jit.script(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    watch = LayerWatch(model)
    assert [r.name for r in watch.rows] == ["0", "2"]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sample = step(watch, optimizer, lambda: model(torch.ones(4, 2)).sum())
    assert (sample.grad_norm > 0).all()


def test_sparse_gradients_sum_their_repeated_rows() -> None:
    model = nn.Embedding(10, 3, sparse=True)
    watch = LayerWatch(model)
    optimizer = torch.optim.SparseAdam(model.parameters())
    sample = step(watch, optimizer, lambda: model(torch.tensor([1, 1, 2])).sum())
    assert sample.grad_norm[0] == pytest.approx((3 * 4 + 3) ** 0.5)
    assert np.isnan(sample.dead[0])


def test_lazy_layers_join_without_being_materialised_by_us() -> None:
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))
    watch = LayerWatch(model)
    assert model[0].has_uninitialized_params()
    assert watch.rows[0].label == "LazyLinear ?→4"
    watch.arm()
    model(torch.randn(3, 5)).sum().backward()
    first = watch.finish(0)
    assert first is not None
    assert "2 layers wait" in watch.status
    sample = step(
        watch, torch.optim.SGD(model.parameters(), lr=0.1), lambda: model(torch.randn(3, 5)).sum()
    )
    assert watch.rows[0].label == "Linear 5→4"
    assert sample.grad_norm[0] > 0
    assert sample.units[0] == 4


def test_parameters_that_hold_no_numbers_are_unknown_and_said_so() -> None:
    model = nn.Sequential(nn.Linear(2, 2, device="meta"), nn.Linear(2, 2, dtype=torch.complex64))
    watch = LayerWatch(model)
    watch.arm()
    model[1](torch.ones(1, 2, dtype=torch.complex64)).abs().sum().backward()
    sample = watch.finish(0)
    assert sample is not None
    assert np.isnan(sample.grad_norm[0])
    assert sample.grad_norm[1] > 0
    assert "cannot be read" in watch.status


@pytest.mark.parametrize("reentrant", [True, False])
def test_recomputed_parts_count_once(reentrant: bool) -> None:
    from torch.utils.checkpoint import checkpoint

    hidden, out = nn.Sequential(nn.Linear(4, 8), nn.ReLU()), nn.Linear(8, 1)
    model = nn.Sequential(hidden, out)
    x = torch.randn(64, 4, requires_grad=True)
    watch = LayerWatch(model)
    watch.arm()
    checkpoint(hidden, x, use_reentrant=reentrant).sum().backward()
    tap = watch._forward.tap
    assert tap is not None
    assert tap.calls == (0 if reentrant else 2)  # linear and relu; not again in backward
    watch.finish(0)


def test_validation_and_other_threads_are_not_looked_at() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    watch = LayerWatch(model)
    watch.arm()
    with torch.no_grad():
        model(torch.ones(1, 2))
    model(torch.ones(1, 2))
    Background(lambda: model(torch.ones(1, 2))).join()
    nn.Sequential(nn.Linear(2, 2))(torch.ones(1, 2))
    tap = watch._forward.tap
    assert tap is not None
    assert tap.calls == 3  # linear, relu, the model
    watch.disarm()


def test_tracing_and_transforms_see_nothing_of_it() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    watch = LayerWatch(model)
    watch.arm()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        plain = torch.jit.trace(nn.Sequential(*model), torch.ones(1, 2), check_trace=False)
        traced = torch.jit.trace(model, torch.ones(1, 2), check_trace=False)
    per_sample = torch.func.vmap(model)(torch.ones(3, 2))
    tap = watch._forward.tap
    assert tap is not None
    assert tap.calls == 0
    assert tap.error is None
    watch.disarm()
    assert str(traced.inlined_graph).count("aten::") == str(plain.inlined_graph).count("aten::")
    assert per_sample.shape == (3, 2)


def test_compiled_models_are_watched_by_their_gradients() -> None:
    model = Functional()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = torch.compile(model, backend="eager")
        x = torch.randn(64, 4)
        watch = LayerWatch(compiled)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for i in range(21):
            sample = step(watch, optimizer, lambda: compiled(x).square().mean(), i)
    assert "torch.compile" in watch.status
    assert sample.dead[0] == 3
    assert sample.grad_norm[0] > 0


def test_a_failure_of_ours_stays_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Functional(nn.ReLU())
    watch = LayerWatch(model)

    def fail(*_: Any) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("nnwidgets.probe.dead.Units.samples_in", fail)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sample = step(watch, optimizer, lambda: model(torch.randn(4, 4)).sum())
    assert sample.grad_norm[0] > 0
    assert "planted" in watch.status


def test_a_failing_forward_leaves_nothing() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    watch = LayerWatch(model)
    watch.arm()
    with pytest.raises(RuntimeError):
        model(torch.ones(1, 3))
    watch.disarm()
    watch.disarm()
    assert watch.finish(0) is None


def test_model_and_watch_are_collected_even_when_armed() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    watch = LayerWatch(model)
    watch.arm()
    model(torch.ones(1, 2))
    gone = weakref.ref(model), weakref.ref(watch)
    del model
    gc.collect()
    assert gone[0]() is None
    del watch
    gc.collect()
    assert gone[1]() is None  # the fixture checks that its hook went with it


def test_copies_taken_in_the_middle_of_a_step_carry_nothing() -> None:
    copies: list[nn.Module] = []

    class Copies(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            copies.append(copy.deepcopy(model))
            return super().forward(x)

    model = nn.Sequential(Copies(2, 2))
    watch = LayerWatch(model)
    step(watch, torch.optim.SGD(model.parameters(), lr=0.1), lambda: model(torch.ones(1, 2)).sum())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in copies[0].modules())


@pytest.mark.parametrize(
    ("plant", "where", "layer"),
    [
        ("input", "input", None),
        ("weights", "weights", "0"),
        ("overflow", "output", "1"),
        ("between", "output", ""),
        ("backward", "gradient", "0"),
        ("loss", "loss", None),
    ],
)
def test_a_sampled_step_shows_where_a_nan_began(plant: str, where: str, layer: str | None) -> None:
    class Model(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            x = self[0](x)
            if plant == "between":
                x = torch.log(x - 1e9)
            if plant == "backward":
                x = torch.sqrt(x * 0)
            return self[2](self[1](x))

    model = Model(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 1))
    x = torch.ones(4, 2)
    with torch.no_grad():
        if plant == "input":
            x[1, 0] = float("nan")
        if plant == "weights":
            model[0].weight[0, 0] = float("nan")
        if plant == "overflow":
            model[0].bias += 1e5
            model[1].weight.fill_(3e38)

    def loss() -> Tensor:
        value = model(x).sum()
        return torch.log(value * 0) if plant == "loss" else value

    watch = LayerWatch(model)
    sample = step(watch, torch.optim.SGD(model.parameters(), lr=0.1), loss, 5)
    (origin,) = sample.nonfinite
    assert (origin.step, origin.where, origin.layer) == (5, where, layer)
    if plant == "weights":
        assert (origin.what, origin.count, origin.size) == ("nan", 1, 9)
    if plant == "overflow":
        assert (origin.what, origin.count, origin.size) == ("inf", 12, 12)
