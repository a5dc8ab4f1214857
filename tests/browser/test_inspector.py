"""LayerInspector in a real JupyterLab, on the digits CNN while a plain cell trains it.

The tests of a file share one notebook, whose cell goes on training all the time; each says which
layer and tab it looks at.
"""

from __future__ import annotations

import re

import pytest

from tests.browser.inspector import SHAPES, Inspector, painted


def test_every_layer_opens_while_the_cell_trains(inspector: Inspector) -> None:
    for name, (_, shape) in SHAPES.items():
        inspector.select(name)
        shown = inspector.wait_for_layer(name)
        assert shown["tab"] == "Activations"
        channels = shape.split("×")[1]
        if shape.count("×") == 3:
            assert shown["kinds"] == ["maps", "numbers", "histogram"]
            assert inspector.root.locator(".nnw-map-tile").count() == int(channels)
        else:
            assert shown["kinds"] == ["bars", "numbers", "histogram"]
            assert f"{int(channels):,} values" in str(
                inspector.block("bars").locator(".nnw-stage").get_attribute("aria-label")
            )


def test_the_picture_goes_on_changing(inspector: Inspector) -> None:
    for name, kind in (("4", "maps"), ("12", "bars")):
        inspector.select(name)
        shown = inspector.wait_for_layer(name)
        before = inspector.pixels(kind)
        for _ in range(3):
            shown = inspector.wait_for_later(shown)
        inspector.wait_for_other_pixels(kind, before)


TABS = {
    "4": {
        "Weights": ["maps", "bars", "numbers", "histogram"],
        "Gradients": ["maps", "bars", "numbers", "histogram"],
        "History": ["ridge", "lines"],
        "Contributions": ["terms", "maps", "arithmetic"],
        "Feature": ["note"],
        "Activations": ["maps", "numbers", "histogram"],
    },
    "9": {
        "Weights": ["matrix", "bars", "numbers", "histogram"],
        "Gradients": ["matrix", "bars", "numbers", "histogram"],
        "History": ["ridge", "lines"],
        "Contributions": ["terms", "arithmetic"],
        "Feature": ["note"],
        "Activations": ["bars", "numbers", "histogram"],
    },
}


@pytest.mark.parametrize("name", TABS)
def test_every_tab_of_a_layer(inspector: Inspector, name: str) -> None:
    inspector.select(name)
    inspector.wait_for_layer(name)
    for tab, kinds in TABS[name].items():
        inspector.tab(tab)
        shown = inspector.wait("p.tab === x && p.kinds.length > 0", tab)
        assert shown["kinds"][0] == kinds[0]
        assert set(shown["kinds"]) >= set(kinds)
        assert shown["title"].startswith(f"{name} · ")
        for kind in {"maps", "matrix", "bars", "ridge", "histogram"} & set(kinds):
            assert painted(inspector, kind)


# --- the keyboard ------------------------------------------------------------------------


def test_search_and_keys_select_layers(inspector: Inspector) -> None:
    page = inspector.page
    inspector.select("3")
    inspector.wait_for_layer("3")
    field = inspector.root.get_by_role("searchbox", name="Search layers")
    field.focus()
    page.keyboard.type("linear")
    inspector.root.get_by_text("2 layers found").wait_for(state="attached")
    assert inspector.rows() == ["9", "12"]
    page.keyboard.press("Enter")
    inspector.wait_for_layer("9")
    page.keyboard.press("Escape")
    inspector.row("0").wait_for()
    assert inspector.rows() == list(SHAPES)

    page.keyboard.press("ArrowDown")
    assert inspector.focused()["role"] == "treeitem"
    for key, name in [("End", "12"), ("Home", "0"), ("ArrowDown", "1"), ("ArrowDown", "2")]:
        page.keyboard.press(key)
        page.keyboard.press("Enter")
        inspector.wait_for_layer(name)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    inspector.wait_for_layer("1")

    field.fill("transformer")
    inspector.root.get_by_text("No layer has this").wait_for()
    field.fill("")
    inspector.row("0").wait_for()


def test_the_tab_key_leads_through_everything(inspector: Inspector) -> None:
    inspector.select("4")
    inspector.wait_for_layer("4")
    inspector.tab("Activations")
    inspector.wait("p.kinds[0] === 'maps'")
    inspector.wait_until_past_steps()
    inspector.root.get_by_role("searchbox").focus()
    stops: list[str] = []
    while inspector.root.locator(":focus").count():
        focused = inspector.focused()
        assert focused["ring"], focused
        stops.append(f"{focused['role']} {focused['classes']} {focused['name']}")
        inspector.page.keyboard.press("Tab")
        assert len(stops) < 60
    wanted = [
        "search nnw-search", "segment Tree", "segment Graph", "treeitem nnw-tree-row",
        "tab nnw-tab", "menu-button Export", "segment Probe", "segment Batch", "nnw-select Sort",
        "button nnw-map-tile", "application nnw-stage", "bordered Switch the layer off",
        "radio nnw-pick", "range nnw-slider", "nnw-live Live", "icon-only Look again",
    ]  # fmt: skip
    places = [next((i for i, stop in enumerate(stops) if part in stop), -1) for part in wanted]
    assert places == sorted(set(places) - {-1}), (places, stops)
    assert sum("treeitem" in stop or "nnw-pick" in stop for stop in stops) == 2


# --- units -------------------------------------------------------------------------------


def test_a_bar_leads_to_its_contributions(inspector: Inspector) -> None:
    inspector.open("9", "Activations")
    bars = inspector.block("bars")
    stage = bars.locator(".nnw-stage")
    box = stage.bounding_box()
    assert box is not None
    stage.hover(position={"x": box["width"] * 0.6, "y": box["height"] * 0.4})
    pointed = re.match(r"unit (\d+): ", bars.locator(".nnw-readout").inner_text())
    assert pointed is not None
    stage.click(position={"x": box["width"] * 0.6, "y": box["height"] * 0.4})
    bars.locator(".nnw-stage-picked:not([hidden])").wait_for()
    inspector.tab("Contributions")
    shown = inspector.wait("p.tab === 'Contributions' && p.titles[0].includes(x)", f"{pointed[1]}:")
    assert inspector.unit() == [int(pointed[1])]
    assert shown["titles"][0] == f"What makes up unit {pointed[1]}: activation × weight"

    inspector.tab("Activations")
    inspector.wait("p.kinds[0] === 'bars'")
    stage.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
        inspector.page.keyboard.press(key)
    assert bars.locator(".nnw-readout").inner_text().startswith("unit 3: ")
    inspector.page.keyboard.press("Enter")
    inspector.tab("Contributions")
    inspector.wait("p.titles[0] === x", "What makes up unit 3: activation × weight")
    assert inspector.unit() == [3]


def test_a_place_in_a_map_leads_to_its_contributions(inspector: Inspector) -> None:
    inspector.open("4", "Activations")
    maps = inspector.block("maps")
    tile = maps.locator(".nnw-map-tile").nth(5)
    tile.click()
    inspector.wait_for_attribute(tile, "aria-pressed", "true")
    tile.click(position={"x": 30, "y": 40})
    place = re.match(r"unit 5 · row (\d+), column (\d+): ", inspector.readout("maps"))
    assert place is not None
    unit = [5, int(place[1]), int(place[2])]
    inspector.tab("Contributions")
    inspector.wait("p.titles[0]?.includes(x)", f"unit ({', '.join(map(str, unit))}):")
    assert inspector.unit() == unit

    inspector.tab("Activations")
    inspector.wait("p.kinds[0] === 'maps'")
    tile = maps.locator(".nnw-map-tile").nth(7)
    tile.focus()
    inspector.page.keyboard.press("Enter")
    inspector.wait_for_attribute(tile, "aria-pressed", "true")
    for key in ("Enter", "ArrowRight", "Enter"):
        inspector.page.keyboard.press(key)
    inspector.tab("Contributions")
    inspector.wait("p.titles[0]?.includes(x)", "unit (7, 7, 8):")
    assert inspector.unit() == [7, 7, 8]


def test_forward_and_backward(inspector: Inspector) -> None:
    inspector.open("9", "Contributions")
    inspector.wait("p.kinds[0] === 'terms'")
    inspector.button("Backward").click()
    inspector.wait("p.kinds.join() === 'arithmetic'")
    text = inspector.block("arithmetic").inner_text()
    assert "Where the gradient of unit" in text
    assert "gradient of the unit:" in text
    assert inspector.button("Backward").get_attribute("aria-pressed") == "true"
    inspector.button("Forward").click()
    inspector.wait("p.kinds[0] === 'terms'")
    assert inspector.button("Backward").get_attribute("aria-pressed") == "false"


# --- the graph ---------------------------------------------------------------------------


def test_a_layer_is_chosen_in_the_graph(inspector: Inspector) -> None:
    page = inspector.page
    inspector.open("0", "Activations")
    inspector.button("Graph").click()
    graph = inspector.root.get_by_role("listbox", name="Data flow")
    graph.wait_for()
    inspector.button("Graph").focus()
    inspector.tab_to("listbox")
    page.keyboard.press("Home")
    seen = [spoken(inspector)]
    for _ in range(4):
        page.keyboard.press("ArrowDown")
        seen.append(spoken(inspector))
    assert "Conv2d" in seen[1]
    assert "MaxPool2d" in seen[4]
    page.keyboard.press("Enter")
    inspector.wait_for_layer("3")

    box = graph.bounding_box()
    assert box is not None
    for y in range(10, int(box["height"]), 6):
        graph.hover(position={"x": box["width"] / 2, "y": y})
        if "nnw-pointing" in str(graph.get_attribute("class")):
            page.mouse.down()
            page.mouse.up()
            break
    inspector.wait("!p.title.startsWith('3 ·')")
    inspector.button("Tree").click()
    inspector.row("3").wait_for()


def spoken(inspector: Inspector) -> str:
    """What is read of the node that the keys have led to."""
    graph = inspector.root.get_by_role("listbox", name="Data flow")
    option = graph.get_attribute("aria-activedescendant")
    return str(inspector.page.locator(f"#{option}").text_content())
