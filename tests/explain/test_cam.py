"""Class activation maps: three ways to the same numbers, and what each formula says by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnwidgets.explain.cam import grad_cam_map, grad_cam_plus_plus_map, layer_cam_map
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from tests.explain.cam_by_hand import (
    ORACLES,
    Two,
    numpy_grad_cam,
    plainly_hooked,
    resized,
    seeded,
)
from tests.explain.nets import Patches


@pytest.mark.parametrize("name", list(ORACLES))
@settings(max_examples=25, deadline=None)
@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
        st.tuples(st.integers(1, 4), st.integers(1, 5)),
    ),
    rectified=st.booleans(),
    seed=st.integers(0, 999),
)
def test_each_map_is_its_formula(
    name: str, shape: tuple[int, ...], rectified: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    activation = torch.randn(1, *shape, generator=generator, dtype=torch.float64)
    if rectified:
        activation = activation.relu()
    gradient = torch.randn(1, *shape, generator=generator, dtype=torch.float64)
    gradient[gradient.abs() < 0.2] = 0  # as a ReLU leaves it
    ours, oracle = ORACLES[name]
    expected = oracle(activation[0].numpy(), gradient[0].numpy())
    np.testing.assert_allclose(ours(activation, gradient)[0, 0].numpy(), expected, rtol=1e-9)


def test_grad_cam_plus_plus_keeps_small_gradients() -> None:
    """g³ underflows in float32 long before g does; the share it takes part in does not."""
    activation = torch.ones(1, 1, 2, 2)
    gradient = torch.full((1, 1, 2, 2), 1e-18)
    found = grad_cam_plus_plus_map(activation, gradient)
    torch.testing.assert_close(found, torch.full_like(found, 2e-18), rtol=1e-5, atol=0)


def test_by_hand_on_two_channels() -> None:
    activation = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])
    gradient = torch.tensor([[[[1.0, 0.0]], [[-1.0, 1.0]]]])
    np.testing.assert_allclose(grad_cam_map(activation, gradient).ravel(), [0.5, 1.0])
    # α: 1 / (2 + 3·1) for each of the two places with a positive gradient
    np.testing.assert_allclose(
        grad_cam_plus_plus_map(activation, gradient).ravel(), [0.2 + 0.6, 0.4], rtol=1e-6
    )
    np.testing.assert_allclose(layer_cam_map(activation, gradient).ravel(), [1.0, 0.0])


class Small(nn.Module):
    """Two convolutions with batch norm and in-place ReLUs over pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 5, 3, padding=1),
            nn.BatchNorm2d(5),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(5, 6, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(6 * 6 * 8, 10), nn.Tanh(), nn.Linear(10, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@pytest.mark.parametrize("layer", ["features", "features.1", "features.3", "features.4"])
@pytest.mark.parametrize("relu", [False, True])
def test_three_ways_to_grad_cam(layer: str, relu: bool) -> None:
    """captum called plainly, the algorithm of pytorch-grad-cam in numpy, and ours."""
    from captum.attr import LayerAttribution, LayerGradCam

    model = seeded(0, lambda: Small().eval())
    inputs = seeded(1, lambda: torch.randn(3, 3, 12, 16))
    ours = explain(
        Question(model, inputs).ask(2, 1),
        "grad_cam",
        layer=layer,
        options={"relu_attributions": relu},
    ).values
    assert isinstance(ours, np.ndarray)
    assert ours.shape == (12, 16)
    module = model.get_submodule(layer)
    captum = LayerGradCam(model, module).attribute(inputs[2:], target=1, relu_attributions=relu)
    captum = LayerAttribution.interpolate(captum, (12, 16), "bilinear")[0, 0]
    np.testing.assert_allclose(ours, captum.detach(), rtol=1e-5, atol=1e-6 * abs(ours).max())
    if layer in ("features", "features.4"):
        # What follows would change the hooked tensor in place: look at a copy of the model
        # whose ReLUs do not.
        for relu_module in (m for m in model.modules() if isinstance(m, nn.ReLU)):
            relu_module.inplace = False
    if layer == "features.1":
        model.features[2].inplace = False
    hooked = plainly_hooked(model, module, lambda: model(inputs[2:])[:, 1])
    written = numpy_grad_cam(*hooked)
    if relu:
        written = np.maximum(written, 0)
    np.testing.assert_allclose(
        ours, resized(written, (12, 16)), rtol=1e-4, atol=1e-5 * abs(ours).max()
    )


@pytest.mark.parametrize("name", ["grad_cam_plus_plus", "layer_cam"])
@pytest.mark.parametrize("layer", ["features", "features.0", "features.3"])
def test_the_two_others_are_their_formula_over_the_input(name: str, layer: str) -> None:
    model = seeded(0, lambda: Small().eval())
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    inputs = seeded(1, lambda: torch.randn(2, 3, 12, 16))
    hooked = plainly_hooked(model, model.get_submodule(layer), lambda: model(inputs[1:])[:, 3])
    expected = ORACLES[name][1](*hooked)
    asked = Question(model, inputs).ask(1, 3)
    signed = explain(asked, name, layer=layer, options={"relu_attributions": False})
    scale = abs(expected).max()
    np.testing.assert_allclose(
        signed.values, resized(expected, (12, 16)), rtol=1e-4, atol=1e-5 * scale
    )
    found = explain(asked, name, layer=layer)
    rectified = resized(np.maximum(expected, 0), (12, 16))
    np.testing.assert_allclose(found.values, rectified, rtol=1e-4, atol=1e-5 * scale)
    np.testing.assert_allclose(
        found.details["layer_map"], np.maximum(expected, 0), rtol=1e-4, atol=1e-5 * scale
    )
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("name", ["grad_cam", *list(ORACLES)[1:]])
def test_signals_have_one_axis(name: str) -> None:
    model = seeded(
        0,
        lambda: nn.Sequential(
            nn.Conv1d(2, 4, 3, stride=2),
            nn.Tanh(),
            nn.Conv1d(4, 3, 3),
            nn.Flatten(),
            nn.Linear(24, 2),
        ).eval(),
    )
    inputs = seeded(1, lambda: torch.randn(1, 2, 21))
    hooked = plainly_hooked(model, model[2], lambda: model(inputs)[:, 1])
    expected = ORACLES[name][1](*hooked)
    if name != "grad_cam":
        expected = np.maximum(expected, 0)
    found = explain(Question(model, inputs).ask(0, 1), name, layer="2").values
    at = np.clip((np.arange(21) + 0.5) * 8 / 21 - 0.5, 0, 7)
    np.testing.assert_allclose(found, np.interp(at, np.arange(8), expected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", list(ORACLES))
@pytest.mark.parametrize("classed", [True, False])
def test_tokens_of_patches_are_a_map(name: str, classed: bool) -> None:
    """… without the class token, as pytorch-grad-cam's reshape_transform for ViT does it."""
    model = seeded(0, lambda: Patches(classed).eval())
    pictures = seeded(1, lambda: torch.randn(1, 3, 12, 16))
    layer = "encoder.layers.0"
    hooked = plainly_hooked(model, model.encoder.layers[0], lambda: model(pictures)[:, 2])
    grids = tuple(each[1:].reshape(3, 4, 8).transpose(2, 0, 1) for each in hooked)
    expected = ORACLES[name][1](*grids)
    if name != "grad_cam":
        expected = np.maximum(expected, 0)
    found = explain(
        Question(model, pictures).ask(0, 2),
        name,
        layer=layer,
        options={"interpolate_mode": "nearest"},
    ).values
    assert isinstance(found, np.ndarray)
    assert found.shape == (12, 16)
    np.testing.assert_allclose(found[::4, ::4], expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(found[::4, ::4], found[3::4, 3::4])


def test_a_picture_beside_a_row_gets_the_map_alone() -> None:
    model = seeded(0, lambda: Two().eval())
    sample = {"picture": torch.randn(1, 1, 5, 5), "row": torch.randn(1, 3)}
    found = explain(Question(model, sample).ask(0, 1), "layer_cam", layer="conv")
    assert isinstance(found.values, dict)
    assert found.values["picture"].shape == (5, 5)
    assert np.isfinite(found.values["picture"]).all()
    assert np.isnan(found.values["row"]).all()
    assert any("row" in warning for warning in found.warnings)


def test_modes_of_interpolation_are_checked() -> None:
    model = seeded(0, lambda: Small().eval())
    asked = Question(model, torch.randn(1, 3, 12, 16)).ask(0, 1)
    with pytest.raises(ValueError, match="nearest, bilinear"):
        explain(asked, "layer_cam", layer="features", options={"interpolate_mode": "linear"})


class WordConvolution(nn.Module):
    """A convolution along words, as in Kim 2014."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 4)
        self.conv = nn.Conv1d(4, 6, 3)
        self.head = nn.Linear(6, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.conv(self.embed(ids).transpose(1, 2)).relu().amax(2))


@pytest.mark.parametrize("name", list(ORACLES))
def test_words_under_a_convolution(name: str) -> None:
    """Eight places over ten words: one value a word."""
    model = seeded(0, lambda: WordConvolution().eval())
    ids = seeded(1, lambda: torch.randint(0, 20, (1, 10)))
    hooked = plainly_hooked(model, model.conv, lambda: model(ids)[:, 0])
    expected = ORACLES[name][1](*hooked)
    if name != "grad_cam":
        expected = np.maximum(expected, 0)
    found = explain(Question(model, ids).ask(0, 0), name, layer="conv").values
    at = np.clip((np.arange(10) + 0.5) * 0.8 - 0.5, 0, 7)
    np.testing.assert_allclose(found, np.interp(at, np.arange(8), expected), rtol=1e-4, atol=1e-6)


class ChannelsLast(nn.Module):
    """Takes pictures as (height, width, colours)."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Small()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.permute(0, 3, 1, 2))


def test_pictures_with_their_colours_last_have_the_same_plane() -> None:
    model = seeded(0, lambda: ChannelsLast().eval())
    inputs = seeded(1, lambda: torch.randn(1, 12, 16, 3))
    last = explain(Question(model, inputs).ask(0, 1), "layer_cam", layer="inner.features").values
    first = Question(model.inner, inputs.permute(0, 3, 1, 2)).ask(0, 1)
    np.testing.assert_allclose(
        last, explain(first, "layer_cam", layer="features").values, rtol=1e-5, atol=1e-7
    )
    assert np.shape(last) == (12, 16)
