"""Imports point one way, and each kind of knowledge has one home."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.tree import PACKAGE, ROOT, VIEWS, modules

# What each part may import of ours. A widget (a module at the top) may import all of them.
ALLOWED = {
    "catalogue": {"catalogue"},
    "live": {"live", "catalogue"},
    "probe": {"probe", "catalogue"},
    "explain": {"explain", "probe", "catalogue"},
    # Figures and files are made from data: of live, the history and the files it consists of.
    "export": {"export", "catalogue", "probe", "live.history", "live.curves", "live.pyramid"},
}

# A kernel's parts are touched in these files alone, and only once a kernel is known to be there.
KERNEL_FILES = ("nnwidgets.live.kernel", "nnwidgets.live._ipykernel")
KERNEL_ONLY = {"IPython", "ipykernel", "jupyter_client", "zmq", "tornado"}

# What costs half a second or may be missing is imported when it is first asked for; figures are, so
# what draws them may import matplotlib.
ON_DEMAND = {"captum", "sklearn", "pandas", "matplotlib"}
DRAWING = "nnwidgets.export."


def imported(tree: ast.AST, module: str) -> Iterator[tuple[str, int]]:
    """Absolute names of everything imported anywhere in a tree, with the line."""
    package = module if (PACKAGE.parent / module.replace(".", "/")).is_dir() else None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") if package else module.split(".")[:-1]
                parts = parts[: len(parts) - (node.level - 1)]
                base = ".".join([*parts, *([base] if base else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno


def at_import_time(tree: ast.Module) -> ast.Module:
    """The tree without function bodies and without what only type checkers read."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST:
            if "TYPE_CHECKING" in ast.unparse(node.test):
                return ast.Module(body=list(node.orelse), type_ignores=[])
            return self.generic_visit(node)

    return Strip().visit(ast.parse(ast.unparse(tree)))


def wrong_direction(module: str, tree: ast.Module) -> list[str]:
    parts = module.split(".")
    if len(parts) < 2 or parts[1] not in ALLOWED:
        return []
    wrong = []
    for name, line in imported(tree, module):
        if not name.startswith("nnwidgets."):
            continue
        target = name.removeprefix("nnwidgets.")
        if not any(f"{target}.".startswith(f"{allowed}.") for allowed in ALLOWED[parts[1]]):
            wrong.append(f"{module}:{line} imports {name}")
    return wrong


def test_parts_import_one_way() -> None:
    assert [found for name, tree in modules() for found in wrong_direction(name, tree)] == []


def test_every_part_has_a_rule() -> None:
    parts = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    assert parts == set(ALLOWED)


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("nnwidgets.live.session", "from nnwidgets.probe.layers import LayerWatch"),
        ("nnwidgets.live.session", "from ..probe import layers"),
        ("nnwidgets.live.session", "def f():\n    import nnwidgets.training_monitor"),
        ("nnwidgets.probe.layers", "from nnwidgets.live.history import Series"),
        ("nnwidgets.explain.question", "from nnwidgets.live.jobs import Jobs"),
        ("nnwidgets.export.figures", "from nnwidgets.live.session import Session"),
        ("nnwidgets.catalogue", "from nnwidgets import live"),
    ],
)
def test_a_wrong_import_would_be_found(module: str, code: str) -> None:
    assert wrong_direction(module, ast.parse(code)) != []


def test_a_right_import_is_not_reported() -> None:
    tree = ast.parse("from nnwidgets.live.history import Series\nfrom . import names\nimport torch")
    assert wrong_direction("nnwidgets.export.figures", tree) == []


def test_kernel_internals_stay_in_their_files() -> None:
    wrong = [
        f"{module}:{line} imports {name}"
        for module, tree in modules()
        for name, line in imported(tree, module)
        if name.split(".")[0] in KERNEL_ONLY and not module.startswith(KERNEL_FILES)
    ]
    assert wrong == []


def test_nothing_heavy_or_kernel_bound_at_import_time() -> None:
    wrong = [
        f"{module} imports {name} when it is imported"
        for module, tree in modules()
        for name, _ in imported(at_import_time(tree), module)
        if name.split(".")[0] in KERNEL_ONLY | ON_DEMAND
        and not (module.startswith(DRAWING) and name.startswith("matplotlib"))
    ]
    assert wrong == []


def test_pyplot_is_never_used() -> None:
    """Pyplot keeps figures alive and is unsafe on the threads that handlers run on."""
    named = [
        module
        for module, tree in modules()
        for name, _ in imported(tree, module)
        if "pyplot" in name or name.startswith("pylab")
    ]
    assert named == []


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, nnwidgets; "
        "print([m for m in ('captum', 'sklearn', 'pandas', 'matplotlib', 'ipykernel') "
        "if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def layout_keys(tree: ast.AST) -> set[str]:
    """Keys of a packed message that a tree spells: "arrays" anywhere, the others as subscripts."""
    spelt = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value == "arrays":
            spelt.add("arrays")
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            spelt |= {node.slice.value} & {"meta", "data"}
    return spelt


def test_only_wire_knows_the_layout() -> None:
    assert {module for module, tree in modules() if layout_keys(tree)} == {"nnwidgets.live.wire"}


# --- the browser's side ---------------------------------------------------------------------------

IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")


def scripts() -> Iterator[tuple[Path, list[str]]]:
    for file in sorted(VIEWS.rglob("*.ts")):
        yield file.relative_to(VIEWS), IMPORT.findall(file.read_text(encoding="utf-8"))


def folder_of(file: Path, target: str) -> str:
    """Top folder (or file) of js/src that a relative import points at; "" for packages."""
    if not target.startswith("."):
        return ""
    path = (VIEWS / file.parent / target).resolve()
    return path.relative_to(VIEWS).parts[0] if path.is_relative_to(VIEWS) else ""


def test_only_the_chart_imports_uplot() -> None:
    importing = {
        str(file) for file, targets in scripts() if any(t.split("/")[0] == "uplot" for t in targets)
    }
    assert importing == {"ui/chart.ts"}


def test_shared_controls_know_no_widget() -> None:
    widgets = {entry.name for entry in VIEWS.iterdir() if (entry / "index.ts").is_file()} - {"ui"}
    assert "training_monitor" in widgets
    wrong = [
        f"{file} imports {target}"
        for file, targets in scripts()
        for target in targets
        if file.parts[0] not in widgets
        and file.name != "offline.ts"
        and folder_of(file, target) in widgets
    ]
    assert wrong == []


def test_widgets_do_not_know_each_other() -> None:
    widgets = {entry.name for entry in VIEWS.iterdir() if (entry / "index.ts").is_file()} - {"ui"}
    wrong = [
        f"{file} imports {target}"
        for file, targets in scripts()
        for target in targets
        if file.parts[0] in widgets and folder_of(file, target) in widgets - {file.parts[0]}
    ]
    assert wrong == []
