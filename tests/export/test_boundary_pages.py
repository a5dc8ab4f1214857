"""What a saved page of a decision boundary holds besides what is shown."""

import logging

import numpy as np
import pytest

from nnwidgets._boundary_pages import held_surfaces
from nnwidgets.live.wire import pack

THREE = ["probability", "label", "entropy"]


class Plot:
    """A plot that can show what it is told, and remembers what it was asked for."""

    def __init__(self, refuses=(), broken=(), size=1, **choices):
        self._choices = pack({"seq": 1, **choices}) if choices else {}
        self.refuses, self.broken, self.size = refuses, broken, size
        self.asked = []

    def _page(self, view, interest):
        self.asked.append((view, interest))
        if view in self.broken:
            raise RuntimeError("no such view")
        if (view, interest) in self.refuses:
            return None
        words = {"seq": 1, "view": view, "interest": interest}
        return pack(words, {"value": np.zeros(self.size, np.uint8)})


def classes(count, **more):
    names = [str(number) for number in range(count)]
    return Plot(kind="classes", classes=names, outputs=1, views=THREE, **more)


def test_every_view_is_held_and_each_class_of_the_probability():
    held = held_surfaces(classes(3))
    wanted = ["probability\nnull", "label\nnull", "entropy\nnull"]
    wanted += [f"probability\n{number}" for number in range(3)]
    assert list(held["pages"]) == wanted, "what is one click away comes first"
    for key, page in held["pages"].items():
        view, interest = key.split("\n")
        assert page["meta"]["view"] == view
        assert page["meta"]["interest"] == (None if interest == "null" else int(interest))


def test_the_page_is_told_how_to_turn():
    held = held_surfaces(classes(2))
    assert (held["trait"], held["by"]) == ("_surface", ["view", "interest"])
    assert held["actions"] == {"view": ["view", "view"], "interest": ["interest", "interest"]}
    assert held["resets"] == {"view": ["interest"]}, "entropy has no single class"


def test_a_regression_has_each_output_in_every_view():
    plot = Plot(kind="values", classes=[], outputs=2, views=["epistemic", "value"])
    wanted = {f"{v}\n{i}" for v in ("epistemic", "value") for i in ("null", 0, 1)}
    assert set(held_surfaces(plot)["pages"]) == wanted
    single = Plot(kind="values", classes=[], outputs=1, views=["value"])
    assert set(held_surfaces(single)["pages"]) == {"value\nnull"}


def test_of_many_classes_twenty_are_held():
    keys = [key for key in held_surfaces(classes(50))["pages"] if key.startswith("probability\n")]
    assert keys == ["probability\nnull", *(f"probability\n{number}" for number in range(20))]


def test_without_a_surface_nothing_is_held():
    assert held_surfaces(Plot())["pages"] == {}
    nothing = classes(2, refuses=[(v, i) for v in THREE for i in (None, 0, 1)])
    assert held_surfaces(nothing)["pages"] == {}


def test_a_view_that_fails_costs_only_itself(caplog):
    with caplog.at_level(logging.WARNING, "nnwidgets"):
        held = held_surfaces(classes(2, broken=["label"]))
    assert set(held["pages"]) == {f"probability\n{i}" for i in ("null", 0, 1)} | {"entropy\nnull"}
    assert "label" in caplog.text
    assert "no such view" in caplog.text


@pytest.mark.parametrize(("size", "count"), [(1_900_000, 2), (600_000, 6), (100_000, 8)])
def test_the_file_stays_small(size, count, caplog):
    plot = classes(5, size=size)
    with caplog.at_level(logging.WARNING, "nnwidgets"):
        held = held_surfaces(plot)
    assert len(held["pages"]) == count
    assert sum(len(page["data"]) for page in held["pages"].values()) <= 4_000_000
    assert ("too large" in caplog.text) == (count < 8)
