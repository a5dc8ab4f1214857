"""Devices that have less than others: no float64, a transfer that takes long."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nnwidgets.live.lazy import LazyScalar, as_number


class OnApple(torch.Tensor):
    """A tensor of a device that has no float64, as torch.device("mps") has none."""

    transfers = 0

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("mps")

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in (torch.Tensor.to, torch.Tensor.double) and (
            function is torch.Tensor.double or torch.float64 in (*args, *kwargs.values())
        ):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        made = super().__torch_function__(function, types, args, kwargs)  # type: ignore[no-untyped-call]
        if function in (torch.Tensor.cpu, torch.Tensor.item, torch.Tensor.__float__):
            OnApple.transfers += 1
            if isinstance(made, torch.Tensor):
                return made.as_subclass(torch.Tensor)
        return made


def test_a_device_without_float64_is_read_in_one_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = [torch.tensor(i / 8).as_subclass(OnApple) for i in range(100)]
    numbers = [as_number(tensor) for tensor in tensors]
    assert all(type(number) is LazyScalar for number in numbers)
    monkeypatch.setattr(OnApple, "transfers", 0)
    assert LazyScalar.many(numbers) == [i / 8 for i in range(100)]  # type: ignore[arg-type]
    assert OnApple.transfers == 1


def test_numbers_of_several_types_keep_their_places_and_every_digit() -> None:
    held: list[tuple[Any, torch.dtype]] = [
        (2**53 - 1, torch.int64), (0.5, torch.float32), (3, torch.int64), (True, torch.bool),
        (0.25, torch.float32), (1.5, torch.float16), (-7, torch.int8),
    ]  # fmt: skip
    tensors = [torch.tensor(value, dtype=dtype).as_subclass(OnApple) for value, dtype in held]
    read = LazyScalar.many([LazyScalar(tensor) for tensor in tensors])
    assert read == [float(value) for value, _ in held]
    assert {type(number) for number in read} == {float}
