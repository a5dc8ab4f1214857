"""The pages in which the widgets run without Python, built once for all tests that open them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.browser.lab import ROOT

__all__ = ["built"]


@cache
def built() -> Path:
    """Build the pages, and return where they are."""
    subprocess.run(["node", "build.mjs", "--demo"], cwd=ROOT / "js", check=True)
    return ROOT / "js" / "demo" / "dist"
