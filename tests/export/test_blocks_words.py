"""Words of a blocks figure wrap and stand beside each other without loss."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.export.blocks_words import even, flow, width_of, wrapped

NAN, INF = np.nan, np.inf


@given(st.text(alphabet="ab $，。好的 -", max_size=80), st.floats(0.3, 3))
def test_wrapping_loses_no_word(text, room):
    lines = wrapped(text, room)
    assert "".join("".join(lines).split()) == "".join(text.split())
    # A stop may hang over, by itself.
    assert all(width_of(line.rstrip("，。")) <= room for line in lines)


@given(st.lists(st.floats(0.1, 2), max_size=20))
def test_nothing_flows_over_the_edge_or_over_another(widths):
    places = flow(widths, 4.0, 0.1)
    ends: dict[int, float] = {}
    for (row, x), width in zip(places, widths, strict=True):
        assert x + width <= 4.0 + 1e-9
        assert x >= ends.get(row, 0.0)
        ends[row] = x + width


def test_numbers_below_each_other_have_as_many_decimals():
    write = even([12.3456, -0.02, NAN])
    assert [write(v) for v in (12.3456, -0.02, 0.0, NAN, -INF)] == [
        "12.3",
        "0.0",
        "0.0",
        "NaN",
        "−∞",
    ]
    assert even([1e9])(1e9) == "1.00e9"
