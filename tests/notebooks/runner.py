"""A notebook run from top to bottom by nbclient, as it would be saved."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from nnwidgets.live.wire import unpack
from tests.repo.tree import ROOT

STATE = "application/vnd.jupyter.widget-state+json"


@dataclass(frozen=True)
class Run:
    """What is left of a notebook that ran: its cells and the state of its widgets."""

    notebook: NotebookNode
    answer: Any
    """What the question that was asked at the end evaluated to."""

    def printed(self, cell: str) -> str:
        (found,) = (c for c in self.notebook.cells if c.get("id") == cell)
        return "".join(o["text"] for o in found.outputs if o["output_type"] == "stream")

    def shown(self) -> list[str]:
        """Model ids of the widgets that stand in outputs, in the order of the notebook."""
        view = "application/vnd.jupyter.widget-view+json"
        return [
            output["data"][view]["model_id"]
            for cell in self.notebook.cells
            for output in cell.get("outputs", ())
            if view in output.get("data", {})
        ]

    def saved(self, model: str, trait: str) -> Any:
        """A synced trait as the file holds it; packed ones as (meta, arrays)."""
        entry = self.notebook.metadata.widgets[STATE]["state"][model]
        value = entry["state"][trait]
        if not isinstance(value, dict):
            return value
        (data,) = (
            base64.b64decode(buffer["data"])
            for buffer in entry["buffers"]
            if buffer["path"] == [trait, "data"]
        )
        return unpack({**value, "data": data})


def execute(name: str, question: str, folder: Path) -> Run:
    """Run a notebook of the repository in an empty folder, then ask a question of its variables."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        # As it would be saved now: the question must not be what brings the state up to date.
        client.set_widgets_metadata()
        asked = nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({question}))")
        notebook.cells.append(asked)
        client.execute_cell(asked, len(notebook.cells) - 1)
    notebook.cells.pop()
    answer = json.loads("".join(o["text"] for o in asked.outputs if o["output_type"] == "stream"))
    return Run(notebook, answer)
