"""Inputs that drive a unit: those of a set by brute force, made ones against closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from nnwidgets.probe.feature_blocks import feature_blocks
from nnwidgets.probe.features import Feature, maximise
from nnwidgets.probe.natural import natural, spread
from nnwidgets.probe.parametrise import Parametrisation
from nnwidgets.probe.reach import reach
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.units import unit_values
from tests.generators import generators
from tests.probe.refilled import randn, refill


def convolutional() -> nn.Sequential:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 3)
    )
    refill(model)
    return model


# ---- an input that is made


def test_a_linear_unit_is_driven_to_the_ends_of_the_range() -> None:
    model = refill(nn.Sequential(nn.Linear(6, 3)))
    x = randn(20, 6)
    weight = model[0].weight.detach()[1]
    low, high = x.amin(0), x.amax(0)
    most = float((torch.where(weight > 0, high, low) * weight).sum() + model[0].bias.detach()[1])
    found = maximise(model, "0", 1, x, steps=300, rate=0.2)
    assert found.best_sample < found.activation <= most + 1e-4
    assert found.activation > most - 0.1 * (most - found.mean_sample)
    np.testing.assert_allclose(found.low, low, rtol=1e-6)
    np.testing.assert_allclose(found.high, high, rtol=1e-6)
    with torch.no_grad():
        values = model(x)[:, 1]
        assert found.best_index == int(values.argmax())
        np.testing.assert_allclose(found.best_sample, float(values.max()), rtol=1e-12)
        np.testing.assert_allclose(found.mean_sample, float(model(x.mean(0))[1]), rtol=1e-5)
        np.testing.assert_allclose(
            found.activation, float(model(torch.tensor(found.image).double())[1]), rtol=1e-5
        )


@pytest.mark.parametrize(("layer", "unit"), [("0", (2, 3, 3)), ("0", 1), ("3", 2)])
def test_a_picture_beats_the_samples_and_stays_in_their_range(layer: str, unit: Any) -> None:
    model = convolutional()
    x = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = maximise(model, layer, unit, x)
    assert found.image.shape == (1, 8, 8)
    assert found.activation > max(found.best_sample, found.noise, found.mean_sample)
    assert found.low[0] - 1e-6 <= found.image.min() <= found.image.max() <= found.high[0] + 1e-6
    assert (found.steps, found.stopped) == (160, "")
    again = reach(model, torch.tensor(found.image)[None].double(), layer)
    value = unit_values(model.get_submodule(layer), again, unit)
    np.testing.assert_allclose(found.activation, float(value.detach()), rtol=1e-4)
    assert model[1].inplace
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_same_seed_gives_the_same_picture_and_no_global_state_is_touched() -> None:
    model = convolutional()
    x = randn(4, 1, 8, 8)
    steps_seen: list[object] = []
    handle = register_optimizer_step_post_hook(lambda *args: steps_seen.append(args))
    before = generators()
    first = maximise(model, "3", 1, x, steps=5, seed=3)
    second = maximise(model, "3", 1, x, steps=5, seed=3)
    other = maximise(model, "3", 1, x, steps=5, seed=4)
    handle.remove()
    np.testing.assert_array_equal(first.image, second.image)
    assert first.activation == second.activation
    assert not np.array_equal(first.image, other.image)
    assert generators() == before
    assert steps_seen == []


def test_low_frequencies_are_preferred() -> None:
    """More decay, more of the picture's power in its low half of frequencies."""
    model = convolutional()
    x = randn(4, 1, 8, 8)

    def share(decay: float) -> float:
        image = maximise(model, "3", 1, x, steps=40, decay=decay, jitter=0).image[0]
        power = np.abs(np.fft.fft2(image - image.mean())) ** 2
        size = np.hypot(*np.meshgrid(np.fft.fftfreq(8), np.fft.fftfreq(8)))
        return float(power[size < 0.3].sum() / power.sum())

    assert share(2.0) > share(0.0)


def cancel_after(calls: int) -> Callable[[], bool]:
    asked: list[None] = []

    def cancelled() -> bool:
        asked.append(None)
        return len(asked) > calls

    return cancelled


def test_progress_and_cancelling_a_search() -> None:
    model = convolutional()
    x = randn(4, 1, 8, 8)
    told: list[float] = []
    full = maximise(model, "3", 1, x, steps=4, progress=told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]
    assert full.stopped == ""
    for calls in (0, 1, 3):
        found = maximise(model, "3", 1, x, steps=100, cancelled=cancel_after(calls))
        assert (found.steps, found.stopped) == (calls, "cancelled")
        assert np.isfinite(found.image).all()
        assert np.isfinite(found.activation)


def test_a_dead_unit_is_said_to_be_dead() -> None:
    model = convolutional()
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.fill_(-1.0)
    found = maximise(model, "1", 1, randn(4, 1, 8, 8), steps=10)
    assert (found.stopped, found.activation) == ("flat", 0.0)
    assert "probe.feature.flat" in [
        block.title[0] for block in feature_blocks(found) if block.title
    ]


def test_a_unit_that_sleeps_at_the_start_is_woken() -> None:
    model = convolutional()
    x = randn(16, 1, 8, 8)
    with torch.no_grad():
        bias = model[0](x)[:, 1, 3, 3].max()
        model[0].bias[1] -= bias  # no sample wakes it
    found = maximise(model, "1", (1, 3, 3), x, rate=0.2)
    assert found.best_sample == 0.0
    assert found.activation > 0.0


def test_values_that_stop_being_finite_end_the_search() -> None:
    class Log(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.where(x > 0.5, x / 0, x)

    found = maximise(
        nn.Sequential(Log()), "0", 1, torch.rand(5, 3, generator=torch.Generator()) * 0.9
    )
    assert found.stopped == "not_finite"
    assert np.isfinite(found.image).all()
    assert found.steps < 160


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_other_precisions(dtype: torch.dtype) -> None:
    model = convolutional().to(dtype)
    found = maximise(model, "3", 1, randn(4, 1, 8, 8).to(dtype), steps=60)
    assert found.image.dtype == np.float32
    assert found.activation > found.noise


def test_other_shapes_and_other_inputs() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.fc(x) * mask[..., None]

    model = refill(Masked())
    sample = {"x": randn(5, 6, 3), "mask": torch.ones(5, 6)}
    found = maximise(model, "fc", (2, 1), sample, steps=30)
    assert found.image.shape == (6, 3)
    assert found.activation > found.mean_sample
    volume = nn.Sequential(nn.Conv3d(2, 3, 3))
    found = maximise(volume, "0", 1, randn(3, 2, 5, 6, 7).float(), steps=30)
    assert found.image.shape == (2, 5, 6, 7)
    assert found.activation > found.mean_sample
    one = maximise(volume, "0", 1, randn(1, 2, 5, 6, 7).float(), steps=30)
    assert one.activation > one.best_sample


class Rounded(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x > 0).float()


@pytest.mark.parametrize(
    ("model", "like", "layer", "problem"),
    [
        (nn.Sequential(nn.Embedding(9, 3)), torch.ones(2, 4, dtype=torch.long), "0", "token ids"),
        (nn.Sequential(nn.Linear(3, 3)), "text", "0", "no tensor"),
        (nn.Sequential(nn.Linear(3, 3)), torch.ones(3), "0", "at least one number"),
        (nn.Sequential(nn.Linear(3, 3)), torch.ones(0, 3), "0", "at least one number"),
        (nn.Sequential(nn.Linear(3, 3)), torch.ones(2, 3), "9", "no layer 9"),
        (nn.Sequential(nn.Linear(3, 3)), torch.ones(2, 4), "0", "failed before 0"),
        (nn.Sequential(Rounded()), torch.ones(2, 3), "0", "No gradient"),
    ],
)
def test_searches_that_are_refused(model: nn.Module, like: Any, layer: str, problem: str) -> None:
    with pytest.raises(Refusal, match=problem):
        maximise(model, layer, (0, 0) if "token" in problem else 0, like, steps=3)
    assert not any(m._forward_hooks for m in model.modules())


# ---- how it is made and shown


def test_noise_keeps_its_size_whatever_the_decay() -> None:
    samples = torch.rand(4, 2, 32, 24, generator=torch.Generator().manual_seed(0))
    for decay in (0.0, 1.0, 2.0):
        form = Parametrisation(samples, decay)
        drawn = form.noise(torch.Generator().manual_seed(1))
        image = form.render(drawn)
        assert image.shape == (1, 2, 32, 24)
        share = (image - form.low[:, None, None]) / (form.high - form.low)[:, None, None]
        logits = torch.log(share / (1 - share))
        assert 0.7 < float(logits.std()) < 1.4


def test_the_spread_of_constant_and_of_bad_values() -> None:
    values = torch.tensor([[[1.0, 3.0], [2.0, 2.0], [np.nan, np.inf]]])
    low, high = spread(values)
    assert low.tolist() == [1.0, 0.0, 0.0]
    assert high.tolist() == [3.0, 3.0, 3.0]
    low, high = spread(torch.full((2, 2, 3), 5.0))
    assert (low.tolist(), high.tolist()) == ([4.0, 4.0], [6.0, 6.0])


def test_natural_colours() -> None:
    images = torch.tensor([[[[0.0, 1.0]], [[2.0, 3.0]], [[np.nan, 9.0]]]])
    pixels = natural(images, torch.tensor([0.0, 0.0, 0.0]), torch.tensor([1.0, 4.0, 8.0]))
    assert pixels.tolist() == [[[[0, 128, 0], [255, 191, 255]]]]


@pytest.mark.parametrize(
    ("shape", "kind", "pixels"),
    [
        ((1, 9, 8), "image", (9, 8)),
        ((3, 9, 8), "image", (9, 8, 3)),
        ((2, 9, 8), "maps", (2, 9, 8)),
        ((70, 90, 8), "maps", (64, 64, 8)),
        ((2, 3, 9, 8), "maps", (6, 9, 8)),
        ((6, 5), "matrix", (6, 5)),
        ((300, 5), "matrix", (256, 5)),
    ],
)
def test_blocks_of_a_feature(shape: tuple[int, ...], kind: str, pixels: tuple[int, ...]) -> None:
    image = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    ends = np.full(shape[0], -1, np.float32), np.full(shape[0], 1, np.float32)
    found = Feature(image, 3.0, 0.5, 1.0, 2.0, 4, *ends, 160, "")
    blocks = feature_blocks(found)
    assert [block.kind for block in blocks] == [kind, "numbers", "note"]
    assert blocks[0].arrays["pixels"].shape == pixels
    assert blocks[1].arrays["values"].tolist() == [3.0, 2.0, 1.0, 0.5]
    assert len(blocks[1].meta["items"]) == 4
    if shape == (2, 9, 8):
        np.testing.assert_array_equal(blocks[0].arrays["pixels"], image)


def test_a_vector_is_shown_as_bars() -> None:
    image = np.array([1.0, -1.0], np.float32)
    found = Feature(image, 3.0, 0.5, 1.0, 2.0, 4, image - 2, image + 2, 7, "cancelled")
    blocks = feature_blocks(found)
    assert [block.kind for block in blocks] == ["bars", "numbers", "note", "note"]
    np.testing.assert_array_equal(blocks[0].arrays["values"], image)
    assert blocks[2].title == ("probe.feature.cancelled", {"steps": "7"})


def test_rows_that_are_no_samples() -> None:
    """Patches are many rows of each sample; with time first there is no row for any."""

    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.look = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.look(x.reshape(-1, 4))

    torch.manual_seed(0)
    model, x = Patches().eval(), torch.randn(5, 12)
    found = maximise(model, "look", 1, x, steps=2)
    with torch.no_grad():
        each = model(x)[:, 1].reshape(5, 3).mean(1)
    assert found.best_index == int(each.argmax())
    assert found.best_sample == pytest.approx(float(each.max()), rel=1e-5)
    gru = nn.Sequential(nn.GRU(3, 4)).eval()
    with pytest.raises(Refusal, match="2 rows for 7 samples"):
        maximise(gru, "0", 1, torch.randn(7, 2, 3), steps=2)
