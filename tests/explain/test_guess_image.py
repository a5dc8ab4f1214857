"""Pictures: what was normalised comes back, and it is said what was assumed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nnwidgets.explain.guess_image import channels_first, given_picture, guess, picture_of
from nnwidgets.explain.inputs import Slot
from nnwidgets.probe.refusal import Refusal

KNOWN = {
    "mnist": ((0.1307,), (0.3081,)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}


def photos(channels: int, count: int = 4) -> Tensor:
    """Pictures from 0 to 255 that use the whole range, as a set does."""
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (count, channels, 10, 12), generator=generator)
    images[0, :, 0, 0], images[0, :, 0, 1] = 0, 255
    return images.float()


def slot(channels: int, axis: int | None = 0) -> Slot:
    return Slot("0", "image", (channels, 10, 12), channel_axis=axis)


@pytest.mark.parametrize("name", KNOWN)
def test_the_usual_normalisations_are_undone(name: str) -> None:
    mean, std = (torch.tensor(each)[:, None, None] for each in KNOWN[name])
    images = photos(len(KNOWN[name][0]))
    inverse = guess((images / 255 - mean) / std)
    assert inverse.words[0] == f"explain.picture.{name}"
    pixels, words = picture_of((images[1] / 255 - mean) / std, slot(len(mean)), inverse)
    assert words == inverse.words
    expected = images[1].numpy().astype(np.uint8)
    expected = expected[0] if len(mean) == 1 else np.moveaxis(expected, 0, -1)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("unit", 0.0, 1.0), ("signed", -1.0, 1.0), ("bytes", 0.0, 255.0)]
)
def test_plain_ranges(name: str, low: float, high: float) -> None:
    for channels in (1, 3):
        images = photos(channels)
        scaled = images / 255 * (high - low) + low
        inverse = guess(scaled)
        assert inverse.words[0] == f"explain.picture.{name}"
        pixels, _ = picture_of(scaled[1], slot(channels), inverse)
        expected = images[1].numpy().squeeze()
        expected = expected if channels == 1 else np.moveaxis(expected, 0, -1)
        assert np.abs(pixels.astype(float) - expected).max() <= 1


def test_a_range_that_is_not_quite_used() -> None:
    for channels in (1, 3):
        scaled = (photos(channels) / 255 * 0.94 + 0.03) * 2 - 1
        assert guess(scaled).words[0] == "explain.picture.signed"
    dark = (photos(3) / 255 * 0.5 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / 0.226
    assert guess(dark).words[0] == "explain.picture.imagenet"


def test_sklearns_digits() -> None:
    from sklearn.datasets import load_digits

    images = torch.tensor(load_digits().images[:20])[:, None]
    inverse = guess(images)
    assert inverse.words[0] == "explain.picture.digits"
    pixels, _ = picture_of(images[3], slot(1), inverse)
    np.testing.assert_array_equal(pixels, np.rint(images[3, 0].numpy() / 16 * 255))


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_not_finite_tells_nothing_about_a_range(name: str) -> None:
    """Neither single pixels, nor a channel in which nothing is finite."""
    mean, std = (torch.tensor(each)[:, None, None] for each in KNOWN[name])
    images = (photos(len(mean)) / 255 - mean) / std
    images[1, 0, 3, 4], images[2, -1, 5, 6], images[3, 0, 0, 0] = torch.nan, torch.inf, -torch.inf
    assert guess(images).words[0] == f"explain.picture.{name}"
    if len(mean) == 3:
        images[:, 0] = torch.nan
        assert guess(images).words[0].startswith("explain.picture.")
        assert guess(images) != guess(torch.full_like(images, torch.nan))
    digits = torch.arange(17.0).reshape(1, 1, 1, 17)
    digits[..., 3] = torch.nan
    assert guess(digits).words[0] == "explain.picture.digits"


def test_what_is_not_known_is_stretched_and_said() -> None:
    images = torch.tensor([-40.0, 10.0, 60.0]).reshape(1, 1, 1, 3)
    pixels, (key, params) = picture_of(images[0], slot(1))
    assert key == "explain.picture.stretched"
    assert params == {"low": "−40.0", "high": "60.0"}
    np.testing.assert_array_equal(pixels, [[0, 128, 255]])


def test_channels_wherever_they_stand() -> None:
    images = photos(3) / 255
    last = images.movedim(1, -1)
    one, _ = picture_of(images[1], slot(3))
    other, _ = picture_of(last[1], slot(3, -1))
    np.testing.assert_array_equal(one, other)
    flat, _ = picture_of(images[1, 0], Slot("0", "image", (10, 12)))
    np.testing.assert_array_equal(flat, np.rint(images[1, 0].numpy() * 255))
    torch.testing.assert_close(channels_first(last, slot(3, -1)), images)
    many, words = picture_of(photos(7)[1] / 255, slot(7))
    assert words == ("explain.picture.mean", {"channels": "7"})
    np.testing.assert_allclose(many, photos(7)[1].mean(0), atol=0.51)
    four, _ = picture_of(photos(4)[1] / 255, slot(4))
    np.testing.assert_array_equal(four, np.moveaxis(photos(4)[1, :3].numpy(), 0, -1))


def test_what_is_not_finite_is_drawn() -> None:
    image = torch.tensor([[[0.0, torch.nan], [torch.inf, 1.0]]])
    pixels, (key, _) = picture_of(image, slot(1))
    assert key == "explain.picture.unit"
    np.testing.assert_array_equal(pixels, [[0, 0], [255, 255]])
    nothing, (key, _) = picture_of(torch.full((1, 2, 2), torch.nan), slot(1))
    assert key == "explain.picture.none"
    assert (nothing == 0).all()


@given(
    st.integers(1, 5),
    st.floats(-1e30, 1e30, allow_nan=False),
    st.floats(0, 1e30, allow_nan=False),
    st.booleans(),
)
def test_any_numbers_make_a_picture(channels: int, low: float, span: float, broken: bool) -> None:
    image = torch.rand(channels, 4, 5, dtype=torch.float64) * span + low
    if broken:
        image[0, 0, 0] = torch.nan
    pixels, (key, _) = picture_of(image, Slot("0", "image", (channels, 4, 5), channel_axis=0))
    assert pixels.dtype == np.uint8
    assert pixels.shape == ((4, 5, 3) if channels in (3, 4) else (4, 5))
    assert key.startswith("explain.picture.")


def test_a_function_of_the_users() -> None:
    image = photos(3)[1]
    for made in (
        lambda x: x.movedim(0, -1) / 255,
        lambda x: (x / 255).numpy(),
        lambda x: x.to(torch.uint8),
        lambda x: x.movedim(0, -1).int().numpy(),
    ):
        pixels, (key, _) = given_picture(made, image)
        assert key == "explain.picture.given"
        np.testing.assert_array_equal(pixels, np.moveaxis(image.numpy(), 0, -1))
    grey, _ = given_picture(lambda x: x[0] / 255, image)
    assert grey.shape == (10, 12)
    mask, _ = given_picture(lambda x: x[0] > 100, image)
    np.testing.assert_array_equal(mask, (image[0] > 100).numpy() * 255)
    given_picture(lambda x: x.zero_() / 255, image)
    assert image.max() > 0  # a copy was handed over
    for wrong, sentence in (
        (lambda x: x[:, 0, 0], "not 3 float32"),
        (lambda x: "picture", "not 1"),
        (lambda x: x[7], "IndexError"),
        (lambda x: x[:2], "not 2×10×12"),
    ):
        with pytest.raises(Refusal, match=sentence):
            given_picture(wrong, image)
