"""Fields of colours and pictures show their blocks' numbers, and say what the colours mean."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage

from nnwidgets.export import blocks_colours
from nnwidgets.export.blocks_figure import blocks_figure
from nnwidgets.export.look import has_chinese, number
from nnwidgets.probe.blocks import Block, decode, picture
from tests.export.drawn import (
    VALUES,
    charts,
    fields,
    image_of,
    labelled,
    reads_back,
    some_maps,
    ticks,
    words,
)
from tests.repo.tree import VIEWS

NAN, INF = np.nan, np.inf


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
    wanted = "↓ 时间   → 特征" if has_chinese() else "↓ time   → feature"
    assert wanted in words(blocks_figure([block], language="zh"))


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
    np.testing.assert_allclose(decode(codes, 0, 0.75**0.5) ** 2, shares, atol=0.004)
    np.testing.assert_allclose(drawn._Ax, [0, 5, 25, 40])
    assert "0.750" in words(figure)
    assert "square-root scale, 0.188 half-way" in words(figure)
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
    assert words(figure) == ["42", "3.00", "8", "NaN", "2,000", "1.00"]
    assert len(labelled(figure, "chosen")) == 1
    rows = blocks_figure([Block("samples", meta, {"values": values})])
    assert {"sample 42", "sample 8", "sample 2,000", "NaN"} <= set(words(rows))
