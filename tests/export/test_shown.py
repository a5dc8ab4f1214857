"""Figures show themselves in notebooks, once, with and without the inline backend."""

from __future__ import annotations

import io

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from matplotlib.image import imread

from nnwidgets.export.blocks_figure import blocks_figure
from nnwidgets.export.shown import ShownFigure
from nnwidgets.probe.blocks import bars


@pytest.fixture
def figure() -> Figure:
    return blocks_figure([bars(np.arange(4.0))], title="a layer")


def test_a_figure_is_shown_without_any_backend(figure: Figure) -> None:
    data, metadata = DisplayFormatter().format(figure)
    picture = imread(io.BytesIO(data["image/png"]))
    width, height = figure.get_size_inches()
    np.testing.assert_allclose(picture.shape[:2], (160 * height, 160 * width), atol=1)
    assert metadata["image/png"] == {"width": round(96 * width), "height": round(96 * height)}


def test_a_backend_that_shows_figures_goes_before(figure: Figure) -> None:
    formatter = DisplayFormatter()
    formatter.formatters["image/png"].for_type(Figure, lambda figure: b"by the backend")
    data, _ = formatter.format(figure)
    assert data["image/png"] == b"by the backend"


def test_it_is_a_figure_like_any_other(figure: Figure) -> None:
    assert isinstance(figure, ShownFigure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    assert b"<svg" in buffer.getvalue()
