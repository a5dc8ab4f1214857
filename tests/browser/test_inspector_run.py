"""LayerInspector in a real JupyterLab: samples, past steps, ablation, searches, files, views.

As in `test_inspector`, the tests share one notebook whose cell goes on training.
"""

from __future__ import annotations

import pytest

from tests.browser.inspector import Inspector, painted
from tests.browser.lab import Notebook
from tests.browser.test_accessible import PLANT, violations

# --- samples and steps -------------------------------------------------------------------


def test_samples_are_chosen_by_mouse_and_keys(inspector: Inspector) -> None:
    inspector.open("6", "Activations")
    samples = inspector.root.get_by_role("radio")
    assert samples.count() == 8
    samples.nth(3).click()
    inspector.wait("p.title.includes('probe sample 4 of 8 (sample_index 3),')")
    before = inspector.pixels("maps")
    inspector.page.keyboard.press("ArrowRight")
    inspector.wait("p.title.includes('probe sample 5 of 8 (sample_index 4),')")
    inspector.wait_for_other_pixels("maps", before)
    inspector.page.keyboard.press("Home")
    inspector.wait("p.title.includes('probe sample 1 of 8 (sample_index 0),')")


def test_going_back_to_a_step_and_to_the_newest(inspector: Inspector) -> None:
    inspector.open("4", "Weights")
    inspector.wait_until_past_steps()
    slider = inspector.root.get_by_role("slider", name="step")
    slider.focus()
    inspector.page.keyboard.press("Home")
    past = inspector.wait("p.title.includes('weights kept at step')")
    kept = inspector.pixels("maps")
    assert slider.get_attribute("aria-valuetext") == f"{past['step']:,}"
    # The loop goes on, the picture stays.
    inspector.wait_for_run(past["step"] + 200)
    assert inspector.wait()["title"] == past["title"]
    assert inspector.pixels("maps") == kept
    # Another layer, and what it did with the samples then.
    inspector.select("9")
    inspector.wait("p.title.startsWith('9 ·') && p.step === x", past["step"])
    inspector.tab("Activations")
    inspector.wait("p.kinds[0] === 'bars' && p.step === x", past["step"])
    inspector.button("Live").click()
    now = inspector.wait("!p.title.includes('kept') && p.step > x", past["step"] + 200)
    inspector.wait_for_later(now)


def test_the_step_is_shared_with_a_monitor(inspector: Inspector, notebook: Notebook) -> None:
    monitor = notebook.page.locator(".jp-Notebook .nnw-training-monitor").first
    live = monitor.get_by_role("button", name="Live", exact=True)
    inspector.open("4", "Weights")
    inspector.wait_until_past_steps()
    inspector.root.get_by_role("slider", name="step").focus()
    inspector.page.keyboard.press("Home")
    past = inspector.wait("p.title.includes('kept')")
    inspector.wait_for_attribute(live, "aria-pressed", "false")
    slider = monitor.get_by_role("slider", name="Step shown")
    assert slider.input_value() == str(past["step"])
    live.click()
    inspector.wait("!p.title.includes('kept') && p.step > x", past["step"])

    slider.focus()
    inspector.page.keyboard.press("Home")
    inspector.wait("p.title.includes('kept')")
    inspector.button("Live").click()
    inspector.wait_for_attribute(live, "aria-pressed", "true")
    inspector.wait("!p.title.includes('kept')")


# --- switching off, searching ------------------------------------------------------------


def test_what_the_answer_owes_to_a_layer(inspector: Inspector) -> None:
    inspector.open("6", "Activations")
    assert inspector.button("Switch on again").is_disabled()
    inspector.button("Switch the layer off").click()
    shown = inspector.wait("p.kinds.includes('outputs')")
    assert "The model's output with and without them" in shown["titles"]
    rows = inspector.block("outputs").locator(".nnw-bar-row")
    assert rows.count() == 10
    values = [row.split() for row in rows.all_inner_texts()]
    assert any(before != after for _, before, after in values), values
    inspector.root.get_by_text("The whole layer is off for the probe batch.").wait_for()

    # It goes with the sample and with the steps.
    inspector.root.get_by_role("radio").nth(5).click()
    shown = inspector.wait("p.title.includes('sample 6 of 8') && p.kinds.includes('outputs')")
    inspector.wait_for_later(shown)
    assert rows.all_inner_texts() != [" ".join(value) for value in values]
    inspector.root.get_by_role("radio").nth(0).click()
    inspector.button("Switch on again").click()
    inspector.wait("!p.kinds.includes('outputs')")

    # Single units, one after the other.
    for unit in (3, 4):
        tile = inspector.block("maps").locator(".nnw-map-tile").nth(unit)
        tile.click()
        inspector.wait_for_attribute(tile, "aria-pressed", "true")
        inspector.button(f"Switch unit {unit} off").click()
    inspector.root.get_by_text("Off for the probe batch: 3, 4", exact=True).wait_for()
    inspector.button("Switch unit 4 on").click()
    inspector.root.get_by_text("Off for the probe batch: 3", exact=True).wait_for()
    inspector.button("Switch on again").click()
    inspector.wait("!p.kinds.includes('outputs')")


def test_an_input_is_searched_for_and_the_search_can_be_ended(inspector: Inspector) -> None:
    inspector.open("9", "Feature")
    field = inspector.root.get_by_label("Unit", exact=True)
    field.fill("5")
    field.press("Enter")
    busy = inspector.root.locator(".nnw-busy")
    inspector.button("Find an input that drives it").click()
    busy.get_by_role("progressbar").wait_for()
    assert "The input that drives the unit" in busy.inner_text()
    inspector.button("Cancel").click()
    busy.wait_for(state="hidden")
    assert inspector.wait()["kinds"] == ["note"]

    inspector.button("Find the samples that drive it").click()
    inspector.wait("p.kinds.includes('samples')")
    found = inspector.block("samples").get_by_role("button")
    assert found.count() == 8
    said = [text.split(": ") for text in found.locator(".nnw-spoken").all_text_contents()]
    values = [float(value.replace("−", "-")) for _, value in said]
    assert values == sorted(values, reverse=True)
    found.nth(2).click()
    chosen = inspector.root.get_by_role("radio", name=said[2][0].capitalize(), exact=True)
    inspector.wait_for_attribute(chosen, "aria-checked", "true")

    inspector.button("Find an input that drives it").click()
    inspector.wait("p.kinds.includes('image')")
    assert painted(inspector, "image")
    busy.wait_for(state="hidden")


# --- files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "ending", "begins"),
    [("PNG picture", "png", b"\x89PNG"), ("HTML page", "html", b"<!doctype html>")],
)
def test_the_picture_as_a_file(inspector: Inspector, item: str, ending: str, begins: bytes) -> None:
    inspector.open("4", "History")
    with inspector.page.expect_download() as download:
        inspector.button("Export").click()
        inspector.root.get_by_role("menuitem", name=item).click()
    assert download.value.suggested_filename == f"4-history.{ending}"
    assert download.value.path().read_bytes().startswith(begins)


# --- light, dark, two views, a page loaded anew ------------------------------------------


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing_but_what_is_planted(
    inspector: Inspector, notebook: Notebook, theme: str
) -> None:
    notebook.command("apputils:change-theme", {"theme": f"JupyterLab {theme}"})
    notebook.wait_for("() => document.querySelector('#jupyterlab-splash') === null")
    inspector.wait_for_attribute(inspector.root, "data-theme", theme.lower())
    root = inspector.selector
    # What is scrolled out of sight is not checked.
    inspector.root.locator(".nnw-inside").evaluate("inside => { inside.style.height = '1300px' }")
    for name, tab in (("4", "Activations"), ("9", "Weights"), ("9", "Contributions"),
                      ("4", "History"), ("4", "Feature")):  # fmt: skip
        inspector.open(name, tab)
        found = violations(notebook, root)
        assert not found, "\n".join(map(str, found))
    inspector.button("Graph").click()
    inspector.root.get_by_role("listbox", name="Data flow").wait_for()
    found = violations(notebook, root)
    assert not found, "\n".join(map(str, found))
    inspector.button("Tree").click()
    notebook.page.evaluate(PLANT, root)
    assert {rule for rule, *_ in violations(notebook, root)} >= {"button-name", "color-contrast"}
    inspector.root.locator(":scope > :first-child").evaluate("plant => plant.remove()")


def test_nothing_is_cut_in_narrow_notebooks(inspector: Inspector, notebook: Notebook) -> None:
    inspector.open("4", "Contributions")
    for width in (1180, 1000, 880, 740, 620):
        notebook.page.set_viewport_size({"width": width, "height": 2400})
        notebook.wait_for(
            """([selector, width]) => {
                const root = document.querySelector(selector);
                return innerWidth === width
                    && root.scrollWidth <= root.clientWidth
                    && ['.nnw-tabs', '.nnw-header', '.nnw-foot', '.nnw-layer-scroll'].every(
                        part => [...root.querySelectorAll(part)].every(
                            element => element.scrollWidth <= element.clientWidth));
            }""",
            [inspector.selector, width],
        )
    inspector.row("4").wait_for(state="hidden")
    inspector.button("Layers").click()
    inspector.select("9")
    inspector.wait_for_layer("9")
    inspector.row("4").wait_for(state="hidden")
    notebook.page.set_viewport_size({"width": 1300, "height": 2400})
    inspector.row("4").wait_for()


def test_a_second_view_is_live_and_follows(inspector: Inspector, notebook: Notebook) -> None:
    notebook.second_view(1)
    second = Inspector(notebook, ".jp-LinkedOutputView .nnw-layer-inspector")
    second.select("7")
    second.wait_for_later(second.wait_for_layer("7"))
    inspector.wait_for_later(inspector.wait_for_layer("7"))
    inspector.select("2")
    second.wait_for_layer("2")
    notebook.page.evaluate(
        """() => [...jupyterapp.shell.widgets('main')]
            .filter(widget => !widget.content?.widgets).forEach(widget => widget.dispose())"""
    )
    inspector.wait_for_later(inspector.wait_for_layer("2"))


def test_a_page_loaded_anew_shows_it_live(inspector: Inspector, notebook: Notebook) -> None:
    inspector.open("4", "Weights")
    notebook.reload()
    shown = inspector.wait("p.tab === 'Weights' && p.title.startsWith('4 · Conv2d')")
    inspector.wait_for_later(shown)
    inspector.select("9")
    inspector.wait("p.title.startsWith('9 · Linear') && p.kinds[0] === 'matrix'")
