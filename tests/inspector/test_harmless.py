"""What asking an inspector leaves as it was: the model, the sample, random numbers, the loop."""

from __future__ import annotations

import gc
import random
import threading
import warnings
import weakref
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from nnwidgets import LayerInspector
from nnwidgets.live import wire
from nnwidgets.probe.twin import Twin
from tests.inspector.conftest import Make
from tests.live.doubles import Browser, install_browser, until
from tests.training import Training


def test_reading_a_computed_weight_computes_nothing_in_the_model(make: Make) -> None:
    """A spectral norm takes a step of its power iteration whenever its weight is read."""
    torch.manual_seed(0)
    model = nn.Sequential(
        parametrizations.spectral_norm(nn.Linear(4, 5)),
        nn.ReLU(),
        parametrizations.weight_norm(nn.Linear(5, 2)),
    )
    x = torch.randn(3, 4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inspector = make(model, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights = [inspector.weights(layer) for layer in ("0", "2")]
        mean = inspector.stats("0", "weight").mean
        for layer in ("0", "2"):
            with pytest.raises(ValueError, match="computed from other parameters"):
                inspector.stats(layer, "gradient")
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    model.eval()
    for index, weight in zip((0, 2), weights, strict=True):
        np.testing.assert_array_equal(weight, model[index].weight.detach().numpy())
    assert mean == pytest.approx(weights[0].mean(), rel=1e-5)


def test_the_sample_is_copied(training: Training, make: Make) -> None:
    sample = training.x[:5].clone()
    inspector = make(training.model, (sample,))
    expected = inspector.activations("6").copy()
    sample.zero_()
    np.testing.assert_array_equal(inspector.activations("6"), expected)


def test_a_sample_that_was_computed_keeps_nothing_alive(make: Make) -> None:
    held = torch.randn(3, 4)
    scale = torch.ones(4, requires_grad=True)
    model = nn.Linear(4, 2)
    inspector = make(model, {"input": held * scale})
    assert inspector._probe is not None
    assert not inspector._probe.sample["input"].requires_grad
    there = weakref.ref(scale)
    del scale
    gc.collect()
    assert there() is None
    assert inspector.activations("").shape == (3, 2)


def test_a_closed_inspector_holds_no_copy(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    inspector = make(training.model, training.x[:5])
    inspector.selected = "6"
    inspector.close()
    assert inspector._layer  # the last picture was made …
    assert inspector._twin._copy is None  # … and what it was made with is gone


def test_each_inspector_sends_once(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = install_browser(monkeypatch)
    make(training.model, training.x[:5])
    assert len(publisher.targets) == 1


class Noisy(nn.Module):
    """Draws random numbers in evaluation mode too."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.layer, self.where = nn.Linear(4, 3), where

    def forward(self, x: Tensor) -> Tensor:
        noise: Tensor | float = torch.rand(4) if self.where == "torch" else 0.0
        if self.where == "python":
            noise = random.random()
        elif self.where == "numpy":
            noise = float(np.random.rand())
        out: Tensor = self.layer(F.dropout(x, 0.5, training=True) + noise)
        return out


@pytest.mark.parametrize("action", ["feature", "best_samples"])
@pytest.mark.parametrize("where", ["torch", "python", "numpy"])
def test_a_search_draws_no_random_numbers_of_the_loops(
    make: Make, monkeypatch: pytest.MonkeyPatch, where: str, action: str
) -> None:
    """It runs in a thread of its own, beside a loop that draws."""
    install_browser(monkeypatch)
    model = Noisy(where)
    inspector = make(model, torch.randn(5, 4))
    inspector.selected, inspector.unit = "layer", 1
    browser = Browser(inspector)
    torch.manual_seed(0)
    before = torch.get_rng_state(), random.getstate(), repr(np.random.get_state())
    number = browser.ask(action)
    until(lambda: browser.answers(number)[-1]["type"] in ("reply", "error"))
    answer = browser.answers(number)[-1]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert repr(np.random.get_state()) == before[2]
    if where == "torch":
        assert answer["type"] == "reply"
    else:
        assert answer["type"] == "error"
        assert "random numbers" in answer["error"]


def test_a_search_without_a_copy_is_refused(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copying a model that is too large to be copied is no way out."""
    install_browser(monkeypatch)
    inspector = make(training.model, training.x[:5])
    inspector._twin = Twin(training.model, largest=8)
    inspector.selected, inspector.unit = "6", 1
    browser = Browser(inspector)
    number = browser.ask("feature")
    until(lambda: browser.answers(number)[-1]["type"] in ("reply", "error"))
    assert "copy" in browser.answers(number)[-1]["error"]


def test_a_failure_while_a_sample_is_taken_in_is_told_and_no_more(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make(training.model, training.x[:5], optimizer=training.optimizer)
    two = make(training.model, training.x[:5])

    def wrong(sample: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(one._history, "add", wrong)
    paused = threading.Event()
    for _ in range(3):
        one.session.sampling.want()
        training.step()
    assert "planted" in (one._error or "")
    assert two._newest is not None
    assert two._error is None
    # … and the step went on to its safe point.
    one.session.submit(paused.set)
    training.step()
    assert paused.is_set()


def test_an_interrupt_during_a_look_reaches_the_loop_and_the_look_is_made_up_for(
    make: Make,
) -> None:
    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)
            self.interrupt = False

        def forward(self, x: Tensor) -> Tensor:
            if self.interrupt:
                raise KeyboardInterrupt
            out: Tensor = self.layer(x)
            return out

    model = Slow()
    inspector = make(model, torch.randn(2, 4))
    before = torch.get_rng_state()
    model.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        inspector.sample_index = 1
    assert torch.equal(before, torch.get_rng_state())
    assert not model.layer._forward_hooks
    model.interrupt = False
    inspector.flush()
    assert wire.unpack(inspector._layer)[0]["sample_index"] == 1


def test_what_holds_the_loop_up_is_paid_for(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    training.step()
    session = inspector.session
    spent: list[tuple[float, str]] = []
    charge = session.governor.charge

    def noted(seconds: float, account: Any = "other") -> None:
        spent.append((seconds, account))
        charge(seconds, account)

    session.governor.charge = noted  # type: ignore[method-assign]
    before = inspector._seen
    inspector._receive({"type": "view", "view": "v", "visible": True}, [])
    inspector.selected = "4"
    assert inspector._seen == before + 1
    assert sum(seconds for seconds, _ in spent) > 0


def test_a_look_that_nobody_waits_for_is_not_made_without_credit(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    inspector: LayerInspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    inspector._receive({"type": "view", "view": "v", "visible": True}, [])
    training.step()
    inspector.flush()
    seen = inspector._seen
    monkeypatch.setattr(inspector.session.governor, "allows", lambda *args: False)
    for _ in range(3):
        inspector.session.sampling.want()
        training.step()
        inspector.flush()
    assert inspector._newest is not None
    assert inspector._seen == seen
    inspector.selected = "4"  # somebody waits
    assert inspector._seen == seen + 1
    monkeypatch.setattr(inspector.session.governor, "allows", lambda *args: True)
    monkeypatch.setattr("nnwidgets.live.looks.Looks._looks_apart", 0.0)
    inspector.session.sampling.want()
    training.step()
    training.step()
    assert inspector._seen > seen + 1
