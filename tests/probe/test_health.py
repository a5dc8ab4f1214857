"""Findings from sampled layers, on made-up samples with one thing wrong at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.catalogue import catalogue
from nnwidgets.probe.findings import KINDS, SEVERITIES, Finding, ordered
from nnwidgets.probe.health import layer_findings
from nnwidgets.probe.layers import LayerRow, LayerSample
from nnwidgets.probe.origin import NonFiniteOrigin

NAN = math.nan


def rows(*types: str, frozen: Sequence[int] = ()) -> tuple[LayerRow, ...]:
    return tuple(
        LayerRow(f"l{i}", kind, kind, i in frozen, kind == "Linear") for i, kind in enumerate(types)
    )


FOUR = rows("Linear", "Linear", "Linear", "Linear")


def sample(
    step: int,
    grad_norm: Sequence[float] = (1, 1, 1, 1),
    update_ratio: Sequence[float] = (1e-3,) * 4,
    dead: Sequence[float] = (0, 0, 0, NAN),
    units: Sequence[float] = (64, 64, 64, NAN),
    saturated: Sequence[float] | None = None,
    nonfinite: tuple[NonFiniteOrigin, ...] = (),
) -> LayerSample:
    if saturated is None:
        saturated = [0.1] * len(grad_norm)
    columns = (np.array(c, dtype=float) for c in (grad_norm, update_ratio, dead, units, saturated))
    return LayerSample(step, *columns, nonfinite, 0.0)


def healthy(count: int = 20) -> list[LayerSample]:
    rng = np.random.default_rng(0)
    return [
        sample(10 * i, np.exp(rng.normal(0, 0.5, 4)), 1e-3 * np.exp(rng.normal(0, 0.5, 4)))
        for i in range(count)
    ]


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def test_healthy_layers_are_not_mentioned() -> None:
    for count in range(21):
        assert layer_findings(FOUR, healthy(count)) == []


def test_nothing_to_judge() -> None:
    assert layer_findings((), []) == []
    assert layer_findings(FOUR, []) == []
    assert layer_findings((), [sample(1, (), (), (), ())]) == []
    # Samples from before the model changed do not line up with the rows any more.
    assert layer_findings(FOUR[:2], [sample(i, (0, 0, 1, 1)) for i in range(9)]) == []


def test_vanishing_names_the_layers_and_how_far_behind_they_are() -> None:
    bad = [sample(100 + i, (1e-7, 1e-5, 0.1, 1)) for i in range(8)]
    found = only(layer_findings(FOUR, [*healthy(10), *bad]))
    assert (found.kind, found.severity, found.step) == ("vanishing", "warning", 100)
    assert found.evidence["layer"] == "l0"
    assert found.evidence["layers"] == 2
    assert found.evidence["last_layer"] == "l3"
    assert found.evidence["ratio"] == pytest.approx(1e-7)
    assert "l0 (Linear), l1 (Linear)" in found.body
    assert found.title == "Vanishing gradients in 2 of 4 layers"


def test_vanishing_wants_several_samples_and_an_unbroken_run_from_the_first_layer() -> None:
    assert layer_findings(FOUR, [sample(i, (1e-7, 1e-5, 0.1, 1)) for i in range(4)]) == []
    assert layer_findings(FOUR, [sample(i, (1, 1e-7, 1, 1)) for i in range(9)]) == []


def test_layers_whose_gradients_are_small_by_nature_are_left_out() -> None:
    kinds = rows("Embedding", "LayerNorm", "Linear", "Linear", "Linear", frozen=[2])
    sick = [sample(i, (1e-7, 1e-7, 1e-9, 1, 1), [1e-3] * 5, [NAN] * 5, [NAN] * 5) for i in range(9)]
    assert layer_findings(kinds, sick) == []


def test_layers_without_a_gradient() -> None:
    found = only(layer_findings(FOUR, [sample(i, (0, 0, 1, 1)) for i in range(9)]))
    assert (found.kind, found.key) == ("vanishing", "finding.vanishing_zero")
    assert found.title == "No gradient reaches 2 of 4 layers"
    # All zero is a loss that has nothing left to say, not a gradient that fades.
    assert layer_findings(FOUR, [sample(i, (0, 0, 0, 0)) for i in range(9)]) == []


def test_exploding_backwards() -> None:
    found = only(layer_findings(FOUR, [sample(i, (1e5, 1e3, 10, 1)) for i in range(9)]))
    assert (found.kind, found.key, found.step) == ("exploding", "finding.exploding_depth", 0)
    assert found.evidence["layer"] == "l0"
    assert found.evidence["times"] == pytest.approx(1e5)


def test_exploding_against_its_own_past_if_the_weights_feel_it() -> None:
    for ratio, expected in ((0.2, 1), (1e-3, 0)):
        last = [sample(200 + i, (1, 1, 900, 1), (1e-3, 1e-3, ratio, 1e-3)) for i in range(3)]
        found = layer_findings(FOUR, [*healthy(), *last])
        assert len(found) == expected
    found = layer_findings(
        FOUR,
        [
            *healthy(),
            *(sample(200 + i, (1, 1, 900, 1), (1e-3, 1e-3, 0.2, 1e-3)) for i in range(3)),
        ],
    )
    assert (found[0].key, found[0].step) == ("finding.exploding", 200)
    assert found[0].evidence["layer"] == "l2"


def test_one_spike_does_not_explode() -> None:
    spike = [sample(200, (1e6,) * 4, (5.0,) * 4)]
    assert layer_findings(FOUR, [*healthy(), *spike]) == []
    assert layer_findings(FOUR, [*healthy(), *spike, *healthy(3)]) == []


def test_updates_as_large_as_the_weights() -> None:
    bad = [sample(200 + i, update_ratio=(1e-3, 0.6, 1e-3, 0.4)) for i in range(6)]
    found = only(layer_findings(FOUR, [*healthy(), *bad]))
    assert (found.key, found.step) == ("finding.exploding_updates", 200)
    assert found.evidence["layer"] == "l1"


@pytest.mark.parametrize(
    ("dead", "severity"), [(6, None), (20, "info"), (40, "warning"), (64, "error")]
)
def test_dead_units_by_share(dead: int, severity: str | None) -> None:
    sick = [sample(200 + i, dead=(0, dead, 3, NAN)) for i in range(5)]
    found = layer_findings(FOUR, [*healthy(), *sick])
    assert [f.severity for f in found] == ([] if severity is None else [severity])
    if found:
        assert (found[0].kind, found[0].step) == ("dead_units", 200)
        assert found[0].evidence["layer"] == "l1"
        assert (found[0].evidence["dead"], found[0].evidence["units"]) == (dead, 64)


def test_dead_units_that_came_back_are_forgotten() -> None:
    sick = [sample(200 + i, dead=(0, 40, 3, NAN)) for i in range(5)]
    well = [sample(300 + i) for i in range(3)]
    assert layer_findings(FOUR, [*sick, *well]) == []


def test_dead_units_elsewhere_are_listed() -> None:
    sick = [sample(i, dead=(20, 40, 30, NAN)) for i in range(5)]
    found = only(layer_findings(FOUR, sick))
    assert "; l2 (Linear): 30/64, l0 (Linear): 20/64" in found.body


def test_dead_units_are_remembered_while_they_cannot_be_told() -> None:
    sick = [sample(10 * i, dead=(0, NAN if i % 2 else 40, 0, NAN)) for i in range(9)]
    assert only(layer_findings(FOUR, sick)).step == 0


def test_a_dead_layer_is_told_once() -> None:
    sick = [sample(i, (0, 0, 1, 1), (0, 0, 0, 0), dead=(0, 64, 0, NAN)) for i in range(12)]
    found = only(layer_findings(FOUR, sick))
    assert (found.kind, found.severity, found.key) == (
        "dead_units", "error", "finding.dead_units_all",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("share", "severity"), [(0.79, None), (0.81, "info"), (0.89, "info"), (0.93, "warning")]
)
def test_saturation_by_share(share: float, severity: str | None) -> None:
    sick = [sample(200 + i, saturated=(0.1, share, 0.7, NAN)) for i in range(5)]
    found = layer_findings(FOUR, [*healthy(), *sick])
    assert [(f.kind, f.severity, f.step) for f in found] == (
        [] if severity is None else [("saturated", severity, 200)]
    )
    if found:
        assert found[0].evidence == {"layer": "l1", "share": pytest.approx(share), "layers": 1}
        assert "l1 (Linear)" in found[0].title
        assert f"{100 * share:.0f} %" in found[0].body
        assert "initial" in found[0].advice or "smaller weights" in found[0].advice


def test_saturation_wants_several_samples_that_agree() -> None:
    full = (0.95, 0.99, 0.2, NAN)
    assert layer_findings(FOUR, [sample(i, saturated=full) for i in range(4)]) == []
    broken = [sample(i, saturated=full if i != 7 else (0.1,) * 4) for i in range(10)]
    assert layer_findings(FOUR, broken) == []
    unknown = [sample(i, saturated=full if i != 7 else (NAN,) * 4) for i in range(10)]
    assert layer_findings(FOUR, unknown) == []
    found = only(layer_findings(FOUR, [sample(i, saturated=full) for i in range(5)]))
    assert (found.evidence["layer"], found.evidence["layers"]) == ("l1", 2)
    assert "l0 (Linear): 95 %" in found.body, "the others are listed"


def test_saturation_of_a_layer_that_is_not_trained_is_its_own_affair() -> None:
    kinds = rows("Linear", "Linear", "Linear", "Linear", frozen=[1])
    assert layer_findings(kinds, [sample(i, saturated=(0, 1, 0, 0)) for i in range(9)]) == []


def test_what_layers_show_after_the_end_of_a_run_is_not_judged() -> None:
    """Some units were dead before; that all of them are, and nothing passes, is the NaN's doing."""
    before = [sample(i, dead=(0, 20, 3, NAN)) for i in range(10)]
    after = [
        sample(10 + i, (0, 0, 1, 1), dead=(0, 64, 3, NAN), saturated=(1,) * 4) for i in range(9)
    ]
    told = [(f.kind, f.severity) for f in layer_findings(FOUR, [*before, *after])]
    assert told == [("dead_units", "error"), ("saturated", "warning")]
    found = only(layer_findings(FOUR, [*before, *after], end=10))
    assert (found.kind, found.severity, found.evidence["dead"]) == ("dead_units", "info", 20)
    assert layer_findings(FOUR, after, end=10) == []
    # where the NaN came from is seen in what follows
    bad = NonFiniteOrigin(12, "l2", "output", "nan")
    late = [*before, sample(12, nonfinite=(bad,))]
    assert [f.kind for f in layer_findings(FOUR, late, end=10)] == ["nan"]


def test_weights_that_never_moved() -> None:
    still = [sample(i, update_ratio=(1e-9, 0, NAN, 1e-12)) for i in range(12)]
    found = only(layer_findings(FOUR, still))
    assert (found.kind, found.key) == ("underfitting", "finding.underfitting_frozen")
    # A schedule that ends at zero is no reason to complain.
    assert layer_findings(FOUR, [*healthy(), *still]) == []


@pytest.mark.parametrize(
    ("where", "layer", "key"),
    [
        ("output", "l1", "finding.nan_output"),
        ("weights", "l1", "finding.nan_weights"),
        ("weights", None, "finding.nan_weights_all"),
        ("gradient", "l1", "finding.nan_gradient"),
        ("gradient", None, "finding.nan_gradient_all"),
        ("input", None, "finding.nan_input"),
        ("loss", None, "finding.nan_loss"),
        ("batch", None, "finding.nan_batch"),
    ],
)
def test_nan_says_where_it_began(where: str, layer: str | None, key: str) -> None:
    origin = NonFiniteOrigin(205, layer, where, "nan")  # type: ignore[arg-type]
    for found in (
        layer_findings(FOUR, [*healthy(), sample(205, (NAN,) * 4, nonfinite=(origin,))]),
        layer_findings(FOUR, healthy(), origin=origin),
        layer_findings(FOUR, [], origin=origin),
    ):
        one = only(found)
        assert (one.kind, one.severity, one.step, one.key) == ("nan", "error", 205, key)
        assert one.evidence.get("layer") == layer
        assert "{" not in one.message
        assert layer is None or "l1 (Linear)" in one.title


def test_nan_that_passed_is_information_and_hides_nothing() -> None:
    origin = NonFiniteOrigin(5, "l1", "output", "inf")
    later = [sample(10 + i, dead=(0, 40, 0, NAN)) for i in range(9)]
    found = layer_findings(FOUR, [sample(5, nonfinite=(origin,)), *later])
    assert [(f.kind, f.severity) for f in ordered(found)] == [
        ("dead_units", "warning"),
        ("nan", "info"),
    ]


def test_the_model_itself_may_own_the_weights() -> None:
    own = (LayerRow("", "Model", "Model", False, False), *FOUR[1:])
    found = only(layer_findings(own, [sample(i, (1e-7, 1, 1, 1)) for i in range(9)]))
    assert "The gradient norm of Model is" in found.body


floats = st.floats(width=64) | st.sampled_from([0.0, 1e-300, 1e300, NAN, math.inf, 64.0])
fours = st.lists(floats, min_size=4, max_size=4)


@given(st.lists(st.tuples(fours, fours, fours, fours, fours), max_size=12))
def test_no_sample_raises(columns: list[tuple[list[float], ...]]) -> None:
    for found in layer_findings(FOUR, [sample(i, *c) for i, c in enumerate(columns)]):
        assert found.kind in KINDS
        assert found.severity in SEVERITIES
        json.dumps({"evidence": found.evidence, "params": found.params}, allow_nan=False)
        assert "{" not in found.message


@given(st.integers(0, 10_000), st.floats(1e-12, 1e12))
def test_the_unit_of_the_loss_does_not_matter(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    norms = 10.0 ** rng.uniform(-7, 3, (12, 4)) * 10.0 ** rng.uniform(-6, 6, 4)
    as_is = [sample(i, norm) for i, norm in enumerate(norms)]
    scaled = [sample(i, norm * unit) for i, norm in enumerate(norms)]
    told = [(f.key, f.step, f.evidence.get("layer")) for f in layer_findings(FOUR, as_is)]
    assert [(f.key, f.step, f.evidence.get("layer")) for f in layer_findings(FOUR, scaled)] == told


def test_layer_findings_speak_chinese() -> None:
    found = only(layer_findings(FOUR, [sample(i, (1e-7, 1e-5, 0.1, 1)) for i in range(9)],
                                language="zh"))  # fmt: skip
    assert found.title == "4 层中有 2 层梯度消失"
    expected = catalogue("zh")["finding.vanishing.advice"]
    assert found.advice == expected
