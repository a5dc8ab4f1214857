"""What a SaliencyViewer shows as a figure: the numbers it was sent, readable, on one scale."""

import io
import itertools
import math
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib import image
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_colours import MARKS, palette
from nnwidgets.export.figures import to_png, to_svg
from nnwidgets.export.look import DARK, LIGHT, has_chinese, number
from nnwidgets.export.saliency_figure import saliency_figure
from nnwidgets.export.saliency_maps import strongest
from nnwidgets.export.saliency_rows import waterfall
from nnwidgets.probe.blocks import decode, encode
from tests.export.drawn import boxes_of, charts, fields, filled, image_of, labelled, words
from tests.export.salient import CHECKED, CURVES, INF, NAN, every_kind, packed, pane, trusted

KINDS = every_kind()
MAP = np.array([[-1.0, 0.0, 0.25], [NAN, INF, -INF], [2.0, -2.0, 1.0]])


def inside(figure):
    """Demand that nothing written is cut off."""
    figure.canvas.draw()
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert 0 <= box.x0 < box.x1 <= figure.bbox.width, text
            assert 0 <= box.y0 < box.y1 <= figure.bbox.height, text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dark", "language"), [(False, "en"), (True, "zh")])
def test_every_kind_is_drawn_alone_and_beside_another(kind, dark, language):
    for panes in ([KINDS[kind]], [KINDS[kind], KINDS["image"]]):
        figure = saliency_figure(packed(*panes), CHECKED, dark=dark, language=language)
        assert figure.get_figwidth() == 9
        inside(figure)
        assert to_hex(figure.get_facecolor()) == (DARK if dark else LIGHT).surface
        assert {kind, *(meta["kind"] for meta, _ in panes)} <= {a.get_label() for a in figure.axes}
    pixels = image.imread(io.BytesIO(to_png(figure, dpi=30)), format="png")
    assert (pixels[0, 0, :3].mean() < 0.2) == dark
    ElementTree.fromstring(to_svg(figure))
    if language == "zh" and has_chinese():
        assert say("ui.saliency.trust", "zh") in words(figure)


def test_words_say_whose_map_it_is_and_how_it_was_made():
    shown = words(saliency_figure(packed(KINDS["image"]), None))
    assert {"Why this answer?", "sample 4", "Evidence for “cat”"} <= set(shown)
    assert "Integrated gradients, baseline zero, step 3,412" in shown
    assert "Each value is the sum over the channels. Each value is the mean over 2×2" in " ".join(
        shown
    )
    assert "0.250 s, 51 evaluations" in shown
    quick = pane("image", [[0.5, 1.0]], seconds=0.00914, evaluations=0)
    assert "9.14 ms" in words(saliency_figure(packed(quick), None))
    shown = words(saliency_figure(packed(KINDS["other"]), None))
    assert any("layer conv1" in word and "weights kept at step 3,412" in word for word in shown)
    shown = words(saliency_figure(packed(KINDS["tokens"]), None))
    assert "sample 4 · Input ids" in shown


# -- maps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", [False, True])
def test_a_map_shows_the_numbers_it_was_sent(codes):
    figure = saliency_figure(packed(pane("image", MAP), codes=codes), None)
    (drawn,) = fields(figure, "map")
    np.testing.assert_allclose(decode(drawn, -2, 2), MAP, atol=4 / 499)
    assert {"−2.00", "+2.00", "NaN: 1", "+∞: 1", "−∞: 1"} <= set(words(figure))


def test_what_is_not_finite_has_colours_and_signs_of_its_own():
    figure = saliency_figure(packed(pane("image", MAP)), None)
    drawn = image_of(figure, "map")
    colours = drawn.to_rgba(drawn.get_array())
    assert [to_hex(c) for c in colours[1]] == [colour for _, colour, _ in MARKS.values()]
    extent = drawn.get_extent()
    cell = (extent[1] - extent[0]) / 3
    for column, name in enumerate(("nan", "plus", "minus")):
        (sign,) = (line for axes in figure.axes for line in axes.lines if line.get_label() == name)
        assert sign.get_xdata() == pytest.approx([extent[0] + (column + 0.5) * cell])
    assert any("not finite" in word for word in words(figure))


@pytest.mark.parametrize("dark", [False, True])
def test_a_signed_scale_has_zero_in_its_middle(dark):
    figure = saliency_figure(packed(pane("image", [[-1.0, 0.0, 4.0]])), None, dark=dark)
    drawn = image_of(figure, "map")
    red, _, blue = np.moveaxis(drawn.to_rgba(drawn.get_array())[0, :, :3], -1, 0)
    assert blue[0] > red[0]
    assert abs(blue[1] - red[1]) < 0.06
    assert red[2] > blue[2]
    assert {"−4.00", "+4.00"} <= set(words(figure))


def test_a_map_without_a_sign_goes_from_zero_up():
    figure = saliency_figure(packed(pane("image", [[0.5, 1.0]])), None)
    drawn = image_of(figure, "map")
    viridis = matplotlib.colormaps["viridis"]
    assert drawn.to_rgba(drawn.get_array())[0, 1, :3] == pytest.approx(viridis(1.0)[:3], abs=0.01)
    assert drawn.to_rgba(drawn.get_array())[0, 0, :3] == pytest.approx(viridis(0.5)[:3], abs=0.02)
    assert {"0.00", "1.00"} <= set(words(figure))


def test_two_panes_have_one_scale():
    small, large = pane("image", [[-0.5, 1.0]]), pane("image", [[0.5, 3.0]], method="saliency")
    figure = saliency_figure(packed(small, large, compare="method"), None)
    first, second = fields(figure, "map")
    np.testing.assert_array_equal(first, encode(np.array([[-0.5, 1.0]]), -3, 3))
    np.testing.assert_array_equal(second, encode(np.array([[0.5, 3.0]]), -3, 3))
    assert words(figure).count("−3.00") == 1
    stated = "Integrated gradients: logit · Saliency: logit per unit of input · both maps on this"
    assert any(stated in word for word in words(figure))


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1), (6, 8, 3)])
def test_an_input_keeps_its_colours(shape):
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    figure = saliency_figure(packed(pane("image", np.ones((3, 4)), pixels)), None)
    (drawn,) = fields(figure, "input")
    np.testing.assert_array_equal(drawn, np.broadcast_to(pixels.reshape(6, 8, -1), (6, 8, 3)))
    beside = image_of(figure, "input").get_extent(), image_of(figure, "map").get_extent()
    sizes = [(right - left, low - top) for left, right, low, top in beside]
    assert sizes[0] == pytest.approx(sizes[1]), "the map covers the plane of the input"


def test_an_input_that_was_sent_once_is_drawn_beside_both_maps():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    first, second = pane("image", np.ones((3, 4)), pixels), pane("image", np.zeros((3, 4)))
    drawn = fields(saliency_figure(packed(first, second), None), "input")
    assert len(drawn) == 2
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize(
    ("values", "flaw"), [([[0.0, 0.0]], "zero"), ([[2.0, 2.0]], "constant"), (MAP, "not_finite")]
)
def test_a_flaw_is_said_unless_the_kernel_says_more(values, flaw):
    sentence = say(f"ui.saliency.flaw.{flaw}")
    assert f"Warning: {sentence}" in words(saliency_figure(packed(pane("image", values)), None))
    known = words(saliency_figure(packed(pane("image", values, warnings=["Saturated."])), None))
    assert "Warning: Saturated." in known
    assert not any(sentence in word for word in known)


def test_a_map_that_could_not_be_made_says_why():
    meta, own = pane("image", MAP, state="failed", problem="There is no convolution.")
    del own["map"]
    shown = words(saliency_figure(packed((meta, own)), None))
    assert "There is no map to show." in shown
    assert "Error: There is no convolution." in shown
    assert {"dog", "cat", "20.0", "80.0"} <= set(shown)


# -- signals and sequences -----------------------------------------------------------------------


def test_a_signal_has_a_line_over_a_band_for_each_channel():
    values = np.random.default_rng(0).normal(size=(2, 50))
    given_ = np.array([np.sin(np.arange(50)), np.full(50, 3.0)], np.float32)
    given_[0, 7] = NAN
    figure = saliency_figure(packed(pane("signal", values, given_, features=["x", "y"])), None)
    bands = fields(figure, "map")
    high = np.abs(values).max()
    np.testing.assert_array_equal(np.concatenate(bands), encode(np.float32(values), -high, high))
    first, second = [
        line for axes in figure.axes for line in axes.lines if line.get_label() == "input"
    ]
    y = np.asarray(first.get_ydata())
    assert np.isnan(y[7])
    ok = np.isfinite(given_[0])
    assert np.corrcoef(y[ok], given_[0][ok])[0, 1] == pytest.approx(-1), "downwards is larger"
    assert np.ptp(second.get_ydata()) == 0
    assert {"x", "y"} <= set(words(figure))


def test_a_sequence_has_time_from_left_to_right():
    values = np.random.default_rng(0).normal(size=(7, 3))
    figure = saliency_figure(packed(pane("sequence", values, features=["a", "b", "c"])), None)
    (drawn,) = fields(figure, "map")
    high = np.abs(values).max()
    np.testing.assert_array_equal(drawn, encode(np.float32(values.T), -high, high))
    assert {"a", "b", "c", "time", "0", "6"} <= set(words(figure))


def test_a_spike_in_a_long_signal_is_drawn_and_the_crowding_said():
    values = np.full((1, 4000), 0.01)
    values[0, 1234] = -5.0
    figure = saliency_figure(packed(pane("signal", values)), None)
    (drawn,) = fields(figure, "map")
    assert drawn.shape[1] < 1000
    assert drawn.min() == 0, "the lowest end of the scale"
    assert any("the strongest of 9 places" in word for word in words(figure))


@settings(max_examples=60)
@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 9), st.integers(1, 30)),
        elements=st.floats(-3, 3) | st.sampled_from([NAN, INF, -INF]),
    ),
    st.integers(1, 9),
    st.integers(1, 30),
)
def test_of_each_rectangle_the_strongest_value_stays(values, rows, columns):
    found, (down, across) = strongest(values, rows, columns)
    assert found.shape[0] <= rows
    assert found.shape[1] <= columns

    def strength(value):
        if math.isnan(value):
            return (2, 0.0)
        return (1, 0.0) if math.isinf(value) else (0, abs(value))

    for i, j in itertools.product(*map(range, found.shape)):
        cells = values[i * down : (i + 1) * down, j * across : (j + 1) * across].ravel().tolist()
        assert strength(float(found[i, j])) == max(map(strength, cells))
        assert any(c == found[i, j] or (math.isnan(c) and np.isnan(found[i, j])) for c in cells)


# -- tables --------------------------------------------------------------------------------------

ADDING = {"baseline_score": 1.0, "score": 3.0, "sum": 2.0, "target": 0}


def bars(figure, pane_index=0):
    """Left and right end of each bar of a table, from above."""
    sheets = [axes for axes in figure.axes if axes.get_label() in ("table", "other")]
    sheet = sheets[pane_index]
    boxes = [boxes_of(found)[0] for found in sheet.collections]
    return [(x, x + width) for x, _, width, _ in sorted(boxes, key=lambda box: box[1])]


def test_bars_lead_from_the_baseline_to_the_score():
    values = [0.5, -1.0, 2.5]
    figure = saliency_figure(
        packed(pane("table", values, np.float32([7, 8, 9]), features=["a", "b", "c"], **ADDING)),
        None,
    )
    base, c, b, a, score = bars(figure)
    start, inch = np.mean(base), (np.mean(score) - np.mean(base)) / 2  # per unit of the score
    assert c == pytest.approx((start, start + 2.5 * inch))
    assert b == pytest.approx((start + 1.5 * inch, start + 2.5 * inch))
    assert a == pytest.approx((start + 1.5 * inch, start + 2.0 * inch))
    shown = words(figure)
    assert [w for w in shown if w in ("a", "b", "c")] == ["c", "b", "a"], "the largest first"
    assert {"+2.50", "−1.00", "+0.50", "9.00", "8.00", "7.00"} <= set(shown)
    assert any("1.00 (baseline) +2.00 (sum of the values) → 3.00" in word for word in shown)
    feature = [f for axes in figure.axes for f in axes.collections if f.get_label() == "feature"]
    signs = [to_hex(found.get_facecolor()[0]) for found in feature]
    assert signs[0] == signs[2] != signs[1]


def test_bars_that_do_not_add_up_begin_at_zero_and_say_so():
    figure = saliency_figure(packed(pane("table", [2.0, -1.0])), None)
    (zero, two), (minus, also_zero) = bars(figure)
    assert zero == pytest.approx(also_zero)
    assert two - zero == pytest.approx(2 * (zero - minus))
    assert any(say("ui.saliency.table.no_sum")[:40] in word for word in words(figure))


def test_bars_of_two_panes_have_one_axis():
    first, second = pane("table", [2.0, -1.0]), pane("table", [0.5, -0.25], method="lime")
    figure = saliency_figure(packed(first, second, compare="method"), None)
    large, small = bars(figure, 0)[0], bars(figure, 1)[0]
    assert large[1] - large[0] == pytest.approx(4 * (small[1] - small[0]))


def test_a_bad_value_has_no_bar_but_a_row():
    figure = saliency_figure(packed(pane("table", [1.0, NAN], features=["a", "b"])), None)
    assert len(bars(figure)) == 1
    shown = words(figure)
    assert "NaN" in shown
    assert shown.index("b") < shown.index("a"), "what is not finite stands first"


def test_the_spread_over_seeds_stands_beside():
    figure = saliency_figure(packed(pane("table", [1.0, 2.0], spread=[0.125, 0.5])), None)
    assert {"± 0.125", "± 0.500"} <= set(words(figure))


@settings(max_examples=100)
@given(
    arrays.arrays(np.float64, st.integers(0, 40), elements=st.floats(-10, 10)),
    st.floats(-5, 5),
    st.floats(-2, 2),
)
def test_a_waterfall_ends_at_the_score_whatever_the_values(values, baseline, missing):
    score = baseline + float(values.sum()) + missing
    fall = waterfall(values, baseline, score)
    way = score - baseline
    total = float(values.sum())
    assert fall.adds == (abs(way - total) <= 0.5 * max(abs(way), 1e-12))
    moves = [step for step in fall.steps if step.kind in ("feature", "others", "gap")]
    features = [step.feature for step in moves if step.kind == "feature"]
    by_size = sorted(range(len(values)), key=lambda i: -abs(values[i]))
    assert [abs(values[i]) for i in features] == [abs(values[i]) for i in by_size[: len(features)]]
    others = sum(step.count for step in moves if step.kind == "others")
    assert len(features) + others == len(values)
    assert len(features) == len(values) if len(values) <= 13 else len(features) == 12
    told = sum(step.value for step in moves if step.kind != "gap")
    assert told == pytest.approx(total, abs=1e-9)
    if fall.adds:
        for before, after in itertools.pairwise(fall.steps[:-1]):
            assert after.begin == before.end
        assert fall.steps[-1].value == score
        assert abs(moves[-1].end - score) <= 0.01 * abs(way) + 1e-9 if moves else True
    else:
        assert all(step.begin == 0 for step in moves)
    for step in fall.steps:
        assert fall.low <= min(step.begin, step.end) <= max(step.begin, step.end) <= fall.high


# -- tokens and classes --------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
def test_tokens_have_the_colour_of_their_value(dark):
    values = np.array([-2.0, 0.0, 1.0, 2.0, NAN])
    texts = ["a", " ", "", "\n", "b"]
    figure = saliency_figure(packed(pane("tokens", values, tokens=texts)), None, dark=dark)
    drawn = filled(figure, "tokens").get_facecolor()[:, :3]
    colours = palette(True, dark)(encode(np.float32(values), -2, 2))[:, :3]
    np.testing.assert_allclose(drawn, colours, atol=1 / 254)
    shown = words(figure)
    assert {"a", "␣", "∅", "↵", "b"} <= set(shown)


def luminance(colour):
    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_tokens_can_be_read_on_every_colour(dark, low):
    values = np.linspace(low, 1, 251)
    figure = saliency_figure(packed(pane("tokens", values, outputs=())), None, dark=dark)
    found = filled(figure, "tokens")
    inks = {t.get_text(): t.get_color() for axes in figure.axes for t in axes.texts}
    for i, ground in enumerate(found.get_facecolor()[:, :3]):
        light, dark_ = sorted((luminance(ground), luminance(inks[f"#{i}"])))[::-1]
        assert (light + 0.05) / (dark_ + 0.05) >= 4.2


def test_tokens_that_have_no_room_are_counted():
    figure = saliency_figure(packed(pane("tokens", np.ones(4000), tokens=["word"] * 4000)), None)
    drawn = len(filled(figure, "tokens").get_paths())
    assert 100 < drawn < 4000
    assert f"{drawn:,} of 4,000" in words(figure)


def test_classes_have_bars_and_the_asked_one_is_marked():
    figure = saliency_figure(packed(pane("image", MAP, outputs=[0.25, 0.75])), None)
    (other,), (asked,) = boxes_of(filled(figure, "class")), boxes_of(filled(figure, "asked"))
    assert asked[2] == pytest.approx(3 * other[2])
    bold = [t.get_text() for axes in figure.axes for t in axes.texts if t.get_weight() == "bold"]
    assert {"cat", "75.0"} <= set(bold)
    assert {"%", "25.0"} <= set(words(figure))


def test_scores_below_zero_begin_at_zero():
    figure = saliency_figure(packed(pane("image", MAP, outputs=[-2.0, 4.0])), None)
    (other,), (asked,) = boxes_of(filled(figure, "class")), boxes_of(filled(figure, "asked"))
    assert other[0] + other[2] == pytest.approx(asked[0])
    assert asked[2] == pytest.approx(2 * other[2])
    assert {"−2.00", "4.00"} <= set(words(figure))
    assert "%" not in words(figure)


def test_of_many_classes_the_largest_the_asked_and_the_bad_are_listed():
    outputs = np.arange(100) / 5000
    outputs[7] = NAN
    names = [f"class{i}" for i in range(100)]
    shown = words(
        saliency_figure(packed(pane("image", MAP, outputs=outputs, classes=names, target=3)), None)
    )
    listed = [word for word in shown if word.startswith("class")]
    assert listed == ["class3", "class7", *(f"class{i}" for i in range(90, 100))]
    assert "% · 12 of 100" in shown


def test_classes_stand_once_where_only_the_method_differs():
    one, two = pane("image", MAP), pane("image", MAP, method="lime")
    figure = saliency_figure(packed(one, two), None)
    assert words(figure).count("80.0") == 1
    three = pane("image", MAP, target=0, target_name="dog")
    assert words(saliency_figure(packed(one, three), None)).count("80.0") == 2


# -- trust ---------------------------------------------------------------------------------------


def test_checks_and_verdict_are_written_with_their_signs():
    figure = saliency_figure(packed(KINDS["image"]), CHECKED)
    shown = words(figure)
    for sign, said in (
        ("✓", "Adds up."),
        ("!", "Depends on the baseline (0.62)."),
        ("✕", "Noise."),
    ):
        assert shown[shown.index(said) - 1] == sign
    (verdict,) = (t for axes in figure.axes for t in axes.texts if t.get_text().startswith("Tried"))
    assert verdict.get_text() == "Tried: sums, noise. Use with care."
    assert verdict.get_weight() == "bold"


@pytest.mark.parametrize("letters", ["word ", "字", "x"])
def test_a_long_verdict_is_written_to_its_end(letters):
    long = "Begin " + letters * (1900 // len(letters)) + " end."
    figure = saliency_figure(packed(KINDS["image"]), trusted([("good", long)], long))
    inside(figure)
    joined = "".join(words(figure)).replace(" ", "")
    assert joined.count(long.replace(" ", "")) == 2


def test_what_was_not_checked_is_said():
    for trust in (None, trusted(state="none")):
        assert say("ui.saliency.trust.none") in words(
            saliency_figure(packed(KINDS["image"]), trust)
        )
    failed = trusted(state="failed", problem="No copy could be made.")
    assert "No copy could be made." in words(saliency_figure(packed(KINDS["image"]), failed))
    working = words(saliency_figure(packed(KINDS["image"]), trusted(state="working")))
    assert "Checking …" in working


@pytest.mark.parametrize("change", [{"state": "stale"}, {"method": "lime"}, {"index": 0}])
def test_checks_of_another_map_say_so(change):
    shown = words(
        saliency_figure(packed(KINDS["image"]), trusted([("good", "Adds up.")], **change))
    )
    method = "LIME" if change.get("method") else "Integrated gradients"
    sample = 1 if "index" in change else 4
    assert f"This was checked for {method}, sample {sample}, step 3,412." in shown
    assert "Adds up." in shown


@pytest.mark.parametrize("kind", ["deletion", "insertion"])
def test_curves_are_drawn_with_their_areas(kind):
    figure = saliency_figure(packed(KINDS["image"]), CHECKED)
    (axes,) = charts(figure, kind)
    drawn = {line.get_label(): line for line in axes.lines}
    for label, name in (("map", kind), ("random", f"random_{kind}")):
        np.testing.assert_allclose(drawn[label].get_xdata(), CURVES["fraction"])
        np.testing.assert_allclose(drawn[label].get_ydata(), CURVES[name])
        width = np.diff(CURVES["fraction"])
        area = float((width * (CURVES[name][1:] + CURVES[name][:-1])).sum() / 2)
        assert any(word.endswith(number(area)) for word in words(figure))
    assert axes.get_ylim()[0] <= 0 < 1 <= axes.get_ylim()[1]


def test_the_cascade_has_a_bar_for_each_layer():
    figure = saliency_figure(packed(KINDS["image"]), CHECKED)
    sizes = [boxes_of(found)[0][2] for found in labelled(figure, "similarity")]
    tracks = [boxes_of(found)[0][2] for found in labelled(figure, "track")]
    assert sizes == pytest.approx([0.8 * tracks[0], 0.3 * tracks[1], 0.0])
    assert {"head", "conv2", "conv1", "0.800", "0.300", "NaN"} <= set(words(figure))


# -- whatever comes ------------------------------------------------------------------------------


def test_nothing_to_show_is_said():
    shown = words(saliency_figure(None, None))
    assert shown == ["Why this answer?", "There is no map to show."]


@pytest.mark.parametrize("kind", KINDS)
def test_missing_words_and_arrays_harm_nothing(kind):
    _, own = KINDS[kind]
    for left in (own, {"map": own["map"]}, {}):
        bare = packed(({"kind": kind}, left))
        assert len(to_png(saliency_figure(bare, trusted()), dpi=30)) > 500


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
    named = {
        "target_name": name, "layer": name, "classes": [name, name], "features": [name] * 5,
        "tokens": [name] * 8, "slots": [name], "note": name, "warnings": [name], "checkpoint": name,
        "method": name,
    }  # fmt: skip
    panes = [({**KINDS[kind][0], **named}, KINDS[kind][1]) for kind in ("table", "tokens")]
    trust = trusted([(name, name)], name, arrays=CURVES, layers=[name] * 3)
    figure = saliency_figure(packed(*panes), trust)
    inside(figure)
    ElementTree.fromstring(to_svg(figure))
    for text in (text for axes in figure.axes for text in axes.texts):
        assert not text.get_parse_math()


@settings(max_examples=10)
@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 130),
    st.integers(1, 130),
    st.sampled_from([NAN, INF, -INF, 0.0, 1e-40, 3e38, -1.0]),
)
def test_any_size_is_drawn(kind, rows, columns, value):
    flat = kind in ("table", "tokens", "other")
    values = np.random.default_rng(0).normal(size=columns if flat else (rows, columns))
    values.reshape(-1)[:1] = value
    figure = saliency_figure(packed(pane(kind, values)), None)
    assert 1 < figure.get_figheight() < 25
    assert len(to_png(figure, dpi=20)) > 300


def test_pyplot_and_the_users_settings_are_left_alone():
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"axes.grid": True, "figure.autolayout": True, "font.size": 40}):
        inside(saliency_figure(packed(KINDS["table"]), CHECKED))
    assert dict(matplotlib.rcParams) == before
    code = (
        "import sys; import nnwidgets.export.saliency_figure as s; s.saliency_figure(None, None); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_scale_of_a_flat_signed_map_is_its_middle():
    figure = saliency_figure(packed(pane("image", np.zeros((2, 2))), signed=True), None)
    (drawn,) = fields(figure, "map")
    assert (drawn == 125).all()
