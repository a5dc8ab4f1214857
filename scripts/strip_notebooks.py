"""Remove results from the notebooks, so that git keeps what was written and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def stripped(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook without outputs, run numbers and saved widget state."""
    cells = []
    for cell in notebook["cells"]:
        kept = {**cell, "metadata": {}}
        if cell["cell_type"] == "code":
            kept |= {"outputs": [], "execution_count": None}
        cells.append(kept)
    metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    return {**notebook, "cells": cells, "metadata": metadata}


def main() -> None:
    """Strip the notebooks named on the command line, or all of them."""
    named = [Path(name) for name in sys.argv[1:]]
    for file in named or sorted((ROOT / "notebooks").glob("*.ipynb")):
        before = file.read_text(encoding="utf-8")
        after = json.dumps(stripped(json.loads(before)), ensure_ascii=False, indent=1) + "\n"
        if after != before:
            file.write_text(after, encoding="utf-8")
            print(f"stripped {file.name}")


if __name__ == "__main__":
    main()
