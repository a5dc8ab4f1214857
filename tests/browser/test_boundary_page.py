"""The front end of the decision boundary on a kernel in the page, whose small network learns.

No Jupyter here: these tests are about what is drawn and what hands and keys do. That the real
kernel answers in the same way is for the tests in a notebook.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.boundary_page import BoundaryPage, open_boundary
from tests.browser.lab import Chromium


@pytest.fixture
def still(chromium: Chromium) -> Iterator[BoundaryPage]:
    """Three classes, three features, and a loop that is paused: nothing moves by itself."""
    with open_boundary(chromium, "state=paused&trained=150") as page:
        yield page


@pytest.fixture
def moons(chromium: Chromium) -> Iterator[BoundaryPage]:
    """Two classes, two features, and a network that learns all the time."""
    with open_boundary(chromium, "data=moons&trained=100") as page:
        yield page


# --- hands ------------------------------------------------------------------------------------


def test_a_point_that_is_dragged_moves_and_the_picture_follows(moons: BoundaryPage) -> None:
    start = moons.place(0)
    steps = moons.kernel("world.step")
    surface = moons.painted()
    moons.drag(start, (0.6, 1.1))
    moons.wait(
        "Math.hypot(points.find(0).x[0] - x[0], points.find(0).x[1] - x[1]) < 0.05", [0.6, 1.1]
    )
    # The picture is one of these points, and the network has learned on with them.
    moons.wait("meta('_surface').points_version === points.version && world.step > x", steps)
    moons.wait_for_other(surface)

    # However many messages one drag was: it is taken back at once.
    moons.button("Undo").click()
    moons.wait("!points.canUndo")
    assert moons.place(0) == start
    moons.button("Redo").click()
    moons.wait("points.find(0).x[1] > 1")


def test_escape_gives_a_dragged_point_back(still: BoundaryPage) -> None:
    start = still.place(5)
    still.drag(start, (0.9, 0.9), drop=False)
    still.wait("points.find(5).x[0] > 0.8")
    still.page.keyboard.press("Escape")
    still.wait("Math.abs(points.find(5).x[0] - x) < 0.05", start[0])
    still.page.mouse.up()
    assert still.place(5) == pytest.approx(start, abs=1e-6)


def test_the_value_of_a_point_is_typed_and_taken_back(chromium: Chromium) -> None:
    with open_boundary(chromium, "data=values&state=paused&trained=120") as page:
        x, y = page.place(3)
        first = page.kernel("points.find(3).y")
        page.click(x, y)
        field = page.root.get_by_role("textbox", name="This point’s value", exact=True)
        field.fill("−1.75")
        field.press("Enter")
        page.wait("points.find(3).y === -1.75")
        page.says("The point has −1.75.")
        assert "test −1.75, model says" in page.point_at(x, y)
        # The wheel over a field that has the focus leaves the data alone.
        field.hover()
        page.page.mouse.wheel(0, 40)
        page.button("Undo").click()
        page.wait("points.find(3).y === x", first)
        expect(field).not_to_have_value("−1.75")
        assert not page.kernel("points.canUndo")

        field.fill("much")
        field.press("Enter")
        expect(field).to_have_attribute("aria-invalid", "true")
        assert not page.violations()
        field.press("Escape")
        expect(field).not_to_have_value("much")
        assert page.kernel("points.find(3).y") == first


def test_points_are_put_down_with_a_class_and_taken_away(still: BoundaryPage) -> None:
    count = still.kernel("points.all.length")
    still.button("B", "Class of new points").click()
    still.pressed(still.button("Add"))
    still.click(-1.2, 1.2)
    still.wait("points.all.length === x", count + 1)
    added = still.kernel("points.all.at(-1)")
    assert (added["y"], added["test"]) == (1, False)
    assert added["x"][:2] == pytest.approx([-1.2, 1.2], abs=0.05)
    # The third feature is where the slice is.
    assert added["x"][2] == still.kernel("world.held[2]")

    still.button("▲ Test").click()
    still.drag((-1.2, -1.0), (0.2, -1.0))  # a stroke of the brush
    still.wait("points.all.length > x", count + 3)
    assert still.kernel("points.all.slice(x).every(p => p.test && p.y === 1)", count + 1)
    still.page.mouse.move(*still.pixel(-1.2, -1.0))
    assert "test B" in still.readout()

    many = still.kernel("points.all.length")
    still.button("Delete", "What a click on the picture does").click()
    still.click(-1.2, 1.2)
    still.wait("points.all.length === x", many - 1)
    still.button("Clear").click()
    still.wait("points.all.length === 0")
    expect(still.button("Clear")).to_be_disabled()
    still.button("Undo").click()
    still.wait("points.all.length === x", many - 1)


def test_a_place_is_explained_and_leads_on(still: BoundaryPage) -> None:
    still.click(0.5, -0.3)
    still.says("At (")
    still.says("Smallest change to another answer")
    shares = still.kernel("meta('_point').label")
    expect(still.root.locator(".nnw-boundary-side")).to_contain_text(
        still.kernel("world.classes[x]", shares)
    )
    change = next(c for c in still.kernel("meta('_point').changes") if c["at"] is not None)
    still.root.get_by_role("button", name=change["text"]).click()
    still.wait("meta('_point').at[0] === x[0] && meta('_point').at[1] === x[1]", change["at"])
    # There it is another class, if only just.
    still.wait("meta('_point').label === x", change["answer"])
    still.button("Close").click()
    still.wait("meta('_point').state === 'none'")


def test_a_drawn_point_is_explained_as_itself(still: BoundaryPage) -> None:
    number = still.kernel("points.all.findIndex(p => !p.test)")
    still.click(*still.place(number))
    still.wait("typeof meta('_point').id === 'number'")
    # Two may lie in one place; the one that was meant lies where the click was.
    found = still.kernel("points.all.findIndex(p => p.id === meta('_point').id)")
    assert still.place(found) == pytest.approx(still.place(number), abs=0.08)
    truth = still.kernel("world.classes[points.all[x].y]", found)
    still.says(f"The point is {truth}")


def test_a_part_is_looked_at_closer(still: BoundaryPage) -> None:
    whole = still.kernel("meta('_surface').rectangle")
    still.page.keyboard.down("Shift")
    still.drag((-0.5, -0.5), (0.5, 0.5))
    still.page.keyboard.up("Shift")
    still.wait("meta('_choices').zoomed")
    near = still.kernel("meta('_surface').rectangle")
    assert near == pytest.approx([-0.5, 0.5, -0.5, 0.5], abs=0.05)
    assert still.kernel("points.version") == 0
    still.button("Whole").click()
    still.wait("!meta('_choices').zoomed")
    assert still.kernel("meta('_surface').rectangle") == whole


# --- what is looked at ------------------------------------------------------------------------


def test_each_view_is_another_picture(still: BoundaryPage) -> None:
    still.choice("How sure").select_option("ensemble")
    still.button("Epistemic").wait_for()
    seen = {}
    for name in ("Label", "Entropy", "Margin", "Epistemic", "Aleatoric", "Probability"):
        before = still.painted()
        still.button(name).click()
        still.pressed(still.button(name))
        still.wait("meta('_surface').view === x", name.lower())
        still.wait_for_other(before)
        seen[name] = still.painted()
    assert len(set(seen.values())) == 6
    still.choice("Show").select_option("1")
    still.wait_for_other(seen["Probability"])
    still.page.mouse.move(*still.pixel(0.4, 0.4))
    assert "B" in still.readout()
    still.choice("How sure").select_option("")
    still.button("Epistemic").wait_for(state="detached")


def test_the_plane_is_chosen_and_the_rest_is_held(still: BoundaryPage) -> None:
    before = still.painted()
    still.button("Held fixed").click()
    slider = still.root.get_by_role("slider", name="humidity")
    slider.focus()
    still.page.keyboard.press("End")
    still.wait(
        "world.others === 'given' && Math.abs(world.held[2] - meta('_choices').held[0].high) < 0.01"
    )
    still.wait_for_other(before)
    still.page.keyboard.press("Escape")
    slider.wait_for(state="hidden")

    still.choice("Feature across").select_option(label="humidity")
    still.wait("meta('_surface').labels[0] === 'humidity'")
    still.choice("Plane").select_option("pca")
    still.wait("meta('_surface').share !== null")
    still.says("of the spread of the data")
    expect(still.button("Held fixed")).to_be_hidden()


def test_points_of_a_class_are_hidden(still: BoundaryPage) -> None:
    still.page.mouse.move(2, 2)
    all_points = still.painted(1)
    one = still.button("A", "Classes")
    one.click()
    still.pressed(one, now=False)
    still.wait_for_other(all_points, 1)
    one.click()
    still.wait_for_same(all_points, 1)
    still.root.get_by_role("checkbox", name="Points", exact=True).uncheck()
    still.wait_for_other(all_points, 1)
    assert still.kernel("points.version") == 0


def test_the_training_is_a_film(still: BoundaryPage) -> None:
    now = still.painted()
    slider = still.root.get_by_role("slider", name="film")
    slider.focus()
    still.page.keyboard.press("Home")
    still.wait("meta('_surface').past && meta('_surface').step === 0")
    still.says("Step 0, by the weights kept then")
    still.wait_for_other(now)
    still.page.keyboard.press("ArrowRight")
    still.wait("meta('_surface').step === x", still.kernel("meta('_choices').steps[1]"))
    still.button("Live").click()
    still.wait("!meta('_surface').past")
    still.wait_for_same(now)


# --- what is said besides ---------------------------------------------------------------------


def test_rules_are_listed_and_the_one_that_applies_is_told(still: BoundaryPage) -> None:
    before = still.painted(1)
    still.root.get_by_role("checkbox", name="Show rules", exact=True).check()
    still.wait("meta('_rules').state === 'ready'")
    fidelity = still.kernel("meta('_rules').fidelity")
    still.says(f"agree with the model at {100 * fidelity:.0f}\u202f% of the places")
    still.wait_for_other(before, 1)
    still.click(0.5, -0.3)
    still.says("Rule that applies")
    still.says(still.kernel("meta('_point').rule"))


def test_hidden_units_are_small_pictures_and_one_large_one(still: BoundaryPage) -> None:
    still.choice("Hidden units").select_option("3")
    strip = still.group("Hidden units")
    expect(strip.get_by_role("button")).to_have_count(16)
    assert strip.bounding_box() is not None
    fourth = strip.get_by_role("button").nth(3)
    fourth.click()
    still.wait("meta('_units').large === 3")
    still.pressed(fourth)
    still.says("Unit 3 over the plane")
    fourth.click()
    still.wait("meta('_units').large === null")


def test_the_loss_around_the_weights_takes_time_and_can_be_stopped(still: BoundaryPage) -> None:
    still.button("Compute").click()
    still.wait("meta('_live').busy?.fraction > 0.05")
    still.button("Stop").click()
    still.wait("meta('_live').busy === null && meta('_landscape').state === 'none'")
    still.button("Compute").click()
    still.wait("meta('_landscape').state === 'ready'")
    still.says("Mean cross-entropy in nats over the training points")
    still.button("Hide").click()
    still.wait("meta('_landscape').state === 'none'")


def test_toy_data_take_the_place_of_all_points(moons: BoundaryPage) -> None:
    moons.button("Data").click()
    moons.button("XOR").click()
    moons.wait("points.version > 0")
    assert moons.kernel("points.all.length") == 200
    # Opposite quadrants are alike: most points of the first have one class.
    assert moons.kernel(
        "(() => { const q = points.all.filter(p => p.x[0] * p.x[1] > 0.1);"
        " return q.filter(p => p.y === q[0].y).length / q.length })()"
    ) == pytest.approx(1, abs=0.05)


def test_what_cannot_be_saved_is_said(chromium: Chromium) -> None:
    with open_boundary(chromium, "state=error&move=0") as page:
        page.says("The picture could not be refreshed")
        page.button("Export").click()
        page.root.get_by_role("menuitem", name="PNG picture").click()
        page.says("the disk is full")


# --- keys -------------------------------------------------------------------------------------


def test_the_keyboard_is_enough(still: BoundaryPage) -> None:
    page = still.page
    count = still.kernel("points.all.length")
    # Into the picture, from the control before it.
    still.button("Export").focus()
    page.keyboard.press("Tab")
    assert still.picture.evaluate("e => e === document.activeElement")
    assert still.picture.evaluate("e => getComputedStyle(e).outlineStyle") != "none"

    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    where = still.readout()
    assert where.startswith("x₁ ")
    page.keyboard.press("Enter")
    still.wait("meta('_point').state === 'ready'")

    # A point is found, picked up, carried and put down; another one is removed.
    page.keyboard.press("n")
    assert "model says" in still.readout()
    before = still.kernel("points.all.map(p => p.x)")
    page.keyboard.press("m")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    still.wait("points.version > 0")
    after = still.kernel("points.all.map(p => p.x)")
    ((was, now),) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert now[0] > was[0] + 0.05
    assert now[1:] == pytest.approx(was[1:], abs=0.05)
    page.keyboard.press("n")
    page.keyboard.press("Delete")
    still.wait("points.all.length === x", count - 1)

    # The tools come by Tab as well.
    still.button("C", "Class of new points").focus()
    page.keyboard.press("Enter")
    still.pressed(still.button("Add"))
    still.picture.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    still.wait("points.all.length === x && points.all.at(-1).y === 2", count)
    for _ in range(3):
        still.button("Undo").focus()
        version = still.kernel("points.version")
        page.keyboard.press("Enter")
        still.wait("points.version > x", version)
    assert not still.kernel("points.canUndo")
    assert still.kernel("points.all.map(p => p.x)") == before
