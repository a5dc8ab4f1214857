"""What a decision boundary shows as a figure: the surface, its lines, and what stands beside it."""

import io
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib import image
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text

from nnwidgets.catalogue import text as say
from nnwidgets.explain.toy_data import toy
from nnwidgets.export.blocks_colours import MARKS
from nnwidgets.export.boundary_figure import boundary_figure
from nnwidgets.export.class_colours import class_colour
from nnwidgets.export.figures import to_png, to_svg
from nnwidgets.export.look import DARK, LIGHT, has_chinese
from nnwidgets.export.shown import ShownFigure
from tests.export.bounded import (
    WHOLE,
    beams,
    blobs,
    sent_choices,
    sent_landscape,
    sent_point,
    sent_points,
    sent_rules,
    sent_surface,
    sent_units,
    surface_by,
)
from tests.export.drawn import image_of, labelled, ticks, words

THREE = surface_by(beams(3))
POINTS = blobs(3)
NAMES = sent_choices(["north", "west", "east"])
VALUES = surface_by(values=lambda xy: xy[:, 0] + 0.5 * xy[:, 1])
UNITS = sent_units(np.random.default_rng(0).normal(size=(5, 24, 24)))
LANDSCAPE = sent_landscape(np.add.outer(np.linspace(-1, 1, 9) ** 2, np.linspace(-1, 1, 9) ** 2) + 1)


def inside(figure):
    """Demand that nothing written is cut off by the figure."""
    figure.canvas.draw()
    beyond = {
        tick.label1
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick, place in zip(axis.get_major_ticks(), axis.get_majorticklocs(), strict=True)
        if not min(axis.get_view_interval()) <= place <= max(axis.get_view_interval())
    }
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible() and text not in beyond:
            box = text.get_window_extent()
            assert 0 <= box.x0 < box.x1 <= figure.bbox.width, text
            assert 0 <= box.y0 < box.y1 <= figure.bbox.height, text


def pixels(figure):
    """Colours of the surface, (rows, columns, 3), the bottom row first."""
    drawn = image_of(figure, "surface")
    assert drawn.origin == "lower"
    return np.asarray(drawn.get_array())


def at(figure, surface, x, y):
    """The colour of the cell nearest to a place."""
    row, column = np.abs(surface.y - y).argmin(), np.abs(surface.x - x).argmin()
    return pixels(figure)[row, column], (surface.x[column], surface.y[row])


def mixed(colour, ground, share):
    return share * np.array(to_rgb(colour)) + (1 - share) * np.array(to_rgb(ground))


def axes_of(figure, label="surface"):
    (found,) = (axes for axes in figure.axes if axes.get_label() == label)
    return found


def dots(figure, label):
    """Places of the points that are drawn so."""
    return [np.asarray(found.get_offsets()) for found in labelled(figure, label)]


CASES = {
    "probability": (sent_surface(THREE, POINTS), NAMES),
    "label": (sent_surface(THREE, POINTS, "label"), NAMES),
    "entropy": (sent_surface(THREE, POINTS, "entropy"), NAMES),
    "margin": (sent_surface(THREE, POINTS, "margin"), NAMES),
    "one class": (sent_surface(THREE, POINTS, interest=1, interest_name="west"), NAMES),
    "two": (sent_surface(surface_by(beams(2))), sent_choices(["a", "b"])),
    "twenty": (sent_surface(surface_by(beams(20))), sent_choices([f"c{i}" for i in range(20)])),
    "value": (sent_surface(VALUES), None),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("dark", "language"), [(False, "en"), (True, "zh")])
def test_every_view_is_drawn_alone_and_with_all_that_can_be_asked(case, dark, language):
    surface, choices = CASES[case]
    points = sent_points(POINTS) if case != "value" else None
    more = {
        "point": sent_point(),
        "rules": sent_rules(),
        "units": UNITS,
        "landscape": LANDSCAPE,
    }
    for given in ({}, more) if case in ("probability", "twenty", "value") else ({},):
        figure = boundary_figure(
            surface, points, choices=choices, dark=dark, language=language, **given
        )
        assert isinstance(figure, ShownFigure)
        assert figure.get_figwidth() == 9
        assert to_hex(figure.get_facecolor()) == (DARK if dark else LIGHT).surface
        inside(figure)
    shown = image.imread(io.BytesIO(to_png(figure, dpi=30)), format="png")
    assert (shown[0, 0, :3].mean() < 0.2) == dark
    ElementTree.fromstring(to_svg(figure))
    if language == "zh" and has_chinese():
        assert say("ui.boundary.title", "zh") in words(figure)


# -- colours -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
def test_the_hue_is_the_class_and_the_strength_its_probability(dark):
    figure = boundary_figure(sent_surface(THREE), None, choices=NAMES, dark=dark)
    assert pixels(figure).shape == (30, 40, 3)
    ground = (DARK if dark else LIGHT).surface
    found = {}
    for place in ((0.0, 1.3), (-1.2, -0.7), (1.2, -0.7), (0.1, 0.3), (0.3, -0.1)):
        colour, (x, y) = at(figure, THREE, *place)
        shares = beams(3)(np.array([[x, y]]))[0]
        part = (shares.max() - 1 / 3) / (1 - 1 / 3)
        wanted = mixed(class_colour(int(shares.argmax()), dark), ground, 0.08 + 0.54 * part)
        # A code is half of 1/250 off at most.
        np.testing.assert_allclose(colour, wanted, atol=0.54 / 500 + 1e-4)
        found[int(shares.argmax())] = colour
    assert set(found) == {0, 1, 2}, "all three classes were looked at"


def test_the_label_view_is_flat():
    figure = boundary_figure(sent_surface(THREE, view="label"), None, choices=NAMES)
    colours = {to_hex(colour) for colour in pixels(figure).reshape(-1, 3)}
    assert colours == {to_hex(mixed(class_colour(k, False), "#ffffff", 0.5)) for k in range(3)}
    for k, place in enumerate(((0.0, 1.3), (-1.2, -0.7), (1.2, -0.7))):
        colour, _ = at(figure, THREE, *place)
        assert to_hex(colour) == to_hex(mixed(class_colour(k, False), "#ffffff", 0.5))


def test_a_place_is_in_the_middle_of_its_cell():
    figure = boundary_figure(sent_surface(THREE), None)
    left, right, bottom, top = image_of(figure, "surface").get_extent()
    assert ((right - left) / 40, (top - bottom) / 30) == pytest.approx((3 / 39, 3 / 29))
    assert (left + right, bottom + top) == pytest.approx((0, 0), abs=1e-6)
    axes = axes_of(figure)
    assert (*axes.get_xlim(), *axes.get_ylim()) == (-1.5, 1.5, -1.5, 1.5)


def test_one_class_alone_is_on_a_stated_scale():
    figure = boundary_figure(
        sent_surface(THREE, interest=1, interest_name="west"), None, choices=NAMES
    )
    viridis = matplotlib.colormaps["viridis"]
    for place in ((-1.2, -0.7), (0.0, 0.0), (0.0, 1.3)):
        colour, where = at(figure, THREE, *place)
        share = beams(3)(np.array([where]))[0, 1]
        assert colour == pytest.approx(viridis(share)[:3], abs=0.02)
    assert {"Probability · west", "0.00", "1.00"} <= set(words(figure))


def test_entropy_is_in_nats():
    figure = boundary_figure(sent_surface(THREE, view="entropy"), None, choices=NAMES)
    assert "Entropy · nats" in words(figure)
    assert "1.10" in words(figure), "ln 3 at the middle"
    brightest = np.unravel_index(pixels(figure).sum(2).argmax(), (30, 40))
    place = THREE.x[brightest[1]], THREE.y[brightest[0]]
    assert np.abs(place).max() < 0.3, "where all three are as probable"


@pytest.mark.parametrize("dark", [False, True])
def test_values_on_both_sides_of_zero_are_coloured_around_it(dark):
    figure = boundary_figure(sent_surface(VALUES), None, dark=dark)
    high, _ = at(figure, VALUES, 1.5, 1.5)
    low, _ = at(figure, VALUES, -1.5, -1.5)
    middle, _ = at(figure, VALUES, 0.04, -0.05)
    assert high[0] > high[2]
    assert low[2] > low[0]
    assert abs(middle[0] - middle[2]) < 0.08
    assert {"−2.25", "+2.25"} <= set(words(figure))


def test_what_has_no_answer_has_a_colour_of_its_own_and_is_counted():
    def broken(xy):
        shares = beams(3)(xy)
        shares[xy[:, 0] > 1.45] = np.nan
        return shares

    surface = surface_by(broken)
    for view in ("probability", "label", "entropy"):
        figure = boundary_figure(sent_surface(surface, view=view), None)
        colours = pixels(figure)
        assert {to_hex(c) for c in colours[:, -1]} == {MARKS["nan"][1]}
        assert to_hex(colours[0, 0]) != MARKS["nan"][1]
        assert "NaN: 30" in words(figure), view


# -- lines and axes ------------------------------------------------------------------------------


def test_the_boundary_is_where_two_classes_are_as_probable():
    figure = boundary_figure(sent_surface(THREE), None)
    (drawn,) = labelled(figure, "boundary")
    assert isinstance(drawn, LineCollection)
    points = np.concatenate(drawn.get_segments())
    first, second = np.sort(beams(3)(points), axis=1)[:, -2:].T
    assert np.abs(first - second).max() < 0.05
    assert len(points) > 60


def test_level_lines_say_which_level_they_are():
    figure = boundary_figure(sent_surface(VALUES), None)
    (drawn,) = labelled(figure, "levels")
    for line in drawn.get_segments():
        values = line[:, 0] + 0.5 * line[:, 1]
        assert np.ptp(values) < 1e-5
    levels = {round(float(line[0] @ [1, 0.5]), 3) for line in drawn.get_segments()}
    said = {
        text.get_text().replace("−", "-"): text.get_position() for text in axes_of(figure).texts
    }
    assert levels == {-2, -1, 0, 1, 2}
    assert {float(word) for word in said} == {-1, 0, 1}, "no room in the corners"
    for word, (x, y) in said.items():
        assert x + 0.5 * y == pytest.approx(float(word), abs=1e-5), "it stands on its line"


def test_axes_have_names_and_numbers():
    figure = boundary_figure(sent_surface(THREE, labels=["$width_{mm}", "<b>weight</b>"]), None)
    axes = axes_of(figure)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$width_{mm}", "<b>weight</b>")
    assert {"−1", "0", "1"} <= set(ticks(figure, axes.xaxis)) & set(ticks(figure, axes.yaxis))


# -- points --------------------------------------------------------------------------------------


def test_points_are_where_they_are_in_the_colour_of_their_label():
    now = POINTS.snapshot()
    figure = boundary_figure(sent_surface(THREE, POINTS), sent_points(POINTS), choices=NAMES)
    for label, held in (("train", False), ("test", True)):
        (drawn,) = labelled(figure, label)
        chosen = now.test == held
        np.testing.assert_allclose(drawn.get_offsets(), now.X[chosen], atol=1e-6)
        colours = [to_hex(colour) for colour in drawn.get_facecolor()]
        assert colours == [class_colour(k, False) for k in now.y[chosen]]
    train, test = (labelled(figure, label)[0].get_paths()[0] for label in ("train", "test"))
    assert len(test.vertices) == 4, "a triangle"
    assert len(train.vertices) > 10, "a circle"


def test_misclassified_points_are_ringed():
    now = POINTS.snapshot()
    wrong = beams(3)(now.X).argmax(1) != now.y
    surface = surface_by(beams(3), resolution=301)
    figure = boundary_figure(sent_surface(surface, POINTS), sent_points(POINTS))
    (rings,) = dots(figure, "wrong")
    np.testing.assert_allclose(rings, now.X[wrong], atol=1e-6)
    assert 0 < wrong.sum() < 30
    assert f"{wrong.sum()} of those drawn are misclassified" in words(figure)


def test_rings_are_not_drawn_around_points_that_were_edited_since():
    store = blobs(3)
    surface = sent_surface(THREE, store)
    assert dots(boundary_figure(surface, sent_points(store)), "wrong")
    store.delete(store.snapshot().ids[:3].tolist())
    figure = boundary_figure(surface, sent_points(store))
    assert not dots(figure, "wrong")
    assert any("edited after this surface" in word for word in words(figure))


def test_points_far_from_the_slice_are_pale():
    fade = np.zeros(90, np.uint8)
    fade[:2] = (255, 128)
    surface = sent_surface(THREE, POINTS)
    figure = boundary_figure(surface, sent_points(POINTS, fade))
    (drawn,) = labelled(figure, "train")
    opacity = drawn.get_facecolor()[:, 3]
    assert opacity[:2] == pytest.approx([0.15, 0.15 + 0.85 * (1 - 128 / 255)], abs=1e-6)
    assert (opacity[2:] == 1).all()
    assert "Pale points lie far from what is shown." in words(figure)
    plain = boundary_figure(surface, sent_points(POINTS))
    assert "Pale points lie far from what is shown." not in words(plain)


def test_a_value_that_the_model_hits_has_the_colour_of_the_surface():
    data = toy("plane", 20, noise=0)
    from nnwidgets.explain.points_store import PointStore

    store = PointStore(data.X, data.y)
    surface = surface_by(values=lambda xy: xy @ [0.8, -0.5] + 0.2, resolution=200)
    figure = boundary_figure(sent_surface(surface, store), sent_points(store))
    (drawn,) = labelled(figure, "train")
    for (x, y), face in zip(drawn.get_offsets(), drawn.get_facecolor(), strict=True):
        under, _ = at(figure, surface, x, y)
        assert face[:3] == pytest.approx(under, abs=0.03)
    assert say("figure.boundary.points.values") in words(figure)


def test_points_without_labels_are_grey():
    from nnwidgets.explain.points_store import PointStore

    store = PointStore(toy("moons", 12).X)
    figure = boundary_figure(sent_surface(THREE, store), sent_points(store))
    (drawn,) = labelled(figure, "train")
    assert {to_hex(colour) for colour in drawn.get_facecolor()} == {LIGHT.muted}
    assert say("figure.boundary.points.unlabelled") in words(figure)
    assert "train" not in words(figure), "there is no label to count"


# -- words ---------------------------------------------------------------------------------------


def test_the_head_says_what_is_shown_and_how_well_the_model_does():
    shown = words(boundary_figure(sent_surface(THREE), None, title="Spirals"))
    assert {"Spirals", "Probability · step 3,412 · train 97.0 % · test 93.3 %"} <= set(shown)
    past = words(
        boundary_figure(sent_surface(THREE, past=True, accuracy={"train": 1.0, "test": None}), None)
    )
    assert "Probability · weights kept at step 3,412 · train 100.0 %" in past
    fit = words(
        boundary_figure(sent_surface(VALUES, accuracy={"train": 0.912, "test": None}), None)
    )
    assert "Value · step 3,412 · train R² 0.912" in fit


def test_the_legend_counts_the_points_of_each_class():
    now = POINTS.snapshot()
    figure = boundary_figure(sent_surface(THREE, POINTS), sent_points(POINTS), choices=NAMES)
    shown = words(figure)
    first = shown.index("north")
    for k, name in enumerate(["north", "west", "east"]):
        place = shown.index(name)
        assert place == first + 3 * k
        counts = [str(((now.y == k) & (now.test == held)).sum()) for held in (True, False)]
        assert shown[place + 1 : place + 3] == counts, "from right to left: test, train"
    assert {"60 training points", "30 test points", "0.333", "1"} <= set(shown)
    swatches = [np.asarray(found.get_array()) for found in labelled(figure, "class")]
    assert len(swatches) == 3
    for k, swatch in enumerate(swatches):
        ends = (mixed(class_colour(k, False), "#ffffff", share) for share in (0.08, 0.62))
        np.testing.assert_allclose(swatch[0, [0, -1]], np.stack(list(ends)))


def test_points_that_are_not_drawn_are_told():
    counts = {"train": 9000, "test": 3000}
    shown = words(boundary_figure(sent_surface(THREE, POINTS, counts=counts), sent_points(POINTS)))
    assert any(word.startswith("90 of 12,000 points are drawn") for word in shown)
    assert "9,000 training points" in shown


def test_below_stands_what_has_to_be_borne_in_mind():
    quality = "14 of 16 features are held fixed."
    surface = sent_surface(
        THREE, quality=quality, asked=0.34, members=30, state="refining", notes=["Dropout is on."]
    )
    shown = " ".join(words(boundary_figure(surface, None)))
    for wanted in (quality, "asked at 34.0 % of", "mean of 30 models", "refined", "Dropout is on."):
        assert wanted in shown, wanted
    plain = " ".join(words(boundary_figure(sent_surface(THREE), None)))
    assert WHOLE in plain
    assert "asked at" not in plain
    assert "models" not in plain


@pytest.mark.parametrize("language", ["en", "zh"])
def test_states_without_a_picture_say_why(language):
    if language == "zh" and not has_chinese():
        pytest.skip("no font for Chinese")
    problem = "The model raised ValueError."
    failed = ({"state": "failed", "problem": problem}, {})
    assert problem in words(boundary_figure(failed, None, language=language))
    for sent, key in (
        (None, "empty"),
        (({}, {}), "empty"),
        (({"state": "working"}, {}), "working"),
        (({"state": "failed"}, {}), "failed"),
    ):
        figure = boundary_figure(sent, sent_points(POINTS), language=language)
        assert say(f"figure.boundary.{key}", language) in words(figure)
        assert not labelled(figure, "surface")
        inside(figure)


def test_a_picture_that_is_out_of_date_says_so():
    surface = sent_surface(THREE, state="failed", problem="The newest could not be made.")
    figure = boundary_figure(surface, None)
    assert "The newest could not be made." in words(figure)
    assert say("figure.boundary.stale") in words(figure)
    assert pixels(figure).shape == (30, 40, 3)


def test_whatever_is_missing_the_rest_is_drawn():
    meta, arrays = sent_surface(THREE, POINTS)
    points = sent_points(POINTS)
    for name in meta:
        less = {key: value for key, value in meta.items() if key != name}
        figure = boundary_figure((less, arrays), points)
        drawable = name not in ("columns", "rows", "rectangle")
        assert bool(labelled(figure, "surface")) == drawable, name
    for name in arrays:
        less = {key: value for key, value in arrays.items() if key != name}
        assert labelled(boundary_figure((meta, less), points), "surface") or name == "label"
    for name in points[1]:
        less = {key: value for key, value in points[1].items() if key != name}
        assert labelled(boundary_figure((meta, arrays), (points[0], less)), "surface")


def test_names_are_text():
    odd = ["$x_1^2$", "<script>", "a\nb"]
    figure = boundary_figure(
        sent_surface(THREE, POINTS), sent_points(POINTS), choices=sent_choices(odd), title="$\\frac"
    )
    assert {"$x_1^2$", "<script>", "a b", "$\\frac"} <= set(words(figure))
    inside(figure)


def test_pyplot_and_the_users_settings_are_left_alone():
    before = dict(matplotlib.rcParams)
    odd = {"axes.grid": True, "figure.autolayout": True, "font.size": 40, "scatter.marker": "x"}
    with matplotlib.rc_context(odd):
        inside(
            boundary_figure(
                sent_surface(THREE, POINTS), sent_points(POINTS), landscape=LANDSCAPE, units=UNITS
            )
        )
    assert dict(matplotlib.rcParams) == before
    code = (
        "import sys; import nnwidgets.export.boundary_figure as b; b.boundary_figure(None, None); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
