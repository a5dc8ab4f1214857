"""Runs of many kinds: no alarm where nothing is wrong, and what is wrong is found in scores too."""

from __future__ import annotations

import numpy as np
import pytest

from nnwidgets.probe.findings import Finding, curve_findings
from nnwidgets.probe.metrics import higher_is_better, is_game, is_meant_to_rise, is_penalty
from tests.probe.curve_parts import Series
from tests.probe.kinds_of_curves import KINDS
from tests.probe.test_findings_rates import MOMENTS, until

X = np.arange
SEEDS = 8
# It begins at the loss of a single batch, and if that was a lucky one its first tenth rises.
LATER = {"smoothed_before"}

UP = ["top5", "f1_macro", "bleu", "dice", "mAP", "psnr", "acc@1", "R2", "PCK", "F1Score"]
DOWN = ["perplexity", "wer", "MPJPE", "fid", "bits_per_char", "minADE"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_alarm(kind: str) -> None:
    alarms = []
    for seed in range(SEEDS):
        series = KINDS[kind](np.random.default_rng(seed))
        for moment in MOMENTS[1:] if kind in LATER else MOMENTS:
            alarms += [
                (seed, moment, f.key)
                for f in curve_findings(until(series, moment))
                if f.severity != "info"
            ]
    assert alarms == []


def pair(name: str, *, turns: bool) -> Series:
    """Training and validation of a metric by its name, of which validation turns or does not."""
    rng, up = np.random.default_rng(3), higher_is_better(name)
    sign, x = (1 if up else -1), X(60)
    lost = 0.006 * np.maximum(0, x - 14) if turns else 0.0 * x
    train = 1.1 * (1 - np.exp(-x / 10))
    val = 1 - np.exp(-x / 5) - lost + rng.normal(0, 0.003, 60)
    start, size = (0.1, 0.7) if up else (100.0, 60.0)
    return {
        f"train_{name}": (390 * x, start + sign * size * train),
        f"val_{name}": (390 * x, start + sign * size * val),
    }


@pytest.mark.parametrize("name", [*UP, *DOWN])
def test_oddly_named_metrics_are_read_the_right_way_up(name: str) -> None:
    assert not [f for f in curve_findings(pair(name, turns=False)) if f.severity != "info"]
    series = pair(name, turns=True)
    (found,) = (f for f in curve_findings(series) if f.severity != "info")
    steps, values = series[f"val_{name}"]
    best = np.argmax(values) if name in UP else np.argmin(values)
    assert (found.kind, found.step) == ("overfitting", steps[best])


def only(series: Series, severity: str, key: str) -> Finding:
    (found,) = (f for f in curve_findings(series) if f.severity != "info" or severity == "info")
    assert (found.severity, found.key) == (severity, f"finding.{key}")
    assert "{" not in found.message
    return found


@pytest.mark.parametrize("name", ["val_acc", "train_acc", "accuracy", "mAP50", "eval/mean_reward"])
def test_a_score_that_is_lost_again(name: str) -> None:
    y = np.where(X(100) < 50, 0.9 - 0.8 * np.exp(-X(100) / 8), 0.1)
    y += np.random.default_rng(0).normal(0, 0.005, 100)
    found = only({name: (X(100) * 10, y)}, "warning", "diverging_score")
    assert 350 <= (found.step or 0) <= 500
    assert found.evidence["best_value"] == pytest.approx(0.9, abs=0.02)
    assert found.evidence["now_value"] == pytest.approx(0.1, abs=0.02)


def test_an_elbo_that_falls_below_where_it_began() -> None:
    x = X(1000)
    y = -300 - 600 * np.clip((x - 300) / 700, 0, 1) + 200 * (1 - np.exp(-x / 60))
    y += np.random.default_rng(0).normal(0, 5, 1000)
    only({"elbo": (x, y)}, "warning", "diverging_score")


def test_a_score_beside_a_loss_that_tells_more_is_not_told_as_well() -> None:
    x = X(200)
    loss = np.exp(-x / 20) + np.where(x > 100, (x - 100) * 0.05, 0) + 0.1
    acc = np.where(x < 100, 0.9 - 0.8 * np.exp(-x / 8), 0.1)
    found = curve_findings({"loss": (x, loss), "acc": (x, acc)})
    assert [f.key for f in found] == ["finding.diverging"]


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_an_accuracy_that_stays_where_it_began(unit: float) -> None:
    rng = np.random.default_rng(0)
    series = {
        "train_acc": (X(60), unit * (0.1 + rng.normal(0, 0.003, 60))),
        "val_acc": (X(60), unit * (0.1 + rng.normal(0, 0.004, 60))),
    }
    found = only(series, "info", "underfitting_score")
    assert found.evidence["now_value"] == pytest.approx(0.1 * unit, rel=0.05)
    loss = (X(60), np.exp(-X(60) / 10))
    assert curve_findings({**series, "loss": loss}) == []  # which shows that it learns
    high = {name: (x, unit - y) for name, (x, y) in series.items()}
    assert curve_findings(high) == []  # as good as it gets, perhaps


def test_an_accuracy_is_judged_alike_where_the_newest_is_none_at_all() -> None:
    for newest in (0.0, 0.01):
        y = np.r_[np.full(59, 0.1), newest]
        only({"acc": (X(60), y)}, "info", "underfitting_score")


def test_a_validation_alone_does_not_tell_whose_fault_it_is() -> None:
    x = X(60)
    y = 0.4 + 0.6 * np.exp(-x / 4) + 0.012 * np.maximum(0, x - 12)
    found = only({"val_loss": (x, y)}, "warning", "diverging_alone")
    assert "Log the training loss as well" in found.advice
    both = {"val_loss": (x, y), "loss": (x, np.exp(-x / 8))}
    only(both, "warning", "overfitting")


def test_a_sum_rises_because_of_a_term_that_rises() -> None:
    """Only where all of its terms go well is a rising sum the work of a weight."""
    x = X(600)
    good, bad = np.exp(-x / 60) + 0.1, 0.5 + 0.02 * np.maximum(0, x - 200)
    rng = np.random.default_rng(0)
    terms = {"cls_loss": (x, noisy(rng, good)), "box_loss": (x, noisy(rng, bad))}
    both = {**terms, "loss": (x, noisy(rng, good + bad))}
    assert [f.kind for f in curve_findings(both)] == ["diverging"]
    penalty = {"reg_loss": (x, noisy(rng, good)), "loss": (x, noisy(rng, good + bad))}
    assert [f.kind for f in curve_findings(penalty)] == ["diverging"]


def noisy(rng: np.random.Generator, mean: np.ndarray) -> np.ndarray:
    return mean * np.exp(0.02 * rng.standard_normal(len(mean)))


def test_a_loss_that_runs_away_is_no_sum() -> None:
    x, rng = X(300), np.random.default_rng(0)
    for y in (
        1 + 0.1 * x,
        np.exp(x / 60),
        3 - 2 * np.exp(-x / 100) + 0.02 * x,
        1e-3 + (x / 50) ** 2,
    ):
        for loss in (y, noisy(rng, y)):
            (found,) = (f for f in curve_findings({"loss": (x, loss)}) if f.severity != "info")
            assert found.kind == "diverging"


@pytest.mark.parametrize("name", ["-elbo", "1-acc", "1 - ssim", "nelbo", "-log_likelihood"])
def test_names_turned_round(name: str) -> None:
    assert higher_is_better(name) is False


def test_what_a_name_says_of_a_run() -> None:
    assert higher_is_better("dice_coefficient") is True
    assert higher_is_better("kl_coefficient") is None
    assert is_meant_to_rise("top5_acc")
    assert is_meant_to_rise("mean_reward")
    assert not any(map(is_meant_to_rise, ["precision", "D_acc", "reward_ctrl", "loss", "win_rate"]))
    assert is_meant_to_rise("dice_score")
    assert not is_meant_to_rise("score")
    assert is_penalty("reg_loss")
    assert not is_penalty("recon_loss")
    assert is_game(["loss", "rollout/ep_rew_mean"])
    assert is_game(["disc_loss"])
    assert not is_game(["loss", "val_loss", "rewards/chosen", "d_model"])
