"""NaN and infinity in an image input: seen in its picture, as in a map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets._saliency_marks import marked, marks_of
from nnwidgets._saliency_pictures import Pictures
from nnwidgets.explain.inputs import Slot
from nnwidgets.explain.question import Question
from tests.saliency.conftest import Make, panes, part

NAN, PLUS, MINUS = (0xD6, 0x2F, 0xD0), (0xFF, 0x95, 0x00), (0x00, 0xC8, 0xB4)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_that_are_not_finite_are_marked(make: Make, channels: int) -> None:
    """In the picture, in the thumbnail and in a sentence, as in a map; the others stay."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(channels, 2, 3, padding=1), nn.Flatten(), nn.Linear(128, 3))
    x = torch.rand(3, channels, 8, 8)
    whole = x[0].clone()
    x[0, -1, 2, 3] = torch.nan
    x[0, 0, 4, 5] = torch.inf
    x[0, 0, 6, 7] = -torch.inf
    viewer = make(model, x, method="occlusion", targets=0)
    viewer._have_answers()
    pane, (_, arrays) = panes(viewer)[0], part(viewer, "_picture")
    assert "Pixels that are NaN or infinite: 3." in pane["note"]
    seen = arrays["0.input"]
    assert seen.shape == (8, 8, 3)
    assert [tuple(seen[at]) for at in ((2, 3), (4, 5), (6, 7))] == [NAN, PLUS, MINUS]
    others = np.ones((8, 8), bool)
    others[[2, 4, 6], [3, 5, 7]] = False
    natural = np.moveaxis(whole.numpy(), 0, -1) * 255
    np.testing.assert_allclose(seen[others], np.broadcast_to(natural, (8, 8, 3))[others], atol=0.51)
    thumbs = part(viewer, "_samples")[1]["thumbs"]
    assert tuple(thumbs[0, 2, 3]) == NAN
    viewer.index = 1
    viewer._have_answers()
    assert "NaN" not in panes(viewer)[0]["note"]
    assert part(viewer, "_picture")[1]["0.input"].shape == ((8, 8) if channels == 1 else (8, 8, 3))


def test_one_pixel_of_a_large_picture_is_marked(make: Make) -> None:
    """Where it is averaged over squares a mark is no shade of grey."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3, stride=50), nn.Flatten(), nn.LazyLinear(2))
    x = torch.rand(1, 1, 700, 701)
    model(x)
    x[0, 0, 699, 700] = torch.nan
    viewer = make(model, x, method="saliency", targets=0)
    pane, (_, arrays) = panes(viewer)[0], part(viewer, "_picture")
    seen = arrays["0.input"]
    assert pane["reduced"] > 1
    assert tuple(seen[-1, -1]) == NAN
    assert int((seen == NAN).all(-1).sum()) == 1


@pytest.mark.parametrize("axis", [0, -1])
def test_the_thumbnail_of_a_large_picture_is_made_of_some_of_its_pixels(axis: int) -> None:
    """Nearly the average over squares, which here changes slowly."""
    sides = torch.linspace(0, 1, 1030), torch.linspace(0, 1, 900)
    rows, columns = torch.meshgrid(*sides, indexing="ij")
    planes = torch.stack([rows, columns, rows * columns])[None]
    x = planes if axis == 0 else planes.movedim(1, -1)

    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((1, 2, 3), keepdim=True).flatten(1).expand(-1, 2)

    thumbs = Pictures(Question(Mean(), x), None).thumbs(Question(Mean(), x))
    assert thumbs is not None
    height, width = thumbs.shape[1:3]
    assert max(height, width) <= 32
    squares = torch.nn.functional.adaptive_avg_pool2d(planes, (height, width))
    expected = np.moveaxis(squares[0].numpy(), 0, -1) * 255
    assert np.abs(thumbs[0].astype(float) - expected).max() <= 6


def test_of_channels_that_differ_nan_counts_first() -> None:
    image = torch.zeros(2, 3, 2)
    assert marks_of(image, Slot("0", "image", (2, 3, 2), channel_axis=0)) is None
    image[0, 0, 0], image[1, 0, 0] = torch.inf, torch.nan
    image[0, 1, 1], image[1, 1, 1] = -torch.inf, torch.inf
    codes = marks_of(image, Slot("0", "image", (2, 3, 2), channel_axis=0))
    np.testing.assert_array_equal(codes, [[253, 0], [0, 254], [0, 0]])
    last = image.movedim(0, -1)
    np.testing.assert_array_equal(
        marks_of(last, Slot("0", "image", (3, 2, 2), channel_axis=-1)), codes
    )


def test_a_picture_of_other_proportions_is_left_alone() -> None:
    codes = np.zeros((6, 6), np.uint8)
    codes[5, 5] = 253
    picture = np.full((3, 2), 7, np.uint8)
    assert marked(picture, codes) is picture
    assert marked(picture, None) is picture
    small = marked(np.full((3, 3), 7, np.uint8), codes)
    assert tuple(small[2, 2]) == NAN
    assert (small.reshape(-1, 3)[:-1] == 7).all()
