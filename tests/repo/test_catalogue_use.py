"""Every sentence that the code asks for exists, and none is kept that nothing asks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from nnwidgets.catalogue import catalogue
from tests.repo.tree import VIEWS, modules

KEYS = frozenset(catalogue("en"))
FAMILIES = "|".join(sorted({key.split(".")[0] for key in KEYS}))
# A key, or the front of one ("finding.nan", with ".title" added later).
KEY = re.compile(rf"(?:{FAMILIES})(?:\.[a-z0-9_]+)+")
HOLE = "\0"


def python_strings() -> Iterator[tuple[str, str]]:
    """Every string of the package; what an f-string fills in becomes a hole."""
    for module, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield module, node.value
            elif isinstance(node, ast.JoinedStr):
                parts = (
                    part.value if isinstance(part, ast.Constant) else HOLE for part in node.values
                )
                yield module, "".join(str(part) for part in parts)


def view_strings() -> Iterator[tuple[str, str]]:
    quoted = re.compile(r""""([^"\n]*)"|'([^'\n]*)'|`([^`]*)`""")
    for file in sorted(VIEWS.rglob("*.ts")):
        for match in quoted.finditer(file.read_text(encoding="utf-8")):
            text = next(group for group in match.groups() if group is not None)
            yield file.name, re.sub(r"\$\{[^}]*\}", HOLE, text)


def asked_for(strings: Iterator[tuple[str, str]]) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Patterns of the keys that these strings can stand for, with where they are."""
    for where, text in strings:
        if KEY.fullmatch(text):
            yield where, re.compile(rf"{re.escape(text)}(?:\.\w+)*")
        elif HOLE in text and re.match(rf"(?:{FAMILIES})\.", text):
            yield where, re.compile(r"[\w.]+".join(re.escape(part) for part in text.split(HOLE)))


USES = [*asked_for(python_strings()), *asked_for(view_strings())]


def test_every_key_asked_for_exists() -> None:
    missing = {
        f"{where}: {pattern.pattern}"
        for where, pattern in USES
        if not any(pattern.fullmatch(key) for key in KEYS)
    }
    assert missing == set()


def test_every_sentence_is_asked_for() -> None:
    idle = {key for key in KEYS if not any(pattern.fullmatch(key) for _, pattern in USES)}
    assert idle == set()


def test_both_sides_are_read() -> None:
    assert len(list(asked_for(python_strings()))) > 20
    assert len(list(asked_for(view_strings()))) > 20
