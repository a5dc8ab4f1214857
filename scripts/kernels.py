"""Set up the older kernels that the browser tests run on.

For each one a virtual environment is made below ``.kernels/`` that holds only its own ipykernel
and what that needs; everything else (torch, ipywidgets, nnwidgets) comes from the environment
that runs this script, through a .pth file. Kernelspecs go into this environment, where Jupyter
finds them. Running it again does only what is missing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Final, NamedTuple

# ipykernel 7.1 loses requests (see `nnwidgets.live._ipykernel_replies`), also in a notebook that
# has no widget yet: no test can begin in one that does.
_MENDED: Final = (
    "get_ipython().kernel.shell_channel_thread._shell_socket = get_ipython().kernel.shell_stream"
)

ROOT: Final = Path(__file__).resolve().parents[1]


class Kernel(NamedTuple):
    """A kernel of the tests: its kernelspec, its name for people, what pip installs."""

    name: str
    display_name: str
    folder: str
    requirement: str
    at_start: str = ""  # a line that the kernel runs first


KERNELS: Final = (
    Kernel(
        "nnwidgets-ipykernel6", "Python (ipykernel 6.31)", "ipykernel-6.31", "ipykernel==6.31.*"
    ),
    Kernel(
        "nnwidgets-ipykernel71",
        "Python (ipykernel 7.1)",
        "ipykernel-7.1",
        "ipykernel==7.1.*",
        _MENDED,
    ),
)


def set_up(kernel: Kernel) -> None:
    """Make the environment and the kernelspec of one kernel, if they are not there."""
    folder = ROOT / ".kernels" / kernel.folder
    paths = {"base": str(folder), "platbase": str(folder)}
    python = Path(sysconfig.get_path("scripts", scheme="venv", vars=paths)) / "python"
    packages = Path(sysconfig.get_path("purelib", scheme="venv", vars=paths))
    done = folder / "requirement.txt"
    if not (done.exists() and done.read_text() == kernel.requirement and python.exists()):
        venv.EnvBuilder(with_pip=False, clear=True, symlinks=True).create(folder)
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        subprocess.run([*command, kernel.requirement], check=True)
        done.write_text(kernel.requirement)
    # Own packages stand before those of the .pth file on sys.path, so they win.
    fallback = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(ROOT)]
    lines = "".join(f"{line}\n" for line in dict.fromkeys(fallback))
    (packages / "nnwidgets-fallback.pth").write_text(lines)

    spec = Path(sys.prefix) / "share" / "jupyter" / "kernels" / kernel.name / "kernel.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    first = [f"--IPKernelApp.exec_lines={kernel.at_start}"] if kernel.at_start else []
    content = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}", *first],
        "display_name": kernel.display_name,
        "language": "python",
    }
    spec.write_text(json.dumps(content, indent=1) + "\n")


def main() -> None:
    """Set up every kernel, telling which."""
    if sys.prefix == sys.base_prefix:
        sys.exit("Run this with the project's own environment: .venv/bin/python scripts/kernels.py")
    for kernel in KERNELS:
        set_up(kernel)
        print(f"{kernel.display_name}: kernelspec {kernel.name}")


if __name__ == "__main__":
    main()
