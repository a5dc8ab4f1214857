"""What looks like an optimiser and cannot be watched is refused in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer

from nnwidgets import TrainingMonitor


class Holder:
    """A wrapper that is no optimiser."""

    def __init__(self, inner: Optimizer) -> None:
        self.optimizer = inner


class Unready(Optimizer):
    """A wrapper that is one, but for the base class's own preparations."""

    def __init__(self, inner: Optimizer, **named: Optimizer) -> None:
        self.param_groups, self.state, self.defaults = inner.param_groups, inner.state, {}
        vars(self).update(named)

    def step(self, closure: Any = None) -> Any:
        return None


@pytest.mark.parametrize(
    ("wrap", "sentence"),
    [
        (Holder, r"must be a torch\.optim\.Optimizer, not Holder \(pass its \.optimizer\)\."),
        (
            Unready,
            "steps of this Unready cannot be seen.*; pass the optimiser inside of it instead",
        ),
        (lambda inner: Unready(inner, optimizer=inner), r"pass its \.optimizer instead\."),
    ],
)
def test_a_wrapper_is_refused_before_anything_is_changed(wrap: Any, sentence: str) -> None:
    model = nn.Linear(2, 1)
    inner = SGD(model.parameters(), lr=0.1)
    for given in (wrap(inner), [inner, wrap(inner)]):
        with pytest.raises(TypeError, match=sentence):
            TrainingMonitor(model, given)
    assert not inner._optimizer_step_post_hooks
    assert not inner._optimizer_step_pre_hooks
    with TrainingMonitor(model, inner) as monitor:
        model(torch.ones(1, 2)).sum().backward()
        inner.step()
        assert monitor.session.step == 1
