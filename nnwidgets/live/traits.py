"""The traits that every widget has, and what they say to a value that is none of theirs."""

from __future__ import annotations

from typing import Any

import traitlets as t

from nnwidgets.catalogue import LANGUAGES

__all__ = ["Language", "Title", "check_language"]


def check_language(language: object) -> None:
    """Raise ValueError unless `language` is one that the catalogue has, or None."""
    if language not in (None, *LANGUAGES):
        raise ValueError(
            f"language must be one of {', '.join(map(repr, LANGUAGES))} or None for the "
            f"language of the page, not {language!r}."
        )


class Language(t.Unicode[Any, Any]):
    """A language of the catalogue; empty (None is taken for it) for that of the page."""

    def validate(self, obj: Any, value: Any) -> str:
        """Return what the trait holds from now on; TraitError if there is no such language."""
        try:
            if value in (None, ""):
                return ""
            check_language(value)
        except ValueError as problem:
            raise t.TraitError(str(problem)) from None
        return str(value)


class Title(t.Unicode[Any, Any]):
    """What stands above a widget; nothing does where it is empty."""

    def validate(self, obj: Any, value: Any) -> str:
        """Return `value`; TraitError if it is no text."""
        if not isinstance(value, str):
            raise t.TraitError(f"title must be text, not {type(value).__name__} ({value!r}).")
        return value
