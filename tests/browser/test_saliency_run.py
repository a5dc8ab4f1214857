"""SaliencyViewer in a real JupyterLab: files, saved pages, keys, views, themes, older kernels.

As in `test_saliency`, most tests share one notebook whose cell goes on training.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.hosts import HOSTS, Host
from tests.browser.inspector import DIGITS, TRAIN
from tests.browser.lab import Chromium, Lab, Notebook
from tests.browser.saliency import SHOW, Viewer, painted
from tests.browser.test_accessible import PLANT, violations

# --- files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "ending", "begins"),
    [("PNG picture", "png", b"\x89PNG"), ("SVG picture", "svg", b"<?xml")],
)
def test_the_picture_as_a_file(viewer: Viewer, item: str, ending: str, begins: bytes) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    with viewer.page.expect_download() as download:
        viewer.button("Export").click()
        viewer.root.get_by_role("menuitem", name=item).click()
    assert download.value.suggested_filename == f"grad_cam-0.{ending}"
    content = download.value.path().read_bytes()
    assert content.startswith(begins)
    assert len(content) > 5_000


def test_a_page_that_is_clicked_through_without_a_kernel(
    viewer: Viewer, chromium: Chromium, tmp_path: Path
) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    with viewer.page.expect_download() as download:
        viewer.button("Export").click()
        viewer.root.get_by_role("menuitem", name="HTML page").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.name == "grad_cam-0.html"
    # Leaving fails if the page asked for anything but itself, or logged an error.
    with chromium.page(width=1300, height=1000, allowed=saved.as_uri()) as page:
        page.goto(saved.as_uri())
        offline = Viewer(page, ".nnw-saliency-viewer")
        offline.root.locator(".nnw-banner", has_text="A saved page, without a kernel:").wait_for()
        shown = offline.wait("p.kind === 'image' && p.drawn")
        assert shown["caption"].startswith("Grad-CAM, layer 7, step ")
        for number in (4, 8, 1):
            before = offline.pixels()
            offline.sample(number).click()
            offline.wait("p.sample === x", number - 1)
            offline.wait_for_other_pixels(before)
            assert painted(offline)
        offline.bar("eight").click()
        offline.wait("p.title.includes('eight') && p.asked === 'eight'")
        offline.button("Predicted class").click()
        offline.wait("p.title.includes('zero')")
        for method in ("Saliency", "Input × gradient", "Guided backprop"):
            offline.method(method)
            offline.wait("p.method === x && p.caption.startsWith(`${x}, `)", method)
        offline.stage().hover(position={"x": 50, "y": 60})
        assert offline.readout().startswith("row ")
        for name in ("Check this map", "Export", "Live"):
            assert offline.button(name).is_disabled()


# --- the keyboard ------------------------------------------------------------------------


def test_the_keyboard_is_enough(viewer: Viewer) -> None:
    page = viewer.page
    viewer.ask(sample=1, method="Grad-CAM")
    viewer.sample(1).focus()
    page.keyboard.press("ArrowRight")
    viewer.wait("p.sample === 1")
    page.keyboard.press("End")
    viewer.wait("p.sample === 7")
    page.keyboard.press("Home")
    viewer.wait("p.sample === 0 && p.title.includes('zero')")

    viewer.bar("zero").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    viewer.wait("p.title.includes('three')")

    viewer.button("Integrated gradients").focus()
    page.keyboard.press("Space")
    viewer.wait("p.caption.startsWith('Integrated gradients, ')")
    viewer.button("More").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    viewer.wait("p.method === 'Input × gradient' && p.caption.startsWith('Input × gradient, ')")
    assert viewer.focused()["name"] == "More"
    page.keyboard.press("ArrowUp")
    assert "Attention rollout" in viewer.focused()["name"]
    page.keyboard.press("Enter")  # which does not apply
    page.keyboard.press("Escape")
    assert viewer.focused()["name"] == "More"

    viewer.root.get_by_role("slider", name="film").focus()
    page.keyboard.press("Home")
    past = viewer.wait("p.caption.includes('kept')")
    viewer.stage().focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    assert viewer.readout().startswith("row 11, column 1: ")
    page.keyboard.press("Control+End")
    assert viewer.readout().startswith("row 27, column 27: ")
    page.keyboard.press("Enter")
    assert "value" in viewer.numbers()
    page.keyboard.press("Escape")
    viewer.root.get_by_role("dialog").wait_for(state="hidden")
    assert viewer.wait()["caption"] == past["caption"]

    viewer.choice("Compare").focus()
    page.keyboard.press("ArrowDown")
    viewer.wait("p.panes.length === 2")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    viewer.wait("p.panes[1]?.caption.startsWith('Activation × weight')")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Home")
    viewer.wait("p.panes.length === 1")

    viewer.button("Overlay").focus()
    page.keyboard.press("Enter")
    viewer.root.get_by_role("slider", name="Opacity").focus()
    before = viewer.pixels()
    page.keyboard.press("Home")
    viewer.wait_for_other_pixels(before)
    viewer.button("Side by side").focus()
    page.keyboard.press("Enter")

    viewer.root.locator(".nnw-trust").get_by_role("button", name=re.compile("^Check")).focus()
    page.keyboard.press("Enter")
    viewer.root.locator(".nnw-trust").get_by_role("progressbar").wait_for()
    viewer.root.locator(".nnw-trust").get_by_role("progressbar").wait_for(state="hidden")
    viewer.button("Live").focus()
    page.keyboard.press("Enter")
    viewer.wait("!p.caption.includes('kept')")


def test_the_tab_key_leads_through_everything(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    viewer.wait_until_past_steps()
    viewer.button("Grad-CAM").focus()
    viewer.page.keyboard.press("Shift+Tab")
    viewer.page.keyboard.press("Tab")  # by a key, so that the focus is shown
    stops: list[str] = []
    while viewer.root.locator(":focus").count():
        focused = viewer.focused()
        assert focused["ring"], focused
        stops.append(f"{focused['role']} {focused['classes']} {focused['name']}")
        viewer.page.keyboard.press("Tab")
        assert len(stops) < 60
    wanted = [
        "segment Grad-CAM", "segment LIME", "menu-button More", "nnw-select Layer",
        "nnw-select Compare", "menu-button Export", "application nnw-stage",
        "segment Side by side", "segment Overlay", "nnw-class", "bordered Check",
        "radio nnw-pick", "range nnw-slider", "nnw-live Live", "icon-only Look again",
    ]  # fmt: skip
    places = [next((i for i, stop in enumerate(stops) if part in stop), -1) for part in wanted]
    assert places == sorted(set(places) - {-1}), (places, stops)
    assert sum("nnw-class" in stop or "nnw-pick" in stop for stop in stops) == 2


# --- light, dark, narrow, two views ------------------------------------------------------


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing_but_what_is_planted(
    viewer: Viewer, asking: Notebook, lab: Lab, theme: str
) -> None:
    asking.command("apputils:change-theme", {"theme": f"JupyterLab {theme}"})
    asking.wait_for("() => document.querySelector('#jupyterlab-splash') === null")
    viewer.wait_for_attribute(viewer.root, "data-theme", theme.lower())

    def check(state: str) -> None:
        found = violations(asking, viewer.selector)
        assert not found, "\n".join(map(str, [state, *found]))

    viewer.ask(sample=1, method="Guided Grad-CAM")
    check("one map")
    viewer.ask(sample=1, method="Input × gradient")
    viewer.button("Overlay").click()
    viewer.choice("Compare").select_option("target")
    viewer.wait("p.panes.length === 2")
    check("two maps over the input")
    viewer.choice("Compare").select_option("")
    viewer.button("Side by side").click()
    viewer.wait("p.panes.length === 1")
    viewer.button("More").click()
    check("the other methods")
    viewer.page.keyboard.press("Escape")
    viewer.root.get_by_role("button", name="Check").first.click()
    viewer.root.locator(".nnw-verdict").wait_for()
    check("a checked map")
    viewer.go_back()
    viewer.stage().click(position={"x": 70, "y": 60})
    viewer.numbers()
    check("the numbers behind a pixel")
    viewer.button("Close").click()
    viewer.button("Live").click()
    (lab.root / "slow").touch()
    viewer.method("LIME")
    viewer.wait("p.busy && p.state === 'working'")
    check("a slow method")
    viewer.pane().get_by_role("button", name="Cancel").click()
    viewer.wait("p.state === 'stale'")
    check("a cancelled method")

    asking.page.evaluate(PLANT, viewer.selector)
    assert {rule for rule, *_ in violations(asking, viewer.selector)} >= {
        "button-name", "color-contrast",
    }  # fmt: skip
    viewer.root.locator(":scope > :first-child").evaluate("plant => plant.remove()")


@pytest.mark.parametrize("width", [1400, 700, 480])
def test_nothing_is_cut_or_lies_over_something(
    viewer: Viewer, asking: Notebook, width: int
) -> None:
    viewer.ask(sample=1, method="Integrated gradients")
    viewer.root.get_by_role("button", name="Check").first.click()
    viewer.root.locator(".nnw-verdict").wait_for()
    viewer.go_back()
    # The widget, not the window, is that wide.
    viewer.root.evaluate(
        "(root, width) => { root.style.width = `${width}px`; root.style.maxWidth = 'none'; }", width
    )
    asking.page.set_viewport_size({"width": max(width + 300, 800), "height": 2400})
    for by in ("", "target", "method"):
        viewer.choice("Compare").select_option(by)
        viewer.wait("p.panes.length === x", 2 if by else 1)
        for display in ("Side by side", "Overlay", "Map"):
            viewer.button(display).click()
            viewer.wait_for_attribute(viewer.button(display), "aria-pressed", "true")
            viewer.assert_tidy()
    again = viewer.button("Look again")
    again.evaluate("again => { again.style.marginInlineStart = '-60px' }")
    assert any("lies over" in trouble for trouble in viewer.troubles())
    again.evaluate("again => { again.style.marginInlineStart = `${innerWidth}px` }")
    assert any("out of the widget" in trouble for trouble in viewer.troubles())
    again.evaluate("again => again.removeAttribute('style')")
    viewer.root.evaluate("root => root.removeAttribute('style')")
    asking.page.set_viewport_size({"width": 1400, "height": 2400})
    viewer.start_over()


def test_a_second_view_is_live_and_follows(viewer: Viewer, asking: Notebook, lab: Lab) -> None:
    asking.second_view(1)
    second = Viewer(asking, ".jp-LinkedOutputView .nnw-saliency-viewer")
    second.ask(sample=3, method="Saliency")
    shown = viewer.wait("p.sample === 2 && p.caption.startsWith('Saliency, ')")
    viewer.wait_for_later(shown)
    viewer.bar("four").click()
    second.wait_for_later(second.wait("p.title.includes('four')"))
    # Slow work that one has begun can be ended in the other.
    (lab.root / "slow").touch()
    viewer.method("Kernel SHAP")
    second.wait("p.busy && p.state === 'working'")
    second.root.locator(".nnw-busy").get_by_role("button", name="Cancel").click()
    viewer.wait("!p.busy && p.state === 'stale'")
    viewer.ask(sample=1, method="Saliency")
    viewer.root.get_by_role("button", name="Check").first.click()
    trust = second.root.locator(".nnw-trust")
    trust.get_by_role("progressbar").wait_for()
    trust.get_by_role("button", name="Cancel").click()
    viewer.root.locator(".nnw-trust").get_by_role("progressbar").wait_for(state="hidden")
    (lab.root / "slow").unlink()
    asking.page.evaluate(
        """() => [...jupyterapp.shell.widgets('main')]
            .filter(widget => !widget.content?.widgets).forEach(widget => widget.dispose())"""
    )
    viewer.wait_for_later(viewer.wait())


def test_a_page_loaded_anew_shows_it_live(viewer: Viewer, asking: Notebook) -> None:
    viewer.ask(sample=4, method="Saliency")
    viewer.bar("eight").click()
    viewer.wait("p.title.includes('eight')")
    asking.reload()
    shown = viewer.wait(
        "p.sample === 3 && p.title.includes('eight') && p.caption.startsWith('Saliency, ')"
    )
    viewer.wait_for_later(shown)
    viewer.sample(2).click()
    viewer.wait("p.sample === 1 && p.title.includes('one')")


# --- no kernel, other kernels ------------------------------------------------------------

TRAIN_A_LITTLE = """
for _ in range(100):
    chosen = torch.randint(len(images), (32,))
    loss = F.cross_entropy(model(images[chosen]), labels[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_a_saved_notebook_shows_the_last_picture_without_a_kernel(
    lab: Lab, chromium: Chromium
) -> None:
    lab.write("saved.ipynb", [DIGITS, SHOW, TRAIN_A_LITTLE])
    kept = {"@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True}}
    with chromium.open(lab, "saved.ipynb", width=1400, height=1600, settings=kept) as notebook:
        for cell in range(3):
            notebook.run(cell)
        viewer = Viewer(notebook)
        viewer.wait("p.step === 100 && p.title.includes('zero')")
        viewer.method("Integrated gradients")
        last = viewer.wait(
            "p.caption === 'Integrated gradients, baseline zero, step 100' && p.state === 'ready'"
        )
        notebook.command("docmanager:save")
        lab.stop_kernels()
        notebook.page.reload()
        viewer.root.locator(".nnw-banner", has_text="No kernel answers. This is").wait_for()
        shown = viewer.wait("p.drawn")
        assert [shown[part] for part in ("title", "caption", "scale")] == [
            last[part] for part in ("title", "caption", "scale")
        ]
        assert painted(viewer)
        assert viewer.button("Check this map").is_disabled()
        viewer.stage().hover(position={"x": 50, "y": 60})
        assert viewer.readout().startswith("row ")


@pytest.mark.parametrize("which", ["ipykernel 7.1", "ipykernel 6.31"])
def test_clicks_act_while_the_cell_trains(lab: Lab, chromium: Chromium, which: str) -> None:
    host: Host = HOSTS[which]
    stop = lab.root / "stop"
    stop.unlink(missing_ok=True)
    told = "\nprint(viewer.index, viewer.method, viewer.target)"
    lab.write("host.ipynb", [DIGITS, SHOW, TRAIN + told], kernel=host.kernel)
    with chromium.open(lab, "host.ipynb", settings=host.settings, width=1300) as notebook:
        notebook.run(0)
        notebook.run(1)
        notebook.start(2)
        viewer = Viewer(notebook)
        viewer.wait_for_later(viewer.wait("p.caption.startsWith('Grad-CAM, ')"))
        viewer.method("Saliency")
        viewer.wait_for_later(viewer.wait("p.caption.startsWith('Saliency, ')"))
        viewer.sample(4).click()
        viewer.bar("eight").click()
        viewer.wait("p.sample === 3 && p.title.includes('eight')")
        viewer.method("Kernel SHAP")
        viewer.wait("p.caption.startsWith('Kernel SHAP, ') && p.drawn && !p.busy")
        stop.touch()
        assert notebook.finished(2) == "3 kernel_shap 8\n"
