"""Any order of edits, beside a list of points by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from tests.boundary.conftest import cloud, part

LABELS = st.integers(0, 2)
PLACES = st.tuples(st.integers(-5, 5), st.integers(-5, 5)).map(lambda at: [at[0] / 2, at[1] / 2])


class Edits(RuleBasedStateMachine):
    """A list of points by hand, beside the plot's."""

    @initialize()
    def begin(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(2, 3)
        x, y = cloud(5)
        self.plot = DecisionBoundaryPlot(self.model, x, y, resolution=8)
        names = self.plot._space.points.snapshot().ids.tolist()
        self.now = {
            name: (tuple(at), label)
            for name, at, label in zip(names, x.tolist(), y.tolist(), strict=True)
        }
        self.past: list[dict[int, Any]] = []
        self.future: list[dict[int, Any]] = []

    def edited(self, now: dict[int, Any]) -> None:
        self.past.append(self.now)
        self.now, self.future = now, []

    @rule(at=PLACES, label=LABELS)
    def add(self, at: list[float], label: int) -> None:
        (name,) = self.plot.add(at, label)
        self.edited({**self.now, name: (tuple(at), label)})

    @precondition(lambda self: self.now)
    @rule(at=PLACES, data=st.data())
    def move(self, at: list[float], data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.now)))
        self.plot.move([name], [at])
        self.edited({**self.now, name: (tuple(at), self.now[name][1])})

    @precondition(lambda self: self.now)
    @rule(label=LABELS, data=st.data())
    def label(self, label: int, data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.now)))
        self.plot.label([name], label)
        self.edited({**self.now, name: (self.now[name][0], label)})

    @precondition(lambda self: self.now)
    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.now)))
        self.plot.delete([name])
        self.edited({one: what for one, what in self.now.items() if one != name})

    @rule()
    def undo(self) -> None:
        assert self.plot.undo() == bool(self.past)
        if self.past:
            self.future.append(self.now)
            self.now = self.past.pop()

    @rule()
    def redo(self) -> None:
        assert self.plot.redo() == bool(self.future)
        if self.future:
            self.past.append(self.now)
            self.now = self.future.pop()

    @invariant()
    def is_what_it_should_be(self) -> None:
        rows = [what[0] for what in self.now.values()]
        labels = [what[1] for what in self.now.values()]
        np.testing.assert_allclose(self.plot.X, np.array(rows).reshape(-1, 2), rtol=1e-6)
        assert self.plot.y.tolist() == labels
        meta, drawn = part(self.plot, "_points")
        assert drawn["id"].tolist() == list(self.now)
        assert (meta["can_undo"], meta["can_redo"]) == (bool(self.past), bool(self.future))

    def teardown(self) -> None:
        if hasattr(self, "plot"):
            self.plot.close()


TestEdits = Edits.TestCase
TestEdits.settings = settings(max_examples=12, stateful_step_count=15)
