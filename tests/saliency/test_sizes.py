"""Large pictures, many samples, long sequences: every part of them that travels is small."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.live import wire
from tests.saliency.conftest import Make, panes, part, shown_map

LARGEST = 300_000  # bytes of a part of a picture of 224×224


def large_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
        nn.Linear(64, 1000),
    )  # fmt: skip


@pytest.mark.parametrize("method", ["saliency", "grad_cam", "lime"])
def test_every_part_of_a_large_picture_is_small(make: Make, method: str) -> None:
    torch.manual_seed(0)
    model = large_net()
    viewer = make(model, torch.randn(40, 3, 224, 224), method=method)
    viewer._have_answers()
    viewer.compare("target", 7)
    viewer._have_answers()
    assert [pane["state"] for pane in panes(viewer)] == ["ready", "ready"]
    for trait in ("_live", "_samples", "_choices", "_picture", "_film", "_trust"):
        size = wire.size(getattr(viewer, trait))
        assert size <= LARGEST, (trait, size)


def test_many_samples_and_many_classes_stay_small(make: Make) -> None:
    torch.manual_seed(0)
    count = 20_000
    model = nn.Sequential(nn.Linear(4, 30_000))
    viewer = make(model, torch.randn(count, 4), method="saliency", targets=[1] * count)
    assert panes(viewer)[0]["state"] == "ready"
    assert part(viewer, "_samples")[0]["count"] == count
    for trait in ("_live", "_samples", "_choices", "_picture", "_film"):
        size = wire.size(getattr(viewer, trait))
        assert size <= LARGEST, (trait, size)


def test_a_sequence_of_very_many_features_stays_small(make: Make) -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(700, 4, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[0].mean(1))

    model = Mean()
    viewer = make(model, torch.randn(1, 300, 700), method="saliency")
    meta, _ = part(viewer, "_picture")
    assert meta["panes"][0]["kind"] == "sequence"
    assert wire.size(viewer._picture) < 300_000
    values = np.abs(viewer.explain().arrays[0])
    assert values.max() > 0
    assert np.abs(shown_map(viewer)).max() == pytest.approx(values.max(), rel=0.01)
