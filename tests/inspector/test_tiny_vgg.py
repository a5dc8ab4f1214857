"""The inspector on a network that somebody has really trained, with pictures made for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.inspector.conftest import Make, blocks
from tests.inspector.test_families import look_at_everything
from tests.tiny_vgg import pictures, tiny_vgg


def test_the_network_is_read_as_it_was_trained() -> None:
    model = tiny_vgg()
    images, labels = pictures()
    with torch.no_grad():
        right = (model(images).argmax(1) == torch.tensor(labels)).float().mean().item()
    assert right >= 0.8


def test_every_layer_can_be_opened(make: Make) -> None:
    model = tiny_vgg()
    inspector = make(model, pictures()[0][:4])
    seen = look_at_everything(inspector)
    assert "maps" in seen["conv_1_1", "activations"]
    assert "maps" in seen["conv_1_1", "weights"]
    assert "bars" in seen["output", "activations"]
    assert "terms" in seen["output", "contributions"]


def test_first_filters_are_in_colour(make: Make) -> None:
    model = tiny_vgg()
    inspector = make(model, pictures()[0][:4])
    inspector.selected, inspector.tab = "conv_1_1", "weights"
    assert blocks(inspector)["maps"].arrays["pixels"].shape == (10, 3, 3, 3)


def test_contributions_make_up_the_predicted_class(make: Make) -> None:
    model, (images, _) = tiny_vgg(), pictures()
    inspector = make(model, images)
    with torch.no_grad():
        logits = model(images)
    for sample in range(0, len(images), 5):
        inspector.sample_index = sample
        unit = int(logits[sample].argmax())
        terms = inspector.contributions("output", unit)
        total = terms.sum() + model.output.bias[unit].item()
        assert total == pytest.approx(logits[sample, unit].item(), rel=1e-4)


def test_switching_off_the_last_maps_takes_the_answer_away(make: Make) -> None:
    model, (images, _) = tiny_vgg(), pictures()
    inspector = make(model, images)
    inspector.selected = "max_pool_3"
    inspector._receive({"type": "request", "id": 1, "action": "ablate", "args": {}}, [])
    shown = blocks(inspector)["outputs"]
    with torch.no_grad():
        before = model(images)[0].softmax(0).numpy()
        after = model.output.bias.softmax(0).numpy()
    np.testing.assert_allclose(shown.arrays["before"], before, atol=1e-5)
    np.testing.assert_allclose(shown.arrays["after"], after, atol=1e-5)
