"""The words: what follows from the numbers, in both languages, and what is never claimed."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets import catalogue
from nnwidgets.explain.completeness import difference, gap, promises
from nnwidgets.explain.verdict import (
    KINDS,
    LEVELS,
    Check,
    TrustReport,
    baseline_check,
    completeness_check,
    curve_check,
    randomisation_check,
    seeds_check,
    stability_check,
    unknown,
    verdict,
)

RANDOM = np.linspace(0.3, 0.5, 19)

CHECKS = {
    "randomisation": [
        randomisation_check(0.1, 0.25, 0.1, 64),
        randomisation_check(0.1, 0.25, 0.9, 64),
        randomisation_check(0.4, 0.25, 0.9, 64),
        randomisation_check(0.6, 0.35, 0.4, 64),
        randomisation_check(0.6, 0.8, 0.4, 5),
    ],
    "completeness": [completeness_check(value, -3.2) for value in (0.0, 0.01, 0.1, 0.5, 30)],
    "deletion": [curve_check("deletion", value, RANDOM, (0.9, 0.1)) for value in (0.1, 0.4, 0.7)],
    "insertion": [curve_check("insertion", value, RANDOM, (0.9, 0.1)) for value in (0.7, 0.4, 0.1)],
    "stability": [stability_check(value, 5) for value in (0.95, 0.6, 0.2, -0.3)],
    "seeds": [seeds_check(value, 5) for value in (0.95, 0.6, 0.2, -0.3)],
    "baseline": [baseline_check({"mean": value, "blurred": 0.95}) for value in (0.9, 0.6, -0.1)],
}


def levels(kind: str) -> list[str]:
    return [check.level for check in CHECKS[kind]]


def test_the_limits() -> None:
    assert levels("randomisation") == ["good", "warn", "warn", "bad", "unknown"]
    assert levels("completeness") == ["good", "good", "warn", "bad", "bad"]
    assert levels("deletion") == levels("insertion") == ["good", "warn", "bad"]
    assert levels("stability") == levels("seeds") == ["good", "warn", "bad", "bad"]
    assert levels("baseline") == ["good", "warn", "warn"]
    # Below what chance alone reaches, a similarity is no sign of anything.
    assert randomisation_check(0.35, 0.4, 0.1, 16).level == "good"
    assert randomisation_check(0.45, 0.4, 0.1, 16).level == "warn"


def test_words_carry_their_numbers() -> None:
    said = {kind: [check.text() for check in checks] for kind, checks in CHECKS.items()}
    assert "similarity 0.10" in said["randomisation"][0]
    assert "0.25 by chance" in said["randomisation"][0]
    assert "sizes 0.90" in said["randomisation"][1]
    assert "misses 10 %" in said["completeness"][2]
    assert "misses 1.0 %" in said["completeness"][1]
    assert "misses < 0.1 %" in said["completeness"][0]
    assert "misses 3,000 %" in said["completeness"][4]
    assert "difference of −3.20" in said["completeness"][2]
    mean, spread = RANDOM.mean(), RANDOM.std(ddof=1)
    assert f"area 0.100; random maps {mean:.3f} ± {spread:.3f}" in said["deletion"][0]
    assert "earlier than with 19 of 19 random maps" in said["deletion"][0]
    assert "only 0 of 19" in said["deletion"][2]
    assert "only 9 of 19" in said["insertion"][1]
    assert "0.900 to 0.100" in said["deletion"][0]
    assert "0.100 to 0.900" in said["insertion"][0]
    assert "−0.30 in 5 trials" in said["stability"][3]
    assert "with mean: −0.10" in said["baseline"][2]


def test_every_sentence_exists_in_both_languages_and_differs() -> None:
    for check in itertools.chain(*CHECKS.values()):
        english, chinese = check.text(), check.text("zh")
        assert english != chinese
        assert re.search("[\u4e00-\u9fff]", chinese)
        assert "{" not in english + chinese
        for number in re.findall(r"\d+\.\d+", english):
            assert number in chinese


FORBIDDEN = re.compile(
    r"correct|\bproof\b|\bprove[sn]?\b|\btrue\b|\bright\b|\bguarantee|\bvalid\b|正确|证明|保证|可信",
    re.IGNORECASE,
)


def test_no_sentence_says_that_a_map_is_so() -> None:
    told = {
        (language, key): sentence
        for language in catalogue.LANGUAGES
        for key, sentence in catalogue.catalogue(language).items()
        if key.startswith("explain.trust.")
    }
    assert len(told) > 80
    assert [place for place, sentence in told.items() if FORBIDDEN.search(sentence)] == []
    assert FORBIDDEN.search("This map is correct.")
    assert FORBIDDEN.search("这是正确的。")


def test_the_verdict_names_what_was_tried_and_what_follows() -> None:
    bad = CHECKS["randomisation"][3]
    none = unknown("completeness", "explain.trust.completeness.not_promised")
    checks = [bad, none, CHECKS["deletion"][1], CHECKS["stability"][0]]
    said = verdict(checks)
    assert said.startswith("Tried: random weights, deletion, small noise. ")
    assert "untrained model too" in said
    assert "what the model needs" in said
    assert "single pixels" not in said
    assert "Says nothing here: sum of the values." in said
    assert said.endswith("Do not rely on this map; ask another method as well.")
    # The worst comes first.
    assert said.index("untrained") < said.index("needs")
    chinese = verdict(checks, "zh-CN")
    assert chinese.startswith("已尝试：随机权重、删除曲线、微小噪声。")
    assert chinese.endswith("不要依赖该图；请同时使用其他方法。")


def test_the_best_that_is_said_is_that_nothing_speaks_against_it() -> None:
    said = verdict([checks[0] for checks in CHECKS.values()])
    assert "None of what was tried speaks against this map." in said
    assert "does not follow" in said
    assert "Says nothing" not in said


def test_where_nothing_could_be_tried_nothing_is_believed() -> None:
    said = verdict([unknown(kind, "explain.trust.no_other_maps") for kind in KINDS])
    assert "Tried" not in said
    assert said.endswith("no reason to believe it.")
    assert verdict([]).endswith("no reason to believe it.")


@given(st.lists(st.sampled_from(list(itertools.chain(*CHECKS.values()))), max_size=9))
def test_any_mixture_of_checks_makes_a_verdict(checks: list[Check]) -> None:
    worst = min((LEVELS.index(check.level) for check in checks), default=3)
    for language in catalogue.LANGUAGES:
        said = verdict(checks, language)
        assert said.endswith(catalogue.text(f"explain.trust.verdict.{LEVELS[worst]}", language))
        assert not FORBIDDEN.search(said)
        for sentence in re.findall(r"[^.。]+[.。]", said):
            assert said.count(sentence) == 1


def test_a_report_speaks_the_language_that_it_is_asked_for() -> None:
    checks = tuple(checks[0] for checks in CHECKS.values())
    report = TrustReport(0.1, 0.0, 0.1, 0.7, 0.95, verdict(checks), checks)
    other = report.in_language("zh")
    assert other.verdict == verdict(checks, "zh") != report.verdict
    assert (other.randomisation, other.checks, other.language) == (0.1, checks, "zh")
    assert report.level == "good"
    assert TrustReport(None, None, None, None, None, "", ()).level == "unknown"


# --- the sum --------------------------------------------------------------------------------------


def test_the_gap_by_hand() -> None:
    assert gap([np.array([1.0, 2.0]), np.array([[0.5]])], 4.0) == pytest.approx(0.125)
    assert gap([np.array([1.0, 2.0])], -3.0) == pytest.approx(2)
    assert difference("integrated_gradients", 3.0, 1.0) == 2
    assert difference("lrp", 3.0, 1.0) == 3  # relevance shares out the score itself


@pytest.mark.parametrize(
    ("score", "blank"), [(2.0, 2.0), (1e6, 1e6 + 0.1), (0.0, 0.0), (np.nan, 1.0), (np.inf, 0.0)]
)
def test_a_difference_of_nothing_is_not_divided_by(score: float, blank: float) -> None:
    assert difference("deep_lift", score, blank) is None


def test_only_some_methods_promise_a_sum() -> None:
    assert promises("integrated_gradients", {})
    assert not promises("integrated_gradients", {"multiply_by_inputs": False})
    assert not promises("saliency", {})
    assert not promises("grad_cam", {})
