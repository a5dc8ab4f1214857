"""What clicks can find out, asked by a program: against torch itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nnwidgets.probe.refusal import Refusal
from tests.inspector.conftest import Make
from tests.inspector.test_numbers import hooked
from tests.training import Training


def test_badges_name_the_layer_the_kind_and_the_step(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        model[0].bias.fill_(-100.0)  # no unit of it ever fires
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inspector = make(model, torch.randn(4, 6), optimizer=optimizer, budget=0.5)
    only = make(model, torch.randn(4, 6), layers=["2"], budget=0.5)
    assert inspector.badges() == ()
    for _ in range(12):
        inspector.session.look_into_next_step()
        for _ in range(2):
            optimizer.zero_grad()
            F.cross_entropy(model(torch.randn(64, 6)), torch.randint(3, (64,))).backward()
            optimizer.step()
    (dead,) = (badge for badge in inspector.badges() if badge.kind == "dead")
    assert (dead.layer, dead.severity, dead.value) == ("0", "error", 1.0)
    assert dead.step is not None
    assert 0 < dead.step <= inspector.session.step
    assert dead.text().startswith("8 of 8 units (100 %) are dead since step")
    assert {badge.layer for badge in only.badges()} <= {"2"}


def test_ablation_is_what_the_model_gives_with_zeros_in_their_place(
    training: Training, make: Make
) -> None:
    inspector = make(training.model, training.x[:5])
    inspector.flush()
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    found = inspector.ablate("2", [1, 3])
    given = hooked(training.model, "2", training.x[:5])
    given[:, [1, 3]] = 0
    training.model.eval()
    with torch.no_grad():
        expected = training.model[3:](given).softmax(1)
        whole = training.model(training.x[:5]).softmax(1)
        none = training.model[3:](torch.zeros_like(given)).softmax(1)
    np.testing.assert_allclose(found.before, whole.numpy(), atol=1e-6)
    np.testing.assert_allclose(found.after, expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(inspector.ablate("2").after, none.numpy(), atol=1e-6)
    moved = np.flatnonzero(whole.argmax(1).numpy() != expected.argmax(1).numpy())
    assert found.flips.tolist() == moved.tolist()
    for name, value in training.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert inspector._ask.off is None, "the widget shows what it showed"


def test_the_best_samples_are_those_with_the_largest_values(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    of_probe = hooked(training.model, "6", training.x[:5])[:, 1].numpy()
    found = inspector.best_samples("6", 1)
    assert found.indices.tolist() == np.argsort(-of_probe, kind="stable").tolist()
    maps = hooked(training.model, "0", training.x)[:, 2].amax((1, 2)).numpy()
    found = inspector.best_samples("0", 2, training.x, count=4)
    assert found.indices.tolist() == np.argsort(-maps, kind="stable")[:4].tolist()
    np.testing.assert_allclose(found.values, np.sort(maps)[::-1][:4], rtol=1e-6)


def test_the_feature_is_an_input_that_the_unit_likes(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    state = torch.get_rng_state()
    found = inspector.feature("0", (1, 4, 4), steps=40, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert found.image.shape == training.x[0].shape
    value = hooked(training.model, "0", torch.from_numpy(found.image)[None])[0, 1, 4, 4].item()
    assert found.activation == pytest.approx(value, rel=1e-5)
    assert found.activation > found.noise
    again = inspector.feature("0", (1, 4, 4), steps=40, seed=3)
    np.testing.assert_array_equal(found.image, again.image)
    narrow = inspector.feature("0", (1, 4, 4), steps=5, like=training.x.clamp(-0.1, 0.1))
    assert np.abs(narrow.image).max() <= 0.1 + 1e-6


def test_what_cannot_be_answered_is_said(training: Training, make: Make) -> None:
    inspector = make(training.model)
    for ask in (inspector.ablate, lambda layer: inspector.best_samples(layer, 0)):
        with pytest.raises(ValueError, match="there is no layer 'conv'"):
            ask("conv")
        with pytest.raises(ValueError, match=r"[Ss]ample"):
            ask("0")
    with pytest.raises(ValueError, match=r"[Ss]ample"):
        inspector.feature("0", 0)
    inspector = make(training.model, training.x[:5])
    with pytest.raises(Refusal, match="no channel 9"):
        inspector.ablate("0", [9])
    with pytest.raises(Refusal):
        inspector.best_samples("6", "first")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not a list"):
        inspector.best_samples("6", 0, [training.x])
