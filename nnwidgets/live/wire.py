"""The message layout between kernel and browser; its other half is ``js/src/wire.ts``.

Numbers never travel as JSON: JSON has no NaN (a lost loss would arrive as the *string*
"nan") and spends ten bytes where four do. A picture is one *packed* dictionary::

    {"v": 1, "meta": {...}, "arrays": {name: [dtype, shape, byte_offset]}, "data": bytes}

``meta`` is strict JSON; ``data`` holds every array little-endian behind one another, each
aligned to eight bytes, so that the browser can lay typed arrays over it without copying.
In a synced trait the dictionary travels whole; in a custom message ``data`` is the
message's only buffer. ``tests/golden/wire`` holds vectors that both test suites read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "VERSION",
    "Cancel",
    "Request",
    "ViewReport",
    "accepted",
    "blocks_part",
    "curves_part",
    "error",
    "layers_part",
    "live_part",
    "pack",
    "parse",
    "progress",
    "reply",
    "size",
    "unpack",
]

VERSION: Final = 1
_DTYPES: Final = ("float64", "float32", "int32", "uint32", "uint16", "uint8")
# In either order of bytes; numpy works out a name anew each time it is asked for.
_NAMES: Final = {
    kind: name
    for name in _DTYPES
    for kind in (np.dtype(name).newbyteorder("<"), np.dtype(name).newbyteorder(">"))
}
_ALIGN: Final = 8

Packed = dict[str, Any]
Message = tuple[dict[str, Any], list[bytes]]


def pack(meta: Mapping[str, Any], arrays: Mapping[str, ArrayLike] | None = None) -> Packed:
    """Pack words and numbers into one dictionary.

    Parameters
    ----------
    meta
        Strict JSON: strings, integers, finite floats, booleans, None, lists, dictionaries.
    arrays
        Arrays of dtype float64, float32, int32, uint32, uint16 or uint8, of any shape.

    Raises
    ------
    ValueError
        If `meta` holds something that JSON cannot carry (NaN and infinity among it), or an
        array has another dtype.
    """
    _check_json(meta, "meta")
    header: dict[str, list[Any]] = {}
    parts: list[bytes] = []
    offset = 0
    for name, value in (arrays or {}).items():
        array = np.asarray(value)
        dtype = _NAMES.get(array.dtype)
        if dtype is None:
            raise ValueError(
                f"array {name!r} has dtype {array.dtype}; the wire carries {', '.join(_DTYPES)}."
            )
        raw = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        header[name] = [dtype, list(array.shape), offset]
        padding = -len(raw) % _ALIGN
        parts += [raw, b"\0" * padding]
        offset += len(raw) + padding
    return {"v": VERSION, "meta": dict(meta), "arrays": header, "data": b"".join(parts)}


def unpack(packed: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `pack` wrote.

    Returns
    -------
    meta, arrays
        The arrays are read-only views of ``packed["data"]``.

    Raises
    ------
    ValueError
        If the layout is of another version or an array reaches beyond the data.
    """
    if packed.get("v") != VERSION:
        raise ValueError(
            f"this is layout version {packed.get('v')!r}, and version {VERSION} is understood; "
            "reload the page so that both sides come from the same release."
        )
    data = memoryview(packed["data"]).cast("B")
    arrays = {}
    for name, (dtype, shape, offset) in packed["arrays"].items():
        if dtype not in _DTYPES:
            raise ValueError(f"array {name!r} has the unknown dtype {dtype!r}.")
        kind = np.dtype(dtype).newbyteorder("<")
        count = math.prod(shape)
        end = offset + count * kind.itemsize
        if offset < 0 or end > len(data):
            raise ValueError(f"array {name!r} ends at byte {end} of {len(data)}.")
        arrays[name] = np.frombuffer(data[offset:end], dtype=kind).reshape(shape)
    return dict(packed["meta"]), arrays


def size(packed: Mapping[str, Any]) -> int:
    """Bytes that a packed dictionary takes on the wire, its JSON included."""
    if not packed:
        return 0
    rest = {key: value for key, value in packed.items() if key != "data"}
    return len(json.dumps(rest)) + len(packed["data"])


def _check_json(value: object, what: str) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise ValueError(
            f"{what} must be strict JSON ({problem}); numbers that can be NaN go into arrays."
        ) from problem


# --- browser to kernel -------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A click: it gets exactly one reply or error under its id."""

    id: int
    action: str
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cancel:
    """The user no longer wants the answer to request `id`."""

    id: int


@dataclass(frozen=True)
class ViewReport:
    """A view says whether anybody can see it, and the language of its page."""

    view: str
    visible: bool
    language: str = ""


def parse(content: object) -> Request | Cancel | ViewReport:
    """Read one custom message of the browser.

    Raises
    ------
    ValueError
        If it is none of the three kinds, or a field has the wrong type.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"a message must be a dictionary, not {type(content).__name__}.")
    kind = content.get("type")
    if kind == "request":
        args = content.get("args") or {}
        if not isinstance(args, Mapping):
            raise ValueError("a request's args must be a dictionary.")
        return Request(_integer(content, "id"), _string(content, "action"), dict(args))
    if kind == "cancel":
        return Cancel(_integer(content, "id"))
    if kind == "view":
        return ViewReport(
            _string(content, "view"), bool(content.get("visible")), str(content.get("language", ""))
        )
    raise ValueError(f"unknown message type {kind!r}.")


def _integer(content: Mapping[str, Any], name: str) -> int:
    value = content.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be an integer, not {value!r}.")
    return value


def _string(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, not {value!r}.")
    return value


# --- kernel to browser -------------------------------------------------------------------


def accepted(id: int, waits: str | None) -> Message:
    """Say that a request has arrived; `waits` is None, ``"step"`` or ``"cell"``."""
    return {"type": "accepted", "id": id, "waits": waits}, []


def reply(id: int, result: object) -> Message:
    """Answer a request with JSON, or with what `pack` made.

    Raises
    ------
    ValueError
        If `result` is neither.
    """
    if isinstance(result, dict) and result.keys() == {"v", "meta", "arrays", "data"}:
        rest = {key: value for key, value in result.items() if key != "data"}
        return {"type": "reply", "id": id, "result": None, "packed": rest}, [result["data"]]
    _check_json(result, "a reply")
    return {"type": "reply", "id": id, "result": result, "packed": None}, []


def error(id: int, sentence: str) -> Message:
    """Answer a request with what went wrong."""
    return {"type": "error", "id": id, "error": sentence}, []


def progress(id: int, fraction: float, note: str = "") -> Message:
    """Say how far a long request is, from 0 to 1."""
    return {
        "type": "progress",
        "id": id,
        "fraction": min(1.0, max(0.0, fraction)),
        "note": note,
    }, []


# --- pictures made of blocks -------------------------------------------------------------


def blocks_part(
    meta: Mapping[str, Any],
    blocks: Sequence[tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]],
) -> Packed:
    """Pack a picture that consists of blocks, one behind another.

    Parameters
    ----------
    meta
        Of the whole.
    blocks
        Head (kind, title, text, meta) and arrays of each; array ``a`` of block ``i`` travels as
        ``"i.a"``.
    """
    heads = [{**head, "arrays": list(arrays)} for head, arrays in blocks]
    packed = {
        f"{i}.{name}": array
        for i, (_, arrays) in enumerate(blocks)
        for name, array in arrays.items()
    }
    return pack({**meta, "blocks": heads}, packed)


# --- the parts of a TrainingMonitor ------------------------------------------------------


def live_part(
    meta: Mapping[str, Any],
    *,
    rate: float,
    eta: float,
    overhead: float,
    effective_rate: float,
    elapsed: float,
    lr_scale: float,
    scheduled_rate: float,
    last: Sequence[float],
) -> Packed:
    """Pack what changes all the time; the numbers here may all be NaN for "unknown"."""
    return pack(
        meta,
        {
            "numbers": np.array([rate, eta, overhead, effective_rate, elapsed], dtype=np.float64),
            "lr": np.array([lr_scale, scheduled_rate], dtype=np.float64),
            "last": np.array(last, dtype=np.float64),
        },
    )


def curves_part(meta: Mapping[str, Any], view: Any, best: ArrayLike, epochs: ArrayLike) -> Packed:
    """Pack min/max-preserving curves (a ``CurveView``), best points and epoch marks."""
    return pack(
        meta,
        {
            "x": view.x,
            "x1": view.x1,
            "t": view.t,
            "lo": view.lo,
            "hi": view.hi,
            "mean": view.mean,
            "flags": view.flags,
            "best": np.asarray(best, dtype=np.float64).reshape(-1, 2),
            "epochs": np.asarray(epochs, dtype=np.float64).reshape(-1, 2),
        },
    )


def layers_part(
    meta: Mapping[str, Any],
    *,
    steps: ArrayLike,
    grad_norm: ArrayLike,
    update_ratio: ArrayLike,
    dead: ArrayLike,
    units: ArrayLike,
) -> Packed:
    """Pack the layers' statistics: rows × sampled steps, and the newest counts of units."""
    return pack(
        meta,
        {
            "steps": np.asarray(steps, dtype=np.float64),
            "grad_norm": np.asarray(grad_norm, dtype=np.float32),
            "update_ratio": np.asarray(update_ratio, dtype=np.float32),
            "dead": np.asarray(dead, dtype=np.float32),
            "units": np.asarray(units, dtype=np.float32),
        },
    )
