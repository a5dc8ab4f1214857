"""What a sampled step shows of every module, against plainly hooked tensors."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from nnwidgets.probe.activity import ActivitySample, ActivityWatch
from nnwidgets.probe.bins import edges
from nnwidgets.probe.layers import LayerWatch
from nnwidgets.probe.summary import QUANTILES
from tests.probe.stepping import clean, step

__all__ = ["clean"]


def hooked(model: nn.Module, x: Any) -> dict[str, list[Tensor]]:
    """What every module gives for `x`, by hooks on a copy."""
    twin = copy.deepcopy(model)
    seen: dict[str, list[Tensor]] = {}
    for name, module in twin.named_modules():

        def hook(m: nn.Module, args: Any, out: Any, name: str = name) -> None:
            first = out[0] if isinstance(out, tuple) else out
            seen.setdefault(name, []).append(first.detach().clone())

        module.register_forward_hook(hook)
    twin(x)
    return seen


class Net(nn.Module):
    """Convolutions with an in-place rectifier, a container, a view, and a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        )
        self.flat, self.twice = nn.Flatten(), nn.Linear(64, 64)
        self.tanh, self.head, self.unused = nn.Tanh(), nn.Linear(64, 3), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.flat(self.body(x))
        return self.head(self.tanh(self.twice(torch.relu(self.twice(x)))))


def test_every_module_is_summarised_as_numpy_would() -> None:
    model, x = Net(), torch.randn(16, 1, 8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = ActivityWatch(model)
    seen = hooked(model, x)
    sample = step(watch, optimizer, lambda: model(x).square().mean(), 9)
    assert watch.status == ""
    assert sample.step == 9
    assert [row.name for row in sample.rows] == [n for n, _ in model.named_modules() if n]
    for row, name in enumerate(r.name for r in sample.rows):
        if name == "unused":
            assert sample.summary(name) is None
            assert (sample.order[row], sample.calls[row]) == (-1, 0)
            continue
        values = torch.cat([t.flatten() for t in seen[name]]).double().numpy()
        if name == "body.0":
            assert (values < 0).any(), "seen before the rectifier worked on it in place"
        of = sample.activation
        assert sample.calls[row] == len(seen[name])
        assert of.shapes[row] == tuple(seen[name][-1].shape)
        assert of.size[row] == values.size
        assert of.mean[row] == pytest.approx(values.mean(), abs=1e-5)
        assert of.std[row] == pytest.approx(values.std(), rel=1e-4)
        assert (of.min[row], of.max[row]) == (values.min(), values.max())
        assert of.zero_fraction[row] == pytest.approx((values == 0).mean())
        assert of.counts[row].sum() == pytest.approx(values.size)
        summary = sample.summary(name)
        assert summary is not None
        assert summary.step == 9
        if len(seen[name]) == 1:
            expected = np.histogram(values, edges(values.min(), values.max()))[0]
            assert np.abs(np.cumsum(summary.histogram[0] - expected)).max() <= 1
            quantiles = np.quantile(values, QUANTILES)
            np.testing.assert_allclose(summary.quantiles, quantiles, atol=1e-5)
    names = [r.name for r in sample.rows]
    called = sorted((int(o), n) for o, n in zip(sample.order, names, strict=True) if o >= 0)
    assert [n for _, n in called] == [
        "body.0", "body.1", "body.2", "body", "flat", "twice", "tanh", "head",
    ]  # fmt: skip
    assert [n for n, final in zip(names, sample.final, strict=True) if final] == ["head"]


def test_weights_after_and_gradients_before_the_update() -> None:
    model, x = Net(), torch.randn(16, 1, 8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sample = step(ActivityWatch(model), optimizer, lambda: model(x).square().mean())
    for name in ("body.0", "twice", "head"):
        layer = model.get_submodule(name)
        for kind, tensor in (("weight", layer.weight), ("gradient", layer.weight.grad)):
            summary = sample.summary(name, kind)
            assert summary is not None
            values = tensor.detach().double().numpy()
            assert summary.mean == pytest.approx(values.mean(), abs=1e-6)
            assert summary.std == pytest.approx(values.std(), rel=1e-4)
            assert (summary.min, summary.max) == (values.min(), values.max())
            assert summary.shape == values.shape
    assert sample.summary("unused", "weight") is not None
    assert sample.summary("unused", "gradient") is None
    assert sample.summary("tanh", "weight") is None
    norms = sample.of_layers(sample.layers.grad_norm)
    row = sample.row("head")
    assert row is not None
    own = torch.cat([p.grad.flatten() for p in model.head.parameters()])
    assert norms[row] == pytest.approx(float(own.norm()), rel=1e-5)
    assert np.isnan(norms[sample.row("tanh") or 0])


def test_a_watch_of_the_layers_that_somebody_else_asks() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    layers = LayerWatch(model)
    watch = ActivityWatch(model, layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def both(number: int) -> tuple[object, object]:
        for one in (layers, watch):
            one.arm()
        model(torch.randn(5, 3)).square().sum().backward()
        for one in (layers, watch):
            one.before_update(list(model.parameters()))
        optimizer.step()
        for one in (layers, watch):
            one.after_update(list(model.parameters()))
        return layers.finish(number), watch.finish(number)

    of_layers, sample = both(7)
    assert isinstance(sample, ActivitySample)
    assert sample.layers is of_layers
    assert sample.layer_rows == layers.rows
    assert sample.gradient.known.tolist() == [True, False, True]
    watch.arm()
    model(torch.randn(5, 3))
    assert watch.finish(8) is None  # the other was not asked: what it has is of another step
    layers.arm()
    watch.arm()
    watch.disarm()
    assert layers.armed
    layers.disarm()


def test_scaled_gradients_are_those_the_optimizer_uses() -> None:
    model, x = nn.Sequential(nn.Linear(4, 2)), torch.randn(8, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    sample = step(
        ActivityWatch(model),
        optimizer,
        lambda: model(x).sum() * 1024,
        grad_scale=torch.tensor(1024.0),
    )
    summary = sample.summary("0", "gradient")
    assert summary is not None
    assert summary.mean == pytest.approx(float(model[0].weight.grad.mean()) / 1024, rel=1e-5)
    assert summary.std == pytest.approx(
        float(model[0].weight.grad.std(correction=0)) / 1024, rel=1e-4
    )


def test_a_closure_and_a_tied_weight() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(7, 5), nn.Linear(5, 7, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens: Tensor) -> Tensor:
            return self.head(self.embed(tokens))

    model, tokens = Tied(), torch.arange(7).repeat(2, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
        loss.backward()
        return loss

    watch = ActivityWatch(model)
    watch.arm()
    watch.before_update(model.parameters())
    optimizer.step(closure)
    watch.after_update(model.parameters())
    sample = watch.finish(0)
    assert sample is not None
    gradient = model.embed.weight.grad.double()
    for name in ("embed", "head"):
        summary = sample.summary(name, "gradient")
        assert summary is not None
        assert summary.mean == pytest.approx(float(gradient.mean()), abs=1e-7)


def test_nan_and_infinities_are_counted_and_placed() -> None:
    class Bad(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x = x.clone()
            x[0, 0], x[1, 1] = float("nan"), float("inf")
            return x

    model = nn.Sequential(nn.Linear(3, 3), Bad(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sample = step(ActivityWatch(model), optimizer, lambda: model(torch.randn(4, 3)).sum())
    assert sample.activation.nan.tolist() == [0, 1, 1]
    assert sample.activation.inf.tolist() == [0, 1, 1]
    assert np.isfinite(sample.activation.mean).all()


def test_outputs_of_every_kind() -> None:
    class Kinds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 5, 2, batch_first=True)
            self.attention = nn.MultiheadAttention(5, 1, batch_first=True)
            self.words = Words()

        def forward(self, x: PackedSequence) -> Tensor:
            packed, _ = self.lstm(x)
            y, _ = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
            z, _ = self.attention(y, y, y)
            return self.words(z)["logits"].sum()

    class Words(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Any]:
            return {"loss": x.mean(), "logits": x * 2, "text": "…"}

    model = Kinds()
    x = pack_sequence([torch.randn(4, 3), torch.randn(2, 3)])
    watch = ActivityWatch(model)
    watch.chosen = "lstm"
    sample = step(watch, torch.optim.SGD(model.parameters(), lr=0.1), lambda: model(x))
    assert watch.status == ""
    shapes = dict(zip((r.name for r in sample.rows), sample.activation.shapes, strict=True))
    assert shapes["lstm"] == (6, 5)  # the packed steps of both
    assert shapes["attention"] == (2, 4, 5)
    assert shapes["words"] == (2, 4, 5)  # not the scalar beside it
    assert sample.batch is not None
    kept, (h, c) = sample.batch.calls[0].output
    assert isinstance(kept, PackedSequence)
    assert h.shape == c.shape == (2, 2, 5)
    assert not kept.data.requires_grad


def test_saturation_is_measured_where_there_is_a_range() -> None:
    model = nn.Sequential(
        nn.Tanh(), nn.Sigmoid(), nn.Hardtanh(-2, 2), nn.Softmax(1), nn.ReLU6(), nn.Linear(4, 1)
    )
    x = torch.tensor([[-9.0, 0.0, 3.0, 9.0], [0.1, 0.2, -0.3, 4.0]])
    expected = {}
    for name, module in model.named_children():
        y = module(x)
        expected[name] = {
            "0": (y.abs() > 0.98).float().mean(),
            "1": ((y < 0.01) | (y > 0.99)).float().mean(),
            "2": (y.abs() > 1.96).float().mean(),
            "3": (y.amax(1) > 0.99).float().mean(),
        }.get(name, torch.tensor(torch.nan))
        single = nn.Sequential(module)
        watch = ActivityWatch(single)
        watch.arm()
        single(x)
        sample = watch.finish(0)
        assert sample is not None
        np.testing.assert_allclose(sample.saturated[0], float(expected[name]), rtol=1e-6)
    assert 0 < float(expected["0"]) < 1


def test_variation_over_the_batch() -> None:
    class Same(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 0 + 1

    class Places(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.same, self.place = nn.Linear(3, 3), Same(), nn.Embedding(3, 3)
            self.relu, self.last = nn.ReLU(inplace=True), nn.Linear(3, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.same(self.first(x)) + self.place(torch.arange(3).expand(len(x), 3)).mean(1)
            return self.last(self.relu(y))

    model = Places()
    watch = ActivityWatch(model)
    sample = step(
        watch, torch.optim.SGD(model.parameters(), lr=0.1), lambda: model(torch.randn(5, 3)).sum()
    )
    of = {r.name: (sample.varies[i], sample.given_varies[i]) for i, r in enumerate(sample.rows)}
    assert of["first"][0] == 1
    assert np.isnan(of["first"][1])  # nobody asks
    assert of["same"] == (0, 1)
    assert of["place"] == (0, 0)
    assert of["relu"][0] == 0
    assert np.isnan(of["relu"][1])  # worked in place: what it was given is gone
    assert of["last"] == (0, 0)
    one = step(
        watch, torch.optim.SGD(model.parameters(), lr=0.1), lambda: model(torch.randn(1, 3)).sum()
    )
    assert np.isnan(one.varies).all()


def test_what_cannot_be_seen_is_said() -> None:
    plain, x = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), torch.randn(4, 3)
    for model in (torch.compile(plain, backend="eager"), nn.DataParallel(plain)):
        watch = ActivityWatch(model)
        watch.want_inputs = True
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sample = step(
                watch, torch.optim.SGD(plain.parameters(), lr=0.1), lambda m=model: m(x).sum()
            )
        assert "activations are not looked at" in watch.status
        assert sample.order.tolist() == [-1, -1]
        assert sample.summary("0") is None
        assert sample.summary("0", "weight") is not None
        assert sample.summary("0", "gradient") is not None
        torch.compiler.reset()


def test_modules_called_very_often_are_looked_into_now_and_then() -> None:
    cell = nn.Linear(3, 3)
    model = nn.Sequential(cell)
    watch = ActivityWatch(model)
    watch.arm()
    x = torch.randn(4, 3)
    for _ in range(100):
        x = cell(x)
    sample = watch.finish(0)
    assert sample is not None
    assert sample.calls[0] == 100
    assert sample.activation.size[0] == 8 * 12
    assert "first 8 calls" in watch.status


def test_lazy_and_added_modules_join() -> None:
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU())
    watch = ActivityWatch(model)
    assert model[0].has_uninitialized_params()
    watch.arm()
    model(torch.randn(3, 5)).sum().backward()
    assert watch.finish(0) is not None
    model.append(nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    names: list[str] = []
    for i in range(20):
        sample = step(watch, optimizer, lambda: model(torch.randn(3, 5)).sum(), i)
        names = [r.name for r in sample.rows]
    assert names == ["0", "1", "2"]
    assert sample.rows[0].label == "Linear 5→4"


def test_parametrized_weights_are_not_computed_for_us() -> None:
    model = nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)),
        nn.utils.spectral_norm(nn.Linear(4, 2)),
    )
    before = copy.deepcopy(model.state_dict())
    watch = ActivityWatch(model)
    watch.arm()
    sample = watch.finish(0)
    assert sample is not None
    assert sample.summary("0", "weight") is None
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
