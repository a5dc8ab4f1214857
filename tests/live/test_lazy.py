"""Logged values: what they held when they were logged, and no waiting for a device."""

from __future__ import annotations

import math
import re
import weakref
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from nnwidgets.live import lazy
from nnwidgets.live.history import History
from nnwidgets.live.lazy import LazyScalar, as_number
from nnwidgets.live.pending import Reason

NUMBERS = {
    "float": (0.5, 0.5),
    "int": (3, 3.0),
    "bool": (True, 1.0),
    "negative zero": (-0.0, -0.0),
    "denormal": (5e-324, 5e-324),
    "nan": (math.nan, math.nan),
    "inf": (math.inf, math.inf),
    "numpy float16": (np.float16(0.5), 0.5),
    "numpy float32": (np.float32(0.1), float(np.float32(0.1))),
    "numpy int8": (np.int8(-3), -3.0),
    "numpy uint64": (np.uint64(2**63), float(2**63)),
    "numpy bool": (np.bool_(True), 1.0),
    "numpy 0-d": (np.array(2.5), 2.5),
    "numpy one element": (np.array([[2.5]]), 2.5),
    "fraction": (Fraction(1, 4), 0.25),
    "decimal": (Decimal("0.25"), 0.25),
    "tensor 0-d": (torch.tensor(2.5), 2.5),
    "tensor one element": (torch.full((1, 1), 2.5), 2.5),
    "requires grad": (torch.tensor(2.5, requires_grad=True), 2.5),
    "not a leaf": (torch.tensor(2.5, requires_grad=True) * 2, 5.0),
    "parameter": (torch.nn.Parameter(torch.tensor(1.5)), 1.5),
    "bfloat16": (torch.tensor(1.5, dtype=torch.bfloat16), 1.5),
    "float16": (torch.tensor(1.5, dtype=torch.float16), 1.5),
    "float64": (torch.tensor(0.1, dtype=torch.float64), 0.1),
    "int64": (torch.tensor(7), 7.0),
    "bool tensor": (torch.tensor(True), 1.0),
    "tensor nan": (torch.tensor(math.nan), math.nan),
    "tensor -inf": (torch.tensor(-math.inf), -math.inf),
    "sparse": (torch.tensor(2.5).to_sparse(), 2.5),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_every_kind(name: str) -> None:
    value, expected = NUMBERS[name]
    number = as_number(value)
    assert type(number) is float
    assert number == expected or (math.isnan(number) and math.isnan(expected))
    assert math.copysign(1, number) == math.copysign(1, expected)


class Unreadable:
    def __float__(self) -> float:
        raise RuntimeError("planted")


WORDS: dict[str, tuple[Any, str]] = {
    "str": ("0.5", "of type str"),
    "bytes": (b"1", "of type bytes"),
    "None": (None, "of type NoneType"),
    "list": ([1.0], "of type list"),
    "dict": ({}, "of type dict"),
    "complex": (1j, "of type complex"),
    "numpy complex": (np.complex64(1j), "of type complex64"),
    "numpy time": (np.datetime64("2026-11-01"), "of type datetime64"),
    "numpy time in an array": (np.array(["2026-11-01"], "M8[ns]"), "of type datetime64"),
    "numpy vector": (np.zeros(3), r"of shape \(3,\)"),
    "numpy empty": (np.zeros((0, 2)), r"of shape \(0, 2\)"),
    "function": (lambda: 1.0, "of type function"),
    "method": (torch.tensor(1.0).item, "of type builtin_function_or_method"),
    "module": (torch.nn.Linear(1, 1), "of type Linear"),
    "huge integer": (10**400, "beyond the range of float64"),
    "unreadable": (Unreadable(), "of type Unreadable"),
    "vector": (torch.zeros(3), r"of shape \(3,\)"),
    "empty tensor": (torch.zeros(0), r"of shape \(0,\)"),
    "complex tensor": (torch.tensor(1j), "complex number"),
    "meta": (torch.zeros((), device="meta"), "without data"),
    "an exception": (ValueError("planted"), "could not be read: ValueError"),
}


@pytest.mark.parametrize("name", WORDS)
def test_what_is_no_number_is_said_in_words(name: str) -> None:
    value, sentence = WORDS[name]
    reason = as_number(value)
    assert isinstance(reason, Reason)
    (rejected,) = rejected_of({"x": reason})
    assert rejected.reason == str(reason)
    assert re.search(sentence, reason)


def rejected_of(row: dict[str, Any]) -> list[Any]:
    history = History()
    history.append(3, 0.0, row)
    return history.take_rejected()


def test_a_tensor_inside_vmap_cannot_be_read_and_does_not_raise() -> None:
    reasons = []

    def body(x: torch.Tensor) -> torch.Tensor:
        reasons.append(as_number(x))
        return x

    torch.vmap(body)(torch.zeros(3))
    assert isinstance(reasons[0], Reason)
    assert "could not be read" in reasons[0]


def test_a_function_is_never_called() -> None:
    as_number(lambda: pytest.fail("called"))


def test_a_rejected_tensor_is_not_kept() -> None:
    big = torch.zeros(1000)
    gone = weakref.ref(big)
    history = History()
    history.append(1, 0.0, {"x": as_number(big)})
    del big
    assert gone() is None


def test_nothing_is_computed_behind_the_users_back() -> None:
    """Neither a gradient graph nor random numbers, nor a changed grad mode."""
    x = torch.tensor(1.0, requires_grad=True)
    loss = x * 2
    state = torch.get_rng_state()
    as_number(loss)
    loss.backward()
    assert x.grad == 2
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()


# --- another device, played by the CPU -----------------------------------------------------


class Event:
    """A device event that is reached when the test says so."""

    def __init__(self) -> None:
        self.reached = False
        self.waited = 0

    def query(self) -> bool:
        return self.reached

    def synchronize(self) -> None:
        self.waited += not self.reached
        self.reached = True


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    made: list[Event] = []

    def behind(device: torch.device) -> Event:
        made.append(Event())
        return made[-1]

    monkeypatch.setattr(lazy, "_event_behind", behind)
    return made


def test_reading_waits_for_the_event_and_for_nothing_else(events: list[Event]) -> None:
    scalar = LazyScalar(torch.tensor(2.5))
    assert not scalar.ready()
    assert events[0].waited == 0
    assert scalar() == 2.5
    assert events[0].waited == 1
    assert scalar.ready()


def test_a_tensor_changed_in_place_keeps_the_logged_value(events: list[Event]) -> None:
    tensor = torch.tensor(1.0)
    scalar = LazyScalar(tensor)
    tensor.fill_(99.0)
    assert scalar() == 1.0
    assert LazyScalar.many([scalar]) == [1.0]


def test_neighbours_from_several_streams_are_all_waited_for(events: list[Event]) -> None:
    scalars = [LazyScalar(torch.tensor(float(i))) for i in range(3)]
    assert LazyScalar.many(scalars) == [0.0, 1.0, 2.0]
    assert all(event.reached for event in events)


def test_neighbours_of_any_dtype(events: list[Event]) -> None:
    tensors = [
        torch.tensor(1.5, dtype=torch.bfloat16),
        torch.tensor(2**53 - 1),
        torch.tensor(True),
        torch.tensor(0.1, dtype=torch.float64),
    ]
    assert LazyScalar.many([LazyScalar(t) for t in tensors]) == [1.5, 2**53 - 1, 1.0, 0.1]


def test_a_history_holds_back_what_is_not_ready(events: list[Event]) -> None:
    history = History()
    history.append(0, 0.0, {"loss": 1.0})
    history.append(1, 0.1, {"loss": LazyScalar(torch.tensor(2.0))})
    history.append(2, 0.2, {"loss": 3.0})
    assert history.last("loss", settle=False) == (0, 1.0)
    assert history.waiting == 2
    assert events[0].waited == 0
    events[0].reached = True
    assert history.last("loss", settle=False) == (2, 3.0)
    assert history.waiting == 0
    assert history["loss"].values.tolist() == [1.0, 2.0, 3.0]


def test_a_value_that_can_never_be_read_costs_only_itself(events: list[Event]) -> None:
    history = History()
    broken = LazyScalar(torch.tensor(2.0))
    broken._copy = torch.zeros((), device="meta")
    history.append(0, 0.0, {"loss": LazyScalar(torch.tensor(1.0)), "acc": broken})
    history.append(1, 0.0, {"loss": LazyScalar(torch.tensor(3.0)), "acc": 0.5})
    assert history["loss"].values.tolist() == [1.0, 3.0]
    assert history["acc"].values.tolist() == [0.5]
    (rejected,) = history.take_rejected()
    assert (rejected.name, rejected.step) == ("acc", 0)


def test_tensors_of_the_cpu_are_read_at_once() -> None:
    assert lazy._event_behind(torch.device("cpu")) is None
    assert type(as_number(torch.tensor(1.0))) is float


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_the_value_of_the_moment_is_kept() -> None:
    tensor = torch.tensor(1.0, device="cuda")
    scalar = as_number(tensor)
    assert isinstance(scalar, LazyScalar)
    tensor.fill_(2.0)
    assert scalar() == 1.0
    assert scalar.ready()
