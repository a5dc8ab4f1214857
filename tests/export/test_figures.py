"""Figures show every extreme, read no name as anything but text, and leave matplotlib alone."""

import io
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import image
from matplotlib.text import Text

from nnwidgets.export.figures import Panel, curves_figure, to_png, to_svg
from nnwidgets.export.lines import averaged, lines_of, weight_for
from nnwidgets.export.look import LIGHT, number, series_colours, tick
from nnwidgets.live.history import History


def history_of(**series):
    history = History()
    for name, values in series.items():
        for step, value in enumerate(values):
            history.append(step, step / 10, {name: value})
    return history


def words(figure):
    """All text of a figure that is not a tick."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def curves(axes):
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


PAIR = Panel("loss", ("loss", "val_loss"), ("train", "val"), higher=False)


def test_a_spike_among_many_points_is_drawn():
    values = np.zeros(100_000)
    values[77_777] = 9.0
    figure = curves_figure(history_of(loss=values), panels=[Panel("loss", ("loss",))])
    (line,) = curves(figure.axes[0])
    x, y = line.get_data()
    assert y.max() == 9
    assert abs(x[y.argmax()] - 77_777) <= 100_000 / 300
    assert len(x) <= 1200


def test_smoothing_keeps_the_raw_curve_faint():
    figure = curves_figure(
        history_of(loss=np.random.default_rng(0).normal(size=300)),
        panels=[Panel("loss", ("loss",))],
        smoothing=0.9,
    )
    raw, smooth = curves(figure.axes[0])
    assert raw.get_alpha() < 1
    assert raw.get_linewidth() < smooth.get_linewidth()
    assert np.ptp(smooth.get_ydata()) < np.ptp(raw.get_ydata()) / 3


def test_few_points_are_drawn_as_points_and_not_smoothed():
    for count in (29, 30):
        few = history_of(norm=np.random.default_rng(0).normal(size=count))
        figure = curves_figure(few, panels=[Panel("norm", ("norm",))], smoothing=0.9)
        raw, *smooth = curves(figure.axes[0])
        assert raw.get_marker() == "."
        assert (len(smooth), raw.get_alpha() == 1) == ((0, True) if count < 30 else (1, False))


def test_a_sparse_series_is_smoothed_as_far_back_as_the_densest():
    assert weight_for(600, 600, 0.6) == 0.6
    assert weight_for(20, 600, 0.99) == pytest.approx(0.99**30)
    assert weight_for(20, 600, 0.6) == 0.0  # the points themselves, but for a millionth
    assert weight_for(60, 600, 0.6) == pytest.approx(0.6**10)
    assert weight_for(0, 600, 0.9) == 0.0
    assert weight_for(29, 29, 0.9) == 0.0


def test_a_train_and_a_validation_curve_share_axes_and_the_best_is_ringed():
    figure = curves_figure(history_of(loss=[3, 2, 1, 0.5], val_loss=[3, 2, 2.5, 4]), panels=[PAIR])
    (axes,) = figure.axes
    train, val = curves(axes)
    assert (train.get_color(), val.get_color()) == LIGHT.series[:2]
    (ring,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (1, 2)
    assert {"loss", "train 0.500", "val 4.00", "best 2.00 at 1"} <= set(words(figure))


def test_training_alone_has_no_best():
    panel = Panel("loss", ("train_loss",), ("train",), higher=False)
    figure = curves_figure(history_of(train_loss=[3, 2, 1]), panels=[panel])
    assert not [line for line in figure.axes[0].lines if line.get_marker() == "o"]


def test_values_without_a_place_are_marked():
    figure = curves_figure(
        history_of(loss=[1, np.nan, 2, np.inf, -np.inf, 3]), panels=[Panel("loss", ("loss",))]
    )
    marks = {
        line.get_marker(): line.get_xdata().tolist()
        for line in figure.axes[0].lines
        if line.get_linestyle() == "None" and len(line.get_xdata())
    }
    assert marks == {"x": [1], "^": [3], "v": [4]}
    assert "NaN or ∞ ×3" in words(figure)


def test_events_are_marked_and_their_words_do_not_overlap():
    events = [(10, "paused"), (11, "resumed"), (90, "learning rate ×0.1"), (None, "nowhere")]
    panels = [Panel("a", ("a",)), Panel("b", ("b",))]
    figure = curves_figure(
        history_of(a=np.arange(100), b=np.arange(100)), panels=panels, events=events
    )
    for axes in figure.axes:
        dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
        assert dashed == [10, 90]
    assert [text.get_text() for text in figure.axes[0].texts] == ["paused +1", "learning rate ×0.1"]
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not boxes[0].overlaps(boxes[1])
    assert boxes[1].x1 <= figure.bbox.width / 2


def test_a_log_axis_leaves_out_what_has_no_logarithm():
    figure = curves_figure(
        history_of(loss=[10, 0, -1, 1000]), panels=[Panel("loss", ("loss",))], log_y=True
    )
    assert figure.axes[0].get_yscale() == "log"
    y = curves(figure.axes[0])[0].get_ydata()
    assert sorted(set(y[~np.isnan(y)])) == [10, 1000]
    figure = curves_figure(history_of(loss=[0, -1]), panels=[Panel("loss", ("loss",))], log_y=True)
    assert figure.axes[0].get_yscale() == "linear"


def test_a_learning_rate_is_drawn_as_steps():
    history = history_of(lr=[1, 1, 0.5], loss=np.arange(10))
    panels = [Panel("learning rate", ("lr",), kind="lr"), Panel("loss", ("loss",))]
    figure = curves_figure(history, panels=panels)
    x, y = curves(figure.axes[0])[0].get_data()
    assert (x[-1], y[-1]) == (9, 0.5)  # what holds, holds until the end
    at_two = [value for step, value in zip(x, y, strict=True) if step == 2]
    assert at_two[0] == 1
    assert at_two[-1] == 0.5


@pytest.mark.parametrize("dark", [False, True])
def test_files_are_what_they_say(dark):
    figure = curves_figure(
        history_of(loss=[3, 2, 1], val_loss=[3, 2, 2.5]), panels=[PAIR], title="Run", dark=dark
    )
    pixels = image.imread(io.BytesIO(to_png(figure, dpi=50)), format="png")
    assert pixels.shape[1] == round(figure.get_figwidth() * 50)
    assert (pixels[0, 0, :3].mean() < 0.2) == dark
    assert pixels[..., :3].std() > 0.02
    root = ElementTree.fromstring(to_svg(figure))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


AWKWARD = ["$\\frac{", "a_b^c", "<b>&amp;", "\n\n", "损失", "%s {x} \\", "x" * 500, "_hidden", ""]


def test_names_are_text():
    history = history_of(**{name: [1.0, 2.0, np.nan] for name in AWKWARD})
    panels = [Panel(name, (name,), ("val",), higher=True) for name in AWKWARD]
    figure = curves_figure(
        history, panels=panels, title=AWKWARD[0], events=[(1, AWKWARD[0])], language="zh"
    )
    assert len(to_png(figure, dpi=30)) > 1000
    ElementTree.fromstring(to_svg(figure))
    shown = words(figure)
    assert {"$\\frac{", "a_b^c", "<b>&amp;"} <= set(shown)
    assert max(map(len, shown)) <= 90


def test_names_stay_on_the_figure():
    names = tuple(f"a rather long name of a metric {i}" for i in range(9))
    figure = curves_figure(
        history_of(**{name: [1.0, 2.0] for name in names}), panels=[Panel("all", names)]
    )
    figure.canvas.draw()
    (axes,) = figure.axes
    ticks = {*axes.xaxis.findobj(Text), *axes.yaxis.findobj(Text)}
    boxes = [t.get_window_extent() for t in figure.findobj(Text) if t.get_text() and t not in ticks]
    assert len(boxes) == 10
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert 0 <= box.y0 < box.y1 <= figure.bbox.height


def test_nothing_logged_is_said():
    figure = curves_figure(History(), panels=[])
    assert words(figure) == ["nothing has been logged yet"]
    assert len(to_png(figure, dpi=30)) > 100


def test_a_single_point_and_no_finite_point_are_drawn():
    history = history_of(one=[1e300], none=[np.nan])
    figure = curves_figure(
        history, panels=[Panel("one", ("one",), ("val",), higher=True), Panel("none", ("none",))]
    )
    assert len(to_png(figure, dpi=30)) > 1000
    assert "best 1.00e300 at 0" in words(figure)


def test_the_users_settings_do_not_reach_the_figure():
    def drawn():
        figure = curves_figure(history_of(loss=[3, 2, 1], val_loss=[3, 2, 2.5]), panels=[PAIR])
        return to_png(figure, dpi=50)

    plain = drawn()
    with matplotlib.rc_context(
        {
            "text.usetex": True,
            "axes.grid": True,
            "axes.facecolor": "red",
            "lines.linestyle": ":",
            "font.family": "serif",
            "figure.constrained_layout.use": True,
            "xtick.minor.visible": True,
            "xtick.top": True,
            "axes.spines.left": True,
        }
    ):
        assert drawn() == plain


def test_figures_are_drawn_on_threads():
    history = history_of(loss=np.arange(2000.0), val_loss=np.arange(2000.0))
    plain = to_png(curves_figure(history, panels=[PAIR]), dpi=40)
    got = []

    def draw():
        got.append(to_png(curves_figure(history, panels=[PAIR]), dpi=40))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [plain] * 4


def test_pyplot_is_not_imported():
    code = "import sys, nnwidgets.export.figures; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("smoothing", [-0.1, 1, np.nan])
def test_a_smoothing_that_cannot_be_is_refused(smoothing):
    with pytest.raises(ValueError, match="below 1"):
        curves_figure(History(), panels=[], smoothing=smoothing)


@given(st.lists(st.floats(-10, 10) | st.just(np.nan), max_size=30), st.floats(0, 0.99))
def test_the_average_is_a_weighted_mean_of_what_came(values, weight):
    got = averaged(np.array(values), weight)
    seen = []
    for value, smooth in zip(values, got, strict=True):
        if np.isnan(value):
            assert np.isnan(smooth)
            continue
        seen.append(value)
        weights = weight ** np.arange(len(seen))[::-1]
        np.testing.assert_allclose(smooth, np.average(seen, weights=weights), atol=1e-8)


def test_a_bucket_is_drawn_in_the_order_of_its_extremes():
    history = history_of(up=np.arange(100), down=-np.arange(100))
    view = history.view(["up", "down"], buckets=10)
    for i, sign in ((0, 1), (1, -1)):
        lines = lines_of(view, view.part(i), weight=0, log=False)
        assert (np.diff(sign * lines.y) > 0).all()
        assert (np.diff(lines.x) >= 0).all()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.1041, "0.104"),
        (1.4249, "1.42"),
        (0.9999, "1.00"),
        (3412.4, "3,412"),
        (-92.04, "−92.0"),
        (1.2e-4, "1.20e−4"),
        (2.5e6, "2.50e6"),
        (0, "0.00"),
        (np.nan, "NaN"),
        (-np.inf, "−∞"),
    ],
)
def test_numbers_are_written_as_in_the_widget(value, written):
    assert number(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.05, "0.05"), (-1.5, "−1.5"), (20000, "20k"), (3e6, "3M"), (1e-5, "1e−5"), (0, "0")],
)
def test_ticks_are_short(value, written):
    assert tick(value) == written


def test_colours_follow_roles_and_do_not_repeat():
    assert series_colours(("train", "val", "test"), "metric") == [0, 1, 2]
    assert series_colours(("", ""), "lr") == [3, 4]
    assert series_colours(("",), "grad") == [2]
    assert len(set(series_colours(("",) * 8, "metric"))) == 8
    assert len(series_colours(("",) * 20, "metric")) == 20
