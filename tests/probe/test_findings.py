"""Findings from curves: what they say, what they point to, and that nothing makes them fail."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from nnwidgets.catalogue import text
from nnwidgets.probe.findings import Finding, curve_findings, ordered
from tests.probe.curve_parts import Series

LINE = np.arange(400)


def overfitted(n: int = 60, best: int = 20) -> Series:
    x = np.arange(n)
    train = np.exp(-x / 15)
    val = 0.5 + 0.4 * np.exp(-x / 6) + 0.012 * np.maximum(0, x - best)
    val[best] = val.min() - 1e-3
    return {"loss": (x * 100 + 99, train), "val_loss": (x * 100 + 99, val)}


def only(series: Series, kind: str, **options: object) -> Finding:
    found = [f for f in curve_findings(series, **options) if f.kind == kind]  # type: ignore[arg-type]
    assert len(found) == 1, found
    return found[0]


# ------------------------------------------------------------------------------- overfitting


def test_overfitting_points_to_the_best_validation_and_says_by_how_much() -> None:
    series = overfitted()
    found = only(series, "overfitting")
    val = series["val_loss"][1]
    assert found.step == 20 * 100 + 99
    assert found.severity == "warning"
    assert found.evidence["best_step"] == found.step
    assert found.evidence["best_value"] == val.min()
    assert found.evidence["now_value"] == pytest.approx(np.median(val[-9:]))
    assert found.evidence["rise"] == pytest.approx(np.median(val[-9:]) - val.min())
    assert found.evidence["train_change"] < 0
    assert found.evidence["since"] == 39 * 100
    assert found.evidence["evaluations"] == 39
    assert found.title == "Overfitting since step 2,099"
    assert found.message.startswith("Overfitting since step 2,099: val_loss rose from its best, ")
    assert "weights of step 2,099" in found.advice


def test_overfitting_goes_away_when_validation_recovers() -> None:
    (x, train), (_, val) = overfitted().values()
    later = np.linspace(val[-1], 0.3, 60)
    steps = np.arange(120) * 100
    both = {
        "loss": (steps, np.concatenate([train, np.full(60, train[-1])])),
        "val_loss": (steps, np.concatenate([val, later])),
    }
    assert only({"loss": (x, train), "val_loss": (x, val)}, "overfitting")
    assert curve_findings(both) == []


def test_overfitting_that_is_turning_is_only_information() -> None:
    (_, train), (_, val) = overfitted().values()
    steps = np.arange(80)
    both = {
        "loss": (steps, np.concatenate([train, np.full(20, train[-1])])),
        "val_loss": (steps, np.concatenate([val, np.linspace(val[-1], 0.7, 20)])),
    }
    found = only(both, "overfitting")
    assert found.severity == "info"
    assert found.step == 20
    assert found.key == "finding.overfitting_recovering"


@pytest.mark.parametrize(
    ("rise", "key"), [(0.1, "finding.overfitting_gap"), (0.2, "finding.overfitting")]
)
def test_a_rise_like_one_that_the_run_recovered_from_is_no_alarm(rise: float, key: str) -> None:
    """Validation rose by 0.1 and came down again."""
    steps, train = np.arange(60), np.linspace(1, 0.1, 60)
    setback = [np.linspace(1, 0.6, 20), np.full(10, 0.7), np.linspace(0.7, 0.5, 10)]
    since = [np.linspace(0.5 + rise / 2, 0.5 + rise, 5), np.full(15, 0.5 + rise)]
    val = np.concatenate([*setback, *since])
    assert only({"loss": (steps, train), "val_loss": (steps, val)}, "overfitting").key == key


def test_overfitting_of_an_accuracy() -> None:
    x = np.arange(50)
    acc = 1 - 0.5 * np.exp(-x / 8)
    val = np.where(x < 15, 0.5 + 0.02 * x, 0.8 - 0.006 * (x - 15))
    found = only({"acc": (x, acc), "val_acc": (x, val)}, "overfitting")
    assert found.step == 15
    assert found.key == "finding.overfitting_higher"
    assert "fell from its best, 0.800" in found.body
    assert found.evidence["rise"] < 0


def test_an_accuracy_that_is_coming_back_is_only_information() -> None:
    x = np.arange(80)
    acc = 1 - 0.5 * np.exp(-x / 8)
    val = np.interp(x, [0, 15, 55, 79], [0.5, 0.8, 0.5, 0.66])
    found = only({"acc": (x, acc), "val_acc": (x, val)}, "overfitting")
    assert (found.severity, found.key) == ("info", "finding.overfitting_recovering_higher")


def test_validation_that_rises_because_training_does_is_not_overfitting() -> None:
    x = np.arange(60)
    up = 0.5 + 0.4 * np.exp(-x / 6) + 0.012 * np.maximum(0, x - 20)
    found = curve_findings({"loss": (x, up * 0.9), "val_loss": (x, up)})
    assert "overfitting" not in {f.kind for f in found}


def test_test_data_stands_in_for_validation() -> None:
    (x, train), (_, val) = overfitted().values()
    assert only({"train_loss": (x, train), "test_loss": (x, val)}, "overfitting")


def test_memorised_training_data_far_below_validation_is_information() -> None:
    x = np.arange(100)
    train = np.exp(-x / 6)
    val = 0.6 + 0.4 * np.exp(-x / 6) + 1e-3 * np.cos(x)
    val[40] = 0.598
    found = only({"loss": (x, train), "val_loss": (x, val)}, "overfitting")
    assert (found.severity, found.key) == ("info", "finding.overfitting_gap")


# ------------------------------------------------------------------------------------- level


def test_not_learning_is_certain_with_a_poor_accuracy_and_careful_without() -> None:
    loss = 2.3 + 0.05 * np.random.default_rng(0).standard_normal(400)
    alone = only({"loss": (LINE, loss)}, "underfitting")
    assert (alone.severity, alone.key) == ("info", "finding.underfitting_unsure")
    at = LINE[::20]
    poor = only({"loss": (LINE, loss), "acc": (at, np.full(20, 0.1))}, "underfitting")
    assert poor.severity == "warning"
    assert poor.step == 0
    assert curve_findings({"loss": (LINE, loss), "acc": (at, np.full(20, 0.97))}) == []


def test_not_learning_after_a_jump_advises_a_smaller_rate() -> None:
    loss = 2.3 + 50 * np.exp(-LINE / 8) * (LINE > 0)
    loss += 0.02 * np.random.default_rng(0).standard_normal(400)
    found = only({"loss": (LINE, loss)}, "underfitting")
    assert found.key == "finding.underfitting_jumped"
    assert "10 times as small" in found.advice


def test_not_learning_waits_for_enough_points() -> None:
    loss = 2.3 + 0.05 * np.random.default_rng(0).standard_normal(400)
    assert curve_findings({"loss": (LINE[:60], loss[:60])}) == []


def test_diverging_above_the_beginning_is_an_error() -> None:
    loss = np.where(LINE < 100, 2 * np.exp(-LINE / 40), 0.17 * np.exp((LINE - 100) / 50))
    found = only({"loss": (LINE, loss)}, "diverging")
    assert found.severity == "error"
    assert abs(found.step - 100) < 25
    assert found.evidence["now_value"] > found.evidence["first_value"]


def test_a_loss_that_climbs_most_of_the_way_back_is_a_warning() -> None:
    loss = 0.2 + 0.8 * np.exp(-LINE / 20) + 0.6 * np.clip((LINE - 150) / 100, 0, 1)
    found = only({"loss": (LINE, loss)}, "diverging")
    assert (found.severity, found.key) == ("warning", "finding.diverging_climbing")


def test_a_raised_rate_explains_a_rise() -> None:
    loss = 0.2 + 0.8 * np.exp(-LINE / 20) + 0.6 * np.clip((LINE - 150) / 100, 0, 1)
    raised = {"loss": (LINE, loss), "lr": (LINE, np.where(LINE < 150, 0.1, 0.5))}
    assert "diverging" not in {f.kind for f in curve_findings(raised)}


def test_diverging_is_taken_back_when_the_loss_comes_down() -> None:
    hill = 1 + 9 * np.exp(-(((LINE - 150) / 40) ** 2)) - 0.9 * LINE / 400
    assert only({"loss": (LINE[:160], hill[:160])}, "diverging")
    assert curve_findings({"loss": (LINE, hill)}) == []


def test_plateau_of_validation_suggests_stopping_and_names_the_best_step() -> None:
    x = np.arange(60)
    val = 0.3 + 0.7 * np.exp(-x / 4) + 0.004 * np.sin(x * 2.1)
    val[25] = 0.29
    series = {"loss": (LINE, 0.3 + np.exp(-LINE / 30)), "val_loss": (x * 5, val)}
    found = only(series, "plateau")
    assert (found.severity, found.step) == ("info", 125)
    assert found.evidence["evaluations"] == 34
    assert "34 evaluations" in found.body
    assert "stop here" in found.advice


def test_plateau_counts_again_from_a_change_of_the_learning_rate() -> None:
    loss = 0.5 + np.exp(-LINE / 15) + 0.01 * np.random.default_rng(0).standard_normal(400)
    assert only({"loss": (LINE, loss)}, "plateau")
    assert curve_findings({"loss": (LINE, loss)}, events=[{"kind": "lr", "step": 350}]) == []
    assert only({"loss": (LINE, loss)}, "plateau", events=[{"kind": "pause", "step": 350}])


def test_terms_of_a_loss_are_not_judged_beside_the_whole() -> None:
    series = {
        "loss": (LINE, 1.2 * np.exp(-LINE / 150)),
        "reg_loss": (LINE, 1 + LINE / 40),
        "box_loss": (LINE, np.full(400, 0.4)),
    }
    assert curve_findings(series) == []


# ------------------------------------------------------------------------------- oscillation


def test_alternation_of_a_long_run_is_seen_although_it_is_thinned() -> None:
    x = np.arange(30_000)
    loss = 0.5 + 0.5 * np.exp(-x / 3000) + 0.3 * (-1.0) ** x
    found = only({"loss": (x, loss)}, "oscillating")
    assert found.evidence["period"] == 2
    assert found.evidence["high"] - found.evidence["low"] == pytest.approx(0.6, rel=0.1)


def test_alternation_of_two_batches_an_epoch_is_their_own() -> None:
    loss = 0.5 + 0.5 * np.exp(-LINE / 40) + 0.3 * (-1.0) ** LINE
    assert only({"loss": (LINE, loss)}, "oscillating", epochs=LINE[::20])
    assert curve_findings({"loss": (LINE, loss)}, epochs=LINE[::2]) == []


# --------------------------------------------------------------------------------------- NaN


def test_nan_names_the_metric_the_first_step_and_the_growth_before() -> None:
    loss = np.exp(-LINE[:200] / 100)
    loss[188:] = loss[187] * 40 ** (np.arange(1, 13) / 12)
    values = np.concatenate([loss, np.full(50, np.nan)])
    found = only({"acc": (LINE[:250], LINE[:250] / 400), "loss": (LINE[:250], values)}, "nan")
    assert (found.severity, found.step, found.key) == ("error", 200, "finding.nan_grew")
    assert found.evidence["metric"] == "loss"
    assert found.evidence["growth"] == pytest.approx(40)
    assert found.evidence["growth_steps"] == 13
    assert found.title == "NaN in loss since step 200"
    assert "grew 40× in the 13 steps before" in found.body


def test_nan_after_one_of_many_jumps_is_not_blamed_on_growth() -> None:
    values = np.where(LINE % 4 == 0, 0.8, 0.008)
    values[301] = 0.09  # eleven times the usual, and a ninth of what is common
    values[302:] = np.nan
    found = only({"loss": (LINE, values)}, "nan")
    assert (found.step, found.key) == (302, "finding.nan_sudden")


def test_nan_out_of_nothing_points_to_the_batch() -> None:
    values = np.exp(-LINE / 100)
    values[300:] = np.nan
    found = only({"loss": (LINE, values)}, "nan")
    assert (found.step, found.key) == (300, "finding.nan_sudden")
    assert "at step 299" in found.body


@pytest.mark.parametrize(("value", "shown"), [(np.inf, "∞"), (-np.inf, "−∞"), (np.nan, "NaN")])
def test_nan_from_the_first_step(value: float, shown: str) -> None:
    found = only({"loss": (LINE[:3], np.full(3, value))}, "nan")
    assert (found.severity, found.step, found.key) == ("error", 0, "finding.nan_start")
    assert found.title == f"{shown} in loss from the beginning"


def test_nan_that_passes_is_information() -> None:
    values = np.exp(-LINE / 100)
    values[100] = np.inf
    found = only({"loss": (LINE, values)}, "nan")
    assert (found.severity, found.step, found.key) == ("info", 100, "finding.nan_passed")
    assert found.body == "Not finite: 1 of its 400 values, and finite ones came after."


def test_nan_for_not_measured_is_no_alarm() -> None:
    val = np.where(LINE % 50 == 0, np.exp(-LINE / 100), np.nan)
    found = curve_findings({"loss": (LINE, np.exp(-LINE / 100)), "val_loss": (LINE, val)})
    assert [(f.kind, f.severity) for f in found] == [("nan", "info")]


def test_infinities_that_come_again_and_again_are_a_warning() -> None:
    values = np.exp(-LINE / 100)
    values[1::2] = np.inf
    found = only({"loss": (LINE, values)}, "nan")
    assert (found.severity, found.step, found.key) == ("warning", 1, "finding.nan_often")
    assert found.body == "Infinite: 200 of its 400 values, with finite ones between them."


def test_a_validation_loss_that_never_was_finite_is_not_taken_for_the_training() -> None:
    series = {"loss": (LINE, np.exp(-LINE / 100)), "val_loss": (LINE, np.full(400, np.nan))}
    found = only(series, "nan")
    assert (found.severity, found.step, found.key) == ("warning", 0, "finding.nan_checked")


def test_nan_that_came_back_for_good() -> None:
    values = np.exp(-LINE / 100)
    values[100] = np.inf
    values[350:] = np.nan
    found = only({"loss": (LINE, values)}, "nan")
    assert (found.severity, found.step, found.key) == ("error", 100, "finding.nan_again")
    assert "since step 350" in found.title


def test_the_first_of_several_series_is_named_and_a_broken_loss_makes_it_an_error() -> None:
    loss, norm = np.exp(-LINE / 100), np.ones(400)
    norm[250:], loss[251:] = np.inf, np.nan
    both = {"loss": (LINE, loss), "grad_norm": (LINE, norm)}
    found = only(both, "nan")
    assert (found.severity, found.step) == ("error", 250)
    assert found.evidence["metric"] == "grad_norm"
    alone = only({"grad_norm": (LINE, norm)}, "nan")
    assert alone.severity == "warning"


def test_gradient_norm_that_explodes() -> None:
    norm = np.ones(400)
    norm[390:] = 1000 * 1.5 ** np.arange(10)
    found = only({"grad_norm": (LINE, norm)}, "exploding")
    assert (found.severity, found.step) == ("warning", 390)
    single = np.ones(400)
    single[395] = 1e6
    assert curve_findings({"grad_norm": (LINE, single)}) == []


# ------------------------------------------------------------------------------- the findings


def test_findings_are_plain_data_in_either_language() -> None:
    for language, mark in (("en", "Overfitting"), ("zh", "过拟合")):
        found = only(overfitted(), "overfitting", language=language)
        json.dumps(found.evidence, allow_nan=False)
        assert all(isinstance(v, str) for v in found.params.values())
        assert mark in found.title
        for part in ("title", "body", "advice"):
            sentence = text(f"{found.key}.{part}", language=language, **found.params)
            assert getattr(found, part) == sentence
            assert sentence in found.message
    assert "。" in found.message
    assert ". " not in found.message


def test_findings_can_be_compared_and_read_in_a_console() -> None:
    english = only(overfitted(), "overfitting")
    assert english == only(overfitted(), "overfitting")
    assert "params" not in repr(english)
    assert "kind='overfitting'" in repr(english)


def test_series_come_as_objects_or_pairs() -> None:
    pairs = overfitted()
    objects = {k: SimpleNamespace(steps=s, values=v, times=s) for k, (s, v) in pairs.items()}
    assert curve_findings(objects) == curve_findings(pairs)  # type: ignore[arg-type]


def test_a_series_of_two_lengths_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="one step for each value"):
        curve_findings({"loss": ([1, 2, 3], [1.0, 2.0])})


def made(kind: str, severity: str, step: int, **evidence: str) -> Finding:
    return Finding(kind, severity, step, "", dict(evidence))


def test_most_severe_first_and_one_of_each_kind() -> None:
    given = [
        made("plateau", "info", 5),
        made("underfitting", "info", 0, metric="loss"),
        made("underfitting", "warning", 0, update_ratio="0"),
        made("dead_units", "warning", 3),
        made("nan", "error", 7, metric="loss"),
        made("nan", "error", 6, where="output", layer="fc"),
        made("diverging", "error", 2),
    ]
    listed = [(f.kind, f.severity, f.step) for f in ordered(given)]
    assert listed == [
        ("nan", "error", 6),
        ("nan", "error", 7),
        ("diverging", "error", 2),
        ("underfitting", "warning", 0),
        ("dead_units", "warning", 3),
        ("plateau", "info", 5),
    ]
    assert ordered([*given[4:5], made("nan", "error", 9, where="all")]) == given[4:5]


@pytest.mark.parametrize("kind", ["dead_units", "exploding", "vanishing", "saturated"])
def test_what_layers_show_once_a_nan_has_ended_the_run_is_left_out(kind: str) -> None:
    """What is NaN has no gradient to speak of; what began before may be its cause."""

    def told(began: int, severity: str) -> list[str]:
        given = [made(kind, "warning", began, layer="fc"), made("nan", severity, 7, metric="loss")]
        return [f.kind for f in ordered(given)]

    assert told(6, "error") == ["nan", kind]
    assert told(7, "error") == told(8, "error") == ["nan"]
    # one that passed, or that only concerns another metric, explains nothing
    assert set(told(8, "info")) == set(told(8, "warning")) == {"nan", kind}
