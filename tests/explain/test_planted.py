"""Where the evidence was put, methods must point: the pointing game on planted patches."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from tests.explain.planted import SIDE, planted


def hits(
    method: str, layer: str | None = None, *, model: nn.Module | None = None, **options: object
) -> float:
    """Share of the pictures on which the largest value lies in the patch."""
    world = planted()
    question = Question(model or world.model, world.pictures)
    found = 0
    for index in range(question.count):
        asked = question.ask(index, int(world.labels[index]))
        values = explain(asked, method, question=question, layer=layer, options=options).values
        assert isinstance(values, np.ndarray)
        plane = values if values.ndim == 2 else np.abs(values).sum(0)
        found += world.inside(index, *np.unravel_index(plane.argmax(), plane.shape))
    return found / question.count


def centre() -> float:
    world = planted()
    middle = SIDE // 2
    return float(np.mean([world.inside(n, middle, middle) for n in range(len(world.pictures))]))


def test_the_network_has_learnt_the_patches() -> None:
    world = planted()
    with torch.no_grad():
        right = (world.model(world.pictures).argmax(1) == world.labels).float().mean().item()
    assert right > 0.95


@pytest.mark.parametrize(
    ("method", "layer", "options"),
    [
        ("grad_cam", "4", {}),
        ("grad_cam_plus_plus", "4", {}),
        ("layer_cam", "4", {}),
        ("activation_x_weight", "4", {}),
        ("integrated_gradients", None, {"n_steps": 20}),
        ("saliency", None, {}),
    ],
)
def test_methods_point_into_the_patch(
    method: str, layer: str | None, options: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    share, baseline = hits(method, layer, **options), centre()
    with capsys.disabled():
        print(f"\n  pointing game, {method}: {share:.0%} in the patch; the centre: {baseline:.0%}")
    assert baseline < 0.2
    assert share > max(0.75, 4 * baseline)


def test_contrast_alone_does_not_point_there() -> None:
    """Nor does a network that has learnt nothing: the tests above can fail."""
    world = planted()
    loudest = [
        world.inside(n, *np.unravel_index(picture[0].abs().argmax().item(), (SIDE, SIDE)))
        for n, picture in enumerate(world.pictures)
    ]
    assert 0.15 < np.mean(loudest) < 0.6
    fresh = copy.deepcopy(world.model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for module in fresh.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.reset_parameters()
    assert hits("grad_cam", "4", model=fresh) < 0.6
