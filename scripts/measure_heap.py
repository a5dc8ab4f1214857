"""Measure whether a page that watches a long run keeps growing.

A small network trains in a synchronous cell of a real JupyterLab with its monitor on show.
Every half minute garbage is collected in the page and what is left is counted: the JavaScript
heap, the array buffers that it holds, DOM nodes and event listeners. Prints a table, and by how
much each of them grows a minute once the page has warmed up (a straight line through the rows
from the second minute on, with its standard error).

    .venv/bin/python -m scripts.measure_heap [minutes, 10 by default] [--bare]

With ``--bare`` the same loop runs with a monitor that is not shown: what JupyterLab itself takes.
"""

from __future__ import annotations

import sys
from time import monotonic
from typing import Any, Final, NamedTuple

import numpy as np

from tests.browser.lab import Chromium, Lab

EVERY: Final = 30.0  # seconds between two rows
WARM: Final = 120.0  # seconds until the page has all it needs

# Everything that changes in a view does so here: curves, pairs, layers, findings, marks, progress.
SHOW: Final = """
import torch
from nnwidgets import TrainingMonitor

torch.manual_seed(0)
x, y = torch.randn(256, 32), torch.randint(0, 10, (256,))
model = torch.nn.Sequential(
    torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(),
    torch.nn.Linear(64, 10),
)
optimizer = torch.optim.Adam(model.parameters())
monitor = TrainingMonitor(model, optimizer, title="Long run")
"""
VIEW: Final = "monitor"
TRAIN: Final = """
from time import monotonic
end = monotonic() + {seconds}
for epoch in monitor.track(range(10**9)):
    for i in monitor.track(range(200)):
        rows = torch.randint(0, 256, (32,))
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        monitor.log(loss=loss, accuracy=float(i % 7))
        if monotonic() > end:
            break
    monitor.log(val_loss=loss * 1.1, val_accuracy=0.5)
    if epoch % 50 == 0:
        monitor.lr_scale = 0.5 + epoch % 100 / 100
    if monotonic() > end:
        break
print(epoch, monitor.history.count("loss"))
"""
RUNNING: Final = ".nnw-pill[data-condition=running]"


class Row(NamedTuple):
    """What is left in the page after a collection; sizes in MB."""

    seconds: float
    heap: float
    buffers: float
    nodes: int
    listeners: int


def look(session: Any, begun: float) -> Row:
    """Collect garbage and count what is left."""
    for _ in range(2):  # what a finaliser lets go is collected by the next one
        session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    counters = session.send("Memory.getDOMCounters")
    return Row(
        monotonic() - begun,
        usage["usedSize"] / 1e6,
        usage.get("backingStorageSize", float("nan")) / 1e6,
        counters["nodes"],
        counters["jsEventListeners"],
    )


def measure(minutes: float, *, bare: bool = False) -> list[Row]:
    """Train for so long and return the rows."""
    rows: list[Row] = []
    cells = [SHOW, "" if bare else VIEW, TRAIN.format(seconds=60 * minutes + 5)]
    with Lab() as lab, Chromium() as chromium:
        lab.write("heap.ipynb", cells)
        with chromium.open(lab, "heap.ipynb", height=1400) as notebook:
            notebook.run(0)
            if not bare:
                notebook.run(1)
            notebook.start(2)
            if not bare:
                notebook.page.locator(RUNNING).wait_for()
            session = notebook.page.context.new_cdp_session(notebook.page)
            begun = monotonic()
            while monotonic() - begun < 60 * minutes:
                notebook.page.wait_for_timeout(1e3 * EVERY)
                rows.append(look(session, begun))
                row = rows[-1]
                print(
                    f"| {row.seconds:5.0f} s | {row.heap:7.2f} | {row.buffers:7.2f} "
                    f"| {row.nodes:6d} | {row.listeners:5d} |",
                    flush=True,
                )
            print("epochs and steps:", notebook.finished(2).strip())
    return rows


def slope(rows: list[Row], name: str) -> tuple[float, float]:
    """Return growth a minute and its standard error, once the page is warm."""
    warm = [row for row in rows if row.seconds >= WARM] or rows
    x = np.array([row.seconds for row in warm]) / 60
    y = np.array([getattr(row, name) for row in warm], dtype=float)
    if len(x) < 3:
        return float("nan"), float("nan")
    x = x - x.mean()
    growth = float(x @ y / (x @ x))
    rest = y - y.mean() - growth * x
    return growth, float(np.sqrt(rest @ rest / (len(x) - 2) / (x @ x)))


def main() -> None:
    """Measure and print."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    minutes = float(words[0]) if words else 10.0
    print("| after | heap, MB | buffers, MB | nodes | listeners |")
    print("|---|---|---|---|---|")
    rows = measure(minutes, bare="--bare" in sys.argv)
    for name in ("heap", "buffers", "nodes", "listeners"):
        growth, error = slope(rows, name)
        print(f"{name}: {growth:+.3f} ± {error:.3f} a minute")


if __name__ == "__main__":
    main()
