"""How often the findings are right: rates over generated families, at the end and on the way.

A run is judged again and again while it trains, so a false alarm at any moment is a false alarm:
healthy families are judged at several lengths. "Alarm" is a warning or an error.
"""

from __future__ import annotations

import numpy as np
import pytest

from nnwidgets.probe.findings import curve_findings
from tests.probe.curve_parts import Series
from tests.probe.healthy_curves import HEALTHY
from tests.probe.sick_curves import SICK

MOMENTS = (0.1, 0.25, 0.5, 0.75, 1.0)
# Until it turns, the first rise of a double descent cannot be told from overfitting.
AT_THE_END_ONLY = {"double_descent"}
HEALTHY_SEEDS, SICK_SEEDS = 20, 60


def until(series: Series, share: float) -> Series:
    """Return what had been logged after a share of the run."""
    end = share * max(steps[-1] for steps, _ in series.values())
    return {name: (s[s <= end], v[s <= end]) for name, (s, v) in series.items()}


@pytest.mark.parametrize("family", HEALTHY)
def test_no_false_alarm(family: str) -> None:
    alarms = []
    for seed in range(HEALTHY_SEEDS):
        series = HEALTHY[family](np.random.default_rng(seed))
        for moment in (1.0,) if family in AT_THE_END_ONLY else MOMENTS:
            alarms += [
                (seed, moment, f.key)
                for f in curve_findings(until(series, moment))
                if f.severity != "info"
            ]
    assert alarms == []


def test_there_are_enough_healthy_runs() -> None:
    assert len(HEALTHY) * HEALTHY_SEEDS >= 200


@pytest.mark.parametrize("family", SICK)
def test_sick_runs_are_found(family: str) -> None:
    make, kinds = SICK[family]
    missed = [
        seed
        for seed in range(SICK_SEEDS)
        if not any(
            f.kind in kinds and (f.severity != "info" or f.kind == "plateau")
            for f in curve_findings(make(np.random.default_rng(seed)))
        )
    ]
    assert len(missed) <= 0.05 * SICK_SEEDS, missed


@pytest.mark.parametrize("family", [name for name in SICK if name.startswith("overfitted")])
def test_overfitting_always_points_to_the_best_validation(family: str) -> None:
    for seed in range(SICK_SEEDS):
        series = SICK[family][0](np.random.default_rng(seed))
        steps, values = next(pair for name, pair in series.items() if name.startswith("val"))
        for found in curve_findings(series):
            if found.kind == "overfitting":
                assert found.step == steps[np.argmin(values)]


def test_nan_always_points_to_the_first_bad_step() -> None:
    for seed in range(SICK_SEEDS):
        series = SICK["broken"][0](np.random.default_rng(seed))
        first = next(f for f in curve_findings(series) if f.kind == "nan")
        assert first.step == int(np.argmin(np.isfinite(series["loss"][1])))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_sentence_is_whole(language: str) -> None:
    """No placeholder left open, whichever family it came from."""
    for make in [*HEALTHY.values(), *(family for family, _ in SICK.values())]:
        for seed in range(5):
            for found in curve_findings(make(np.random.default_rng(seed)), language=language):
                assert "{" not in found.message
                assert "finding." not in found.message
