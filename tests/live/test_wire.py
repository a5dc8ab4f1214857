"""The message layout: golden vectors shared with the browser's tests, and what is refused."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnwidgets.live import wire

_VECTORS = sorted((Path(__file__).parent.parent / "golden" / "wire").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return vector


@pytest.fixture(params=_VECTORS, ids=lambda path: path.stem)
def vector(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(request.param)


def arrays_of(vector: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays as Python code would have them, from the numbers in the vector."""
    return {
        name: np.array([float(v) if isinstance(v, str) else v for v in values], dtype).reshape(
            shape
        )
        for (name, values), (dtype, shape, _) in zip(
            vector["expect"].items(), vector["packed"]["arrays"].values(), strict=True
        )
    }


def test_python_writes_the_golden_bytes(vector: dict[str, Any]) -> None:
    packed = wire.pack(vector["packed"]["meta"], arrays_of(vector))
    assert packed["data"] == base64.b64decode(vector["data_base64"])
    assert packed["arrays"] == vector["packed"]["arrays"]
    assert packed["meta"] == vector["packed"]["meta"]
    assert packed["v"] == vector["packed"]["v"] == wire.VERSION
    assert list(packed["arrays"]) == list(vector["expect"])


def test_python_reads_the_golden_bytes(vector: dict[str, Any]) -> None:
    meta, arrays = wire.unpack(
        {**vector["packed"], "data": base64.b64decode(vector["data_base64"])}
    )
    assert meta == vector["packed"]["meta"]
    expected = arrays_of(vector)
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        assert array.dtype == expected[name].dtype
        assert array.shape == expected[name].shape
        np.testing.assert_array_equal(array, expected[name])


def test_the_vectors_cover_the_layout() -> None:
    headers = [head for path in _VECTORS for head in read(path)["packed"]["arrays"].values()]
    assert {dtype for dtype, _, _ in headers} == {
        *("float64", "float32", "int32", "uint32", "uint16", "uint8")
    }
    assert {len(shape) for _, shape, _ in headers} == {0, 1, 2, 3}
    assert any(math.prod(shape) == 0 and len(shape) == 2 for _, shape, _ in headers)
    values = {str(v) for path in _VECTORS for vs in read(path)["expect"].values() for v in vs}
    assert {"NaN", "Infinity", "-Infinity", "-0.0", "5e-324"} <= values


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.sampled_from(["f8", "f4", "i4", "u4", "u2", "u1", ">f8", ">f4", ">i4", ">u2"]).flatmap(
            lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
        ),
        max_size=5,
    )
)
def test_any_arrays_come_back(arrays: dict[str, np.ndarray]) -> None:
    packed = wire.pack({"seq": 1}, arrays)
    assert all(offset % 8 == 0 for _, _, offset in packed["arrays"].values())
    assert len(packed["data"]) % 8 == 0
    _, back = wire.unpack(packed)
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].shape == array.shape
        np.testing.assert_array_equal(back[name], array)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(4, 6).T,
        np.arange(20.0)[::3],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.broadcast_to(np.float32(2.5), (3, 2)),
    ],
    ids=["transposed", "strided", "fortran", "broadcast"],
)
def test_arrays_need_not_be_contiguous(array: np.ndarray) -> None:
    _, back = wire.unpack(wire.pack({}, {"a": array}))
    np.testing.assert_array_equal(back["a"], array)


def test_unpacked_arrays_cannot_be_written_to() -> None:
    _, back = wire.unpack(wire.pack({}, {"a": np.zeros(3)}))
    with pytest.raises(ValueError, match="read-only"):
        back["a"][0] = 1


def test_pack_does_not_hold_on_to_the_callers_dictionary() -> None:
    meta = {"seq": 1}
    packed = wire.pack(meta)
    meta["seq"] = 2
    assert packed["meta"] == {"seq": 1}


@pytest.mark.parametrize(
    "meta",
    [
        {"x": math.nan},
        {"x": [1.0, {"y": math.inf}]},
        {"x": -math.inf},
        {"x": np.int64(3)},
        {"x": object()},
        {"x": b"bytes"},
        {"x": {1, 2}},
    ],
    ids=["nan", "deep inf", "-inf", "numpy integer", "object", "bytes", "set"],
)
def test_meta_is_strict_json(meta: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="strict JSON"):
        wire.pack(meta)


@pytest.mark.parametrize("dtype", ["int64", "float16", "bool", "complex128", "U3", "object"])
def test_other_dtypes_are_refused_by_name(dtype: str) -> None:
    with pytest.raises(ValueError, match=r"array 'a' has dtype .*; the wire carries float64, .*\."):
        wire.pack({}, {"a": np.zeros(2, dtype)})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"v": 2}, "version 2.*reload the page"),
        ({"v": None}, "version None"),
        ({"arrays": {"a": ["float16", [1], 0]}}, "unknown dtype 'float16'"),
        ({"arrays": {"a": ["float64", [2], 0]}}, "ends at byte 16 of 8"),
        ({"arrays": {"a": ["float64", [1], 8]}}, "ends at byte 16 of 8"),
        ({"arrays": {"a": ["uint8", [1], -1]}}, "ends at byte 0 of 8"),
    ],
)
def test_unpack_says_what_is_wrong(change: dict[str, Any], sentence: str) -> None:
    packed = wire.pack({}, {"a": np.zeros(1)})
    with pytest.raises(ValueError, match=sentence):
        wire.unpack({**packed, **change})


def test_size_counts_words_and_numbers() -> None:
    assert wire.size({}) == 0
    small, large = wire.pack({"a": "x"}), wire.pack({"a": "x" * 100}, {"b": np.zeros(100)})
    assert wire.size(small) > 10
    assert wire.size(large) >= wire.size(small) + 100 + 800


# --- browser to kernel -------------------------------------------------------------------


def test_the_three_messages_of_a_browser() -> None:
    assert wire.parse({"type": "request", "id": 3, "action": "view", "args": {"x0": 1}}) == (
        wire.Request(3, "view", {"x0": 1})
    )
    assert wire.parse({"type": "request", "id": 3, "action": "stop"}) == wire.Request(3, "stop")
    assert wire.parse({"type": "cancel", "id": 3}) == wire.Cancel(3)
    assert wire.parse({"type": "view", "view": "v", "visible": True, "language": "zh"}) == (
        wire.ViewReport("v", True, "zh")
    )
    assert wire.parse({"type": "view", "view": "v"}) == wire.ViewReport("v", False, "")


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "stop",
        {},
        {"type": "shout"},
        {"type": "request"},
        {"type": "request", "id": "3", "action": "stop"},
        {"type": "request", "id": True, "action": "stop"},
        {"type": "request", "id": 3.0, "action": "stop"},
        {"type": "request", "id": 3, "action": None},
        {"type": "request", "id": 3, "action": "stop", "args": [1]},
        {"type": "request", "id": 3, "action": "stop", "args": "now"},
        {"type": "cancel"},
        {"type": "view", "visible": True},
        {"type": "view", "view": 7},
    ],
    ids=str,
)
def test_anything_else_is_refused_in_words(content: object) -> None:
    with pytest.raises(ValueError, match=r"must be|unknown message type"):
        wire.parse(content)


# --- kernel to browser -------------------------------------------------------------------


def test_a_reply_is_json_or_packed() -> None:
    assert wire.reply(4, {"a": [1, None]}) == (
        {"type": "reply", "id": 4, "result": {"a": [1, None]}, "packed": None},
        [],
    )
    packed = wire.pack({"seq": 1}, {"a": np.ones(2)})
    content, buffers = wire.reply(5, packed)
    assert content["result"] is None
    assert "data" not in content["packed"]
    _, arrays = wire.unpack({**content["packed"], "data": buffers[0]})
    assert arrays["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "result", [math.nan, [object()], np.zeros(3)], ids=["nan", "object", "array"]
)
def test_a_reply_that_is_neither_is_refused(result: object) -> None:
    with pytest.raises(ValueError, match="a reply must be strict JSON"):
        wire.reply(4, result)


def test_the_other_answers() -> None:
    assert wire.accepted(1, "step")[0] == {"type": "accepted", "id": 1, "waits": "step"}
    assert wire.error(2, "No.")[0] == {"type": "error", "id": 2, "error": "No."}
    assert [wire.progress(3, f)[0]["fraction"] for f in (-1, 0.25, 7)] == [0.0, 0.25, 1.0]


def test_the_live_part_keeps_unknown_numbers_out_of_json() -> None:
    packed = wire.live_part(
        {"seq": 1},
        rate=math.nan,
        eta=math.inf,
        overhead=0.01,
        effective_rate=math.nan,
        elapsed=2.0,
        lr_scale=1.0,
        scheduled_rate=math.nan,
        last=[math.nan, -math.inf, 1.5],
    )
    json.dumps(packed["meta"], allow_nan=False)
    _, arrays = wire.unpack(packed)
    np.testing.assert_array_equal(arrays["numbers"], [math.nan, math.inf, 0.01, math.nan, 2.0])
    np.testing.assert_array_equal(arrays["last"], [math.nan, -math.inf, 1.5])
    assert [array.dtype.name for array in arrays.values()] == ["float64"] * 3


def test_the_layers_part_is_single_precision_but_for_steps() -> None:
    packed = wire.layers_part(
        {"seq": 1},
        steps=[2**53],
        grad_norm=np.zeros((2, 1)),
        update_ratio=[[math.nan], [math.inf]],
        dead=[0, math.nan],
        units=[4, 4],
    )
    _, arrays = wire.unpack(packed)
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "steps": "float64",
        "grad_norm": "float32",
        "update_ratio": "float32",
        "dead": "float32",
        "units": "float32",
    }
    assert arrays["steps"].tolist() == [2**53]
    assert arrays["update_ratio"].shape == (2, 1)
