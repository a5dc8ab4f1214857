"""DecisionBoundaryPlot in a real JupyterLab: files, saved pages, keys, themes, views, kernels.

As in `test_boundary`, most tests share one notebook whose cell goes on training.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from nnwidgets.catalogue import text
from tests.browser.boundary import LEARN, PLOT, POINTS, TWO_SIDES, Loop, Plot
from tests.browser.boundary_parts import sentence
from tests.browser.hosts import HOSTS, Host
from tests.browser.inspector import focused
from tests.browser.lab import Chromium, Lab, Notebook
from tests.browser.test_accessible import PLANT, violations

CORNER = (1.5, 0.95)  # beyond the points of B, and itself without any


@pytest.fixture
def loop(drawing: Notebook) -> Loop:
    """The cell that trains."""
    return Loop(drawing, 3)


# --- files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "ending", "begins"),
    [("PNG picture", "png", b"\x89PNG"), ("SVG picture", "svg", b"<?xml")],
)
def test_the_picture_as_a_file(plot: Plot, item: str, ending: str, begins: bytes) -> None:
    with plot.page.expect_download() as download:
        plot.button("Export").click()
        plot.root.get_by_role("menuitem", name=item).click()
    assert download.value.suggested_filename == f"boundary-probability.{ending}"
    content = download.value.path().read_bytes()
    assert content.startswith(begins)
    assert len(content) > 5_000


def test_a_page_that_is_looked_through_without_a_kernel(
    plot: Plot, chromium: Chromium, tmp_path: Path
) -> None:
    plot.click(-1.3, 0.0)
    plot.wait("p.told")
    with plot.page.expect_download() as download:
        plot.button("Export").click()
        plot.root.get_by_role("menuitem", name="HTML page").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    plot.button("Close").click()
    # Leaving fails if the page asked for anything but itself, or logged an error.
    with chromium.page(width=1300, height=1000, allowed=saved.as_uri()) as page:
        page.goto(saved.as_uri())
        offline = Plot(page, ".nnw-decision-boundary")
        offline.says(sentence("ui.boundary.connection.offline"))
        shown = offline.wait("p.told && p.train > 90")
        assert [shown["trained"], shown["tested"]] == [len(POINTS), 4]
        seen: dict[str, str] = {}
        for name, said in (
            ("Entropy", r" · [\d.e−]+ nats · A$"),
            ("Margin", r" · lead [\d.]+ · A$"),
            ("Label", r" · A$"),
            ("Probability", r" · A [\d.]+\s%$"),
        ):
            offline.view(name)
            offline.point_at(-1.3, 0.1)
            offline.wait(f"/{said}/.test(p.readout)")
            seen[name] = offline.painted()
        assert len(set(seen.values())) == 4
        offline.choice("Show").select_option(label="B")
        offline.wait("p.label.startsWith('Probability of B')")
        assert offline.painted() not in seen.values()
        offline.choice("Show").select_option("")
        offline.wait("p.label.startsWith('The most probable class')")
        offline.wait_for_same(seen["Probability"])
        # The points can be hidden, class by class; nothing can be drawn, computed or exported.
        dots = offline.painted(1)
        offline.button("A", "Classes").click()
        offline.wait_for_other(dots, 1)
        assert offline.part("Draw").count() == 0
        assert offline.button("Compute").count() == 0
        assert offline.button("Export").is_disabled()


def test_a_page_saved_in_python_speaks_chinese(chromium: Chromium, tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 60).reshape(30, 2)
    model = nn.Linear(2, 1)
    with DecisionBoundaryPlot(model, x, x.sum(1), language="zh") as plot:
        plot.explain(x[3])
        plot.save_html(tmp_path / "plane.html")
    address = (tmp_path / "plane.html").as_uri()
    with chromium.page(width=1000, height=1200, allowed=address) as page:
        page.goto(address)
        offline = Plot(page, ".nnw-decision-boundary")
        offline.says(text("ui.boundary.connection.offline", "zh"))
        offline.says(text("ui.boundary.point.nearest", "zh"))
        assert offline.root.get_attribute("lang") == "zh-Hans"
        said = offline.root.inner_text()
        assert "ui." not in said
        # The term has no Chinese name of its own.
        assert set(re.findall(r"\b[a-z]{4,}\b", said)) <= {"dropout"}
        offline.assert_tidy()


# --- the keyboard ------------------------------------------------------------------------


def test_the_keyboard_is_enough(plot: Plot, loop: Loop) -> None:
    page = plot.page
    before = loop.wait("X.length === x", len(POINTS))
    plot.button("Entropy", "View").focus()
    page.keyboard.press("Enter")
    plot.wait("p.label.startsWith('Entropy')")
    plot.button("Probability", "View").focus()
    page.keyboard.press("Space")
    plot.wait("p.label.startsWith('The most probable class and')")

    plot.button("Export").focus()
    page.keyboard.press("Tab")
    at = focused(page)
    assert (at["role"], at["ring"]) == ("application", True)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    plot.wait("p.told && p.place.startsWith('At (0.0')")

    # To a point, which is picked up and carried one step after the other.
    page.keyboard.press("n")
    plot.wait("/(train|test) [AB], model says/.test(p.readout)")
    page.keyboard.press("m")
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    x, y, label = POINTS[0]
    # Each step is told by itself: what is waited for is the last, and only that one.
    step = 2.088 / 100  # of the height of the picture
    loop.wait(
        """[X, batches].every(points => points.some(([a, b, c]) =>
            Math.abs(a - x[0]) < 0.01 && Math.abs(b - x[1]) < 0.01 && c === x[2])
            && points.length === x[3])""",
        [x, y + 5 * step, label, len(POINTS)],
    )
    page.keyboard.press("Delete")
    loop.wait("X.length === x && batches.length === x", len(POINTS) - 1)

    plot.button("B", "Class of new points").focus()
    page.keyboard.press("Enter")
    plot.wait("p.tool === 'Add'")
    plot.picture.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    loop.wait("near(X, 0, 0, 1) === 1 && near(batches, 0, 0, 1) === 1")
    plot.tool("Ask")
    for _ in range(3):
        plot.button("Undo").focus()
        page.keyboard.press("Enter")
    loop.wait("JSON.stringify(X) === JSON.stringify(x)", before["X"])
    plot.button("Close").focus()
    page.keyboard.press("Enter")
    plot.wait("!p.told")

    plot.part("Rules").get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    plot.says(sentence("ui.boundary.rules.agrees"))
    page.keyboard.press("Space")
    plot.slider("film").focus()
    page.keyboard.press("Home")
    plot.wait("p.past !== null")
    plot.button("Live").focus()
    page.keyboard.press("Enter")
    plot.wait("p.past === null")


def test_the_tab_key_leads_through_everything(plot: Plot) -> None:
    plot.go_back()
    plot.button("Live").click()
    plot.button("Label", "View").focus()
    plot.page.keyboard.press("Shift+Tab")  # by a key, so that the focus is shown
    stops: list[str] = []
    while plot.root.locator(":focus").count():
        at = focused(plot.page)
        assert at["ring"], at
        stops.append(f"{at['role']} {at['classes']} {at['name']}")
        plot.page.keyboard.press("Tab")
        assert len(stops) < 60
    wanted = [
        "segment Probability", "segment Margin", "nnw-select Show", "nnw-select How sure",
        "menu-button Export", "application nnw-plane", "legend-class A", "checkbox",
        "segment Ask", "segment Zoom", "segment B", "segment ▲ Test", "Clear", "menu-button Data",
        "Compute", "nnw-select Hidden units", "range nnw-slider film", "nnw-live Live",
        "icon-only Look again",
    ]  # fmt: skip
    places = [next((i for i, stop in enumerate(stops) if part in stop), -1) for part in wanted]
    assert places == sorted(set(places) - {-1}), (places, stops)


# --- light, dark, narrow, two views ------------------------------------------------------


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing_but_what_is_planted(plot: Plot, drawing: Notebook, theme: str) -> None:
    drawing.command("apputils:change-theme", {"theme": f"JupyterLab {theme}"})
    drawing.wait_for("() => document.querySelector('#jupyterlab-splash') === null")
    plot.wait_for(
        "([selector, theme]) => document.querySelector(selector)?.dataset.theme === theme",
        [plot.selector, theme.lower()],
    )

    def check(state: str) -> None:
        found = violations(drawing, plot.selector)
        assert not found, "\n".join(map(str, [state, *found]))

    check("the picture alone")
    open_everything(plot)
    check("everything open")
    plot.go_back()
    check("an earlier step")
    plot.button("Live").click()
    plot.button("Data").click()
    check("toy data")
    plot.page.keyboard.press("Escape")
    plot.part("Loss landscape").get_by_role("button", name="Compute").click()
    plot.part("Loss landscape").locator("canvas").first.wait_for()
    check("the loss around the weights")

    drawing.page.evaluate(PLANT, plot.selector)
    assert {rule for rule, *_ in violations(drawing, plot.selector)} >= {
        "button-name", "color-contrast",
    }  # fmt: skip
    plot.root.locator(":scope > :first-child").evaluate("plant => plant.remove()")
    plot.start_over()


def open_everything(plot: Plot) -> None:
    """Explain a place, by several models; list rules; show hidden units, one of them large."""
    plot.choice("How sure").select_option("mc_dropout")
    plot.button("Epistemic", "View").wait_for()
    plot.view("Epistemic")
    plot.wait("/models asked together/.test(p.quality)")
    plot.click(0.35, 0.1)
    plot.wait("p.told")
    plot.part("Rules").get_by_role("checkbox").click()
    plot.part("Rules").get_by_role("listitem").first.wait_for()
    plot.choice("Hidden units").select_option("1")
    unit = plot.group("Hidden units").get_by_role("button").nth(3)
    unit.click()
    plot.pressed(unit)
    plot.says("Unit 3 over the plane")


@pytest.mark.parametrize("width", [1400, 700, 480])
def test_nothing_is_cut_or_lies_over_something(plot: Plot, drawing: Notebook, width: int) -> None:
    # The widget, not the window, is that wide.
    plot.root.evaluate(
        "(root, width) => { root.style.width = `${width}px`; root.style.maxWidth = 'none'; }", width
    )
    drawing.page.set_viewport_size({"width": max(width + 300, 800), "height": 2400})
    plot.assert_tidy()
    open_everything(plot)
    plot.part("Loss landscape").get_by_role("button", name="Compute").click()
    plot.part("Loss landscape").locator("canvas").first.wait_for()
    for name in ("Epistemic", "Label", "Probability"):
        plot.view(name)
        plot.assert_tidy()
    plot.go_back()
    plot.assert_tidy()
    again = plot.button("Look again")
    again.evaluate("again => { again.style.marginInlineStart = '-60px' }")
    assert any("lies over" in trouble for trouble in plot.troubles())
    again.evaluate("again => { again.style.marginInlineStart = `${innerWidth}px` }")
    assert any("out of the widget" in trouble for trouble in plot.troubles())
    again.evaluate("again => again.removeAttribute('style')")
    plot.root.evaluate("root => root.removeAttribute('style')")
    drawing.page.set_viewport_size({"width": 1400, "height": 2400})
    plot.start_over()


def test_a_second_view_is_live_and_follows(plot: Plot, drawing: Notebook, loop: Loop) -> None:
    before = loop.wait("X.length === x", len(POINTS))
    drawing.second_view(1)
    second = Plot(drawing, ".jp-LinkedOutputView .nnw-decision-boundary")
    step = second.wait("p.step > 0")["step"]
    second.view("Entropy")
    plot.wait("p.view === 'Entropy' && p.step > x", step)
    # A point that is dragged in one is dragged in the other.
    x, y, label = POINTS[3]
    second.lift(x, y, CORNER)
    plot.wait("p.readout === ''")
    loop.wait("near(X, ...x) === 1", [*CORNER, label])
    second.page.mouse.up()
    plot.point_at(*CORNER)
    plot.wait("/ · A\\ntrain A, model says A$/.test(p.readout)")
    plot.button("Undo").click()
    loop.wait("JSON.stringify(X) === JSON.stringify(x)", before["X"])
    second.view("Probability")
    plot.wait("p.view === 'Probability'")
    drawing.page.evaluate(
        """() => [...jupyterapp.shell.widgets('main')]
            .filter(widget => !widget.content?.widgets).forEach(widget => widget.dispose())"""
    )
    plot.wait("p.step > x", plot.wait()["step"])


# --- nothing trains ----------------------------------------------------------------------

LEARN_A_LITTLE = """
for _ in range(100):
    loss = F.cross_entropy(model(points[0]), points[1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
weights = {name: value.clone() for name, value in model.state_dict().items()}
state = torch.get_rng_state()
"""
COMPARE = """
now = model.state_dict()
same = [torch.equal(weights[name], now[name]) for name in weights]
same += [model.training, torch.equal(state, torch.get_rng_state())]
found = plot._landscape_found
with torch.no_grad():
    loss = F.cross_entropy(model.eval()(points[0]), points[1]).item()
print(json.dumps([same, loss, float(found.loss[10, 10]), list(found.loss.shape)]))
"""


def test_the_loss_around_the_weights_leaves_them_alone(lab: Lab, chromium: Chromium) -> None:
    lab.write("around.ipynb", [TWO_SIDES, PLOT, LEARN_A_LITTLE, COMPARE])
    with chromium.open(lab, "around.ipynb", width=1400, height=1600) as notebook:
        for cell in range(3):
            notebook.run(cell)
        plot = Plot(notebook)
        plot.wait("p.step === 100 && p.train > 95")
        part = plot.part("Loss landscape")
        progress = part.get_by_role("progressbar")
        slow = lab.root / "slow"
        slow.touch()
        part.get_by_role("button", name="Compute").click()
        progress.wait_for()
        part.get_by_role("button", name="Stop").click()
        progress.wait_for(state="hidden")
        slow.unlink()
        part.get_by_role("button", name="Compute").click()
        picture = part.locator("canvas").first
        picture.wait_for()
        said = part.get_by_text(sentence("ui.boundary.landscape.centre_at")).inner_text()
        assert "step 100" in said
        shown = re.search(r"([\d.e−]+)\.$", said)
        same, loss, middle, shape = json.loads(notebook.run(3))
        assert all(same)
        assert shape == [21, 21]
        assert middle == pytest.approx(loss, rel=1e-5)
        assert shown is not None
        assert float(shown[1].replace("−", "-")) == pytest.approx(loss, rel=0.01)
        part.get_by_role("button", name="Hide").click()
        picture.wait_for(state="hidden")


FLOWERS = """
import torch
from sklearn.datasets import load_iris
from torch import nn
from torch.nn import functional as F
from nnwidgets import DecisionBoundaryPlot

flowers = load_iris()
x, y = torch.tensor(flowers.data, dtype=torch.float32), torch.tensor(flowers.target)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for _ in range(150):
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
plot = DecisionBoundaryPlot(
    model, x, y, features=(2, 3), class_names=["I. setosa", "I. versicolor", "I. virginica"],
    feature_names=["sepal length", "sepal width", "petal length", "petal width"], language="zh",
)
plot
"""


def test_more_features_than_two_in_chinese(lab: Lab, chromium: Chromium) -> None:
    def word(key: str, **parts: str) -> str:
        return text(f"ui.boundary.{key}", "zh", **parts)

    lab.write("flowers.ipynb", [FLOWERS])
    with chromium.open(lab, "flowers.ipynb", width=1400, height=1400) as notebook:
        notebook.run(0)
        plot = Plot(notebook)
        picture = plot.picture
        assert plot.root.get_attribute("lang") == "zh-Hans"
        picture.locator("canvas").first.wait_for()
        before = plot.painted()

        def labelled(*names: str) -> None:
            plot.wait_for(
                """([selector, names]) => names.every(name => document.querySelector(
                    `${selector} .nnw-plane`)?.getAttribute('aria-label').includes(name))""",
                [plot.selector, names],
            )

        labelled("petal length", "petal width")
        # Another value of a feature that is held: another picture.
        plot.button(word("held")).click()
        plot.slider("sepal length").focus()
        notebook.page.keyboard.press("End")
        plot.wait_for_other(before)
        drawer = plot.root.get_by_role("dialog", name=word("held"))
        drawer.get_by_role("combobox").select_option("mean")
        drawer.get_by_role("button", name=word("held.again")).click()
        notebook.page.keyboard.press("Escape")
        plot.choice(word("axes.x")).select_option("0")
        labelled("sepal length", "petal width")
        plot.choice(word("projection")).select_option("pca")
        plot.choice(word("axes.x")).wait_for(state="hidden")
        plot.wait_for(
            "selector => /[\\d.]+\\s*%/.test(document.querySelector(selector)?.textContent)",
            f"{plot.selector} .nnw-picture-quality",
        )
        picture.click()
        plot.says(word("point.nearest"))
        said = plot.root.inner_text()
        assert "ui." not in said
        given = {"sepal", "petal", "length", "width", "setosa", "versicolor", "virginica"}
        assert set(re.findall(r"\b[a-z]{4,}\b", said)) - given <= {"dropout"}
        plot.assert_tidy()


def test_a_saved_notebook_shows_the_last_picture_without_a_kernel(
    lab: Lab, chromium: Chromium
) -> None:
    lab.write("saved.ipynb", [TWO_SIDES, PLOT, LEARN_A_LITTLE])
    kept = {"@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True}}
    with chromium.open(lab, "saved.ipynb", width=1400, height=1600, settings=kept) as notebook:
        for cell in range(3):
            notebook.run(cell)
        plot = Plot(notebook)
        plot.wait("p.step === 100 && p.train > 95")
        plot.view("Entropy")
        last = plot.wait("p.label.startsWith('Entropy') && !p.quality.includes('filled in')")
        notebook.command("docmanager:save")
        lab.stop_kernels()
        notebook.page.reload()
        plot.says(sentence("ui.boundary.connection.silent"))
        shown = plot.wait("p.label !== null")
        parts = ("label", "quality", "view", "train", "trained", "tested")
        assert [shown[part] for part in parts] == [last[part] for part in parts]
        plot.point_at(-1.3, 0.0)
        plot.wait("/ · [\\d.e−]+ nats · A$/.test(p.readout)")
        assert plot.button("Compute").is_disabled()
        assert plot.button("Add").is_disabled()


# --- other kernels and front ends --------------------------------------------------------


@pytest.mark.parametrize(
    "which", ["ipykernel 7.4, no subshell id", "ipykernel 7.1", "ipykernel 6.31"]
)
def test_a_point_is_dragged_while_the_cell_trains(lab: Lab, chromium: Chromium, which: str) -> None:
    host: Host = HOSTS[which]
    stop = lab.root / "stop"
    stop.unlink(missing_ok=True)
    learn = f"{LEARN}\nprint(plot._session.host.route.key)"
    lab.write("host.ipynb", [TWO_SIDES, PLOT, learn], kernel=host.kernel)
    with chromium.open(lab, "host.ipynb", settings=host.settings, width=1300) as notebook:
        notebook.run(0)
        notebook.run(1)
        notebook.start(2)
        plot, loop = Plot(notebook), Loop(notebook, 2)
        plot.wait("p.train > 95")
        x, y, label = POINTS[3]
        plot.lift(x, y, CORNER)
        here = [*CORNER, label]
        loop.wait("near(X, ...x) === 1 && near(batches, ...x) === 1", here)
        plot.wait("/ · A \\d.*\\ntrain A, model says A$/.test(p.readout)")
        plot.page.mouse.up()
        plot.view("Margin")
        plot.click(-1.3, 0.0)
        plot.wait("p.told && p.place.startsWith('At (−1.3')")
        plot.button("Undo").click()
        loop.wait("near(X, ...x) === 0 && near(batches, ...x) === 0", here)
        stop.touch()
        assert notebook.finished(2).splitlines()[-1] == host.route
