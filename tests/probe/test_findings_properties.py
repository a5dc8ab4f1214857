"""What holds for findings on any curves at all."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as st_arrays

from nnwidgets.probe.findings import KINDS, SEVERITIES, curve_findings
from tests.probe.curve_parts import Series
from tests.probe.healthy_curves import HEALTHY
from tests.probe.sick_curves import SICK

values = st_arrays(
    np.float64,
    st.integers(0, 60),
    elements=st.floats(allow_nan=True, allow_infinity=True, width=64)
    | st.sampled_from([0.0, 1.0, 1e308, -1e308, 5e-324, np.nan, np.inf]),
)
metric_names = st.sampled_from(
    ["loss", "val_loss", "acc", "val_acc", "train_loss", "lr", "grad_norm", "loss_D", "x", "{a}"]
)


@given(
    st.dictionaries(metric_names, values, max_size=5),
    st.sampled_from(["line", "back", "wild"]),
    st.integers(1, 80),
)
def test_nothing_that_can_be_logged_raises(
    logged: dict[str, np.ndarray], order: str, repeat: int
) -> None:
    series = {}
    for name, once in logged.items():
        many = np.tile(once, repeat)
        x = np.arange(len(many), dtype=float)
        steps = {"line": x, "back": x[::-1], "wild": np.where(x % 7 == 3, np.nan, x % 5)}[order]
        series[name] = (steps, many)
    for found in curve_findings(series):
        assert found.kind in KINDS
        assert found.severity in SEVERITIES
        assert found.step is None or type(found.step) is int
        assert all(not isinstance(v, float) or math.isfinite(v) for v in found.evidence.values())
        json.dumps({"evidence": found.evidence, "params": found.params}, allow_nan=False)


def told(series: Series) -> list[tuple[str, str, int | None]]:
    return [(f.kind, f.severity, f.step) for f in curve_findings(series)]


FAMILIES = {**HEALTHY, **{name: family for name, (family, _) in SICK.items()}}


@given(
    st.sampled_from(sorted(FAMILIES)),
    st.integers(0, 10_000),
    st.floats(1e-9, 1e9) | st.sampled_from([2.0**-1000, 2.0**900]),
)
def test_the_unit_of_a_loss_does_not_matter(family: str, seed: int, unit: float) -> None:
    series = FAMILIES[family](np.random.default_rng(seed))
    scaled = {k: (s, v * unit if "loss" in k else v) for k, (s, v) in series.items()}
    assert told(scaled) == told(series)


@given(st.sampled_from(sorted(FAMILIES)), st.integers(0, 10_000), st.integers(1, 1000))
def test_steps_may_be_counted_otherwise(family: str, seed: int, stride: int) -> None:
    series = FAMILIES[family](np.random.default_rng(seed))
    renumbered = {k: (s * stride + 17, v) for k, (s, v) in series.items()}
    expected = [(k, s, None if t is None else t * stride + 17) for k, s, t in told(series)]
    assert told(renumbered) == expected
