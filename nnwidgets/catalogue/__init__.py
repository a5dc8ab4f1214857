"""One catalogue of strings per language, read by Python here and bundled into the views.

The catalogues are flat JSON objects: ``"finding.nan.title": "…"``. A placeholder is a name in
braces, ``{step}``; its value arrives as a finished string (numbers are formatted by whoever knows
their unit). Where ``{count}`` is 1, the sentence of ``<key>.one`` is taken if there is one, for
languages whose words change with it. The same rules hold in TypeScript, so that a sentence can be
rendered again in the reader's language from its key and its parameters alone.

Formatting is one pass of plain replacement and nothing else: no format specifications, no attribute
access, and a value that itself contains braces (a metric may be called anything) stays as it is.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

LANGUAGES: tuple[str, ...] = ("en", "zh")
"""The languages with a catalogue; the first is what every other falls back to."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_strict = False


def text(key: str, /, language: str = "en", **params: object) -> str:
    """Return the sentence stored under ``key``, with its placeholders filled in.

    Parameters
    ----------
    key
        Flat catalogue key, for example ``"finding.nan.title"``.
    language
        ``"en"``, ``"zh"`` or a tag that begins with one of them (``"zh-CN"``). Anything else, and
        any key this language lacks, is answered in English.
    **params
        One value for each placeholder; values are inserted as ``str(value)``.

    Returns
    -------
    str
        The sentence. An unknown key is returned as it stands and an unfilled placeholder stays
        visible: a slip in a sentence must never reach the user's training loop.

    Raises
    ------
    KeyError
        In strict mode (see `be_strict`) for an unknown key or a placeholder without a value.
    """
    sentence = None
    for known in (catalogue(language), catalogue(LANGUAGES[0])):
        if sentence is None and str(params.get("count")) == "1":
            sentence = known.get(f"{key}.one")
        if sentence is None:
            sentence = known.get(key)
    if sentence is None:
        if _strict:
            raise KeyError(f"no sentence is stored under {key!r} in the catalogue")
        return key

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in params:
            return str(params[name])
        if _strict:
            raise KeyError(f"the sentence {key!r} needs a value for {{{name}}}")
        return match.group(0)

    return _PLACEHOLDER.sub(fill, sentence)


def placeholders(sentence: str) -> frozenset[str]:
    """Return the names of the placeholders in a sentence."""
    return frozenset(_PLACEHOLDER.findall(sentence))


def best_language(tag: str | None) -> str:
    """Return the catalogue language for a language tag such as ``"zh-Hans-CN"``."""
    short = re.split(r"[-_.]", tag or "", maxsplit=1)[0].lower()
    return short if short in LANGUAGES else LANGUAGES[0]


def catalogue(language: str) -> dict[str, str]:
    """Return the whole catalogue of a language (shared: not to be changed)."""
    return _load(best_language(language))


def be_strict(strict: bool = True) -> None:
    """Make `text` raise for what it would otherwise let pass; meant for tests."""
    global _strict
    _strict = strict


@cache
def _load(language: str) -> dict[str, str]:
    # A missing file is not an empty catalogue: an installation without its sentences should say so.
    content = (files(__name__) / f"{language}.json").read_text(encoding="utf-8")
    loaded: dict[str, str] = json.loads(content)
    return loaded
