"""Clicks and reloads during a synchronous cell, with the smallest widget that can show them."""

from __future__ import annotations

import pytest

from tests.browser.hosts import HOSTS, Host
from tests.browser.lab import Chromium, Lab

WIDGET = """
import threading, time
import anywidget, traitlets
from nnwidgets.live.kernel import kernel_link

class Clicker(anywidget.AnyWidget):
    _esm = '''
    export default {
      render({ model, el }) {
        const button = document.createElement("button")
        button.textContent = "Stop"
        button.onclick = () => model.send({ kind: "stop" })
        const count = document.createElement("output")
        count.className = "count"
        const draw = () => { count.textContent = model.get("count") }
        model.on("change:count", draw)
        draw()
        el.append(button, count)
      },
    }
    '''
    count = traitlets.Int(0).tag(sync=True)

stop = threading.Event()
routes = []
def on_message(widget, content, buffers):
    routes.append(link.route.key)
    stop.set()

link = kernel_link()
clicker = Clicker()
clicker.on_msg(on_message)
link.attach(clicker.comm)
clicker
"""

# A pure-Python loop, which leaves the interpreter lock only when Python takes it away.
LOOP = """
give_up, shown = time.monotonic() + 50, 0.0
while not stop.is_set() and time.monotonic() < give_up:
    sum(range(3000))
    if time.monotonic() > shown:
        clicker.count += 1
        shown = time.monotonic() + 0.1
    if link.needs_pump:
        link.pump()
print("heard" if stop.is_set() else "gave up", routes[-1:])
"""

COUNT = "Number(document.querySelector('.count')?.textContent ?? 0)"


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> Host:
    return HOSTS[request.param]


def test_click_acts_while_the_cell_runs(lab: Lab, chromium: Chromium, host: Host):
    lab.write("clicks.ipynb", [WIDGET, LOOP], kernel=host.kernel)
    with chromium.open(lab, "clicks.ipynb", settings=host.settings) as notebook:
        notebook.run(0)
        notebook.start(1)
        notebook.wait_for(f"() => {COUNT} > 2")
        notebook.page.get_by_role("button", name="Stop", exact=True).click()
        assert notebook.finished(1) == f"heard ['{host.route}']\n"


def test_page_reloaded_while_the_cell_runs(lab: Lab, chromium: Chromium, host: Host):
    lab.write(
        "reload.ipynb", [WIDGET, LOOP, "print(stop.is_set(), routes[-1:])"], kernel=host.kernel
    )
    with chromium.open(lab, "reload.ipynb", settings=host.settings) as notebook:
        notebook.run(0)
        notebook.start(1)
        notebook.wait_for(f"() => {COUNT} > 2")
        notebook.reload()
        before = notebook.wait_for(f"() => {COUNT}")
        notebook.wait_for(f"(before) => {COUNT} > before + 3", before)  # counting: the cell runs
        notebook.page.get_by_role("button", name="Stop", exact=True).click()
        assert notebook.run(2) == f"True ['{host.route}']\n"
