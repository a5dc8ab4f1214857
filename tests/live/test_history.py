"""What goes in comes out: every point, in order, exactly."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.live import history as history_module
from nnwidgets.live.history import History

numbers = st.one_of(
    st.floats(),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.floats(width=32).map(np.float32),
    st.integers(-100, 100).map(np.int64),
    st.integers(0, 255).map(np.uint8),
    st.booleans().map(np.bool_),
    st.fractions(max_denominator=64),
    st.floats().map(lambda value: lambda: value),  # one that is not known yet
)
steps = st.one_of(st.integers(-50, 50), st.floats(-50, 50), st.integers(-100, 100).map(np.int32))
rows = st.lists(
    st.tuples(steps, st.dictionaries(st.sampled_from(["loss", "val/loss", "a b", "é"]), numbers)),
    max_size=60,
)


def value_of(number):
    return float(number() if callable(number) else number)


@given(rows=rows, folds=st.sets(st.integers(0, 60)))
def test_every_point_comes_back_in_order(rows, folds):
    history = History()
    expected = {}
    for i, (step, values) in enumerate(rows):
        history.append(step, i / 8, values)
        for name, number in values.items():
            expected.setdefault(name, []).append((float(step), value_of(number), i / 8))
        if i in folds:
            history.settle()
    assert list(history) == list(expected)
    assert history.revision == len(rows)
    for name, points in expected.items():
        series = history[name]
        np.testing.assert_array_equal(
            np.column_stack([series.steps, series.values, series.times]), np.array(points)
        )
        assert len(series) == history.count(name) == len(points)
        assert history.bad(name) == sum(not math.isfinite(value) for _, value, _ in points)
        np.testing.assert_array_equal(history.last(name), points[-1][:2])
        finite = [point[:2] for point in points if math.isfinite(point[1])] or [(np.nan, np.nan)]
        by_value = dict(key=lambda point: point[1])
        np.testing.assert_array_equal(history.best(name, True), max(finite, **by_value))
        np.testing.assert_array_equal(history.best(name, False), min(finite, **by_value))


def test_the_values_of_a_mapping_are_those_of_the_call():
    history = History()
    values = {"loss": 1.0}
    history.append(0, 0.0, values)
    values["loss"] = 2.0
    assert history["loss"].values.tolist() == [1.0]


def test_a_series_is_a_copy_and_a_numpy_array():
    history = History()
    history.append(0, 0.0, {"loss": 1.0})
    history["loss"].values[0] = 5.0
    np.testing.assert_array_equal(history["loss"], [1.0])
    assert np.asarray(history["loss"], dtype=np.float32).dtype == np.float32


def test_integer_steps_stay_exact_integers():
    history = History()
    history.append(2**62 + 1, 0.0, {"loss": 1.0})
    assert history["loss"].steps.dtype == np.int64
    assert history.last("loss")[0] == 2**62 + 1
    history.append(0.5, 0.0, {"loss": 1.0})
    assert history["loss"].steps.tolist() == [2.0**62, 0.5]


@pytest.mark.parametrize("step", [math.nan, math.inf, -math.inf, np.float32("nan"), 10**400])
def test_a_step_that_is_no_place_is_refused(step):
    history = History()
    with pytest.raises(ValueError, match="finite"):
        history.append(step, 0.0, {"loss": 1.0})
    assert history.revision == 0


@pytest.mark.parametrize("step", ["3", None, [3], 1j])
def test_a_step_that_is_no_number_is_refused(step):
    with pytest.raises(TypeError, match="step must be a number"):
        History().append(step, 0.0, {"loss": 1.0})


def test_what_is_no_number_is_left_out_and_told():
    history = History()
    for step, value in enumerate(["0.5", 1j, None, [1.0], np.ones(2), 10**400, np.str_("1")]):
        history.append(step, 0.0, {"loss": value, "accuracy": 0.5})
    history.append(7, 0.0, {"loss": Decimal("1.5")})
    history.append(8, 0.0, {"loss": Fraction(1, 4)})
    assert history["loss"].values.tolist() == [1.5, 0.25]
    assert history["accuracy"].steps.tolist() == list(range(7))
    rejected = history.take_rejected()
    assert [(r.name, r.step) for r in rejected] == [("loss", step) for step in range(7)]
    assert "of type str" in rejected[0].reason
    assert "of shape (2,)" in rejected[4].reason
    assert "beyond the range" in rejected[5].reason
    assert history.take_rejected() == []


def test_a_row_without_any_number_takes_no_place():
    history = History()
    history.append(0, 0.0, {})
    history.append(1, 0.0, {"loss": "none"})
    history.append(2, 0.0, {"loss": 1.0})
    assert history.revision == 3
    assert history["loss"].steps.tolist() == [2]


def test_what_is_no_number_leaves_steps_integers():
    history = History()
    history.append(2**62 + 1, 0.0, {"loss": 1.0})
    history.settle()
    history.append(2**62 + 2, 0.0, {"phase": "warm-up"})  # all that this reading finds
    history.settle()
    assert history["loss"].steps.dtype == np.int64
    assert history["loss"].steps.tolist() == [2**62 + 1]


def test_an_unknown_name_suggests_the_nearest():
    history = History()
    with pytest.raises(KeyError, match="nothing has been logged yet"):
        history["loss"]
    for name in ("loss", "val_loss"):
        history.append(0, 0.0, {name: 1.0})
    with pytest.raises(KeyError, match="did you mean 'val_loss'"):
        history["val_los"]
    with pytest.raises(KeyError, match="there are 'loss', 'val_loss'"):
        history["accuracy"]
    assert "accuracy" not in history
    assert history.get("accuracy") is None


def test_the_tail_is_the_newest_points():
    history = History()
    for i in range(10):
        history.append(i, i / 2, {"loss": float(i)} if i != 4 else {"other": 0.0})
    tail = history.tail("loss", 3)
    assert tail.steps.tolist() == [7, 8, 9]
    assert tail.times.tolist() == [3.5, 4.0, 4.5]
    assert len(history.tail("loss", 100)) == 9
    assert len(history.tail("loss", 0)) == 0


def test_a_history_is_itself():
    assert History() != History()
    assert len({History(), History()}) == 2


# --- values that are not known yet -------------------------------------------------------


class Later:
    """Becomes known when `arrive` is called."""

    def __init__(self, value):
        self.value, self.known, self.calls = value, False, 0

    def arrive(self):
        self.known = True

    def ready(self):
        return self.known

    def __call__(self):
        self.calls += 1
        return self.value


def test_nobody_sees_a_value_before_it_is_known():
    history = History()
    later = Later(2.0)
    history.append(0, 0.0, {"loss": 1.0})
    history.append(1, 0.1, {"loss": later})
    history.append(2, 0.2, {"loss": 3.0})
    assert len(history.view(["loss"], settle=False).x) == 1
    assert history.last("loss", settle=False) == (0, 1.0)
    assert later.calls == 0
    later.arrive()
    assert history.view(["loss"], settle=False).lo.tolist() == [1.0, 2.0, 3.0]


def test_a_reader_waits_for_values_and_keeps_their_order():
    history = History()
    for step in range(3):
        history.append(step, 0.0, {"loss": Later(float(step)), "other": step})
    assert history["loss"].values.tolist() == [0.0, 1.0, 2.0]
    assert history["other"].values.tolist() == [0.0, 1.0, 2.0]


def test_values_of_one_class_are_resolved_together():
    batches = []

    class Many(Later):
        @staticmethod
        def many(values):
            batches.append(len(values))
            return [value.value for value in values]

    history = History()
    for step in range(5):
        history.append(step, 0.0, {"loss": Many(float(step)), "accuracy": Many(-1.0)})
    assert history["loss"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert batches == [10]


def test_a_value_that_fails_is_told_and_harms_no_other():
    class Many(Later):
        def __call__(self):
            if self.value < 0:
                raise RuntimeError("device lost")
            return self.value

        @staticmethod
        def many(values):
            return [value() for value in values]

    history = History()
    for value in (1.0, -1.0, 2.0):
        history.append(0, 0.0, {"loss": Many(value)})
    assert history["loss"].values.tolist() == [1.0, 2.0]
    (rejected,) = history.take_rejected()
    assert "device lost" in rejected.reason


def test_a_value_that_stays_unknown_does_not_make_append_slow():
    history = History()
    later = Later(0.0)
    asked = []
    later.ready = lambda: asked.append(1)
    history.append(0, 0.0, {"loss": later})
    for step in range(20 * history_module._FOLD_AT):
        history.append(step, 0.0, {"loss": 1.0})
    assert len(asked) <= 20
    assert later.calls == 0  # nor does it wait for it
    assert history.count("loss") == 20 * history_module._FOLD_AT + 1


# --- memory ------------------------------------------------------------------------------


def test_rows_do_not_wait_as_objects_when_nobody_reads():
    history = History()
    for step in range(10 * history_module._FOLD_AT + 5):
        history.append(step, 0.0, {"loss": 1.0})
    assert len(history._pending) < history_module._FOLD_AT


def test_bytes_of_a_long_run():
    history = History()
    steps = 200_000
    for step in range(steps):
        history.append(step, step * 1e-3, {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0})
    history.view(list(history), 0, steps)
    # Step, time and four values of eight bytes; per sixteen values 24 bytes in the pyramid and
    # a sixteenth of that above it; a quarter of room to grow.
    least = steps * (6 * 8 + 4 * 24 / 16)
    assert least <= history.nbytes <= 1.25 * 1.07 * least
    # The promise: a million steps of four series in 120 MB.
    assert history.nbytes * (1_000_000 / steps) <= 120e6
