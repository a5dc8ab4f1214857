"""Nothing in the repository speaks of one machine, and notebooks are kept without results."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

import nnwidgets
from tests.repo.tree import ROOT, tracked

MACHINE = re.compile(r"(?<![\w.$}])/(?:root|home|Users|work)/\w")
REGISTRY = re.compile(r"registry\.(?:npmjs|yarnpkg)|files\.pythonhosted|pypi\.org/simple")
NOTEBOOKS = tracked("notebooks/*.ipynb")


def text_of(file: Path) -> str:
    data = file.read_bytes()
    return "" if b"\0" in data else data.decode("utf-8")


@pytest.mark.parametrize("pattern", [MACHINE, REGISTRY], ids=["machine paths", "registries"])
def test_no_traces_of_a_machine(pattern: re.Pattern[str]) -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in tracked()
        if file != Path(__file__)
        for match in pattern.finditer(text_of(file))
    ]
    assert found == []


def test_traces_would_be_found() -> None:
    assert MACHINE.search("see /home/somebody/x")
    assert not MACHINE.search("docs/work/x")
    assert REGISTRY.search("https://registry.npmjs.org/uplot")


def test_lock_file_names_no_host() -> None:
    lock = json.loads((ROOT / "js" / "package-lock.json").read_text(encoding="utf-8"))
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
    # "npm ci" on another platform needs the entries of that platform, too.
    names = set(lock["packages"])
    missing = [
        f"{owner} needs {name}"
        for owner, entry in lock["packages"].items()
        for name in entry.get("optionalDependencies", {})
        if f"node_modules/{name}" not in names and f"{owner}/node_modules/{name}" not in names
    ]
    assert missing == []


def test_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert "version" not in json.loads((ROOT / "js" / "package.json").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {nnwidgets.__version__}" in changes


def test_there_are_notebooks() -> None:
    assert {file.stem for file in NOTEBOOKS} >= {"quickstart", "training_monitor"}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebook_is_kept_without_results(file: Path) -> None:
    notebook = json.loads(file.read_text(encoding="utf-8"))
    assert "widgets" not in notebook["metadata"]
    for number, cell in enumerate(notebook["cells"]):
        assert not cell.get("outputs"), f"cell {number} has outputs: run 'make format'"
        assert cell.get("execution_count") is None, f"cell {number} has a run number"
        assert not cell["metadata"], f"cell {number} has metadata"


def test_contributing_fits_on_a_screen() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 40
