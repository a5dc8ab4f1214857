"""SaliencyViewer in a real JupyterLab: tables, text, signals, sequences, a ViT; and in Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.browser.lab import Chromium, Lab, Notebook
from tests.browser.saliency import Viewer, painted
from tests.browser.test_accessible import violations

IMPORTS = """
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F
from nnwidgets import SaliencyViewer

torch.manual_seed(0)
"""
TABLE = """
cancer = load_breast_cancer()
rows = torch.tensor((cancer.data - cancer.data.mean(0)) / cancer.data.std(0)).float()
labels = torch.tensor(cancer.target)
table = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(table.parameters(), 0.01)
for _ in range(60):
    optimizer.zero_grad()
    F.cross_entropy(table(rows), labels).backward()
    optimizer.step()
SaliencyViewer(table, rows[:40], targets=labels[:40].tolist(), method="integrated_gradients",
               feature_names=cancer.feature_names.tolist(), class_names=["malignant", "benign"])
"""
TOKENS = """
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.last = nn.Embedding(12, 8), nn.Linear(8, 2)

    def forward(self, ids):
        return self.last(torch.tanh(self.words(ids)).mean(1))

texts = [["a", "really", "dull", "film"], ["what", "a", "great", "film"]]
words = sorted({word for text in texts for word in text})
ids = torch.tensor([[words.index(word) for word in text] for text in texts])
reader = Reader()
SaliencyViewer(reader, ids, tokens=texts, class_names=["bad", "good"],
               method="integrated_gradients")
"""
SIGNAL = """
wave = torch.sin(torch.linspace(0, 20, 200)) + torch.randn(3, 2, 200) / 10
listener = nn.Sequential(nn.Conv1d(2, 4, 7, padding=3), nn.ReLU(), nn.AdaptiveAvgPool1d(1),
                         nn.Flatten(), nn.Linear(4, 3))
SaliencyViewer(listener, wave, method="input_x_gradient")
"""
SEQUENCE = """
class Follower(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells, self.last = nn.LSTM(3, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(self.cells(x)[0][:, -1])

follower = Follower()
SaliencyViewer(follower, torch.randn(4, 12, 3), method="input_x_gradient",
               feature_names=["wind", "rain", "sun"])
"""
VIT = """
from transformers import ViTConfig, ViTForImageClassification

config = ViTConfig(image_size=32, patch_size=8, hidden_size=32, num_hidden_layers=2,
                   num_attention_heads=4, intermediate_size=64, num_labels=5,
                   attn_implementation="eager")
vit = ViTForImageClassification(config).eval()
SaliencyViewer(vit, {"pixel_values": torch.rand(3, 3, 32, 32)}, method="attention_rollout")
"""
CHINESE = """
SaliencyViewer(listener, wave, method="occlusion", language="zh")
"""
GONE = """
SaliencyViewer(nn.Linear(3, 2), torch.ones(2, 3))
"""
CELLS = {"table": TABLE, "tokens": TOKENS, "signal": SIGNAL, "sequence": SEQUENCE, "vit": VIT,
         "chinese": CHINESE, "gone": GONE}  # fmt: skip


@pytest.fixture(scope="module")
def kinds(lab: Lab, chromium: Chromium) -> Iterator[Notebook]:
    lab.write("kinds.ipynb", [IMPORTS, *CELLS.values()])
    whole = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
    with chromium.open(lab, "kinds.ipynb", width=1300, height=1400, settings=whole) as notebook:
        for cell in range(1 + len(CELLS)):
            notebook.run(cell)
        yield notebook


def viewer_of(kinds: Notebook, name: str, state: str = "ready") -> Viewer:
    """Return the viewer that a cell shows, when its first map is there, or why there is none."""
    cell = 2 + list(CELLS).index(name)
    viewer = Viewer(
        kinds, f".jp-Notebook .jp-Cell:nth-child({cell} of .jp-Cell) .nnw-saliency-viewer"
    )
    viewer.root.scroll_into_view_if_needed()
    viewer.wait("p.state === x && (p.drawn || x === 'failed')", state)
    return viewer


def numbered(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def test_bars_of_a_table_lead_from_the_baseline_to_the_score(kinds: Notebook) -> None:
    viewer = viewer_of(kinds, "table")
    pane = viewer.pane()

    def bars() -> list[tuple[str, float, float, float]]:
        """Kind, number, and where each bar begins and ends, in percent of the width."""
        found = pane.locator(".nnw-fall-row").evaluate_all(
            """rows => rows.map(row => [
                row.dataset.kind, row.querySelector('.nnw-fall-number').textContent,
                parseFloat(row.querySelector('.nnw-fall-bar').style.left),
                parseFloat(row.querySelector('.nnw-fall-bar').style.width)])"""
        )
        return [(kind, numbered(number), left, left + width) for kind, number, left, width in found]

    for index in (1, 20):
        viewer.sample(index).click()
        viewer.wait("p.sample === x && p.title.startsWith('Evidence for')", index - 1)
        shown = bars()
        kinds_of_rows = [kind for kind, *_ in shown]
        assert kinds_of_rows[0] == "baseline"
        assert kinds_of_rows[1:13] == ["feature"] * 12
        assert kinds_of_rows[13] == "others"
        assert kinds_of_rows[-1] == "score"
        *parts, score = [number for _, number, *_ in shown]
        assert sum(parts) == pytest.approx(score, abs=0.02 * len(parts) * max(map(abs, parts)))
        # Each bar begins where the one before has ended.
        at = shown[0][2]
        for _, number, left, right in shown[1:-1]:
            start, end = (left, right) if number >= 0 else (right, left)
            assert start == pytest.approx(at, abs=0.1)
            at = end
        assert at == pytest.approx(shown[-1][2], abs=0.3)
        sizes = [abs(number) for kind, number, *_ in shown if kind == "feature"]
        assert sizes == sorted(sizes, reverse=True)
    assert re.search(r"\(baseline\) .* \(sum of the values\) → ", pane.inner_text())


def test_a_table_in_full_its_numbers_and_its_importance(kinds: Notebook) -> None:
    viewer = viewer_of(kinds, "table")
    pane = viewer.pane()
    viewer.button("Show all 30 features").click()
    assert pane.locator(".nnw-fall-row[data-kind=feature]").count() == 30
    viewer.button("Show fewer").click()
    first = pane.locator(".nnw-fall-row[data-kind=feature]").first
    first.click()
    numbers = viewer.numbers()
    assert numbers["rank by size"] == "1 / 30"
    said = first.locator(".nnw-fall-number").inner_text()
    assert numbered(numbers["value"]) == pytest.approx(numbered(said), rel=0.1)
    viewer.button("Close").click()

    importance = viewer.root.locator(".nnw-importance")
    importance.get_by_role("button", name="Compute").click()
    rows = importance.locator(".nnw-cascade-row")
    rows.first.wait_for()
    assert "accuracy" in importance.inner_text()
    losses = [numbered(text) for text in rows.locator(".nnw-class-number").all_inner_texts()]
    assert [abs(loss) for loss in losses] == sorted(map(abs, losses), reverse=True)


def test_words_in_colour(kinds: Notebook) -> None:
    viewer = viewer_of(kinds, "tokens")
    tokens = viewer.pane().locator(".nnw-token")
    assert tokens.all_inner_texts() == ["a", "really", "dull", "film"]
    colours = tokens.evaluate_all("all => all.map(one => one.style.backgroundColor)")
    assert len(set(colours)) > 2
    tokens.nth(2).hover()
    said = viewer.readout()
    assert re.fullmatch(r"token 2 “dull”: [+−]?\S+", said)
    tokens.nth(2).click()
    numbers = viewer.numbers()
    assert numbers["token"] == "dull"
    assert numbers["rank by size"].endswith(" / 4")
    viewer.page.keyboard.press("Escape")
    viewer.page.keyboard.press("ArrowRight")
    assert viewer.readout().startswith("token 3 “film”: ")
    viewer.sample(2).click()
    viewer.wait("p.sample === 1")
    tokens.first.get_by_text("what").wait_for()


def test_a_signal(kinds: Notebook) -> None:
    viewer = viewer_of(kinds, "signal")
    assert painted(viewer)
    stage = viewer.stage()
    box = stage.bounding_box()
    assert box is not None
    stage.hover(position={"x": box["width"] / 2, "y": 20})
    said = re.match(r"feature 0, position (\d+): \S+ · input \S+", viewer.readout())
    assert said is not None
    stage.focus()
    viewer.page.keyboard.press("ArrowRight")
    assert f"position {int(said[1]) + 1}: " in viewer.readout()
    viewer.page.keyboard.press("Enter")
    assert {"value", "input", "rank by size"} <= set(viewer.numbers())
    viewer.page.keyboard.press("Escape")


def test_a_sequence(kinds: Notebook) -> None:
    viewer = viewer_of(kinds, "sequence")
    assert painted(viewer)
    viewer.stage().first.focus()
    for key in ("Home", "ArrowDown", "ArrowRight", "ArrowRight"):
        viewer.page.keyboard.press(key)
    said = viewer.pane().locator(".nnw-readout").first.inner_text()
    assert re.match(r"time 2, rain: \S+", said)
    viewer.page.keyboard.press("Enter")
    assert {"value", "input"} <= set(viewer.numbers())
    viewer.page.keyboard.press("Escape")


def test_a_vision_transformer(kinds: Notebook) -> None:
    viewer = viewer_of(kinds, "vit")
    assert viewer.wait()["caption"].startswith("Attention rollout")
    assert painted(viewer)
    for method in ("Grad-CAM", "Integrated gradients", "Attention rollout"):
        viewer.method(method)
        viewer.wait(
            "p.method === x && p.caption.startsWith(x) && p.drawn && p.state === 'ready'", method
        )
    viewer.sample(3).click()
    viewer.wait("p.sample === 2")


@pytest.mark.parametrize("name", ["table", "tokens", "signal", "sequence"])
def test_each_kind_in_the_dark_and_narrow(kinds: Notebook, name: str) -> None:
    viewer = viewer_of(kinds, name)
    root = viewer.selector
    assert violations(kinds, root) == []
    kinds.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    kinds.wait_for("() => document.querySelector('#jupyterlab-splash') === null")
    viewer.wait_for_attribute(viewer.root, "data-theme", "dark")
    assert violations(kinds, root) == []
    kinds.command("apputils:change-theme", {"theme": "JupyterLab Light"})
    kinds.wait_for("() => document.querySelector('#jupyterlab-splash') === null")
    viewer.wait_for_attribute(viewer.root, "data-theme", "light")
    for width in (700, 480):
        viewer.root.evaluate("(root, width) => { root.style.width = `${width}px` }", width)
        viewer.assert_tidy()
    viewer.root.evaluate("root => root.removeAttribute('style')")


def test_in_chinese(kinds: Notebook) -> None:
    viewer = viewer_of(kinds, "chinese")
    text = viewer.root.inner_text()
    for own in ("遮挡", "样本", "基线"):
        assert own in text, text
    english = re.sub(r"[^A-Za-z]+", " ", text).split()
    names = {"LIME", "Grad", "CAM", "SHAP", "Conv", "d", "s", "e", "x", "Kernel",
             "Enter", "Esc", "logit"}  # fmt: skip
    assert set(english) <= names, set(english) - names
    viewer.root.get_by_role("button", name="检验").first.click()
    viewer.root.locator(".nnw-verdict").wait_for()
    sentences = viewer.root.locator(".nnw-trust-check, .nnw-verdict").all_inner_texts()
    assert all(re.search("[\u4e00-\u9fff]{4}", sentence) for sentence in sentences), sentences
    viewer.assert_tidy()


def test_a_model_that_nobody_has_kept(kinds: Notebook) -> None:
    viewer = viewer_of(kinds, "gone", "failed")
    assert "The model no longer exists" in viewer.root.inner_text()
