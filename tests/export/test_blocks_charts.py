"""Charts and rows of a layer's picture hold the numbers of their blocks."""

import io
import re

import numpy as np
import pytest
from matplotlib import image
from matplotlib.colors import to_hex
from matplotlib.patches import StepPatch

from nnwidgets import catalogue
from nnwidgets.export.blocks_figure import blocks_figure
from nnwidgets.export.figures import to_png
from nnwidgets.export.look import LIGHT, has_chinese
from nnwidgets.probe.blocks import Block, bars, note
from tests.export.drawn import boxes_of, charts, filled, labelled, terms, ticks, words

NAN, INF = np.nan, np.inf


def test_bars_are_as_high_as_the_values():
    values = np.array([1.5, -2.0, NAN, 0.0, INF, -INF, 3.0])
    figure = blocks_figure([bars(values, units=[9, 8, 7, 6, 5, 4, 1234], meta={"unit": 8})])
    (axes,) = charts(figure, "bars")
    heights = np.array([patch.get_height() for patch in axes.containers[0]])
    np.testing.assert_array_equal(heights, np.where(np.isfinite(values), values, NAN))
    marks = {line.get_label(): list(line.get_xdata()) for line in axes.lines}
    assert {k: marks[k] for k in ("nan", "plus", "minus")} == {
        "nan": [2.5], "plus": [4.5], "minus": [5.5],
    }  # fmt: skip
    assert ticks(figure, axes.xaxis) == ["9", "8", "7", "6", "5", "4", "1,234"]
    (span,) = labelled(figure, "chosen")
    assert (span.get_x(), span.get_width()) == (1, 1)


def test_one_spike_among_thousands_of_bars_is_seen():
    values = np.zeros(4096)
    values[1234] = 1.0
    figure = blocks_figure([bars(values)])
    (drawn,) = figure.findobj(StepPatch)
    np.testing.assert_array_equal(drawn.get_data().values, values)
    pixels = image.imread(io.BytesIO(to_png(figure, dpi=100)), format="png")[..., :3]
    blue = np.array([0x2F, 0x72, 0xC4]) / 255
    near = np.abs(pixels - blue).sum(axis=-1) < 0.5
    assert near.any(axis=1).sum() > 100  # rows, so it reaches up


def test_named_bars_are_rows():
    values = np.array([0.5, -1.0, NAN])
    figure = blocks_figure([bars(values, labels=["cat", "dog", "_x$"])])
    assert {"cat", "dog", "_x$", "0.50", "−1.00", "NaN"} <= set(words(figure))
    drawn = filled(figure, "bars 0")
    boxes = boxes_of(drawn)
    np.testing.assert_allclose(boxes[:, 2] / boxes[1, 2], [0.5, 1, 0], atol=1e-6)
    assert boxes[1, 0] + boxes[1, 2] == pytest.approx(boxes[0, 0])  # both begin at zero


def test_a_histogram_has_the_blocks_counts_and_edges():
    counts = np.array([0.0, 3.0, 5.0, 1.0])
    edges = np.array([-1.0, 0.0, 1.0, 2.0, 3.0])
    figure = blocks_figure([Block("histogram", {}, {"counts": counts, "edges": edges})])
    area, line = figure.findobj(StepPatch)
    np.testing.assert_array_equal(area.get_data().values, counts)
    np.testing.assert_array_equal(line.get_data().values, counts)
    (axes,) = charts(figure, "histogram")
    places = dict(zip(ticks(figure, axes.xaxis), axes.get_xticks(), strict=True))
    assert places["0"] == 1
    assert places["2"] == 3


def test_curves_are_the_blocks_and_named_with_their_last_value():
    values = np.array([[1, 2, NAN, 4], [INF, 0, -1, -INF]], np.float32)
    steps = np.array([0.0, 5.0, 10.0, 20.0])
    block = Block("lines", {"names": ["mean", "_$s"]}, {"steps": steps, "values": values})
    figure = blocks_figure([block])
    (axes,) = charts(figure, "lines")
    for label, row in (("mean", values[0]), (" _$s", values[1])):
        (line,) = [drawn for drawn in axes.lines if drawn.get_label() == label]
        np.testing.assert_array_equal(line.get_xdata(), steps)
        np.testing.assert_array_equal(line.get_ydata(), np.where(np.isfinite(row), row, NAN))
    marks = {line.get_label(): list(line.get_xdata()) for line in axes.lines}
    assert (marks["nan"], marks["plus"], marks["minus"]) == ([10], [0], [20])
    assert {"mean  4.00", "_$s  −∞", "→ step"} <= set(words(figure))


def test_numbers_are_written_as_their_kinds():
    items = [
        ["ui.inspector.mean", "number", None],
        ["ui.inspector.zeros", "percent", None],
        ["ui.inspector.nan_count", "integer", None],
        ["ui.inspector.max", "number", "–"],
        ["no.such_key", "number", None],
    ]
    values = np.array([0.12345, 0.583, 3412, NAN, NAN])
    figure = blocks_figure([Block("numbers", {"items": items}, {"values": values})])
    pairs = [*zip(words(figure)[::2], words(figure)[1::2], strict=True)]
    assert pairs == [
        ("mean", "0.123"), ("zeros", "58.3 %"), ("NaN", "3,412"), ("max", "–"),
        ("no.such_key", "NaN"),
    ]  # fmt: skip


def test_outputs_show_both_and_say_how_many():
    rng = np.random.default_rng(0)
    before, after = rng.random(50).astype(np.float32), rng.random(50).astype(np.float32)
    after[33] = NAN
    meta = {"labels": [f"class {i}" for i in range(50)]}
    figure = blocks_figure([Block("outputs", meta, {"before": before, "after": after})])
    shown = [text for text in words(figure) if text.startswith("class")]
    sizes = np.maximum(before, np.nan_to_num(after, nan=INF))
    assert shown == [f"class {i}" for i in np.sort(np.argsort(-sizes)[:20])]
    assert "the 20 largest of 50" in words(figure)
    assert {"before", "after", "NaN"} <= set(words(figure))
    kept = [int(text.split()[1]) for text in shown]
    for which, values in enumerate((before, after)):
        drawn = filled(figure, f"bars {which}")
        widths = boxes_of(drawn)[:, 2]
        wanted = np.nan_to_num(values[kept])
        np.testing.assert_allclose(widths / widths.max(), wanted / wanted.max(), atol=1e-5)


def test_terms_are_bars_on_either_side_and_add_up():
    figure = blocks_figure([terms([2.0, -1.0, NAN], bias=0.25, total=10, rest=0.25)])
    drawn = filled(figure, "terms")
    boxes = boxes_of(drawn)
    np.testing.assert_allclose(boxes[:, 2] / boxes[0, 2], [1, 0.5, 0, 0.125, 0.125, 0.75])
    assert boxes[1, 0] + boxes[1, 2] == pytest.approx(boxes[0, 0])
    shades = [to_hex(c) for c in drawn.get_facecolor()]
    assert shades[0] == "#c8442f"
    assert shades[1] == "#2f72c4"
    shown = words(figure)
    assert shown[shown.index("0 · 4, 7") + 1 :][:3] == ["+2.000", "0.500", "4.00"]
    assert shown[shown.index("7 others") + 1] == "+0.250"
    assert shown[shown.index("bias") + 1] == "+0.250"
    assert shown[shown.index("sum") + 1] == "+1.500"
    assert "NaN" in shown


def test_terms_that_are_not_listed_are_summed():
    products = np.sort(np.random.default_rng(0).normal(size=64))[::-1].astype(np.float32)
    shown = words(blocks_figure([terms(products, total=100, rest=0.5)]))
    rest = products[32:].sum(dtype=np.float64) + 0.5
    assert float(shown[shown.index("68 others") + 1].replace("−", "-")) == pytest.approx(
        rest, rel=1e-3
    )


def test_a_calculation_is_wrapped_and_cut():
    long = "a sum " + " + ".join(["0.5 × 0.25"] * 40)
    lines = [[long, "head"], *[[f"$x_{i}$ = {i}", "term"] for i in range(100)]]
    figure = blocks_figure([Block("arithmetic", {"lines": lines})])
    figure.canvas.draw()
    (sheet,) = [axes for axes in figure.axes if axes.get_label() == "arithmetic"]
    assert len(sheet.texts) == 40
    shown = " ".join(text.get_text() for text in sheet.texts)
    assert shown.startswith(long)
    assert "$x_5$ = 5" in shown
    assert all(text.get_window_extent().x1 <= figure.bbox.width for text in sheet.texts)
    assert any(re.fullmatch(r"40 of 1\d\d", text) for text in words(figure))


def test_sentences_have_their_weight():
    kinds = [note("probe.display.no_scores", level) for level in ("info", "warning", "error")]
    figure = blocks_figure(kinds)
    sentence = catalogue.text("probe.display.no_scores")
    drawn = [text for axes in figure.axes for text in axes.texts]
    assert [t.get_text() for t in drawn] == [
        sentence, f"Warning: {sentence}", f"Error: {sentence}",
    ]  # fmt: skip
    colours = [t.get_color() for t in drawn]
    assert colours == [LIGHT.muted, LIGHT.series_text[1], LIGHT.error]
    assert words(blocks_figure(kinds[1:2], language="zh"))[0].startswith(
        "警告：" if has_chinese() else "Warning:"
    )
