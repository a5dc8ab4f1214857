"""Measure how long a click on Pause takes to act while a synchronous cell trains.

For every host of the browser tests a small MLP trains in JupyterLab, Pause and Resume are clicked
in turns, and two times are taken from the moment of the click in the browser: until the loop
stood still (the end of its last step), and until the page said so. Browser, server and kernel
share one machine and one clock. Prints a table for the README; load on the machine shows in it.

    .venv/bin/python -m scripts.measure_clicks [clicks per host, 40 by default]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tests.browser.hosts import HOSTS, Host
from tests.browser.lab import Chromium, Lab, Notebook

SHOW: Final = """
import time
import numpy as np
import torch
from nnwidgets import TrainingMonitor

torch.manual_seed(0)
x, y = torch.randn(64, 32), torch.randint(0, 10, (64,))
model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters())
monitor = TrainingMonitor(model, optimizer)
monitor
"""
TRAIN: Final = """
ends = []
for _ in monitor.track(range(10**9)):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    monitor.log(loss=loss)
    ends.append(time.time())
np.save("ends.npy", ends)
"""

# Clicks a button of the bar; resolves to the times of the click and of the new state, in seconds.
CLICK: Final = """
(state) => new Promise((resolve) => {
    const pill = document.querySelector(".nnw-pill");
    const button = document.querySelector(".nnw-steer button");
    let clicked = 0;
    new MutationObserver((_, observer) => {
        if (pill.dataset.condition !== state) return;
        observer.disconnect();
        resolve([clicked / 1000, Date.now() / 1000]);
    }).observe(pill, { attributes: true });
    clicked = Date.now();
    button.click();
})
"""
STEP: Final = "Number(document.querySelector('.nnw-where').textContent.replace(/\\D/g, ''))"

Times = npt.NDArray[np.float64]


class Result(NamedTuple):
    """Milliseconds from each click until it acted, and until the page showed it; of a step."""

    acted: Times
    shown: Times
    step: float


def clicks(notebook: Notebook, count: int) -> Iterator[tuple[float, float, float]]:
    """Yield for each Pause when it was clicked, when it was shown, and when Resume followed."""
    spread = np.random.default_rng(0)
    for _ in range(count):
        # Another moment of the step and of the display's rhythm each time.
        more = int(spread.integers(20, 400))
        notebook.wait_for(f"(to) => {STEP} > to", notebook.page.evaluate(f"() => {STEP}") + more)
        paused, shown = notebook.page.evaluate(CLICK, "paused")
        resumed, _ = notebook.page.evaluate(CLICK, "running")
        yield paused, shown, resumed


def measure(lab: Lab, chromium: Chromium, host: Host, count: int) -> Result:
    """Click on one host."""
    lab.write("measure.ipynb", [SHOW, TRAIN], kernel=host.kernel)
    with chromium.open(lab, "measure.ipynb", settings=host.settings) as notebook:
        notebook.run(0)
        notebook.start(1)
        notebook.page.locator(".nnw-pill[data-condition=running]").wait_for()
        times = np.array(list(clicks(notebook, count)))
        notebook.page.get_by_role("button", name="Stop", exact=True).click()
        printed = notebook.finished(1)
        if printed:
            raise RuntimeError(f"the training cell failed: {printed}")
    ends = np.load(lab.root / "ends.npy")
    clicked, shown, resumed = times.T
    last = ends[np.searchsorted(ends, resumed) - 1]  # the last step before the loop went on
    # A click within a step may act at its end, so never before the click.
    acted = np.maximum(last - clicked, 0.0)
    return Result(1e3 * acted, 1e3 * (shown - clicked), 1e3 * float(np.median(np.diff(ends))))


def main() -> None:
    """Measure all hosts and print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    print("| JupyterLab with | route | acts: p50 | p95 | shown: p50 | p95 | one step |")
    print("|---|---|---|---|---|---|---|")
    with Lab() as lab, Chromium() as chromium:
        for name, host in HOSTS.items():
            result = measure(lab, chromium, host, count)
            cells = [
                f"{np.percentile(times, share):.0f} ms"
                for times in (result.acted, result.shown)
                for share in (50, 95)
            ]
            route = host.route.removeprefix("route.")
            print("|", " | ".join([name, route, *cells, f"{result.step:.1f} ms"]), "|", flush=True)


if __name__ == "__main__":
    main()
