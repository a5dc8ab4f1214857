"""SaliencyViewer in a real JupyterLab, asked about the digits CNN while a plain cell trains it.

The tests of a file share one notebook, whose cell goes on training all the time; each says which
sample and method it asks about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.browser.lab import Lab, Notebook
from tests.browser.saliency import Viewer, painted

IN_THE_BAR = ["Grad-CAM", "Integrated gradients", "Occlusion", "LIME"]
BEHIND_MORE = [
    "Saliency", "Input × gradient", "SmoothGrad", "Gradient SHAP", "DeepLIFT", "Guided backprop",
    "Grad-CAM++", "LayerCAM", "Guided Grad-CAM", "Feature ablation", "Feature permutation",
    "Kernel SHAP", "LRP", "Activation × weight",
]  # fmt: skip
AT_A_LAYER = {"Grad-CAM", "Grad-CAM++", "LayerCAM", "Guided Grad-CAM", "Activation × weight"}


@contextmanager
def taking_time(lab: Lab) -> Iterator[None]:
    """Let the model take its time for explanations."""
    slow = lab.root / "slow"
    slow.touch()
    yield
    slow.unlink()


# --- samples, classes, methods -----------------------------------------------------------


def test_the_map_goes_on_changing_while_the_cell_trains(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    shown = viewer.wait("p.state === 'ready' && p.kind === 'image' && p.drawn")
    before = viewer.pixels()
    for _ in range(3):
        shown = viewer.wait_for_later(shown)
    viewer.wait_for_other_pixels(before)
    assert painted(viewer)
    assert viewer.root.locator(".nnw-pill").inner_text() == "Running"


def test_a_thumbnail_asks_about_another_sample(viewer: Viewer) -> None:
    assert viewer.root.get_by_role("radio").count() == 8
    viewer.ask(method="Grad-CAM")
    for number, name in ((4, "three"), (7, "six"), (2, "one")):
        viewer.sample(number).click()
        # It has learned its own samples before long.
        shown = viewer.wait("p.sample === x[0] && p.title.includes(x[1])", [number - 1, name])
        assert shown["asked"] == name
        rows = viewer.root.locator(".nnw-class").all_inner_texts()
        shares = {row.split()[0]: float(row.split()[1]) for row in rows}
        assert max(shares, key=lambda row: shares[row]) == name
        assert sum(shares.values()) == pytest.approx(100, abs=0.6)


def test_a_bar_asks_about_another_class(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    viewer.wait("p.title.includes('zero')")
    assert viewer.button("Predicted class").is_hidden()
    before = viewer.pixels()
    viewer.bar("eight").click()
    shown = viewer.wait("p.title.includes('eight') && p.asked === 'eight'")
    viewer.wait_for_other_pixels(before)
    viewer.wait_for_later(shown)
    viewer.button("Predicted class").click()
    viewer.wait("p.title.includes('zero') && p.asked === 'zero'")


def test_every_method_that_applies(viewer: Viewer) -> None:
    viewer.ask(sample=3, method="Grad-CAM")
    offered = viewer.root.get_by_role("group", name="Method", exact=True).get_by_role("button")
    assert offered.all_inner_texts() == IN_THE_BAR
    for name in [*BEHIND_MORE, *IN_THE_BAR]:
        viewer.method(name)
        shown = viewer.wait(
            "p.method === x && p.caption.startsWith(`${x}, `) && p.drawn && p.state !== 'working'",
            name,
        )
        # The model goes on learning: what took long is of an earlier step a moment later.
        assert shown["state"] in ("ready", "stale")
        assert (", layer 7" in shown["caption"]) == (name in AT_A_LAYER)
        empty = any("map is empty" in note for note in shown["notes"])
        assert painted(viewer) or empty, name
        took = viewer.pane().get_by_text(re.compile(r"^[\d.]+ m?s, [\d,]+ evaluations$"))
        assert took.count() == 1
    assert offered.all_inner_texts() == IN_THE_BAR


def test_what_does_not_apply_says_why_and_does_nothing(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    viewer.button("More").click()
    menu = viewer.root.get_by_role("menu", name="Method")
    assert menu.get_by_text("Do not apply here").is_visible()
    refused = menu.locator("[aria-disabled=true]")
    assert refused.all_inner_texts() == [
        "Attention rollout\nNo attention is computed where it could be seen, "
        "so there is nothing to roll out.",
    ]
    refused.first.click(force=True)
    assert menu.is_visible()
    viewer.page.keyboard.press("Escape")
    menu.wait_for(state="hidden")
    assert viewer.wait()["method"] == "Grad-CAM"


def test_layer_and_baseline(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    layers = viewer.choice("Layer").locator("option").all_inner_texts()
    assert [layer.split(" · ")[0] for layer in layers] == list("01234567")
    assert layers[-1] == "7 · MaxPool2d 32×7×7"
    before = viewer.pixels()
    viewer.choice("Layer").select_option("4")
    shown = viewer.wait("p.caption.startsWith('Grad-CAM, layer 4, ')")
    viewer.wait_for_other_pixels(before)
    viewer.wait_for_later(shown)
    viewer.choice("Layer").select_option("7")
    viewer.wait("p.caption.startsWith('Grad-CAM, layer 7, ')")
    assert viewer.choice("Baseline").is_hidden()

    viewer.method("Integrated gradients")
    viewer.wait("p.caption.startsWith('Integrated gradients, baseline zero, ')")
    assert viewer.choice("Layer").is_hidden()
    baselines = viewer.choice("Baseline")
    assert baselines.locator("option").all_inner_texts()[:3] == [
        "zero", "mean over 8 samples", "the input, blurred",
    ]  # fmt: skip
    for name, words in (("blurred", "the input, blurred"), ("mean", "mean over 8 samples")):
        before = viewer.pixels()
        baselines.select_option(name)
        viewer.wait("p.caption.includes(`baseline ${x}, `)", words)
        viewer.wait_for_other_pixels(before)
    baselines.select_option("zero")
    viewer.wait("p.caption.includes('baseline zero, ')")


def test_a_slow_method_shows_how_far_it_is_and_can_be_cancelled(viewer: Viewer, lab: Lab) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    shown = viewer.wait("p.state === 'ready'")
    height = viewer.pane().bounding_box()
    busy = viewer.root.locator(".nnw-busy")
    with taking_time(lab):
        viewer.method("Kernel SHAP")
        viewer.wait("p.busy && p.state === 'working' && p.caption.startsWith('Kernel SHAP')")
        assert "The explanation: working …" in busy.inner_text()
        viewer.wait_for(
            "selector => Number(document.querySelector(selector)?.ariaValueNow) > 0",
            f"{viewer.selector} .nnw-busy [role=progressbar]",
        )
        # The training does not wait for it, and nothing has moved.
        viewer.wait_for_run(shown["step"] + 20)
        assert viewer.pane().locator("canvas").is_visible()
        busy.get_by_role("button", name="Cancel").click()
        busy.wait_for(state="hidden")
        cancelled = viewer.wait("p.state === 'stale' && p.method === 'Kernel SHAP'")
        assert cancelled["caption"].startswith("Kernel SHAP, ")
        assert viewer.pane().get_by_text("Not computed yet: this method takes longer.").is_visible()
    viewer.button("Explain now").click()
    done = viewer.wait(
        "p.drawn && p.caption.startsWith('Kernel SHAP') && p.notes.some(n => n.includes('R²'))"
    )
    assert done["step"] >= shown["step"]
    # What has been learned since is said, not computed again and again.
    viewer.wait("p.state === 'stale'")
    assert viewer.pane().get_by_text("The model has learned on since").is_visible()
    assert painted(viewer)
    assert height is not None


# --- steps -------------------------------------------------------------------------------


def test_going_back_through_the_film_and_to_the_newest(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    past = viewer.go_back()
    kept = viewer.pixels()
    slider = viewer.root.get_by_role("slider", name="film")
    # What the slider offers is what can be shown.
    assert slider.input_value() == "0"
    assert int(str(slider.get_attribute("aria-valuetext"))) == past["step"]
    # The loop goes on, the picture stays.
    viewer.wait_for_run(past["step"] + 200)
    assert viewer.wait()["caption"] == past["caption"]
    assert viewer.pixels() == kept
    # Another method and class, of the same weights.
    viewer.method("Saliency")
    viewer.wait("p.caption === x", f"Saliency, weights kept at step {past['step']:,}")
    viewer.bar("two").click()
    viewer.wait("p.title.includes('two') && p.step === x", past["step"])
    viewer.button("Predicted class").click()
    viewer.method("Grad-CAM")
    viewer.wait("p.caption === x", past["caption"])
    viewer.button("Live").click()
    now = viewer.wait("!p.caption.includes('kept') && p.step > x", past["step"] + 200)
    viewer.wait_for_later(now)
    # The newest frame of the film under the pointer, and how it differs from the one before.
    box = slider.bounding_box()
    assert box is not None
    slider.hover(position={"x": box["width"] - 3, "y": box["height"] / 2})
    frame = viewer.root.locator(".nnw-frame")
    frame.wait_for()
    assert re.match(r"step [\d,]+ · similarity [−\d.]+", frame.inner_text())


def test_the_step_is_shared_with_a_monitor(viewer: Viewer, asking: Notebook) -> None:
    monitor = asking.page.locator(".jp-Notebook .nnw-training-monitor").first
    live = monitor.get_by_role("button", name="Live", exact=True)
    viewer.ask(sample=1, method="Grad-CAM")
    past = viewer.go_back()
    viewer.wait_for_attribute(live, "aria-pressed", "false")
    slider = monitor.get_by_role("slider", name="Step shown")
    assert slider.input_value() == str(past["step"])
    live.click()
    viewer.wait("!p.caption.includes('kept') && p.step > x", past["step"])

    slider.focus()
    viewer.page.keyboard.press("Home")
    viewer.wait("p.caption.includes('kept')")
    viewer.button("Live").click()
    viewer.wait_for_attribute(live, "aria-pressed", "true")
    viewer.wait("!p.caption.includes('kept')")


# --- comparing ---------------------------------------------------------------------------


def test_two_methods_classes_and_steps_on_one_scale(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Saliency")
    compare, which = viewer.choice("Compare"), viewer.choice("Compare with")
    assert which.is_hidden()
    compare.select_option("method")
    viewer.wait("p.panes.length === 2 && p.panes[1].state !== 'working'")
    which.select_option("integrated_gradients")
    two = viewer.wait("p.panes[1]?.caption.startsWith('Integrated gradients, ')")
    assert two["panes"][0]["caption"].startswith("Saliency, ")
    viewer.go_back()
    viewer.wait("p.panes.every(pane => pane.caption.includes('kept'))")
    strongest = viewer.assert_one_scale()
    assert strongest[0] != strongest[1]

    compare.select_option("target")
    viewer.wait("p.panes.length === 2 && p.panes[1].caption.startsWith('Saliency')")
    which.select_option("8")
    viewer.wait("p.panes[1].title.includes('eight') && !p.title.includes('eight')")
    viewer.assert_one_scale()

    viewer.button("Live").click()
    viewer.wait("p.panes.every(pane => !pane.caption.includes('kept'))")
    compare.select_option("step")
    two = viewer.wait("p.panes[1]?.caption.includes('kept') && !p.caption.includes('kept')")
    assert str(two["panes"][1]["step"]) == which.input_value()
    viewer.wait_for_later(two)  # the first pane goes on

    compare.select_option("nothing")
    viewer.wait("p.panes.length === 1")


def test_the_weights_of_now_beside_those_that_were_kept(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Saliency")
    viewer.button("Side by side").click()
    viewer.choice("Compare").select_option("checkpoint")
    two = viewer.wait(
        "p.panes.length === 2 && p.panes[1].state === 'ready' && p.panes[1].drawn"
        " && p.panes[1].caption === 'Saliency, checkpoint the beginning'"
    )
    assert viewer.choice("Compare with").input_value() == "the beginning"
    assert "checkpoint" not in two["panes"][0]["caption"]
    viewer.wait_for_later(two)  # the first pane goes on, the other is what it was
    viewer.go_back()
    viewer.wait("p.caption.includes('kept') && p.panes[1].caption.includes('the beginning')")
    viewer.assert_one_scale()
    viewer.choice("Compare").select_option("nothing")
    viewer.wait("p.panes.length === 1")


# --- places ------------------------------------------------------------------------------


def test_the_numbers_behind_a_pixel(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Input × gradient")
    viewer.go_back()  # so that the numbers stand still
    stage = viewer.stage()
    stage.hover(position={"x": 100, "y": 150})
    said = re.fullmatch(r"row (\d+), column (\d+): (\S+)", viewer.readout())
    assert said is not None
    # The same place of the input beside it, by its brightness.
    beside = viewer.root.locator(".nnw-input .nnw-readout").inner_text()
    assert re.fullmatch(rf"row {said[1]}, column {said[2]}: input \d+", beside)
    stage.click(position={"x": 100, "y": 150})
    numbers = viewer.numbers()
    assert numbers["value"].replace("-", "−") == said[3].lstrip("+")
    rank, places = numbers["rank by size"].replace(",", "").split(" / ")
    assert 1 <= int(rank) <= int(places) == 28 * 28
    assert numbers["share of all sizes"].endswith(" %")
    viewer.button("Close").click()
    viewer.root.get_by_role("dialog").wait_for(state="hidden")

    # Another sample: the numbers of the one before do not stay open over it.
    stage.click(position={"x": 60, "y": 60})
    viewer.numbers()
    viewer.sample(2).click()
    viewer.root.get_by_role("dialog").wait_for(state="hidden")
    viewer.button("Live").click()


# --- trust -------------------------------------------------------------------------------


def test_a_map_is_checked_and_the_check_says_what_it_found(viewer: Viewer) -> None:
    viewer.ask(sample=1, method="Grad-CAM")
    trust = viewer.root.locator(".nnw-trust")
    assert "Not checked yet" in trust.inner_text()
    viewer.button("Check this map").click()
    verdict = trust.locator(".nnw-verdict")
    verdict.wait_for()
    checks = trust.locator(".nnw-trust-check").all_inner_texts()
    assert len(checks) >= 3
    assert all(len(check) > 30 for check in checks), checks
    assert verdict.inner_text().endswith(".")
    cascade = trust.locator(".nnw-cascade-row")
    assert cascade.count() >= 3
    for curve in ("Removing the strongest first", "Putting back the strongest first"):
        stage = trust.get_by_role("application", name=re.compile(f"^{curve}: area "))
        stage.hover()
        assert re.search(r"% changed: \S+, random \S+", trust.inner_text())
    # Of which map, is said as soon as another one is shown.
    viewer.method("Saliency")
    viewer.wait("p.caption.startsWith('Saliency, ')")
    trust.get_by_text("This was checked for Grad-CAM, sample 1, step ").wait_for()


def test_a_check_can_be_cancelled(viewer: Viewer, lab: Lab) -> None:
    viewer.ask(sample=1, method="Saliency")
    trust = viewer.root.locator(".nnw-trust")
    with taking_time(lab):
        trust.get_by_role("button", name=re.compile("^Check (this map|again)$")).click()
        trust.get_by_role("progressbar").wait_for()
        assert "Checking …" in trust.inner_text()
        step = viewer.wait()["step"]
        viewer.wait_for_run(step + 20)
        trust.get_by_role("button", name="Cancel").click()
        trust.get_by_role("progressbar").wait_for(state="hidden")
    assert viewer.root.locator(".nnw-problem").is_hidden()
    assert trust.get_by_role("button", name=re.compile("^Check ")).is_enabled()
