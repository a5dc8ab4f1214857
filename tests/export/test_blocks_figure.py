"""A layer's picture as a figure: each number drawn is the block's, whatever it is."""

import io
import itertools
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib import image
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage, PcolorImage
from matplotlib.patches import StepPatch
from matplotlib.text import Text
from torch import nn

from nnwidgets import catalogue
from nnwidgets.export import blocks_colours
from nnwidgets.export.blocks_figure import blocks_figure
from nnwidgets.export.blocks_words import even, flow, width_of, wrapped
from nnwidgets.export.figures import to_png, to_svg
from nnwidgets.export.look import DARK, LIGHT, number
from nnwidgets.probe.blocks import Block, bars, decode, note, picture
from nnwidgets.probe.contribution_blocks import contribution_blocks
from nnwidgets.probe.display import activation_blocks
from nnwidgets.probe.look import look
from tests.repo.tree import VIEWS

NAN, INF = np.nan, np.inf


def words(figure):
    """Everything written, numbers beside axes left out."""
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def fields(figure, label):
    """Arrays of the images with this label."""
    found = figure.findobj(lambda artist: isinstance(artist, (AxesImage, PcolorImage)))
    return [np.asarray(artist.get_array()) for artist in found if artist.get_label() == label]


def image_of(figure, label):
    found = figure.findobj(lambda artist: isinstance(artist, (AxesImage, PcolorImage)))
    return next(artist for artist in found if artist.get_label() == label)


def filled(figure, label):
    """Rectangles drawn under this label."""
    (found,) = [a for a in labelled(figure, label) if isinstance(a, PatchCollection)]
    return found


def charts(figure, label):
    return [axes for axes in figure.axes if axes.get_label() == label and axes.axison]


def labelled(figure, label):
    return figure.findobj(lambda artist: artist.get_label() == label)


def ticks(figure, axis):
    """What stands beside an axis."""
    figure.canvas.draw()
    return [text.get_text() for text in axis.get_ticklabels() if text.get_visible()]


def boxes_of(collection):
    """Left, top, width and height of filled rectangles."""
    extents = [path.get_extents() for path in collection.get_paths()]
    return np.array([[e.x0, e.y0, e.width, e.height] for e in extents])


def reads_back(codes, block, values):
    """Whether codes mean these numbers, within half a level."""
    low, high = block.meta["low"], block.meta["high"]
    np.testing.assert_allclose(decode(codes, low, high), values, atol=(high - low) / 499 + 1e-30)


VALUES = np.array([[-1.0, 0.0, 0.25], [NAN, INF, -INF], [2.0, -2.0, 1.0]])


def some_maps(maps=3, **meta):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(maps, 5, 4))
    units = np.arange(maps, dtype=np.int32) * 10
    return values, picture(
        "maps",
        values,
        signed=True,
        meta={"count": maps, "sort": "index", "rgb": False, "caption": "activity", **meta},
        arrays={"units": units, "values": values.mean((1, 2)).astype(np.float32)},
    )


# --- fields of colours ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["matrix", "map"])
@pytest.mark.parametrize("exact", [0, 100])
@pytest.mark.parametrize("signed", [True, False])
def test_a_field_shows_the_blocks_numbers(kind, exact, signed):
    block = picture(kind, VALUES, signed=signed, exact=exact)
    assert block.arrays["pixels"].dtype == (np.uint8 if exact == 0 else np.float32)
    (codes,) = fields(blocks_figure([block]), kind)
    reads_back(codes, block, VALUES)


def test_what_is_not_finite_has_colours_and_signs_of_its_own():
    block = picture("matrix", VALUES, signed=True)
    figure = blocks_figure([block])
    drawn = image_of(figure, "matrix")
    colours = drawn.to_rgba(drawn.get_array())
    assert [to_hex(c) for c in colours[1]] == ["#d62fd0", "#ff9500", "#00c8b4"]
    assert len({to_hex(c) for c in colours.reshape(-1, 4)}) == 9
    for name, column in (("nan", 0), ("plus", 1), ("minus", 2)):
        (sign,) = [line for axes in figure.axes for line in axes.lines if line.get_label() == name]
        extent = drawn.get_extent()
        cell = (extent[1] - extent[0]) / 3
        assert sign.get_xdata() == pytest.approx([extent[0] + (column + 0.5) * cell])
    assert {"NaN: 1", "+∞: 1", "−∞: 1", "−2.00", "+2.00"} <= set(words(figure))


def test_zero_is_in_the_middle_of_a_signed_scale():
    for values in ([[-4.0, 0.0, 1.0]], [[0.0, 0.0]], [[-0.0, NAN]]):
        for exact in (0, 100):
            block = picture("matrix", values, signed=True, exact=exact)
            for dark in (False, True):
                figure = blocks_figure([block], dark=dark)
                drawn = image_of(figure, "matrix")
                codes = np.asarray(drawn.get_array())
                assert (codes[np.asarray(values) == 0] == 125).all()
                middle = drawn.to_rgba(np.array([[125]]))[0, 0, :3]
                assert (middle.max() < 0.2) == dark


def test_colours_are_those_of_the_view():
    source = (VIEWS / "ui" / "colormap.ts").read_text(encoding="utf-8")
    assert blocks_colours._SIGNED_LIGHT in source
    assert blocks_colours._SIGNED_DARK in source
    marks = re.findall(r'CODE\.(\w+), "(\w{6})"', source)
    assert {name: f"#{colour}" for name, colour in marks} == {
        name: colour for name, (_, colour, _) in blocks_colours.MARKS.items()
    }
    anchors = re.findall(r'VIRIDIS =\s*"(\w+)"', source)[0]
    colours = blocks_colours.palette(False, False).colors
    for i in range(17):
        wanted = [int(anchors[6 * i + j : 6 * i + j + 2], 16) / 255 for j in (0, 2, 4)]
        np.testing.assert_allclose(colours[round(250 * i / 16)], wanted, atol=0.02)


def test_each_map_has_its_number_and_its_value():
    values, block = some_maps(3, unit=10)
    figure = blocks_figure([block])
    drawn = fields(figure, "map")
    reads_back(np.array(drawn), block, values)
    shown = words(figure)
    for unit, mean in zip((0, 10, 20), values.mean((1, 2)), strict=True):
        assert shown[shown.index(str(unit)) + 1] == number(mean)
    (frame,) = labelled(figure, "chosen")
    second = [a for a in labelled(figure, "map") if isinstance(a, AxesImage)][1]
    assert frame.get_x() == pytest.approx(second.get_extent()[0])
    assert "below each its number and its activity" in shown


def test_notes_say_what_of_the_whole_is_drawn():
    _, block = some_maps(4, count=100, sort="variance", depth=2, depths=9, reduced=True, input=5)
    (line,) = [text for text in words(blocks_figure([block])) if "100" in text]
    for part in ("4 of 100", "by variance", "slice 2 of 9", "averaged down to fit", "input 5"):
        assert part in line


def test_natural_colours_are_those_of_the_block():
    pixels = np.zeros((2, 3, 3, 3), np.float32)
    pixels[0, 0, 0] = (1, 0.5, 0)
    pixels[1, 2, 2] = (NAN, 0, 0)
    meta = {"low": 0.0, "high": 1.0, "signed": False, "rgb": True, "ends": [-0.25, 0.25]}
    figure = blocks_figure([Block("maps", meta, {"pixels": pixels})])
    first, second = fields(figure, "map")
    assert first[0, 0].tolist() == [255, 128, 0]
    assert second[2, 2].tolist() == [0xD6, 0x2F, 0xD0]
    assert {"−0.250", "+0.250", "NaN: 1"} <= set(words(figure))


def test_the_chosen_place_of_a_map_is_framed():
    values = np.arange(48.0).reshape(6, 8)
    meta = {"unit": 3, "place": [2, 5], "value": 21.0, "shape": [6, 8]}
    figure = blocks_figure([picture("map", values, signed=False, meta=meta)])
    (frame,) = labelled(figure, "chosen")
    drawn = image_of(figure, "map")
    left, right, bottom, top = drawn.get_extent()
    assert frame.get_x() == pytest.approx(left + (right - left) * 5 / 8)
    assert frame.get_y() == pytest.approx(top + (bottom - top) * 2 / 6)
    assert "row 2, column 5: 21.0" in words(figure)


def test_rows_and_columns_have_their_names():
    block = picture(
        "matrix",
        np.zeros((3, 4)),
        signed=False,
        meta={"rows": "time", "columns": "feature", "row_labels": ["a", "b", "$c_1$"]},
        arrays={"column_numbers": np.array([7, 3, 1999, 5], np.int32)},
    )
    shown = words(blocks_figure([block]))
    assert {"a", "b", "$c_1$", "↓ time   → feature"} <= set(shown)
    assert [text for text in shown if text in {"7", "3", "1,999", "5"}] == ["7", "1,999"]
    assert "↓ 时间   → 特征" in words(blocks_figure([block], language="zh"))


@pytest.mark.parametrize("heads", [1, 3, 80])
def test_each_head_is_drawn(heads):
    weights = np.random.default_rng(0).dirichlet(np.ones(4), size=(heads, 5))
    block = picture("attention", weights, signed=False, ends=(0.0, 1.0), meta={"heads": heads})
    figure = blocks_figure([block])
    drawn = fields(figure, "matrix" if heads == 1 else "head")
    assert len(drawn) == min(heads, 64)
    reads_back(np.array(drawn), block, weights[:64])
    shown = words(figure)
    assert ("head 2" in shown) == (heads > 2)
    assert any("64 of 80" in text for text in shown) == (heads == 80)
    assert {"0.00", "1.00"} <= set(shown)


def test_a_ridge_shows_the_share_of_each_bin():
    counts = np.array([[1, 3, 0], [0, 0, 0], [2, 2, 4]], np.float32)
    steps = np.array([0.0, 10.0, 40.0])
    block = Block("ridge", {}, {"steps": steps, "counts": counts, "edges": np.arange(4.0) - 1})
    figure = blocks_figure([block])
    drawn = image_of(figure, "ridge")
    shares = np.array([[0.25, 0.75, 0], [0, 0, 0], [0.25, 0.25, 0.5]]).T
    codes = np.asarray(drawn.get_array())
    np.testing.assert_allclose(decode(codes, 0, 0.75), shares, atol=0.002)
    np.testing.assert_allclose(drawn._Ax, [0, 5, 25, 40])
    assert "0.750" in words(figure)
    (axes,) = charts(figure, "ridge")
    places = dict(zip(ticks(figure, axes.yaxis), axes.get_yticks(), strict=True))
    assert (places["−1"], places["0"], places["2"]) == (0, 1, 3)
    places = dict(zip(ticks(figure, axes.xaxis), axes.get_xticks(), strict=True))
    assert (places["0"], places["40"]) == (0, 40)


def test_a_bin_of_zeros_does_not_hide_the_others():
    counts = np.full((5, 64), 1.0, np.float32)
    counts[:, 0] = 1000
    block = Block(
        "ridge", {}, {"steps": np.arange(5.0), "counts": counts, "edges": np.arange(65.0)}
    )
    figure = blocks_figure([block])
    codes = np.asarray(image_of(figure, "ridge").get_array())
    assert (codes == 250).all()
    assert any(text.startswith("≥ ") for text in words(figure))


# --- charts ---------------------------------------------------------------------------------------


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


# --- rows -----------------------------------------------------------------------------------------


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


def terms(products, **meta):
    products = np.asarray(products, np.float32)
    count = len(products)
    return Block(
        "terms",
        {"total": count, "shown": count, "bias": None, "sum": 1.5, "rest": None, **meta},
        {
            "inputs": np.stack([np.arange(count), np.full(count, 4), np.full(count, 7)], 1),
            "activation": np.full(count, 0.5, np.float32),
            "weight": np.clip(products, -1e38, 1e38) * 2,
            "product": products,
        },
    )


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
    assert words(blocks_figure(kinds[1:2], language="zh"))[0].startswith("警告：")


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3)])
def test_an_image_has_its_own_colours(shape):
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    (drawn,) = fields(blocks_figure([Block("image", {}, {"pixels": pixels})]), "image")
    parts = pixels.reshape(6, 8, -1)
    np.testing.assert_array_equal(drawn, np.broadcast_to(parts, (6, 8, 3)))


def test_samples_have_their_number_and_value():
    thumbs = np.random.default_rng(0).integers(0, 255, (3, 8, 8)).astype(np.uint8)
    values = np.array([3.0, NAN, 1.0], np.float32)
    meta = {"indices": [41, 7, 1999], "chosen": 7}
    figure = blocks_figure([Block("samples", meta, {"thumbs": thumbs, "values": values})])
    np.testing.assert_array_equal(np.array(fields(figure, "sample"))[..., 0], thumbs)
    assert words(figure) == ["41", "3.00", "7", "NaN", "1,999", "1.00"]
    assert len(labelled(figure, "chosen")) == 1
    rows = blocks_figure([Block("samples", meta, {"values": values})])
    assert {"sample 41", "sample 7", "sample 1,999", "NaN"} <= set(words(rows))


# --- the whole ------------------------------------------------------------------------------------


def every_kind():
    rng = np.random.default_rng(0)
    _, small = some_maps(7)
    thumbs = rng.integers(0, 255, (4, 8, 8)).astype(np.uint8)
    counts = rng.integers(0, 9, (5, 16)).astype(np.float32)
    return [
        small,
        picture("map", VALUES, signed=True),
        bars([1.0, NAN]),
        picture("matrix", VALUES, signed=False),
        picture("attention", rng.random((2, 3, 3)), signed=False),
        Block("histogram", {}, {"counts": np.ones(4), "edges": np.arange(5.0)}),
        Block(
            "numbers", {"items": [["ui.inspector.mean", "number", None]]}, {"values": np.ones(1)}
        ),
        Block("ridge", {}, {"steps": np.arange(5.0), "counts": counts, "edges": np.arange(17.0)}),
        Block("lines", {"names": ["a"]}, {"steps": np.arange(3.0), "values": np.ones((1, 3))}),
        terms([1.0, -2.0]),
        Block("arithmetic", {"lines": [["1 + 1", "term"], ["= 2", "result"]]}),
        Block("samples", {"indices": [1, 2, 3, 4]}, {"thumbs": thumbs, "values": np.ones(4)}),
        Block("image", {}, {"pixels": thumbs[0]}),
        Block("outputs", {"labels": ["a"]}, {"before": np.ones(1), "after": np.ones(1)}),
        note("probe.display.no_scores"),
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("dark", [False, True])
def test_every_kind_is_drawn_and_stays_on_the_figure(dark, language):
    figure = blocks_figure(every_kind(), title="conv1", dark=dark, language=language)
    assert figure.get_figwidth() == 9
    assert figure.get_figheight() < 30
    kinds = {block.kind for block in every_kind()}
    assert kinds <= {axes.get_label() for axes in figure.axes}
    assert not any("cannot draw" in text or "无法绘制" in text for text in words(figure))
    pixels = image.imread(io.BytesIO(to_png(figure, dpi=50)), format="png")
    assert pixels.shape[1] == 450
    assert (pixels[0, 0, :3].mean() < 0.2) == dark
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert 0 <= box.x0 < box.x1 <= figure.bbox.width, text
            assert 0 <= box.y0 < box.y1 <= figure.bbox.height, text
    ElementTree.fromstring(to_svg(figure))
    ground = DARK if dark else LIGHT
    assert to_hex(figure.get_facecolor()) == ground.surface
    if language == "zh":
        assert "下方为编号与" in " ".join(words(figure))


@pytest.mark.parametrize("block", every_kind(), ids=lambda block: block.kind)
def test_empty_and_missing_arrays_are_drawn_as_nothing(block):
    if block.kind == "note":
        return
    empty = {name: array[:0] for name, array in block.arrays.items()}
    meta = {k: [] if isinstance(v, list) else v for k, v in block.meta.items()}
    for left in (empty, {}):
        figure = blocks_figure([Block(block.kind, meta, left, block.title)])
        assert len(to_png(figure, dpi=30)) > 100
        if block.kind != "terms":  # its sum is there without any terms
            (sentence,) = words(figure)
            assert sentence.endswith("no finite values")


def test_an_unknown_kind_is_named():
    figure = blocks_figure([Block("hologram $_"), bars([1.0])])
    assert "This version of the view cannot draw “hologram $_”." in words(figure)
    assert charts(figure, "bars")


def test_no_blocks_are_said():
    assert words(blocks_figure([])) == [catalogue.text("ui.inspector.empty.nothing")]


AWKWARD = [
    "$\\frac{",
    "a_b^c",
    "<b>&amp;",
    "损失",
    "%s {x} \\",
    "\n\n\t",
    "x" * 3000,
    "_hidden",
    "",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_names_are_text(name):
    blocks = [
        bars(
            [1.0, 2.0], labels=[name, "b"], title=("ui.inspector.display.channel", {"unit": name})
        ),
        Block("lines", {"names": [name]}, {"steps": np.arange(2.0), "values": np.ones((1, 2))}),
        Block("numbers", {"items": [[name, "text", name]]}, {"values": np.ones(1)}),
        Block("arithmetic", {"lines": [[name, "term"]]}),
        picture("matrix", np.eye(2), signed=False, meta={"row_labels": [name] * 2, "rows": name}),
        note(name),
        Block(name),
    ]
    figure = blocks_figure(blocks, title=name, language="zh")
    assert len(to_png(figure, dpi=30)) > 1000
    ElementTree.fromstring(to_svg(figure))
    figure.canvas.draw()
    for text in (text for axes in figure.axes for text in axes.texts):
        assert not text.get_parse_math()
        assert not text.get_usetex()
        assert text.get_window_extent().x1 <= figure.bbox.width
    if 0 < len(name) < 10 and name.strip():
        assert sum(name in text for text in words(figure)) >= 6


def test_too_much_is_left_out_and_counted():
    blocks = [picture("matrix", np.eye(100), signed=False) for _ in range(12)]
    figure = blocks_figure([*blocks, bars([1.0])])
    assert 20 < figure.get_figheight() <= 30
    drawn = len(fields(figure, "matrix"))
    assert words(figure)[-1] == f"Not drawn, as the figure would be too high: {13 - drawn} more."


def test_blocks_stand_below_each_other():
    figure = blocks_figure(every_kind(), title="x")
    sheets = [axes for axes in figure.axes if not axes.axison]
    tops = [axes.get_position().y1 for axes in sheets]
    assert tops == sorted(tops, reverse=True)
    for above, below in itertools.pairwise(sheets):
        assert below.get_position().y1 <= above.get_position().y0 + 1e-9


FLOATS = st.floats(width=32) | st.sampled_from([3.4e38, -3.4e38, 1e-45])


@settings(max_examples=25)
@given(
    arrays.arrays(
        np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=FLOATS
    ),
    st.booleans(),
)
def test_any_numbers_can_be_drawn(values, signed):
    block = picture("matrix", values, signed=signed)
    counts = np.abs(np.nan_to_num(values[0], posinf=0, neginf=0)).astype(np.float64)
    finite = np.sort(np.nan_to_num(values[0]).astype(np.float64))
    edges = np.append(finite, finite[-1]) * 1e269
    figure = blocks_figure(
        [
            block,
            bars(values[0]),
            bars(values[0], labels=["a"] * len(values[0])),
            Block("lines", {}, {"steps": np.arange(values.shape[1]), "values": values}),
            Block("histogram", {}, {"counts": counts, "edges": edges}),
            Block("ridge", {}, {"steps": np.zeros(1), "counts": counts[None], "edges": edges}),
            terms(values[0]),
        ]
    )
    assert len(to_png(figure, dpi=20)) > 1000
    codes = fields(figure, "matrix")[0]
    assert ((codes == 253) == np.isnan(values)).all()
    assert ((codes == 254) == np.isposinf(values)).all()
    assert ((codes == 255) == np.isneginf(values)).all()


def test_blocks_of_a_real_model_are_drawn():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10))
    seen = look(model, torch.randn(2, 3, 8, 8), ["0", "3"])
    (conv,), (linear,) = seen.calls["0"], seen.calls["3"]
    maps = activation_blocks(model[0], conv, 1, unit=(3, 2, 4))
    figure = blocks_figure([*maps, *contribution_blocks(model[0], conv, 1, (3, 2, 4))])
    reads_back(np.array(fields(figure, "map")[:8]), maps[0], conv.output[1].numpy())
    place = conv.output[1, 3, 2, 4].item()
    assert any(f"row 2, column 4: {'+' * (place > 0)}{number(place)}" == w for w in words(figure))
    figure = blocks_figure(activation_blocks(model[3], linear, 0))
    heights = [patch.get_height() for patch in charts(figure, "bars")[0].containers[0]]
    np.testing.assert_allclose(heights, linear.output[0].numpy(), rtol=1e-6)


def test_the_users_settings_do_not_reach_the_figure():
    def drawn():
        return to_png(blocks_figure(every_kind(), title="x"), dpi=40)

    plain = drawn()
    settings = {
        "text.usetex": True,
        "axes.grid": True,
        "axes.facecolor": "red",
        "axes.xmargin": 0.3,
        "lines.linestyle": ":",
        "lines.marker": "o",
        "font.family": "serif",
        "figure.constrained_layout.use": True,
        "xtick.minor.visible": True,
        "xtick.top": True,
        "image.origin": "lower",
        "image.interpolation": "bilinear",
        "image.cmap": "jet",
        "patch.linewidth": 5,
        "patch.force_edgecolor": True,
        "hatch.color": "red",
    }
    with matplotlib.rc_context(settings):
        assert drawn() == plain


def test_figures_are_drawn_on_threads():
    plain = to_png(blocks_figure(every_kind()), dpi=30)
    got = []

    def draw():
        got.append(to_png(blocks_figure(every_kind()), dpi=30))

    threads = [threading.Thread(target=draw) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [plain] * 3


def test_pyplot_is_not_imported():
    code = (
        "import sys, nnwidgets.export.blocks_figure; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- words ----------------------------------------------------------------------------------------


@given(st.text(alphabet="ab $，。好的 -", max_size=80), st.floats(0.3, 3))
def test_wrapping_loses_no_word(text, room):
    lines = wrapped(text, room)
    assert "".join("".join(lines).split()) == "".join(text.split())
    # A stop may hang over, by itself.
    assert all(width_of(line.rstrip("，。")) <= room for line in lines)


@given(st.lists(st.floats(0.1, 2), max_size=20))
def test_nothing_flows_over_the_edge_or_over_another(widths):
    places = flow(widths, 4.0, 0.1)
    ends: dict[int, float] = {}
    for (row, x), width in zip(places, widths, strict=True):
        assert x + width <= 4.0 + 1e-9
        assert x >= ends.get(row, 0.0)
        ends[row] = x + width


def test_numbers_below_each_other_have_as_many_decimals():
    write = even([12.3456, -0.02, NAN])
    assert [write(v) for v in (12.3456, -0.02, 0.0, NAN, -INF)] == [
        "12.3",
        "0.0",
        "0.0",
        "NaN",
        "−∞",
    ]
    assert even([1e9])(1e9) == "1.00e9"
