"""A layer's picture as a figure: everything is there, readable, and leaves matplotlib alone."""

import io
import itertools
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
from matplotlib.colors import to_hex
from matplotlib.text import Text
from torch import nn

from nnwidgets import catalogue
from nnwidgets.export.blocks_figure import blocks_figure
from nnwidgets.export.figures import to_png, to_svg
from nnwidgets.export.look import DARK, LIGHT, has_chinese, number
from nnwidgets.probe.blocks import Block, bars, note, picture
from nnwidgets.probe.contribution_blocks import contribution_blocks
from nnwidgets.probe.display import activation_blocks
from nnwidgets.probe.look import look
from tests.export.drawn import charts, every_kind, fields, reads_back, terms, words


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
    if language == "zh" and has_chinese():
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
