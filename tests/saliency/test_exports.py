"""Files of what is shown: figures, and pages that go on answering clicks without a kernel."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import image
from torch import Tensor, nn

from nnwidgets import SaliencyViewer
from nnwidgets.export.figures import to_png
from nnwidgets.live import wire
from tests.export.drawn import fields, words
from tests.live.doubles import Browser, install_browser, until
from tests.saliency.conftest import Make, decoded, summed
from tests.training import Training

LARGEST = 6_000_000  # bytes of a page


def answered(browser: Browser, **args: Any) -> dict[str, Any]:
    """Ask for a file, and return the last word on it."""
    number = browser.ask("export", **args)
    until(lambda: browser.answers(number)[-1]["type"] in ("reply", "error"))
    return browser.answers(number)[-1]


@pytest.fixture
def browser(training: Training, make: Make, monkeypatch: pytest.MonkeyPatch) -> Browser:
    install_browser(monkeypatch)
    return Browser(make(training.model, training.x[:5], method="saliency"))


@pytest.mark.parametrize(
    ("format", "mime", "begins"),
    [
        ("png", "image/png", b"\x89PNG"),
        ("svg", "image/svg+xml", b"<?xml"),
        ("html", "text/html", b"<!doctype html>"),
    ],
)
def test_a_file_for_the_browser(browser: Browser, format: str, mime: str, begins: bytes) -> None:
    answer = answered(browser, format=format)
    assert answer["meta"] == {"name": f"saliency-0.{format}", "mime": mime}
    assert answer["arrays"]["file"].tobytes().startswith(begins)


@pytest.mark.parametrize("args", [{}, {"format": "exe"}, {"format": "../x"}, {"format": None}])
def test_a_file_of_another_kind_is_refused(browser: Browser, args: dict[str, Any]) -> None:
    answer = answered(browser, **args)
    assert answer["type"] == "error"
    assert "format" in answer["error"]


# -- figures -------------------------------------------------------------------------------------


def test_a_figure_shows_the_map_that_explain_gives(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], method="input_x_gradient")
    viewer.index = 2
    figure = viewer.figure()
    plane = summed(viewer.explain().values)
    (drawn,) = fields(figure, "map")
    high = np.abs(plane).max()
    np.testing.assert_allclose(decoded(drawn, -high, high), plane, atol=high / 249)
    assert "sample 3" in words(figure)
    dark = image.imread(io.BytesIO(to_png(viewer.figure(dark=True), dpi=30)), format="png")
    assert dark[0, 0, :3].mean() < 0.2


def test_a_figure_of_two_panes_has_one_scale(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], method="input_x_gradient")
    viewer.compare("target", 1)
    (first, second) = fields(viewer.figure(), "map")
    planes = [summed(viewer.explain(target=target).values) for target in (None, 1)]
    high = max(np.abs(plane).max() for plane in planes)
    for drawn, plane in zip((first, second), planes, strict=True):
        np.testing.assert_allclose(decoded(drawn, -high, high), plane, atol=high / 249)


def test_a_figure_has_the_checks_of_its_map_and_knows_those_of_another(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="saliency")
    browser = Browser(viewer)
    number = browser.ask("trust")
    until(lambda: browser.answers(number)[-1]["type"] in ("reply", "error"))
    written = words(viewer.figure())
    assert any(word.startswith("Tried:") for word in written)
    assert not any(word.startswith("This was checked for") for word in written)
    viewer.index = 1
    assert any(word.startswith("This was checked for") for word in words(viewer.figure()))


# -- pages ---------------------------------------------------------------------------------------


def pages_of(viewer: SaliencyViewer) -> dict[tuple[int, str, int | None], Any]:
    """The held pictures, unpacked, by sample, method and class."""
    found = {}
    for key, packed in viewer.held()["pages"].items():
        index, method, target = key.split("\n")
        found[int(index), method, None if target == "null" else int(target)] = wire.unpack(packed)
    return found


def values_of(viewer: SaliencyViewer, index: int, method: str) -> np.ndarray:
    return np.asarray(viewer.explain(index, method=method).values, np.float64)


def test_pages_are_what_the_clicks_would_have_shown(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:3], method="saliency")
    pages = pages_of(viewer)
    assert {index for index, _, _ in pages} == {0, 1, 2}
    assert {method for _, method, _ in pages} == set(viewer.methods)
    assert {target for _, _, target in pages} == {None, 0, 1, 2}
    for (index, method, target), (meta, arrays) in pages.items():
        (pane,) = meta["panes"]
        assert (pane["index"], pane["method"]) == (index, method)
        assert (
            pane["target"] == (int(arrays["0.probabilities"].argmax()), target)[target is not None]
        )
        assert pane["state"] == "ready"
    for index, method, target in [(0, "saliency", None), (2, "grad_cam", None), (0, "saliency", 1)]:
        meta, arrays = pages[index, method, target]
        found = viewer.explain(index, method=method, target=target)
        plane = np.asarray(found.values, np.float64)
        plane = plane if plane.ndim == 2 else summed(plane)
        np.testing.assert_allclose(
            decoded(arrays["0.map"], meta["low"], meta["high"]), plane, rtol=1e-5, atol=1e-7
        )
        with torch.no_grad():
            shares = training.model.eval()(training.x[index : index + 1]).softmax(1)[0]
        np.testing.assert_allclose(arrays["0.probabilities"], shares.numpy(), rtol=1e-4)


def test_any_click_on_a_page_leads_to_a_picture_it_holds(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:4], method="saliency")
    viewer.target = 2
    held = viewer.held()
    assert held["trait"] == "_picture"
    state: dict[str, Any] = {"index": viewer.index, "method": viewer.method, "target": 2}

    def key(state: dict[str, Any]) -> str:
        return "\n".join("null" if state[by] is None else str(state[by]) for by in held["by"])

    assert key(state) in held["pages"], "what is shown can be gone back to"
    clicks = [("index", 3), ("target", None), ("method", "grad_cam"), ("index", 0), ("target", 1)]
    for action, value in clicks:
        trait, _ = held["actions"][action]
        asked = {**state, trait: value}
        if key(asked) not in held["pages"]:  # as js/src/offline.ts does
            asked |= dict.fromkeys(set(held["resets"].get(action, ())) - {trait})
        if (action, value) == ("target", 1):
            continue  # of the method that is shown alone
        assert key(asked) in held["pages"], (action, value)
        state = asked


def test_saving_leaves_everything_as_it_was(training: Training, make: Make, tmp_path: Path) -> None:
    viewer = make(training.model, training.x[:3], method="saliency")
    viewer.index = 1
    viewer.figure()
    weights = {name: value.clone() for name, value in training.model.state_dict().items()}
    random, picture = torch.random.get_rng_state(), viewer._picture
    viewer.save_html(tmp_path / "page.html")
    assert (viewer.index, viewer.method, viewer.target) == (1, "saliency", None)
    assert viewer._picture is picture
    assert torch.equal(torch.random.get_rng_state(), random)
    assert training.model.training
    for name, value in training.model.state_dict().items():
        assert torch.equal(value, weights[name])


class Wide(nn.Module):
    """Sees large pictures, cheaply."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 8, stride=8)
        self.head = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.conv(x).relu().mean((2, 3)))
        return scores


def test_a_page_of_large_pictures_is_small_and_holds_some_of_all(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = Wide()
    viewer = make(model, torch.rand(30, 3, 224, 224), method="saliency")
    viewer.figure()
    quick = ("saliency", "input_x_gradient", "grad_cam", "layer_cam")
    monkeypatch.setattr(
        viewer._solver, "seconds", lambda question, wish: 0.0 if wish.method in quick else 9.0
    )
    viewer.save_html(tmp_path / "page.html")
    assert 2_000_000 < (tmp_path / "page.html").stat().st_size <= LARGEST
    pages = pages_of(viewer)
    assert len({index for index, _, _ in pages}) > 3
    assert {method for _, method, _ in pages} == set(quick)
    assert len({target for _, _, target in pages}) > 3


def test_a_slow_method_is_held_where_its_answer_is_known(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make(training.model, training.x[:3], method="input_x_gradient")
    viewer.figure()
    seconds = viewer._solver.seconds
    monkeypatch.setattr(
        viewer._solver,
        "seconds",
        lambda question, wish: (
            99.0 if wish.method == "input_x_gradient" else seconds(question, wish)
        ),
    )
    pages = pages_of(viewer)
    assert {key for key in pages if key[1] == "input_x_gradient"} == {(0, "input_x_gradient", None)}
    assert (2, "saliency", None) in pages


def test_one_that_fails_does_not_take_the_others_with_it(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make(training.model, training.x[:3], method="saliency")
    viewer.figure()
    solve = viewer._solver.solve

    def picky(question: Any, wish: Any, *args: Any) -> Any:
        if wish.method == "grad_cam" or wish.index == 1:
            raise RuntimeError("no")
        return solve(question, wish, *args)

    monkeypatch.setattr(viewer._solver, "solve", picky)
    pages = pages_of(viewer)
    assert {index for index, _, _ in pages} == {0, 2}
    assert "grad_cam" not in {method for _, method, _ in pages}


def test_a_function_of_the_output_is_asked_of_every_sample(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Conv2d(1, 2, 3, padding=1)  # two numbers a pixel

    def foreground(output: Tensor) -> Tensor:
        return output[:, 1].mean((1, 2))

    samples = torch.randn(3, 1, 6, 6)
    viewer = make(model, samples, targets=foreground, method="saliency")
    pages = pages_of(viewer)
    assert {index for index, _, _ in pages} == {0, 1, 2}
    assert {target for _, _, target in pages} == {None}
    for (_, _, _), (meta, _) in pages.items():
        assert meta["panes"][0]["target_name"] == "foreground"
    meta, arrays = pages[2, "saliency", None]
    x = samples[2:3].clone().requires_grad_()
    (slope,) = torch.autograd.grad(foreground(model(x)).sum(), x)
    np.testing.assert_allclose(
        decoded(arrays["0.map"], meta["low"], meta["high"]), slope[0, 0].abs(), rtol=1e-4
    )


def test_tables_tokens_and_sequences_have_pages_too(make: Make) -> None:
    torch.manual_seed(0)
    table = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    viewer = make(table, torch.randn(3, 4), feature_names=list("abcd"))
    pages = pages_of(viewer)
    meta, arrays = pages[1, "integrated_gradients", None]
    assert meta["panes"][0]["features"] == list("abcd")
    np.testing.assert_allclose(
        arrays["0.map"], values_of(viewer, 1, "integrated_gradients"), rtol=1e-4
    )

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(9, 4), nn.Linear(4, 2)

        def forward(self, ids: Tensor) -> Tensor:
            scores: Tensor = self.head(self.embedding(ids).mean(1).tanh())
            return scores

    reader = Reader()
    words_ = [["the", "cat", "sat"], ["on", "the", "mat"]]
    viewer = make(reader, torch.tensor([[1, 2, 3], [4, 1, 5]]), tokens=words_)
    meta, arrays = pages_of(viewer)[1, "saliency", None]
    assert meta["panes"][0]["tokens"] == words_[1]
    np.testing.assert_allclose(arrays["0.map"], values_of(viewer, 1, "saliency"), rtol=1e-4)


def test_a_page_needs_nothing_else(training: Training, make: Make, tmp_path: Path) -> None:
    viewer = make(training.model, training.x[:3], class_names=["a", "</script><b>", "c"])
    viewer.save_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "</script><b>" not in page
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:|blob:)""", page)
    assert 'data-bundle="saliency_viewer"' in page


def test_what_was_shown_last_is_saved_when_the_model_is_gone(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 2))
    with SaliencyViewer(model, torch.randn(2, 4)) as viewer:
        viewer.figure()
        del model
        viewer.save_html(tmp_path / "page.html")
        assert viewer.held()["pages"] == {}
        assert "integrated_gradients" in (tmp_path / "page.html").read_text(encoding="utf-8")
