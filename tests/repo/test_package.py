"""What a user installs: a wheel made from a clone; and what is said where bundles are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.repo.tree import PACKAGE, ROOT, tracked

# One process builds the wheel for all of them.
pytestmark = pytest.mark.xdist_group("package")


def run(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done


def must(*command: str | Path, cwd: Path, **env: str) -> str:
    done = run(*command, cwd=cwd, **env)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def build_wheel(source: Path, target: Path, **env: str) -> Path:
    must(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", target, source),
        cwd=source,
        **env,
    )
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone holds: the tracked files, nothing built."""
    folder = tmp_path_factory.mktemp("clone")
    for file in tracked():
        copy = folder / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
    assert not (folder / "nnwidgets" / "static").exists()
    return folder


@pytest.fixture(scope="session")
def wheel(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # npm takes from its cache what this clone's own set-up has fetched a minute ago.
    return build_wheel(clone, tmp_path_factory.mktemp("wheel"), npm_config_prefer_offline="true")


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    must(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target),
        wheel,
        cwd=target,
    )
    return target


@pytest.mark.slow
def test_wheel_holds_what_runs_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    built = {file.relative_to(ROOT).as_posix() for file in (PACKAGE / "static").iterdir()}
    source = {
        file.relative_to(ROOT).as_posix()
        for file in tracked("nnwidgets")
        if "__pycache__" not in file.parts
    }
    assert {"nnwidgets/py.typed", "nnwidgets/catalogue/zh.json"} <= source
    inside = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert inside == source | built
    assert "nnwidgets/static/THIRD_PARTY_LICENSES.txt" in inside
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_wheel_says_what_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(archive.read(name).decode("utf-8"))
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "MIT"
    needed = [line for line in metadata.get_all("Requires-Dist") or [] if "extra ==" not in line]
    assert {line.split(">")[0] for line in needed} == {
        *("anywidget", "captum", "ipywidgets", "matplotlib", "numpy", "torch", "traitlets")
    }


@pytest.mark.slow
def test_installed_package_works_without_the_source_tree(installed: Path, tmp_path: Path) -> None:
    code = (
        "import nnwidgets, torch\n"
        "model = torch.nn.Linear(2, 1)\n"
        "with nnwidgets.TrainingMonitor(model) as monitor:\n"
        "    monitor.log(loss=1.0)\n"
        "    points = monitor.history['loss'].values\n"
        "    print(nnwidgets.__file__, len(monitor._esm) > 1000, len(points))"
    )
    said = must(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).split()
    assert said == [str(installed / "nnwidgets" / "__init__.py"), "True", "1"]


@pytest.mark.slow
def test_source_distribution_needs_no_node(wheel: Path, clone: Path, tmp_path: Path) -> None:
    """It carries the bundles, so a wheel is built from it where npm is not installed."""
    must(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=clone)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        assert not any("node_modules" in name for name in tar.getnames())
        tar.extractall(tmp_path, filter="data")
    (source,) = (entry for entry in tmp_path.iterdir() if entry.is_dir())
    assert shutil.which("npm", path=str(Path(sys.executable).parent)) is None
    again = build_wheel(source, tmp_path, PATH=str(Path(sys.executable).parent))
    assert zipfile.ZipFile(again).namelist() == zipfile.ZipFile(wheel).namelist()


def test_missing_bundles_are_said_in_one_sentence(tmp_path: Path) -> None:
    shutil.copytree(
        PACKAGE, tmp_path / "nnwidgets", ignore=shutil.ignore_patterns("static", "__pycache__")
    )
    done = run(sys.executable, "-c", "import nnwidgets", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert "npm" in last or "make build" in last
    assert "During handling" not in done.stderr
    assert "FileNotFoundError" not in done.stderr
