"""A table holds every point, and reads back exactly."""

import csv
import io
import json
import math
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.export.tables import to_csv, to_json, to_pandas
from nnwidgets.live.history import History

names = st.sampled_from(["loss", "val,loss", 'the "best"', "two\nlines", "step", "损失", "=1+1"])
rows = st.lists(
    st.tuples(
        st.integers(0, 5) | st.floats(0, 5).map(lambda x: round(x, 1)),
        st.dictionaries(names, st.floats(), max_size=4),
    ),
    max_size=25,
)


def history_of(rows):
    history = History()
    for i, (step, values) in enumerate(rows):
        history.append(step, i / 4, values)
    return history


def points(rows):
    """Multiset of (series, step, value), NaN by name so that it equals itself."""
    return Counter((name, float(step), repr(v)) for step, vs in rows for name, v in vs.items())


def read_csv(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@given(rows=rows)
def test_a_csv_holds_every_point_once_and_exactly(rows):
    buffer = io.StringIO(newline="")
    to_csv(history_of(rows), buffer)
    head, *lines = read_csv(buffer.getvalue())
    found = Counter()
    for line in lines:
        assert len(line) == len(head)
        for name, cell in zip(head[2:], line[2:], strict=True):
            if cell:
                found[name, float(line[0]), repr(float(cell))] += 1
    assert found == points(rows)
    assert buffer.getvalue().count("\r\n") == len(lines) + 1
    assert [float(line[1]) for line in lines] == sorted(float(line[1]) for line in lines)


@given(rows=rows)
def test_a_json_holds_every_point_and_is_strict(rows):
    buffer = io.StringIO()
    history = history_of(rows)
    to_json(history, buffer)

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    read = json.loads(buffer.getvalue(), parse_constant=refuse)
    assert (read["format"], read["version"]) == ("nnwidgets.history", 1)
    assert list(read["series"]) == list(history)
    for name, columns in read["series"].items():
        for column in ("steps", "values", "times"):
            got = np.array([float(value) for value in columns[column]])
            np.testing.assert_array_equal(got, getattr(history[name], column))


def test_points_are_joined_on_step_and_occurrence():
    history = history_of(
        [
            (1, {"loss": 1.0}),
            (1, {"loss": 2.0}),  # gradient accumulation: a second loss at the same step
            (2, {"loss": 3.0}),
            (1, {"val": 10.0}),  # logged later for step 1: joins its first line
            (3, {"val": math.nan}),
        ]
    )
    buffer = io.StringIO()
    to_csv(history, buffer)
    assert buffer.getvalue() == (
        "step,time,loss,val\r\n1,0.0,1.0,10.0\r\n1,0.25,2.0,\r\n2,0.5,3.0,\r\n3,1.0,,nan\r\n"
    )


def test_the_time_of_a_line_is_that_of_its_first_point():
    history = history_of([(0, {"a": 1.0}), (5, {"b": 2.0}), (5, {"a": 3.0})])
    buffer = io.StringIO()
    to_csv(history, buffer)
    assert read_csv(buffer.getvalue())[1:] == [["0", "0.0", "1.0", ""], ["5", "0.25", "3.0", "2.0"]]


def test_non_finite_values_are_named():
    history = history_of([(0, {"loss": math.inf}), (1, {"loss": -math.inf})])
    buffer = io.StringIO()
    to_csv(history, buffer)
    assert [line[2] for line in read_csv(buffer.getvalue())[1:]] == ["inf", "-inf"]
    buffer = io.StringIO()
    to_json(history, buffer)
    assert json.loads(buffer.getvalue())["series"]["loss"]["values"] == ["Infinity", "-Infinity"]


def test_a_file_is_written_as_it_is_to_a_buffer(tmp_path):
    history = history_of([(0, {"损失": 0.1}), (1, {"损失": 0.2})])
    for write, name in ((to_csv, "run.csv"), (to_json, "run.json")):
        buffer = io.StringIO(newline="")
        write(history, buffer)
        write(history, tmp_path / name)
        write(history, str(tmp_path / "again"))
        assert (tmp_path / name).read_bytes().decode("utf-8") == buffer.getvalue()
        assert (tmp_path / "again").read_bytes() == (tmp_path / name).read_bytes()


def test_an_empty_history_is_an_empty_table():
    buffer = io.StringIO()
    to_csv(History(), buffer)
    assert buffer.getvalue() == "step,time\r\n"
    assert list(to_pandas(History()).columns) == ["step", "time"]


def test_a_series_may_be_called_step():
    history = history_of([(7, {"step": 1.0, "(step)": 2.0, "time": 3.0})])
    buffer = io.StringIO()
    to_csv(history, buffer)
    assert read_csv(buffer.getvalue())[0] == ["((step))", "(time)", "step", "(step)", "time"]


def test_a_data_frame_is_the_same_table():
    frame = to_pandas(history_of([(1, {"a": 1.0, "b": 2.0}), (1, {"a": 3.0}), (2, {"b": 4.0})]))
    assert list(frame.columns) == ["step", "time", "a", "b"]
    assert frame["step"].tolist() == [1, 1, 2]
    assert frame["step"].dtype == np.int64
    np.testing.assert_array_equal(frame["a"], [1.0, 3.0, np.nan])
    np.testing.assert_array_equal(frame["b"], [2.0, np.nan, 4.0])


def test_pandas_is_named_when_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        to_pandas(History())
