"""What holds of every part that goes to the browser."""

from __future__ import annotations

import json

from nnwidgets._boundary_said import Part
from nnwidgets.live import wire


def travels(part: Part) -> None:
    """It can be packed: strict JSON, and arrays of the kinds that travel."""
    meta, arrays = part
    json.dumps(meta, allow_nan=False)
    back, given = wire.unpack(wire.pack({"seq": 1, **meta}, arrays))
    assert back.keys() == {"seq", *meta}
    assert given.keys() == arrays.keys()
