"""What is exported is read back by csv, json and pandas, to the last bit, whatever was logged."""

from __future__ import annotations

import csv
import io
import json
import math
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from nnwidgets import TrainingMonitor
from tests.live.doubles import small, take_step
from tests.monitor.conftest import Make

NAMES = ["loss", 'a "quoted", name', "ein Wert; größer", "line\nbreak", "损失", "=1+1", " padded "]
VALUES = [
    *(0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3, 1e22, 123456789012345680.0),
    *(math.nan, math.inf, -math.inf),
]
STEPS = [0, 1, 2**31, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 3, 10**18, 2**62, 2**63 - 1]


@pytest.fixture
def trained(make: Make) -> TrainingMonitor:
    """Two optimisers, odd names, every kind of number, steps beyond what a float can count."""
    (g, first), (d, second) = small(), small()
    monitor = make(nn.ModuleDict({"g": g, "d": d}), {'g, "main"': first, "d": second})
    for _ in range(3):
        take_step(g, first)
        take_step(d, second)
        monitor.log(g_loss=torch.tensor(0.5))
    for i, step in enumerate(STEPS):
        row = {name: VALUES[(i + k) % len(VALUES)] for k, name in enumerate(NAMES) if (i + k) % 3}
        monitor.log(row, step=step)
    return monitor


def bits(value: float) -> bytes:
    return b"nan" if math.isnan(value) else struct.pack("<d", value)


def logged(monitor: TrainingMonitor) -> dict[str, list[tuple[int, bytes]]]:
    """What the history holds, as it must come back (in a table, by the time of the lines)."""
    return {
        name: sorted(zip(series.steps.tolist(), map(bits, series.values.tolist()), strict=True))
        for name, series in monitor.history.items()
    }


def test_what_was_logged_is_there_in_the_first_place(trained: TrainingMonitor) -> None:
    held = logged(trained)
    for k, name in enumerate(NAMES):
        expected = [
            (step, bits(VALUES[(i + k) % len(VALUES)]))
            for i, step in enumerate(STEPS)
            if (i + k) % 3
        ]
        assert held[name] == sorted(expected)
    assert {name for name in held if name.startswith("learning_rate")} == {
        'learning_rate/g, "main"',
        "learning_rate/d",
    }


def test_csv_reads_it(trained: TrainingMonitor, tmp_path: Path) -> None:
    trained.to_csv(tmp_path / "run.csv")
    with open(tmp_path / "run.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    held = logged(trained)
    assert list(rows[0]) == ["step", "time", *held]
    for name, points in held.items():
        read = [(int(row["step"]), bits(float(row[name]))) for row in rows if row[name] != ""]
        assert sorted(read) == points


def test_json_reads_it_and_is_strict(trained: TrainingMonitor, tmp_path: Path) -> None:
    trained.to_json(tmp_path / "run.json")

    def never(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads((tmp_path / "run.json").read_text("utf-8"), parse_constant=never)
    held = logged(trained)
    assert list(read["series"]) == list(held)
    for name, points in held.items():
        series = read["series"][name]
        values = [bits(float(value)) for value in series["values"]]
        assert sorted(zip(series["steps"], values, strict=True)) == points
        assert all(type(step) is int for step in series["steps"])


def finite_or_infinite(frame: pd.DataFrame, name: str) -> list[tuple[int, bytes]]:
    column = frame[name].to_numpy()
    return sorted(
        (step, bits(value))
        for step, value in zip(frame["step"].tolist(), column.tolist(), strict=True)
        if not math.isnan(value)
    )


@pytest.mark.parametrize("way", ["to_pandas", "read_csv"])
def test_pandas_reads_it(trained: TrainingMonitor, way: str) -> None:
    """A frame cannot tell NaN from no point, so those are left out on both sides."""
    if way == "to_pandas":
        frame = trained.to_pandas()
    else:
        written = io.StringIO()
        trained.to_csv(written)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what was an option is the default from pandas 4 on
            frame = pd.read_csv(io.StringIO(written.getvalue()), float_precision="round_trip")
    assert frame["step"].dtype == np.int64
    for name, points in logged(trained).items():
        assert finite_or_infinite(frame, name) == [p for p in points if p[1] != b"nan"]


def test_pandas_reads_the_json_of_one_series(trained: TrainingMonitor) -> None:
    written = io.StringIO()
    trained.to_json(written)
    series: dict[str, Any] = json.loads(written.getvalue())["series"]["loss"]
    frame = pd.DataFrame(series).astype({"values": float})
    expected = trained.history["loss"]
    assert frame["steps"].tolist() == expected.steps.tolist()
    np.testing.assert_array_equal(frame["values"].to_numpy(), expected.values)
    np.testing.assert_array_equal(frame["times"].to_numpy(), expected.times)


def test_a_step_that_is_no_integer_makes_all_of_them_floats(make: Make) -> None:
    """As its docs say; within float64 nothing is lost."""
    monitor = make()
    monitor.log(loss=1.0, step=2**53 - 1)
    monitor.log(loss=2.0, step=2**60 + 0.0)
    written = io.StringIO()
    monitor.to_csv(written)
    steps = [float(row["step"]) for row in csv.DictReader(io.StringIO(written.getvalue()))]
    assert steps == [2.0**53 - 1, 2.0**60] == monitor.history["loss"].steps.tolist()
