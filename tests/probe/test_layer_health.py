"""Badges: none on nets that learn, the right one on nets that were made ill."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnwidgets.catalogue import catalogue
from nnwidgets.probe.activity import ActivityWatch
from nnwidgets.probe.badge import KINDS
from nnwidgets.probe.layer_health import LayerHealth
from nnwidgets.probe.look import Call, look
from nnwidgets.probe.origin import NonFiniteOrigin
from nnwidgets.probe.variation import constant_layers
from tests.probe.digit_nets import cnn, digits, mlp, only, train
from tests.probe.stepping import clean

__all__ = ["clean"]


HEALTHY: dict[str, Callable[[], nn.Module]] = {
    "mlp relu": lambda: mlp(nn.ReLU),
    "mlp tanh": lambda: mlp(nn.Tanh, 4),
    "mlp sigmoid": lambda: mlp(nn.Sigmoid),
    "mlp hardtanh": lambda: mlp(nn.Hardtanh),
    "mlp gelu and norm": lambda: mlp(nn.GELU, 3, nn.BatchNorm1d),
    "cnn relu": lambda: cnn(nn.ReLU, norm=True),
    "cnn tanh": lambda: cnn(nn.Tanh, norm=False),
    "probabilities": lambda: nn.Sequential(mlp(nn.ReLU), nn.Softmax(1)),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", HEALTHY)
def test_no_badge_on_a_net_that_learns(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    probabilities = name == "probabilities"

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.nll_loss((out + 1e-9).log(), y) if probabilities else F.cross_entropy(out, y)

    model = HEALTHY[name]()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    _, shown = train(model, 120, 3, optimizer if seed else None, loss)
    assert shown == []


def test_dead_units_with_their_share_and_since_when() -> None:
    torch.manual_seed(0)
    model = mlp(nn.ReLU)

    def kill(step: int) -> None:
        with torch.no_grad():
            model[1].bias[:40] = -1e3
            model[1].bias[40:] = 3.0  # alive whatever comes

    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    health, _ = train(model, 40, 2, optimizer, each=kill)
    badge = only(health.badges(), "dead")[0]  # what follows may suffer from it
    assert (badge.layer, badge.severity) == ("1", "warning")
    assert badge.value == pytest.approx(40 / 64)
    assert badge.step is not None
    assert 8 <= badge.step <= 12, "five samples of 64 are needed to tell"
    assert "40 of 64" in badge.text()
    assert "62 %" in badge.text("zh")


def test_count_and_share_of_dead_units_are_of_the_same_step() -> None:
    torch.manual_seed(0)
    model = mlp(nn.ReLU)

    def kill(step: int) -> None:
        with torch.no_grad():
            dead = 40 if step < 30 else 56  # the last sixteen are known to be in the newest sample
            model[1].bias[:dead] = -1e3
            model[1].bias[dead:] = 3.0

    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    health, _ = train(model, 40, 2, optimizer, each=kill)
    badge = only(health.badges(), "dead")[0]
    assert badge.value == pytest.approx(40 / 64), "judged by what the newest samples agree on"
    assert "56 of 64 units (88 %)" in badge.text()


def test_a_dead_layer_is_an_error_and_not_also_vanishing_before_it() -> None:
    torch.manual_seed(0)
    model = mlp(nn.ReLU, 4)
    with torch.no_grad():
        model[5].bias.fill_(-1e3)
    health, _ = train(model, 40, 2)
    badges = health.badges()
    assert [b.layer for b in only(badges, "dead") if b.severity == "error"] == ["5"]
    assert only(badges, "vanishing") == []
    constant = only(badges, "constant")
    assert [b.layer for b in constant if b.severity == "warning"] == ["6"]
    assert {b.layer for b in constant if b.severity == "info"} >= {"7", "9"}
    assert not {b.layer for b in constant} & {"0", "1", "2", "3", "4"}


@pytest.mark.parametrize(
    ("act", "scale"), [(nn.Tanh, 500.0), (nn.Sigmoid, 900.0), (nn.Hardtanh, 500.0)]
)
def test_saturated_units(act: type[nn.Module], scale: float) -> None:
    torch.manual_seed(0)
    model = mlp(act)
    with torch.no_grad():
        model[3].weight.mul_(scale)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    health, _ = train(model, 20, 2, optimizer)
    (badge,) = only(health.badges(), "saturated")
    assert (badge.layer, badge.kind, badge.severity) == ("4", "saturated", "warning")
    assert badge.value > 0.8
    assert badge.step == 0


def test_what_the_model_returns_may_lie_at_its_ends() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Tanh())
    with torch.no_grad():
        model[1].weight.mul_(100)
    health, _ = train(model, 20, 2)
    assert only(health.badges(), "saturated") == []


class Poisoned(nn.Module):
    """A layer whose function gives NaN from a step on."""

    def __init__(self, value: float, until: int = 10**9) -> None:
        super().__init__()
        self.value, self.until, self.step = value, until, 0

    def forward(self, x: Tensor) -> Tensor:
        self.step += 1
        if 7 <= self.step < self.until:
            x = x.clone()
            x[0, :3] = self.value
        return x


def test_the_first_layer_that_is_not_finite() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), Poisoned(float("nan")),
                          nn.Linear(32, 10))  # fmt: skip
    health, _ = train(model, 20, 1)
    (badge,) = health.badges()
    assert (badge.layer, badge.kind, badge.severity) == ("3", "nan", "error")
    assert (badge.value, badge.step) == (3, 6)
    assert "NaN in 3 of 2,048" in badge.text()


def test_the_first_in_order_of_execution_not_of_definition() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = nn.Linear(64, 10), Poisoned(float("nan"))

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.first(x.flatten(1)))

    health, _ = train(Backwards(), 10, 1)
    (badge,) = health.badges()
    assert (badge.layer, badge.row) == ("first", 1)


def test_weights_that_are_not_finite_are_named() -> None:
    torch.manual_seed(0)
    model = mlp(nn.ReLU)

    def spoil(step: int) -> None:
        if step == 4:
            with torch.no_grad():
                model[3].weight[0, :2] = float("inf")

    health, _ = train(model, 6, 1, each=spoil)
    (badge,) = health.badges()
    assert (badge.layer, badge.step, badge.value) == ("3", 4, 2)
    assert "∞ in 2 of its 4,160 weights" in badge.text()


def test_what_has_passed_is_only_remembered() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), Poisoned(float("nan"), until=9))
    health, _ = train(model, 20, 1, loss=lambda out, y: F.cross_entropy(out.nan_to_num(), y))
    (badge,) = health.badges()
    assert (badge.kind, badge.severity, badge.step) == ("nan", "info", 6)
    assert "finite again" in badge.text()
    health.clear()
    assert health.badges() == ()


def test_infinities_of_a_mask_are_no_alarm() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score, self.mask, self.out = nn.Linear(8, 8), Mask(), nn.Linear(8, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = x[:, 0]
            return self.out(self.mask(self.score(x)).softmax(-1) @ x).mean(1)

    class Mask(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.full((8, 8), -torch.inf).triu(1)

    torch.manual_seed(0)
    health, shown = train(Masked(), 12, 1)
    (badge,) = health.badges()
    assert (badge.layer, badge.severity) == ("mask", "info")
    assert {b.severity for b in shown} == {"info"}


def test_an_origin_found_between_the_samples_is_shown() -> None:
    torch.manual_seed(0)
    health, _ = train(mlp(nn.ReLU), 10, 2)
    origin = NonFiniteOrigin(3, "3", "gradient", "nan", 5, 100)
    (badge,) = health.badges(origin=origin)
    assert (badge.layer, badge.step, badge.value) == ("3", 3, 5)
    assert health.badges(origin=NonFiniteOrigin(3, None, "loss", "nan")) == ()


def test_the_same_for_every_sample() -> None:
    class Forgets(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean(0, keepdim=True).expand_as(x)

    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), Forgets(), nn.Tanh(), nn.Linear(16, 10))
    health, _ = train(model, 10, 2)
    badges = {b.layer: b for b in only(health.badges(), "constant")}
    assert {name: b.severity for name, b in badges.items()} == {
        "2": "warning", "3": "info", "4": "info",
    }  # fmt: skip
    assert badges["2"].step == 0
    # The same from a look at a probe batch, before any training:
    seen = look(model, digits()[0][:8], [str(i) for i in range(5)])
    assert constant_layers(seen.calls) == ("2",)


def test_a_batch_of_equal_samples_says_nothing() -> None:
    model = mlp(nn.ReLU)
    same = digits()[0][:1].expand(8, -1, -1, -1)
    seen = look(model, same, [str(i) for i in range(6)])
    assert constant_layers(seen.calls) == ()
    assert constant_layers({"a": [Call((torch.ones(1, 2),), {}, torch.ones(1, 2))], "b": []}) == ()


def test_memory_is_bounded_and_a_changed_model_starts_anew() -> None:
    torch.manual_seed(0)
    model = mlp(nn.ReLU)
    with torch.no_grad():
        model[1].bias.fill_(-1e3)
    health, _ = train(model, 140, 1)
    assert len(health._records) == 64
    assert only(health.badges(), "dead")
    model.append(nn.Tanh())
    x, y = digits()
    watch = ActivityWatch(model)
    watch.arm()
    F.cross_entropy(model(x[:8]), y[:8]).backward()
    sample = watch.finish(200)
    assert sample is not None
    health.add(sample)
    assert health.badges() == ()


def test_nothing_is_said_before_anything_was_seen() -> None:
    assert LayerHealth().badges() == ()
    assert LayerHealth().badges(origin=NonFiniteOrigin(1, "a", "output", "nan")) == ()


def test_badges_are_sorted_and_every_sentence_fills_in() -> None:
    torch.manual_seed(0)
    model = mlp(nn.ReLU, 3)
    with torch.no_grad():
        model[3].bias.fill_(-1e3)
        model[5].bias[:40] = -1e3
    health, shown = train(model, 40, 2)
    badges = health.badges()
    assert len(badges) >= 3
    keys = [(b.row, KINDS.index(b.kind)) for b in badges]
    assert keys == sorted(keys)
    for badge in {b.key: b for b in shown}.values():
        for language in ("en", "zh"):
            said = badge.text(language)
            assert not re.search(r"\{\w+\}", said)
            assert said
        assert np.isfinite(badge.value)
    named = {key for key in catalogue("en") if key.startswith("probe.badge.")}
    assert {b.key for b in shown} <= named
