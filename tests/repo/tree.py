"""The repository as the tests of this folder read it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nnwidgets"
STATIC = PACKAGE / "static"
VIEWS = ROOT / "js" / "src"


def tracked(*patterns: str) -> list[Path]:
    """Files that git keeps, or is about to, below the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = (ROOT / name for name in listed.split("\0") if name)
    return sorted(file for file in files if file.is_file())


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Dotted name and syntax tree of every module of the package."""
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        yield name, ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
