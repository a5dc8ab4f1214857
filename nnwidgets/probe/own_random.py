"""Running a model in a thread of its own without touching the random numbers of the others.

The generators that ``torch.rand`` and dropout draw from belong to the process. They can be put
aside and back while one thread alone computes (`nnwidgets.probe.twin_guard`), but not beside a
training loop. There, each operation that would draw from them is given a generator of ours.
"""

from __future__ import annotations

import functools
import random
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nnwidgets.probe.own_device import with_data
from nnwidgets.probe.refusal import Refusal

__all__ = ["OwnRandom", "draws_outside_torch", "use_of_state"]

_RATES = ("dropout_p", "dropout", "p")
_READ: Final = ("get_rng_state",)
_SET: Final = ("set_rng_state", "manual_seed", "seed")


class OwnRandom(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While this is entered, torch's operations in this thread draw from generators of ours.

    Parameters
    ----------
    seed
        Of the generators.

    Raises
    ------
    Refusal
        From the operation, if it draws random numbers and takes no generator (the fused dropout
        of some devices); nothing has been drawn then.

    Notes
    -----
    Every operation of torch that draws carries the tag ``nondeterministic_seeded``. A mode like
    this is seen by the thread that entered it alone; each operation takes about 10 µs longer.
    New tensors hold numbers, also within ``with torch.device("meta")``.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}
        self._devices: list[ExitStack] = []  # one for each time it was entered

    def __enter__(self) -> OwnRandom:
        # Whoever computes beside a training makes tensors of its own, and they must hold numbers.
        stack = ExitStack()
        stack.enter_context(with_data())
        self._devices.append(stack)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, problem, trace)  # type: ignore[no-untyped-call]
        self._devices.pop().close()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation."""
        run = _uncompiled() if "torch._dynamo" in sys.modules else OwnRandom._operation
        return run(self, func, args, kwargs or {})

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # torch would import its compiler for that, with the first operation: seconds, in which
        # nothing can be cancelled. Before that is imported nothing can have been compiled.
        return False

    def _operation(self, func: Any, args: Sequence[Any], named: dict[str, Any]) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags and named.get("generator") is None:
            with_generator = _with_generator(func)
            if with_generator is not None:
                generator = self._generator(_device(args, named))
                return with_generator(*args, **{**named, "generator": generator})
            if _draws(func, args, named):
                raise Refusal("probe.random.op", op=str(func.overloadpacket))
        return func(*args, **named)

    def _generator(self, device: torch.device) -> torch.Generator:
        found = self._generators.get(device)
        if found is None:
            found = self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        return found


@functools.cache
def _uncompiled() -> Callable[..., Any]:
    run: Callable[..., Any] = torch.compiler.disable(OwnRandom._operation)  # type: ignore[no-untyped-call]
    return run


def draws_outside_torch(run: Callable[[], object]) -> bool:
    """Say whether `run` draws from the global generators of Python or NumPy.

    To be asked where those are put back afterwards.
    """
    before = _state()
    run()
    return _state() != before


def use_of_state(run: Callable[[], object]) -> Literal["none", "reads", "sets"]:
    """Say what `run` does to the state of torch's random number generators itself.

    A model that *sets* it cannot be run beside a training at all. One that only *reads* it in its
    forward pass, as activation checkpointing does, sets it in the backward pass, when it computes
    the forward once more: it can be run, but not be differentiated.

    Parameters
    ----------
    run
        Runs a forward pass.

    Notes
    -----
    No mode sees these functions, so they are listened to, in this thread, while `run` lasts. To be
    asked where the state is put back afterwards.
    """
    here = threading.get_ident()
    called: set[str] = set()

    def listening(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def heard(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == here:
                called.add(name)
            return original(*args, **kwargs)

        return heard

    originals = {name: getattr(torch, name) for name in (*_READ, *_SET)}
    try:
        for name, original in originals.items():
            setattr(torch, name, listening(name, original))
        run()
    finally:
        for name, original in originals.items():
            setattr(torch, name, original)
    if called.intersection(_SET):
        return "sets"
    return "reads" if called else "none"


def _state() -> tuple[Any, ...]:
    numpy = sys.modules.get("numpy.random")
    if numpy is None:
        return (random.getstate(),)
    kind, key, *rest = np.random.get_state(legacy=True)
    return random.getstate(), kind, np.asarray(key).tobytes(), *rest


def _names(func: Any) -> list[str]:
    return [argument.name for argument in func._schema.arguments]


def _with_generator(func: Any) -> Any | None:
    """Return the operation, or its twin, that takes a generator; None if there is none."""
    names = _names(func)
    if "generator" in names:
        return func
    for overload in func.overloadpacket.overloads():
        other = getattr(func.overloadpacket, overload)
        found = _names(other)
        if "generator" in found and [name for name in found if name != "generator"] == names:
            return other
    return None


def _device(args: Sequence[Any], named: dict[str, Any]) -> torch.device:
    for value in args:
        if isinstance(value, Tensor):
            return value.device
    return torch.device(named.get("device") or "cpu")


def _draws(func: Any, args: Sequence[Any], named: dict[str, Any]) -> bool:
    """Whether dropout inside a fused operation is on."""
    arguments = func._schema.arguments
    plain = {one.name: one.default_value for one in arguments if one.has_default_value()}
    given = {**plain, **dict(zip(_names(func), args, strict=False)), **named}
    if given.get("train") is False:
        return False
    rates = [given[name] for name in _RATES if name in given]
    return not rates or any(rate != 0 for rate in rates)
