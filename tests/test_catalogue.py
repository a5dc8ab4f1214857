"""The two catalogues say the same things, and `text` fills them in without surprises."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nnwidgets
from nnwidgets import catalogue
from nnwidgets.catalogue import LANGUAGES, placeholders, text

PACKAGE = Path(nnwidgets.__file__).parent


@pytest.fixture
def strict() -> Iterator[None]:
    catalogue.be_strict()
    yield
    catalogue.be_strict(False)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small catalogues in place of the real ones; the Chinese one lacks a key."""
    tables = {"en": {"a": "{x} of {y}", "b": "only here"}, "zh": {"a": "{y} 中的 {x}"}}
    monkeypatch.setattr(catalogue, "_load", tables.__getitem__)


def test_languages_have_the_same_keys() -> None:
    english = catalogue.catalogue("en").keys()
    for language in LANGUAGES[1:]:
        assert english ^ catalogue.catalogue(language).keys() == set()
    assert len(english) > 20


def test_languages_have_the_same_placeholders() -> None:
    english = catalogue.catalogue("en")
    for language in LANGUAGES[1:]:
        other = catalogue.catalogue(language)
        differing = {k for k in english if placeholders(english[k]) != placeholders(other[k])}
        assert differing == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_empty_or_badly_spaced(language: str) -> None:
    for key, sentence in catalogue.catalogue(language).items():
        assert isinstance(sentence, str), key
        assert sentence.strip(), key
        assert "  " not in sentence, key
        # Plain replacement knows no escapes: a brace that is no placeholder is a slip.
        rest = catalogue._PLACEHOLDER.sub("", sentence)
        assert "{" not in rest, key
        assert "}" not in rest, key


def test_chinese_is_chinese() -> None:
    """Sentences (not units, symbols or names) contain Chinese characters."""
    for key, sentence in catalogue.catalogue("zh").items():
        if key.startswith("finding.") and key != "finding.message":
            assert any("\u4e00" <= c <= "\u9fff" for c in sentence), key


def test_every_key_named_in_the_source_exists() -> None:
    """Literal first arguments of calls to ``text`` anywhere in the package."""
    known = catalogue.catalogue("en")
    missing = []
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", getattr(node.func, "attr", None)) == "text"
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
                and node.args[0].value not in known
            ):
                missing.append((file.name, node.args[0].value))
    assert missing == []


def test_fills_in_and_falls_back(small: None) -> None:
    assert text("a", x=3, y="10") == "3 of 10"
    assert text("a", "zh-CN", x=3, y=10) == "10 中的 3"
    assert text("b", "zh") == "only here"
    assert text("a", "fr", x=1, y=2) == "1 of 2"
    assert text("a", language="", x=1, y=2) == "1 of 2"
    assert text("a", language="zh", x=1, y=2) == "2 中的 1"


def test_one_thing_has_a_sentence_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {
        "en": {"a": "{count} modules", "a.one": "1 module", "b": "{count} of {x}"},
        "zh": {"a": "{count} 个模块"},
    }
    monkeypatch.setattr(catalogue, "_load", tables.__getitem__)
    assert text("a", count="2") == "2 modules"
    assert text("a", count="1") == text("a", count=1) == "1 module"
    assert text("a", count="1,000") == "1,000 modules"
    assert text("a", "zh", count="1") == "1 个模块"
    assert text("b", count="1", x="3") == "1 of 3"


def test_a_sentence_for_one_belongs_to_one_for_many() -> None:
    english = catalogue.catalogue("en")
    singular = {key.removesuffix(".one") for key in english if key.endswith(".one")}
    counted = {key for key in singular if key in english}
    assert len(counted) > 20
    for key in counted - {"ui.inspector.samples"}:  # "Samples", and "Sample 4"
        many = placeholders(english[key])
        assert "count" in many or key == "probe.samples.seen", key
        assert placeholders(english[f"{key}.one"]) <= many - {"count"}, key


def test_values_are_not_looked_into(small: None) -> None:
    assert text("a", x="{y}", y="{0.__class__}") == "{y} of {0.__class__}"


def test_slips_stay_visible_but_harmless(small: None) -> None:
    assert text("nowhere.to.be.found") == "nowhere.to.be.found"
    assert text("a", x=1) == "1 of {y}"


def test_slips_raise_in_strict_mode(small: None, strict: None) -> None:
    with pytest.raises(KeyError, match=r"nowhere\.to\.be\.found"):
        text("nowhere.to.be.found")
    with pytest.raises(KeyError, match="y"):
        text("a", x=1)


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh_Hans", "zh"),
        ("ZH-TW", "zh"),
        ("en-GB", "en"),
        ("de", "en"),
        ("", "en"),
        (None, "en"),
        ("zhx", "en"),
    ],
)
def test_best_language(tag: str | None, language: str) -> None:
    assert catalogue.best_language(tag) == language
