"""What stands around the picture of a decision boundary: a place, rules, units, the loss."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_colours import palette
from nnwidgets.export.boundary_figure import boundary_figure
from nnwidgets.export.class_colours import class_colour
from nnwidgets.export.look import LIGHT
from nnwidgets.probe.blocks import decode, encode
from tests.export.bounded import (
    beams,
    sent_choices,
    sent_landscape,
    sent_point,
    sent_rules,
    sent_surface,
    sent_units,
    surface_by,
)
from tests.export.drawn import boxes_of, fields, image_of, labelled, ticks, words

SURFACE = sent_surface(surface_by(beams(3), resolution=12))
VALUES = sent_surface(surface_by(values=lambda xy: xy[:, 0], resolution=12))
NAMES = sent_choices(["A", "B", "C"])


def figure_with(surface=SURFACE, **parts):
    return boundary_figure(surface, None, choices=NAMES, **parts)


def bars(figure, label):
    """Left, width and colour of bars that are drawn one by one."""
    found = labelled(figure, label)
    boxes = np.concatenate([boxes_of(one) for one in found])
    return boxes[:, 0], boxes[:, 2], [to_hex(one.get_facecolor()[0]) for one in found]


# -- a place -------------------------------------------------------------------------------------


def test_each_class_has_a_bar_as_long_as_it_is_probable():
    figure = figure_with(point=sent_point())
    _, widths, colours = bars(figure, "probability")
    tracks = bars(figure, "track")[1]
    assert widths / tracks == pytest.approx([0.31, 0.64, 0.05], abs=1e-6)
    assert colours == [class_colour(k, False) for k in range(3)]
    assert {"31.0 ± 4.0 %", "64.0 ± 6.0 %", "5.0 ± 2.0 %", "labelled A"} <= set(words(figure))
    texts = {t.get_text(): t.get_fontweight() for axes in figure.axes for t in axes.texts}
    assert texts["64.0 ± 6.0 %"] == "bold"
    assert texts["31.0 ± 4.0 %"] == "normal"


def test_the_spread_of_the_models_reaches_to_both_sides():
    figure = figure_with(point=sent_point())
    left, _, _ = bars(figure, "track")
    track = bars(figure, "track")[1]
    for k, (share, spread) in enumerate(((0.31, 0.04), (0.64, 0.06), (0.05, 0.02))):
        line = labelled(figure, "spread")[k]
        ends = (np.asarray(line.get_xdata()) - left[k]) / track[k]
        assert ends == pytest.approx([share - spread, share + spread], abs=1e-6)
    alone = figure_with(point=sent_point(spread=None))
    assert not labelled(alone, "spread")
    assert "64.0 %" in words(alone)


def test_of_many_classes_the_answer_and_the_label_are_always_there():
    shares = np.full(20, 0.9 / 18)
    shares[[3, 17]] = (0.1, 0.0)
    point = sent_point(
        probabilities=shares, spread=None, label=3, true=17, classes=[f"k{i}" for i in range(20)]
    )
    shown = words(figure_with(point=point))
    assert {"k3", "k17"} <= set(shown)
    assert len({word for word in shown if word[0] == "k" and word[1:].isdigit()}) == 8
    assert "labelled k17 · 8 of 20" in " ".join(shown)


def test_weights_point_to_the_side_of_their_sign():
    figure = figure_with(point=sent_point(weights=[0.5, -0.25, 0.0], features=["a", "b", "c"]))
    left, widths, colours = bars(figure, "weight")
    zero = left[0]
    assert left[1] + widths[1] == pytest.approx(zero)
    assert widths[0] == pytest.approx(2 * widths[1])
    assert colours[0] != colours[1]
    shown = words(figure)
    assert {"a", "b", "c", "+0.500", "−0.250", "0.000"} <= set(shown)


def test_of_many_features_the_strongest_are_shown():
    weights = np.linspace(-0.1, 0.9, 30)
    names = [f"f{i}" for i in range(30)]
    shown = words(figure_with(point=sent_point(weights=weights, features=names)))
    assert [word for word in shown if word in names] == names[22:]
    assert "8 of 30" in " ".join(shown)


def test_all_that_is_known_of_a_place_is_written():
    shown = " ".join(words(figure_with(point=sent_point())))
    for wanted in (
        "x₁ 0.42 · x₂ −0.31",
        "noise 0.48 + model 0.13",
        "the probability of B grows by 0.52",
        "x₁ > 0.18 and x₂ ≤ −0.12 → B",
        "agrees with the model on 94.0 % of held-out places",
        "x₂ + 0.17 → A",
        "B, 0.08 away",
        "Slopes by autograd.",
    ):
        assert wanted in shown, wanted


def test_the_place_and_where_a_change_leads_are_marked():
    figure = figure_with(point=sent_point())
    (chosen,) = labelled(figure, "chosen")
    assert (*chosen.get_xdata(), *chosen.get_ydata()) == (0.42, -0.31)
    (changed,) = labelled(figure, "changed")
    assert (*changed.get_xdata(), *changed.get_ydata()) == (0.42, -0.14)
    assert not labelled(figure_with(), "chosen")


def test_a_value_is_said_beside_what_it_should_be():
    point = sent_point(
        probabilities=None, spread=None, value=0.734, true=0.9, label=None, uncertainty=None
    )
    shown = words(figure_with(VALUES, point=point))
    assert "The model says 0.734 · labelled 0.900" in shown
    assert say("figure.boundary.sure") not in shown, "one model alone cannot tell"


@pytest.mark.parametrize("state", ["working", "failed", "stale", "none"])
def test_states_of_a_place(state):
    figure = figure_with(point=sent_point(state=state, problem="It raised."))
    shown = words(figure)
    assert (say("figure.boundary.point") in shown) == (state != "none")
    assert (say("figure.boundary.working") in shown) == (state == "working")
    assert ("It raised." in shown) == (state == "failed")
    assert (say("figure.boundary.stale") in " ".join(shown)) == (state == "stale")
    assert bool(labelled(figure, "probability")) == (state == "stale")


def test_what_is_not_finite_is_said():
    shown = words(
        figure_with(point=sent_point(probabilities=[np.nan, 1.0, 0.0], weights=[np.inf, 1]))
    )
    assert {"NaN", "+∞"} <= set(shown)


# -- rules ---------------------------------------------------------------------------------------


def test_rules_are_written_and_drawn_with_their_numbers():
    figure = figure_with(rules=sent_rules())
    shown = words(figure)
    assert say("figure.boundary.rules") in shown
    assert "Together they agree with the model on 91.2 % of held-out places." in shown
    place = shown.index("x₁ > 0.18 → B")
    assert shown[place - 1] == "2"
    assert shown[place + 1] == "applies to 42.0 % of the points · agrees 88.0 %"
    assert "else → C" in shown
    assert "Fitted to 2,000 answers of the model." in shown
    boxes = [patch.get_bbox().extents.tolist() for patch in labelled(figure, "rule")]
    np.testing.assert_allclose(boxes, [[-1.5, 0.4, 0.18, 1.5], [0.18, -1.5, 1.5, 1.5]])
    swatches = [to_hex(one.get_facecolor()[0]) for one in labelled(figure, "answer")]
    assert swatches == [class_colour(k, False) for k in range(3)]


def test_rules_of_a_regression_state_how_well_they_follow_it():
    rules = [{"text": "x₁ > 0 → 0.75", "answer": 0.75, "coverage": 0.5, "fidelity": None}]
    figure = figure_with(
        VALUES, rules=sent_rules(score="own_r2", fidelity=0.85, rules=rules, notes=[])
    )
    shown = words(figure)
    assert "Together they follow the model with R² 0.850 on held-out places." in shown
    assert {"x₁ > 0 → 0.75", "applies to 50.0 % of the points"} <= set(shown)
    assert not labelled(figure, "answer"), "a value has no class's colour"


def test_long_rules_are_wrapped_and_many_are_counted():
    text = " and ".join(f"feature {i} > 0.25" for i in range(12)) + " → B"
    rules = [{"text": text, "answer": 1, "coverage": 0.1, "fidelity": 0.9}] * 30
    figure = figure_with(rules=sent_rules(rules=rules))
    shown = words(figure)
    assert " ".join(shown).count("feature 11 > 0.25 → B") == 24
    assert any("6 more" in word for word in shown)


# -- hidden units and the loss around --------------------------------------------------------------


def test_each_unit_is_on_its_own_scale():
    values = np.stack(
        [np.linspace(-2, 1, 24 * 24).reshape(24, 24), np.linspace(0, 0.5, 576).reshape(24, 24)]
    )
    figure = figure_with(units=sent_units(values, units=[4, 9], count=128))
    first, second = fields(figure, "unit")
    # Around zero where there are both signs; the bottom row is drawn last, from the top down.
    np.testing.assert_allclose(decode(first, -2, 2)[::-1], values[0], atol=0.02)
    np.testing.assert_allclose(decode(second, 0, 0.5)[::-1], values[1], atol=0.003)
    cell = image_of(figure, "unit")
    assert to_hex(cell.cmap(int(first[-1, 0]))) == to_hex(palette(True, False)(0))
    shown = words(figure)
    assert {"Hidden units of hidden.1", "4", "9", "−2 … 1", "0 … 0.5"} <= set(shown)
    assert any(word.startswith("2 of 128 · each on its own scale") for word in shown)


def test_units_need_as_many_rows_as_they_need():
    figure = figure_with(units=sent_units(np.random.default_rng(0).normal(size=(40, 24, 24))))
    places = [drawn.get_extent() for drawn in figure.findobj(type(image_of(figure, "unit")))]
    units = [p for p, d in zip(places, figure.findobj(type(image_of(figure, "unit"))), strict=True)
             if d.get_label() == "unit"]  # fmt: skip
    assert len(units) == 40
    assert len({round(extent[3], 3) for extent in units}) == 4
    assert max(extent[1] for extent in units) <= 8.2


@pytest.mark.parametrize("log", [False, True])
def test_the_loss_around_the_weights_is_what_was_sent(log):
    x = np.linspace(-1, 1, 9)
    loss = 1 + np.add.outer(x**2, 2 * x**2)  # rows are along the second direction
    figure = figure_with(landscape=sent_landscape(loss, log=log))
    shown = np.log10(loss) if log else loss
    (drawn,) = fields(figure, "loss")
    np.testing.assert_array_equal(drawn[::-1], encode(shown, shown.min(), shown.max()))
    (axes,) = (axes for axes in figure.axes if axes.get_label() == "landscape")
    marks = [line for line in axes.lines if line.get_label() == "centre"]
    assert {(*line.get_xdata(), *line.get_ydata()) for line in marks} == {(0.0, 0.0)}
    assert {"−1", "0", "1"} <= set(ticks(figure, axes.xaxis))
    assert axes.get_xlim() == pytest.approx((-1.125, 1.125))
    said = words(figure)
    assert "Loss at the weights (+): 1.00" in said
    assert "Cross-entropy of the training points." in said
    assert ("log₁₀ of the loss" if log else "loss") in said
    # Its lines are where the loss is the same: ellipses, narrower along the steeper direction.
    (lines,) = [found for found in axes.collections if len(found.get_paths()) > 1]
    ring = lines.get_paths()[1].vertices
    wide, high = np.abs(ring[:, 0]).max(), np.abs(ring[:, 1]).max()
    assert high / wide == pytest.approx(np.sqrt(2), rel=0.1)


def test_a_flat_loss_has_no_lines():
    figure = figure_with(landscape=sent_landscape(np.ones((5, 5))))
    (axes,) = (axes for axes in figure.axes if axes.get_label() == "landscape")
    assert not axes.collections
    assert len(fields(figure, "loss")) == 1


@pytest.mark.parametrize("name", ["rules", "units", "landscape"])
def test_what_is_not_there_says_why(name):
    titles = {
        "rules": say("figure.boundary.rules"),
        "units": say("figure.boundary.units", layer=""),
        "landscape": say("figure.boundary.landscape"),
    }
    title = titles[name].strip()
    for state, wanted in (
        ("failed", "scikit-learn is not installed."),
        ("working", say("figure.boundary.working")),
    ):
        sent = ({"state": state, "problem": "scikit-learn is not installed."}, {})
        figure = figure_with(**{name: sent})
        assert {title, wanted} <= set(words(figure))
    for sent in (None, ({}, {}), ({"state": "none"}, {})):
        assert title not in words(figure_with(**{name: sent}))


def test_what_is_out_of_date_says_so():
    flat = np.zeros((1, 24, 24))
    for name, sent in (
        ("rules", sent_rules(state="stale")),
        ("units", sent_units(flat, state="stale")),
        ("landscape", sent_landscape(np.ones((3, 3)), state="stale")),
    ):
        shown = figure_with(**{name: sent})
        assert say("figure.boundary.stale") in " ".join(words(shown)), name
    assert LIGHT.series_text[1] in {
        text.get_color()
        for axes in figure_with(rules=sent_rules(state="stale")).axes
        for text in axes.texts
    }


def test_rules_stand_below_the_picture_where_what_is_beside_it_is_long():
    alone, rules, point, both = (
        figure_with(**parts).get_figheight()
        for parts in (
            {},
            {"rules": sent_rules()},
            {"point": sent_point()},
            {"rules": sent_rules(), "point": sent_point()},
        )
    )
    assert rules > alone + 0.5, "a row of their own"
    assert both < point + (rules - alone) / 2
    assert say("figure.boundary.rules") in words(
        figure_with(rules=sent_rules(), point=sent_point())
    )
