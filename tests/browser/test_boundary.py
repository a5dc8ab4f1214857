"""DecisionBoundaryPlot in a real JupyterLab, asked and drawn into while a plain cell trains.

Most tests share one notebook, whose cell goes on training all the time and prints what points it
learns from; each test takes back what it has drawn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.browser.boundary import HELD_OUT, POINTS, Loop, Plot
from tests.browser.boundary_parts import sentence
from tests.browser.lab import Chromium, Lab, Notebook

CORNER = (1.5, 0.95)  # beyond the points of B, and itself without any


@pytest.fixture
def loop(drawing: Notebook) -> Loop:
    """The cell that trains."""
    return Loop(drawing, 3)


@contextmanager
def taking_time(lab: Lab) -> Iterator[None]:
    """Let the model take its time for questions."""
    slow = lab.root / "slow"
    slow.touch()
    yield
    slow.unlink()


# --- learning ----------------------------------------------------------------------------

SPIRAL = """
import torch
from pathlib import Path
from torch import nn
from torch.nn import functional as F
from nnwidgets import DecisionBoundaryPlot
from nnwidgets.explain.toy_data import toy

torch.manual_seed(0)
spiral = toy("spirals", 100, noise=0.02, seed=0)
model = nn.Sequential(
    nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
plot = DecisionBoundaryPlot(model, spiral.X, spiral.y)
plot
"""
LEARN_IT = """
steps = []
plot.observe(lambda change: steps.append(change.new["meta"]["step"]), "_surface")
while not Path("stop").exists() or len(set(steps)) < 6:
    for xb, yb in plot.loader(batch_size=100):
        loss = F.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
right = (model(torch.tensor(spiral.X)).argmax(1) == torch.tensor(spiral.y)).float().mean()
print([right.item(), steps])
"""


def test_a_spiral_is_learned_before_ones_eyes(lab: Lab, chromium: Chromium) -> None:
    stop = lab.root / "stop"
    stop.unlink(missing_ok=True)
    lab.write("spiral.ipynb", [SPIRAL, LEARN_IT])
    with chromium.open(lab, "spiral.ipynb", width=1400, height=1200) as notebook:
        notebook.run(0)
        plot = Plot(notebook)
        plot.wait("p.train < 75")
        surface = plot.painted()
        notebook.start(1)
        for _ in range(4):
            plot.wait_for_other(surface)
            surface = plot.painted()
        plot.wait("p.train > 97 && p.step > 0")
        assert notebook.running(1)
        stop.touch()
        right, steps = json.loads(notebook.finished(1))
        # The last surface is that of the last step, and says how often the model is right.
        plot.wait("Math.abs(p.train - x) < 0.06", 100 * right)
    assert steps == sorted(steps)
    assert len(set(steps)) >= 6


# --- hands -------------------------------------------------------------------------------


def test_a_point_that_is_dragged_is_learned_while_it_is_held(plot: Plot, loop: Loop) -> None:
    x, y, label = POINTS[3]
    before = loop.wait("X.length === x && batches.length === x", len(POINTS))
    plot.wait("p.train > 95")
    assert re.search(r" · B \d", plot.point_at(*CORNER))
    painted = plot.painted(1)
    plot.lift(x, y, CORNER)
    # It is still held, and the cell has neither ended nor been interrupted.
    here = [*CORNER, label]
    loop.wait("near(X, ...x) === 1 && near(batches, ...x) === 1", here)
    plot.wait_for_other(painted, 1)
    plot.wait("/ · A \\d.*\\ntrain A, model says A$/.test(p.readout)")
    plot.page.mouse.up()
    after = loop.wait("near(X, ...x) === 1 && near(batches, ...x) === 1", here)
    # However often it was told where it is, it is one point, and one thing to take back.
    assert len([p for p in after["X"] if p not in before["X"]]) == 1
    assert [p for p in before["X"] if p not in after["X"]] == [[x, y, label]]
    plot.button("Undo").click()
    loop.wait("JSON.stringify(X) === JSON.stringify(x)", before["X"])
    plot.point_at(*CORNER)
    plot.wait("/ · B \\d+/.test(p.readout)")
    assert plot.button("Undo").is_disabled()


def test_points_are_put_down_with_a_class_and_taken_away(plot: Plot, loop: Loop) -> None:
    before = loop.wait("X.length === x", len(POINTS))
    plot.wait("p.trained === x[0] && p.tested === x[1]", [len(POINTS), len(HELD_OUT)])
    plot.button("B", "Class of new points").click()
    plot.wait("p.tool === 'Add'")
    plot.click(-1.35, 0.0)
    loop.wait("near(X, -1.35, 0, 1) === 1 && near(batches, -1.35, 0, 1) === 1")
    plot.wait("p.trained === x", len(POINTS) + 1)

    # A stroke of the brush: several points, which the model learns; and one that it does not.
    plot.button("A", "Class of new points").click()
    plot.drag(1.2, 0.95, (1.75, 0.95))
    plot.button("▲ Test").click()
    plot.click(0.0, 0.0)
    shown = plot.wait("p.tested === x", len(HELD_OUT) + 1)
    drawn = loop.wait("X.length === x && batches.length === x", shown["trained"])
    assert len(drawn["X"]) >= len(POINTS) + 3
    assert [1.2, 0.95] in [pytest.approx(p[:2], abs=0.05) for p in drawn["X"] if p[2] == 0]
    assert "test A" in plot.point_at(0.0, 0.0)
    plot.point_at(*CORNER)
    plot.wait("/ · A \\d+/.test(p.readout)")

    plot.button("● Train").click()
    plot.tool("Delete")
    plot.click(0.0, 0.0)
    plot.wait("p.tested === x", len(HELD_OUT))
    plot.click(-1.35, 0.0)
    gone = loop.wait("near(X, -1.35, 0, 1) === 0 && near(batches, -1.35, 0, 1) === 0")
    plot.tool("Ask")

    plot.button("Clear").click()
    plot.wait("p.trained === 0 && p.tested === 0")
    loop.wait("X.length === 0 && batches.length === 0")
    assert plot.button("Clear").is_disabled()
    plot.button("Undo").click()
    loop.wait("JSON.stringify(X) === JSON.stringify(x)", gone["X"])
    plot.button("Redo").click()
    loop.wait("X.length === 0")
    plot.undo_all()
    loop.wait("JSON.stringify(X) === JSON.stringify(x)", before["X"])


def test_toy_data_take_the_place_of_the_points(plot: Plot, loop: Loop) -> None:
    before = loop.wait("X.length === x", len(POINTS))
    plot.button("Data").click()
    assert plot.group("Data").get_by_role("button").all_inner_texts() == [
        "Moons", "Circles", "XOR", "Spirals", "Blobs",
    ]  # fmt: skip
    plot.button("XOR", "Data").click()
    drawn = loop.wait("X.length === 200 && batches.length === 200")
    # Opposite quadrants are alike, neighbouring ones are not.
    quadrants = {(x > 0) == (y > 0): label for x, y, label in drawn["X"] if abs(x * y) > 0.2}
    assert set(quadrants.values()) == {0, 1}
    plot.wait("p.trained === 200 && p.tested === 0 && p.train > 80")
    plot.page.keyboard.press("Escape")
    plot.button("Undo").click()
    loop.wait("JSON.stringify(X) === JSON.stringify(x)", before["X"])
    here = [len(POINTS), len(HELD_OUT)]
    plot.wait("p.trained === x[0] && p.tested === x[1] && p.train > 95", here)


# --- views -------------------------------------------------------------------------------


def test_each_view_says_something_else_of_the_same_place(plot: Plot) -> None:
    plot.point_at(-1.3, 0.0)
    for name, said, scale in (
        ("Label", r" · A$", ""),
        ("Entropy", r" · [\d.e−]+ nats · A$", "nats"),
        ("Margin", r" · lead [\d.]+ · A$", "lead over the next class"),
        ("Probability", r" · A [\d.]+\s%$", "100"),
    ):
        plot.view(name)
        plot.point_at(-1.3, 0.0)
        shown = plot.wait(f"/{said}/.test(p.readout)")
        assert scale in shown["scale"]
    plot.choice("Show").select_option(label="B")
    plot.wait("p.label.startsWith('Probability of B') && p.scale.includes('probability · B')")
    plot.point_at(-1.3, 0.0)
    alone = plot.wait("/ · B: [\\d.]+\\s% · A$/.test(p.readout)")
    share = re.search(r"B: ([\d.]+)", alone["readout"])
    assert share is not None
    assert float(share[1]) < 50
    plot.choice("Show").select_option("")
    plot.wait("p.label.startsWith('The most probable class and')")


def test_several_models_tell_what_one_cannot(plot: Plot) -> None:
    ways = plot.choice("How sure")
    assert plot.button("Epistemic", "View").count() == 0
    ways.select_option("mc_dropout")
    plot.button("Epistemic", "View").wait_for()
    for name in ("Epistemic", "Aleatoric"):
        plot.view(name)
        drawn = (
            "p.label.startsWith(`${x} uncertainty`) && /\\d models asked together/.test(p.quality)"
        )
        plot.wait(drawn, name)
        plot.point_at(-0.1, 0.2)
        plot.wait("/ · [\\d.e−]+ nats · [AB]$/.test(p.readout)")
    plot.click(-0.1, 0.2)
    plot.wait("p.told && p.place.startsWith('At (−0.1')")
    plot.part("How sure").get_by_text(sentence("explain.boundary.unsure")).wait_for()
    plot.button("Close").click()
    ways.select_option("")
    # A view that only several models have goes with them.
    plot.button("Epistemic", "View").wait_for(state="detached")
    plot.wait("p.view === 'Entropy' && !/models asked/.test(p.quality)")
    plot.view("Probability")


# --- what is said of a place -------------------------------------------------------------


def test_a_place_is_explained_and_leads_on(plot: Plot) -> None:
    plot.says(sentence("ui.boundary.point.hint.live"))
    plot.click(0.35, 0.1)
    shown = plot.wait("p.told && p.place !== ''")
    place = re.match(r"At \(([\d.]+), ([\d.]+)\)", shown["place"])
    assert place is not None
    assert [float(place[1]), float(place[2])] == pytest.approx([0.35, 0.1], abs=0.03)

    rows = plot.root.get_by_role("list", name="Probabilities in per cent").get_by_role("listitem")
    said = [row.split() for row in rows.all_inner_texts()]
    shares = {name: float(share) for name, share, _ in said}
    assert {unit for *_, unit in said} == {"%"}
    assert set(shares) == {"A", "B"}
    assert sum(shares.values()) == pytest.approx(100, abs=0.11)
    alone = sentence("explain.boundary.unsure_alone")
    assert alone.search(plot.part("How sure").inner_text())

    weights = plot.part("What it depends on")
    assert weights.get_by_role("listitem").count() == 2
    assert re.search(r"x₁\s+[+−][\d.]+", weights.inner_text())
    assert re.search(r"\(R² −?[\d.]+; 1 is exactly\)", weights.inner_text())
    rule = plot.part("Rule that applies").inner_text()
    assert re.search(r"x[₁₂] [≤>≥<]", rule)
    assert sentence("ui.boundary.agrees").search(rule)

    nearest = plot.part("Nearest training points").get_by_role("button")
    assert nearest.count() >= 3
    away = [re.search(r"([\d.]+) standard deviations", n) for n in nearest.all_inner_texts()]
    distances = [float(found[1]) for found in away if found is not None]
    assert distances == sorted(distances)
    assert len(distances) == nearest.count()

    # The smallest change leads to where the answer is the other one.
    answer = max(shares, key=lambda name: shares[name])
    other = ({"A", "B"} - {answer}).pop()
    change = plot.part("Smallest change to another answer").get_by_role("button").first
    assert re.search(rf"\b{other}\b", change.inner_text())
    change.click()
    plot.wait("p.told && p.place !== x", shown["place"])

    # A point that is drawn is explained as itself.
    plot.click(*POINTS[0][:2])
    plot.says("The point is A: the model is right.")
    plot.button("Close").click()
    plot.says(sentence("ui.boundary.point.hint.live"))


def test_rules_are_listed_with_how_far_they_hold(plot: Plot) -> None:
    part = plot.part("Rules")
    part.get_by_role("checkbox", name="Show").click()
    part.get_by_text(sentence("ui.boundary.rules.agrees")).wait_for()
    rules = part.get_by_role("listitem")
    rules.first.wait_for()
    assert 2 <= rules.count() <= 8
    covers = [re.search(r"covers ([\d.]+)\s%", text) for text in rules.all_inner_texts()]
    shares = [float(found[1]) for found in covers if found is not None]
    assert len(shares) == rules.count()
    assert sum(shares) == pytest.approx(100, abs=3)
    part.get_by_role("combobox", name="Depth").select_option("1")
    plot.wait_for(
        "selector => document.querySelectorAll(`${selector} .nnw-rules > li`).length === 2",
        plot.selector,
    )
    assert all(len(re.findall(r"x[₁₂]", text)) == 1 for text in rules.all_inner_texts())
    part.get_by_role("checkbox", name="Show").click()
    rules.first.wait_for(state="hidden")


def test_hidden_units_one_of_them_large(plot: Plot) -> None:
    layers = plot.choice("Hidden units")
    names = layers.locator("option").all_inner_texts()
    assert names[:3] == ["none", "0 · Linear", "1 · Tanh"]
    layers.select_option("1")
    units = plot.group("Hidden units").get_by_role("button")
    units.nth(15).wait_for()
    assert units.count() == 16
    said = str(units.nth(3).get_attribute("aria-label"))
    found = re.fullmatch(r"Unit 3: from ([+−]?[\d.]+) to ([+−]?[\d.]+)", said)
    assert found is not None, said
    low, high = (float(end.replace("−", "-")) for end in found.groups())
    assert -1 <= low < high <= 1  # of a tanh
    units.nth(3).click()
    plot.says("Unit 3 over the plane")
    plot.pressed(units.nth(3))
    units.nth(3).click()
    plot.root.get_by_text("Unit 3 over the plane").wait_for(state="hidden")
    layers.select_option("")
    units.first.wait_for(state="hidden")


# --- steps -------------------------------------------------------------------------------


def stepped_on(plot: Plot) -> str:
    """Return what is painted after many more steps of the loop."""
    plot.wait("p.step > x", plot.wait()["step"] + 100)
    return plot.painted()


def test_going_back_through_the_film_and_to_the_newest(plot: Plot) -> None:
    past = plot.go_back()
    slider = plot.slider("film")
    assert slider.input_value() == "0"
    assert int(str(slider.get_attribute("aria-valuetext")).replace(",", "")) == past["past"]
    plot.page.mouse.move(2, 2)
    # The loop goes on, the picture stays: once it is as fine as it gets.
    kept = plot.painted()
    for _ in range(20):
        before, kept = kept, stepped_on(plot)
        if kept == before:
            break
    assert stepped_on(plot) == kept
    assert plot.wait()["past"] == past["past"]
    # Another view, of the same weights.
    plot.view("Entropy")
    plot.wait("p.past === x && p.label.startsWith('Entropy')", past["past"])
    plot.wait_for_other(kept)
    plot.view("Probability")
    plot.page.keyboard.press("Escape")
    plot.button("Live").click()
    plot.wait("p.past === null && p.state === ''")


def test_the_step_is_shared_with_a_monitor(plot: Plot, drawing: Notebook) -> None:
    monitor = drawing.page.locator(".jp-Notebook .nnw-training-monitor").first
    live = monitor.get_by_role("button", name="Live", exact=True)
    slider = monitor.get_by_role("slider", name="Step shown")
    past = plot.go_back()
    plot.pressed(live, now=False)
    assert slider.input_value() == str(past["past"])
    live.click()
    plot.wait("p.past === null && p.state === ''")
    slider.focus()
    plot.page.keyboard.press("Home")
    plot.wait("p.past !== null")
    plot.button("Live").click()
    plot.pressed(live)
    plot.wait("p.past === null")


# --- the loss around the weights ----------------------------------------------------------


def test_the_loss_around_the_weights_is_stopped_while_the_cell_trains(plot: Plot, lab: Lab) -> None:
    part = plot.part("Loss landscape")
    with taking_time(lab):
        part.get_by_role("button", name="Compute").click()
        part.get_by_role("progressbar").wait_for()
        step = plot.wait()["step"]
        plot.wait_for(
            "selector => Number(document.querySelector(selector)?.ariaValueNow) > 0",
            f"{plot.selector} .nnw-working [role=progressbar]",
        )
        plot.wait("p.step > x", step)  # the training does not wait for it
        part.get_by_role("button", name="Stop").click()
        part.get_by_role("progressbar").wait_for(state="hidden")
    part.get_by_text(sentence("ui.boundary.landscape.hint")).wait_for()
    assert plot.root.locator(".nnw-problem").is_hidden()
    assert part.locator("canvas").first.is_hidden()


# --- a page loaded anew, the last test: what the cell prints does not come here any more ----


def test_a_page_loaded_anew_is_live_and_can_be_drawn_into(plot: Plot, drawing: Notebook) -> None:
    plot.view("Margin")
    step = plot.wait()["step"]
    drawing.reload()
    plot.wait("p.view === 'Margin' && p.step > x", step)
    plot.wait("p.step > x", step + 50)
    plot.point_at(-1.3, 0.0)
    plot.wait("/ · lead [\\d.]+ · A$/.test(p.readout)")
    x, y, _ = POINTS[3]
    plot.drag(x, y, CORNER)
    plot.wait("/ · A\\ntrain A, model says A$/.test(p.readout)")
    plot.button("Undo").click()
    plot.point_at(*CORNER)
    plot.wait("/ · B$/.test(p.readout)")
