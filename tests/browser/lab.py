"""JupyterLab in headless Chromium, driven by tests.

Three things, each used as a context manager:

``Lab``
    a JupyterLab server on a free port, with a folder and settings of its own; no news, no
    update checks, nothing written to the user's configuration
``Chromium``
    the browser; one for all tests of a session
``Notebook``
    one open notebook: run cells, look into their outputs and widgets, reload, screenshot

::

    with Lab() as lab, Chromium() as chromium:
        lab.write("demo.ipynb", ["import nnwidgets", "nnwidgets.TrainingMonitor()"])
        with chromium.open(lab, "demo.ipynb", theme="dark", width=900) as notebook:
            notebook.run_all()
            notebook.wait_for("() => document.querySelector('.nnw-monitor')")
            notebook.page.get_by_role("button", name="Pause").click()

Nothing sleeps: every wait is for a condition in the page. A page that logs an error, or asks
another machine for something, fails the test when its notebook is closed. The page of a test
that failed is kept as a picture below ``build/browser``.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import nbformat
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60_000  # milliseconds until a wait gives up; no test's result depends on it

Theme = Literal["light", "dark"]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

QUIET: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "doNotDisturbMode": True,
        "fetchNews": "false",
    },
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/extensionmanager-extension:plugin": {"enabled": False},
}

# Messages of JupyterLab and of the browser about themselves.
NOT_OURS = (
    "Failed to load resource",  # told by the response, where it matters
    "favicon",
)


class Lab:
    """A JupyterLab server in a temporary folder."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nnwidgets-lab-")
        self.root = Path(self._folder.name) / "notebooks"
        self._log = Path(self._folder.name) / "server.log"
        self.token = secrets.token_hex(16)
        self.url = ""
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Lab:
        self.root.mkdir()
        folder = Path(self._folder.name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",
        }
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": self.root,
            "IdentityProvider.token": self.token,
            "LabApp.expose_app_in_browser": True,
            "LabApp.news_url": None,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "LabApp.extension_manager": "readonly",
        }
        command = [sys.executable, "-m", "jupyterlab"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                command, env=environment, cwd=self.root, stdout=log, stderr=subprocess.STDOUT
            )
        self.url = f"http://127.0.0.1:{port}"
        self.settings({})
        self._wait_until_up()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            # Asked first, so that it shuts its kernels down.
            with suppress(OSError):
                self._request("/api/shutdown", method="POST")
            try:
                self._server.wait(15)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        self._folder.cleanup()

    def _request(self, path: str, method: str = "GET") -> bytes:
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=10) as response:
            return bytes(response.read())

    def _wait_until_up(self) -> None:
        server = self._server
        assert server is not None
        for _ in range(600):
            with suppress(urllib.error.URLError, ConnectionError):
                self._request("/api")
                return
            with suppress(subprocess.TimeoutExpired):
                server.wait(0.1)  # until it answers or has ended
                break
        raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text()}")

    def write(
        self, name: str, cells: Sequence[str], *, kernel: str = "python3", text: str = ""
    ) -> None:
        """Write a notebook of code cells, with an optional first cell of Markdown."""
        notebook = nbformat.v4.new_notebook()
        if text:
            notebook.cells.append(nbformat.v4.new_markdown_cell(text))
        notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
        notebook.metadata["kernelspec"] = {
            "name": kernel,
            "display_name": kernel,
            "language": "python",
        }
        nbformat.write(notebook, self.root / name)

    def settings(self, settings: dict[str, dict[str, Any]]) -> None:
        """Replace the user settings by these, by plugin; pages opened later read them."""
        folder = Path(self._folder.name) / "settings"
        shutil.rmtree(folder, ignore_errors=True)
        for plugin, values in {**QUIET, **settings}.items():
            package, name = plugin.split(":")
            file = folder / package / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))

    def stop_kernels(self) -> None:
        """Shut down every kernel, also one whose cell is running."""
        for session in json.loads(self._request("/api/sessions")):
            self._request(f"/api/sessions/{session['id']}", method="DELETE")


class Chromium:
    """Headless Chromium, as the machine has it."""

    def __enter__(self) -> Chromium:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        if path is None:
            pytest.fail("No Chromium: run scripts/chromium.sh, which says more.", pytrace=False)
        self._playwright = sync_playwright().start()
        self._browser: Browser = self._playwright.chromium.launch(executable_path=path, args=FLAGS)
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._playwright.stop()

    @contextmanager
    def page(
        self,
        *,
        width: int = 1100,
        height: int = 900,
        scale: float = 1,
        allowed: str = "http://127.0.0.1",
    ) -> Iterator[Page]:
        """Open an empty page that may only speak to addresses beginning with ``allowed``.

        Raises
        ------
        AssertionError
            On leaving, when the page logged an error or asked another machine.
        """
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=scale
        )
        context.set_default_timeout(PATIENCE)
        troubles: list[str] = []

        def only_allowed(route: Route) -> None:
            if route.request.url.startswith((allowed, "data:", "blob:")):
                route.continue_()
            else:
                troubles.append(f"the page asked for {route.request.url}")
                route.abort()

        def logged(message: ConsoleMessage) -> None:
            text = message.text
            if message.type == "error" and not any(part in text for part in NOT_OURS):
                troubles.append(f"console: {text} {message.location.get('url', '')}")

        context.route("**/*", only_allowed)
        page = context.new_page()
        page.on("console", logged)
        page.on("pageerror", lambda error: troubles.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: dialog.accept())  # "leave this page?"
        try:
            yield page
        except BaseException:
            with suppress(Exception):
                page.screenshot(path=failure_picture())
            raise
        finally:
            context.close()
        assert not troubles, "\n".join(troubles)

    @contextmanager
    def open(
        self,
        lab: Lab,
        name: str,
        *,
        theme: Theme = "light",
        width: int = 1100,
        height: int = 900,
        scale: float = 1,
        settings: dict[str, dict[str, Any]] | None = None,
    ) -> Iterator[Notebook]:
        """Open a notebook of the lab; its kernel is shut down afterwards."""
        theme_name = "JupyterLab Dark" if theme == "dark" else "JupyterLab Light"
        themes = {"@jupyterlab/apputils-extension:themes": {"theme": theme_name}}
        lab.settings({**themes, **(settings or {})})
        with self.page(width=width, height=height, scale=scale, allowed=lab.url) as page:
            try:
                notebook = Notebook(page, lab, name)
                notebook.load()
                yield notebook
            finally:
                lab.stop_kernels()


def failure_picture() -> Path:
    """Return where the page of the running test is kept when the test fails."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "page").split("::")[-1].removesuffix(" (call)")
    return ROOT / "build" / "browser" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', test).strip('-')}.png"


BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Notebook:
    """One notebook open in JupyterLab.

    Attributes
    ----------
    page
        Playwright's page, for everything that is not about notebooks.
    """

    def __init__(self, page: Page, lab: Lab, name: str) -> None:
        self.page = page
        self._lab = lab
        self._name = name

    # -- the page ------------------------------------------------------------------------

    def load(self) -> None:
        """Load the page afresh and wait until the notebook stands there with its kernel."""
        address = f"{self._lab.url}/lab/tree/{self._name}?token={self._lab.token}&reset"
        self.page.goto(address)
        self._wait_until_there()
        self.wait_for(f"() => {KERNEL}?.connectionStatus === 'connected'")

    def reload(self) -> None:
        """Save the notebook and reload the page; does not wait for the kernel, which may train."""
        self.command("docmanager:save")
        self.page.reload()
        self._wait_until_there()

    def _wait_until_there(self) -> None:
        self.wait_for(f"() => {PANEL}?.content?.model && {PANEL}.isVisible")
        self.page.evaluate(
            f"""async () => {{
                await {PANEL}.revealed;
                if (jupyterapp.shell.leftCollapsed === false) jupyterapp.shell.collapseLeft();
            }}"""
        )

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run a JupyterLab command to its end."""
        self.page.evaluate(
            "async ([name, args]) => { await jupyterapp.commands.execute(name, args) }",
            [name, arguments or {}],
        )

    def wait_for(self, predicate: str, argument: Any = None) -> Any:
        """Wait until a JavaScript function of the page returns something true; return that."""
        return self.page.wait_for_function(predicate, arg=argument, timeout=PATIENCE).json_value()

    def screenshot(self, path: Path | str, widget: str | Locator | None = None) -> None:
        """Save a picture of a widget (a selector), or of the whole page."""
        if widget is None:
            self.page.screenshot(path=path)
            return
        locator = self.page.locator(widget).first if isinstance(widget, str) else widget
        locator.scroll_into_view_if_needed()
        locator.screenshot(path=path)

    # -- cells ---------------------------------------------------------------------------

    def start(self, cell: int) -> None:
        """Run one cell (counted from 0, Markdown included), without waiting for its end."""
        self.page.evaluate(
            f"""(cell) => {{
                {PANEL}.content.deselectAll();
                {PANEL}.content.activeCellIndex = cell;
                void jupyterapp.commands.execute('notebook:run-cell');
            }}""",
            cell,
        )
        self.wait_for(
            f"(cell) => {CELL}.model.executionState === 'running' || {CELL}.model.executionCount",
            cell,
        )

    def run(self, cell: int) -> str:
        """Run one cell to its end and return what it printed.

        Raises
        ------
        AssertionError
            When the cell raised; to look at an exception, use `start` and `finished`.
        """
        self.start(cell)
        printed = self.finished(cell)
        failed = self.page.evaluate(
            f"(cell) => {CELL}.model.outputs.toJSON().some(o => o.output_type === 'error')", cell
        )
        assert not failed, f"cell {cell} failed: {printed}"
        return printed

    def start_all(self) -> None:
        """Run all cells, without waiting for their end."""
        self.page.evaluate("() => { void jupyterapp.commands.execute('notebook:run-all-cells') }")

    def run_all(self) -> None:
        """Run all cells to their end."""
        self.command("notebook:run-all-cells")

    def finished(self, cell: int) -> str:
        """Wait for the end of a cell that runs, and return what it printed."""
        self.wait_for(
            f"(cell) => {CELL}.model.executionState === 'idle' && {CELL}.model.executionCount",
            cell,
        )
        return self.output(cell)

    def running(self, cell: int) -> bool:
        """Whether the page knows the cell to be running; after a reload it does not."""
        return bool(
            self.page.evaluate(f"(cell) => {CELL}.model.executionState === 'running'", cell)
        )

    def output(self, cell: int) -> str:
        """Return what a cell has printed so far, with the text of an exception."""
        outputs = self.page.evaluate(f"(cell) => {CELL}.model.outputs.toJSON()", cell)
        parts: list[str] = []
        for output in outputs:
            if output["output_type"] == "stream":
                text = output["text"]
                parts.append(text if isinstance(text, str) else "".join(text))
            elif output["output_type"] == "error":
                parts.append(f"{output['ename']}: {output['evalue']}\n")
        return "".join(parts)

    def wait_for_output(self, cell: int, text: str) -> None:
        """Wait until a cell has printed a text."""
        self.wait_for(
            f"([cell, text]) => JSON.stringify({CELL}.model.outputs.toJSON()).includes(text)",
            [cell, text],
        )

    def interrupt(self) -> None:
        """Interrupt the kernel, as the ■ button does."""
        self.page.evaluate(f"() => {KERNEL}.interrupt()")

    def second_view(self, cell: int) -> None:
        """Open "Create New View for Cell Output" of a cell, beside the notebook."""
        self.page.evaluate(
            f"""async (cell) => {{
                {PANEL}.content.activeCellIndex = cell;
                await jupyterapp.commands.execute('notebook:create-output-view');
            }}""",
            cell,
        )
        self.page.locator(".jp-LinkedOutputView").wait_for()


# The notebook is the first main-area widget that has cells: a second view may be the current one.
PANEL = "[...(window.jupyterapp?.shell.widgets('main') ?? [])].find(w => w.content?.widgets)"
KERNEL = f"{PANEL}?.sessionContext?.session?.kernel"
CELL = f"{PANEL}.content.widgets[cell]"
