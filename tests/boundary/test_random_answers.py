"""A model that draws random numbers in evaluation mode: the picture says that it is one of many."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.boundary.conftest import Make, click, cloud, finished, part, small_net

SAID = "random numbers in evaluation mode"


def _numpy() -> Any:
    return np.random.get_state(legacy=False)["state"]["key"].tolist()


class Drawing(nn.Module):
    """Draws in evaluation mode, from where it is told to."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.inner = small_net()
        self.source = source

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.inner(x)
        if self.source == "dropout":
            return F.dropout(scores, 0.5, training=True)
        if self.source == "rare":  # spares four points of three numbers most of the time
            return F.dropout(scores, 0.03, training=True)
        if self.source == "numpy":
            return scores * float(np.random.rand())
        if self.source == "python":
            return scores * random.random()
        if self.source == "unused":
            return scores + 0 * torch.rand(()) * random.random()
        if self.source == "shifted":  # by the same for all classes, which their shares do not show
            return scores + torch.rand(())
        if self.source == "seeded":
            torch.manual_seed(3)
            return scores + torch.rand(3)
        return scores


@pytest.mark.parametrize("source", ["dropout", "rare", "numpy", "python"])
def test_random_answers_are_said_to_be_random(make: Make, source: str) -> None:
    model = Drawing(source)
    plot = make(model, *cloud())
    assert plot.status.count(SAID) == 1
    finished(plot)
    meta, _ = part(plot, "_surface")
    assert meta["state"] == "ready"
    assert sum(SAID in one for one in meta["notes"]) == 1
    assert sum(SAID in one for one in part(plot, "_live")[0]["status"]) == 1
    chinese = make(model, *cloud(), language="zh")
    assert any("随机数" in one for one in part(chinese, "_live")[0]["status"])


@pytest.mark.parametrize("source", ["", "unused", "seeded", "shifted"])
def test_answers_that_stay_the_same_are_not(make: Make, source: str) -> None:
    model = Drawing(source)
    plot = make(model, *cloud())
    finished(plot)
    assert SAID not in plot.status
    assert not any(SAID in one for one in part(plot, "_surface")[0]["notes"])


def test_nothing_is_drawn_from_the_generators_of_the_process(make: Make) -> None:
    models = [Drawing(source) for source in ("dropout", "numpy", "python")]
    before = torch.get_rng_state(), random.getstate(), _numpy()
    for model in models:
        make(model, *cloud(seed=1)).surface()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert _numpy() == before[2]


def test_it_is_found_out_anew_when_the_model_is_asked_anew(make: Make) -> None:
    model = Drawing("dropout")
    plot = make(model, *cloud())
    assert SAID in plot.status
    model.source = ""
    click(plot, "refresh")
    assert SAID not in plot.status
    model.source = "dropout"
    plot.refresh()
    assert SAID in plot.status


def test_a_committee_of_a_random_model_says_so_too(make: Make) -> None:
    """Also where the committee cannot tell, and the model alone is shown."""
    model = Drawing("dropout")
    for way, members in (("mc_dropout", True), ("snapshots", False)):
        plot = make(model, *cloud(), uncertainty=way)
        finished(plot)
        meta, _ = part(plot, "_surface")
        assert (meta["state"], meta["members"] > 0) == ("ready", members)
        assert sum(SAID in one for one in meta["notes"]) == 1
