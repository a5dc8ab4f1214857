"""How often a training is looked at between its samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.live.budget import Governor
from nnwidgets.live.pace import Pace
from nnwidgets.live.pulse import Pulse

BUDGET = 0.02
LOOK = 1e-5  # seconds, as measured: see `nnwidgets.live.pace`


def looks_every(step_seconds: float, budget: float = BUDGET) -> int:
    """Return the steps between two looks at a gradient, in a loop of such steps."""
    pace, pulse = Pace(Governor(budget)), Pulse()
    for step in range(3):
        pulse.step = step
        pace.measure(pulse, step * step_seconds, 0.0, glances=True)
    assert pace.step_seconds == pytest.approx(step_seconds)
    return pace.glance_every


def test_every_step_is_looked_at_where_that_does_not_show() -> None:
    assert looks_every(0.005) == 1
    assert looks_every(1.0) == 1


def test_short_steps_are_looked_at_now_and_then() -> None:
    assert 5 < looks_every(0.001) < 20
    assert 20 < looks_every(0.0003) <= 64
    assert looks_every(0.0003, 5e-324) == 64


@given(st.floats(1e-5, 1.0), st.floats(0.001, 1.0))
def test_looks_take_a_tenth_of_the_budget_and_never_end(seconds: float, budget: float) -> None:
    every = looks_every(seconds, budget)
    assert 1 <= every <= 64
    assert every == 64 or LOOK / every <= 0.1 * budget * seconds * (1 + 1e-9)
    assert looks_every(2 * seconds, budget) <= every
