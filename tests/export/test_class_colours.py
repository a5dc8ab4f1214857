"""Colours of classes: the same on both sides, and apart for every kind of sight."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from nnwidgets.export.class_colours import (
    CLASSES,
    FLAT,
    STRENGTHS,
    class_colour,
    strengths,
    tinted,
)
from nnwidgets.export.look import DARK, LIGHT

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "class_colours.json").read_text(encoding="utf-8")
)
EVERY = {dark: [class_colour(k, dark) for k in range(CLASSES)] for dark in (False, True)}

# Machado, Oliveira, Fernandes (2009), "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", IEEE TVCG 15 (6), severity 1.0; for linear RGB.
SIGHT = {
    "whole": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# Linear sRGB to XYZ, D65 (IEC 61966-2-1).
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def lab(colours, sight="whole"):
    """CIELAB (D65) of colours as somebody sees them."""
    parts = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ SIGHT[sight].T, 0, 1)
    t = seen @ XYZ.T / XYZ.sum(1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def least(colours, sight):
    """The smallest distance (CIE 1976) of any two."""
    places = lab(colours, sight)
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(places, 2))


def test_the_measure_is_right():
    # Published CIELAB values of sRGB's white and primaries (D65).
    known = {
        "#ffffff": (100, 0, 0),
        "#ff0000": (53.24, 80.09, 67.20),
        "#00ff00": (87.73, -86.18, 83.18),
        "#0000ff": (32.30, 79.19, -107.86),
    }
    np.testing.assert_allclose(lab(known), list(known.values()), atol=0.05)
    for sight, matrix in SIGHT.items():
        np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-5, err_msg=f"{sight}: grey stays grey")
    # It sees what the look's blue and purple are to who has no green cones: one colour.
    assert least([LIGHT.series[0], LIGHT.series[3]], "deuteranopia") < 5


@pytest.mark.parametrize("dark", [False, True])
def test_both_sides_have_the_same_colours(dark):
    assert EVERY[dark] == GOLDEN["dark" if dark else "light"]
    assert len(EVERY[dark]) == 20
    ground = GOLDEN["ground"]["dark" if dark else "light"]
    assert ground == (DARK if dark else LIGHT).surface
    assert (*STRENGTHS, FLAT) == (*GOLDEN["strength"], GOLDEN["label"])
    assert class_colour(20, dark) == class_colour(0, dark)
    assert tuple(EVERY[dark][:3]) == (DARK if dark else LIGHT).series[:3]


def test_both_sides_mix_alike():
    assert len(GOLDEN["examples"]) >= 12
    for one in GOLDEN["examples"]:
        strength = strengths(np.array([[one["probability"]]]), 1 / one["classes"])
        mixed = tinted(np.array([[one["label"]]]), strength, one["dark"])
        steps = np.abs(np.subtract(to_rgb(one["colour"]), mixed[0, 0])) * 255
        assert steps.max() <= 0.51, one


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("sight", "eight", "twenty"),
    [("whole", 30, 18), ("protanopia", 18, 7), ("deuteranopia", 18, 7), ("tritanopia", 12, 7)],
)
def test_colours_stay_apart_for_every_kind_of_sight(dark, sight, eight, twenty):
    # 2.3 is a just noticeable difference (Mahy et al. 1994).
    assert least(EVERY[dark][:8], sight) >= eight
    assert least(EVERY[dark], sight) >= twenty


@pytest.mark.parametrize("dark", [False, True])
def test_colours_stand_out_from_the_ground_and_from_the_sign_for_no_number(dark):
    ground = (DARK if dark else LIGHT).surface
    for sight in SIGHT:
        places, (floor,) = lab(EVERY[dark], sight), lab([ground], sight)
        assert np.linalg.norm(places - floor, axis=1).min() >= 15
    assert np.linalg.norm(lab(EVERY[dark]) - lab(["#d62fd0"]), axis=1).min() >= 15


def test_a_surer_class_is_stronger():
    given = np.array([0.0, 0.25, 0.5, 0.625, 1.0, 1.2, np.nan])
    found = strengths(given, 0.25)
    low, high = STRENGTHS
    half = (low + high) / 2
    third = low + (high - low) / 3
    wanted = [low, low, third, half, high, high, np.nan]
    np.testing.assert_allclose(found, wanted)
    np.testing.assert_allclose(strengths(np.array([1.0]), 1.0), [low], err_msg="a single class")


def test_no_strength_is_the_ground_and_all_of_it_the_colour():
    labels = np.array([[0, 21]])
    ends = tinted(labels, np.array([[0.0, 1.0]]), True)
    assert to_hex(ends[0, 0]) == DARK.surface
    assert to_hex(ends[0, 1]) == class_colour(1, True), "they come again after twenty"
