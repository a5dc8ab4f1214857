"""What a monitor gives away: the same from Python, from the browser, and from one just closed."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnwidgets import TrainingMonitor
from tests.live.doubles import Browser
from tests.monitor.conftest import Make


@pytest.fixture
def trained(make: Make) -> TrainingMonitor:
    monitor = make(title="Digits: run 3/4")
    for step in range(40):
        monitor.log(loss=1 / (step + 1), step=step)
    monitor.log({"val_loss": math.nan, 'a,"b"\n': 0.1}, step=39)
    return monitor


def test_csv_holds_every_point_and_every_digit(trained: TrainingMonitor, tmp_path: Path) -> None:
    trained.to_csv(tmp_path / "run.csv")
    with open(tmp_path / "run.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    values = [float(row["loss"]) for row in rows if row["loss"]]
    assert values == trained.history["loss"].values.tolist()
    assert [float(row['a,"b"\n']) for row in rows if row['a,"b"\n']] == [0.1]


def test_json_is_strict(trained: TrainingMonitor) -> None:
    written = io.StringIO()
    trained.to_json(written)

    def never(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(written.getvalue(), parse_constant=never)


def test_pandas(trained: TrainingMonitor) -> None:
    frame = trained.to_pandas()
    np.testing.assert_array_equal(frame["loss"].dropna().to_numpy(), trained.history["loss"].values)


def test_a_figure_is_an_object_of_its_own(trained: TrainingMonitor) -> None:
    before = "matplotlib.pyplot" in sys.modules
    figure = trained.figure()
    assert ("matplotlib.pyplot" in sys.modules) is before
    assert len(figure.axes) == 2


@pytest.mark.parametrize(
    ("format", "mime", "begins"),
    [
        ("csv", "text/csv", b"step"),
        ("json", "application/json", b"{"),
        ("png", "image/png", b"\x89PNG"),
        ("svg", "image/svg+xml", b"<?xml"),
    ],
)
def test_a_file_for_the_browser(
    trained: TrainingMonitor, format: str, mime: str, begins: bytes
) -> None:
    browser = Browser(trained)
    answer = browser.answer(browser.ask("export", format=format))
    assert answer["meta"] == {"name": f"digits--run-3-4.{format}", "mime": mime}
    assert answer["arrays"]["file"].tobytes().startswith(begins)


@pytest.mark.parametrize("args", [{}, {"format": "exe"}, {"format": "../x"}, {"format": None}])
def test_a_file_of_another_kind_is_refused(trained: TrainingMonitor, args: dict[str, Any]) -> None:
    browser = Browser(trained)
    answer = browser.answer(browser.ask("export", **args))
    assert answer["type"] == "error"
    assert "format" in answer["error"]


def test_a_name_for_a_file_of_a_run_without_title(make: Make) -> None:
    monitor = make()
    monitor.log(loss=1.0)
    browser = Browser(monitor)
    assert browser.answer(browser.ask("export", format="csv"))["meta"]["name"] == "training.csv"


def test_a_page(trained: TrainingMonitor, tmp_path: Path) -> None:
    trained.save_html(tmp_path / "run.html")
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "Digits: run 3/4" in page


def test_everything_works_with_nothing_logged(make: Make, tmp_path: Path) -> None:
    monitor = make()
    written = io.StringIO()
    monitor.to_csv(written)
    monitor.to_json(written)
    assert len(monitor.to_pandas()) == 0
    monitor.figure()
    monitor.save_html(tmp_path / "run.html")
    assert monitor.findings() == []


def test_a_closed_monitor_still_gives_its_history_away(
    trained: TrainingMonitor, tmp_path: Path
) -> None:
    trained.close()
    trained.to_csv(tmp_path / "run.csv")
    trained.figure()
    trained.save_html(tmp_path / "run.html")
    assert len(trained.history["loss"]) == 40


def test_saving_does_not_take_the_picture_from_the_open_view(
    trained: TrainingMonitor, tmp_path: Path
) -> None:
    browser = Browser(trained)
    browser.look()
    trained.publish(1000.0)
    browser.updates()
    trained.log(loss=5.0, step=40)
    trained.save_html(tmp_path / "run.html")
    trained.publish(1010.0)
    assert any("_curves" in update for update in browser.updates())


def test_the_history_itself_writes_the_same(tmp_path: Path) -> None:
    with TrainingMonitor() as monitor:
        monitor.log(loss=1.5)
        monitor.to_csv(tmp_path / "a.csv")
        monitor.history.to_csv(tmp_path / "b.csv")
        assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
        assert monitor.history.to_pandas().equals(monitor.to_pandas())
