"""A network that somebody has really trained, on pictures of its classes: every way to ask it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from tests.explain.cam_by_hand import (
    ORACLES,
    plainly_hooked,
    resized,
)
from tests.tiny_vgg import pictures, tiny_vgg

LAYER = "relu_3_2"  # maps of 8 × 8, before the last pooling


@pytest.mark.parametrize("name", list(ORACLES))
def test_maps_are_their_formulas(name: str) -> None:
    model = tiny_vgg()
    images, labels = pictures()
    question = Question(model, images)
    for index in range(0, len(images), 4):
        shown, target = images[index : index + 1], labels[index]
        hooked = plainly_hooked(
            model,
            model.get_submodule(LAYER),
            lambda shown=shown, target=target: model(shown)[:, target],
        )
        expected = ORACLES[name][1](*hooked)
        if name != "grad_cam":
            expected = np.maximum(expected, 0)
        found = explain(question.ask(index, target), name, layer=LAYER).values
        scale = abs(expected).max()
        np.testing.assert_allclose(found, resized(expected, (64, 64)), rtol=1e-3, atol=1e-4 * scale)


def test_its_last_pooling_goes_straight_into_the_linear_layer() -> None:
    """So the terms need no gradient, and make up the logit."""
    model = tiny_vgg()
    images, labels = pictures()
    found = explain(
        Question(model, images).ask(1, labels[1]), "activation_x_weight", layer="max_pool_3"
    )
    with torch.no_grad():
        logit = model(images[1:2])[0, labels[1]].item()
    assert found.details["rule"] == "linear_flatten"
    rest = logit - found.details["bias"]
    assert found.details["layer_map"].sum() == pytest.approx(rest, rel=1e-4)


def test_taking_away_what_grad_cam_marks_hurts_more_than_taking_the_rest() -> None:
    """The fifth of a picture that it marks most, against the fifth that it marks least."""
    model = tiny_vgg()
    images, labels = pictures()
    question = Question(model, images)
    hurt = []
    for index, label in enumerate(labels):
        plane = explain(question.ask(index, label), "grad_cam", layer=LAYER).values
        assert isinstance(plane, np.ndarray)
        order = plane.ravel().argsort()
        fifth = order.size // 5
        logits = []
        for places in (order[-fifth:], order[:fifth]):
            changed = images[index].clone().reshape(3, -1)
            changed[:, torch.from_numpy(places.copy())] = images[index].mean()
            with torch.no_grad():
                logits.append(model(changed.reshape(1, 3, 64, 64))[0, label].item())
        hurt.append(logits[1] - logits[0])
    assert np.mean(np.array(hurt) > 0) > 0.7


def test_integrated_gradients_add_up_to_the_logits_difference() -> None:
    model = tiny_vgg()
    images, labels = pictures()
    question = Question(model, images)
    found = explain(
        question.ask(0, labels[0]), "integrated_gradients", options={"n_steps": 200}
    ).values
    with torch.no_grad():
        here = model(images[:1])[0, labels[0]]
        black = model(torch.zeros_like(images[:1]))[0, labels[0]]
    assert isinstance(found, np.ndarray)
    assert found.shape == (3, 64, 64)
    assert found.sum() == pytest.approx((here - black).item(), rel=0.02)
