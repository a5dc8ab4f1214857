"""Running a copy of the model once more, to see what the original could not be asked.

The copy belongs to us, so it may carry hooks and its buffers may change. What both share is put
back: the random number generators.
"""

from __future__ import annotations

import copy
import random
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MethodType
from typing import Any, Final

import torch
from torch import nn

from nnwidgets.probe.origin import NonFiniteOrigin, with_counts
from nnwidgets.probe.tensors import has_bad, is_readable, tensors_in

__all__ = [
    "HOOKS",
    "RandomState",
    "bare_copy",
    "is_torch_hook",
    "run_and_find",
    "size_in_bytes",
]

HOOKS: Final = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


@dataclass(frozen=True, slots=True)
class RandomState:
    """The state of every random number generator a forward pass commonly draws from.

    Reading it waits for no device: the state of a CUDA generator lives on the host.
    """

    cpu: torch.Tensor
    cuda: tuple[torch.Tensor, ...]
    python: Any
    numpy: Any

    @classmethod
    def now(cls) -> RandomState:
        """Return the state as it is."""
        cuda: tuple[torch.Tensor, ...] = ()
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            cuda = tuple(torch.cuda.get_rng_state_all())
        numpy = sys.modules.get("numpy.random")
        return cls(
            torch.get_rng_state(),
            cuda,
            random.getstate(),
            None if numpy is None else _state_of(numpy),
        )

    def restore(self) -> None:
        """Make it the state again."""
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)
        random.setstate(self.python)
        if self.numpy is not None:
            sys.modules["numpy.random"].set_state(self.numpy)


def _state_of(numpy: Any) -> Any:
    """Return NumPy's state, as a list: of an array ``set_state`` takes twenty times as long."""
    state = numpy.get_state(legacy=False)
    inner = state["state"]
    if "key" in inner:  # not of every kind of generator
        inner["key"] = inner["key"].tolist()
    return state


def size_in_bytes(model: nn.Module) -> int:
    """Return how much memory the parameters and buffers of a model take."""
    seen = {id(t): t for t in (*model.parameters(), *model.buffers())}
    return sum(
        t.numel() * t.element_size()
        for t in seen.values()
        if not nn.parameter.is_lazy(t) and t.device.type != "meta"
    )


def bare_copy(model: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """Return a deep copy of a model that calls none of the user's hooks.

    Hooks are left out *before* copying: a bound method would drag its whole object along, a
    trainer with its data set perhaps. Torch's own, which compute weights (spectral norm, lazy
    modules), are copied.

    Parameters
    ----------
    model
        What to copy.
    memo
        As in ``copy.deepcopy``: what to use for some objects, by `id`, instead of a copy. Added
        to, so that afterwards it tells the copy of everything.

    Raises
    ------
    Exception
        Whatever ``copy.deepcopy`` raises for this model.
    """
    memo = {} if memo is None else memo
    tables: list[tuple[Mapping[int, Any], OrderedDict[int, Any]]] = []
    for module in model.modules():
        for name in HOOKS:
            hooks = vars(module).get(name)
            if isinstance(hooks, Mapping):
                kept = memo[id(hooks)] = OrderedDict[int, Any]()
                tables.append((hooks, kept))
    state = RandomState.now()
    try:
        result = copy.deepcopy(model, memo)
        for hooks, kept in tables:
            # After the model: a bound method must find its module in the memo.
            kept.update((k, copy.deepcopy(h, memo)) for k, h in hooks.items() if is_torch_hook(h))
        return result
    finally:
        state.restore()


def is_torch_hook(hook: Any) -> bool:
    """Whether a hook belongs to torch itself and computes weights before a forward pass."""
    if isinstance(hook, MethodType):
        return hook.__func__.__module__ == "torch.nn.modules.lazy"
    owner = hook if isinstance(hook, type) else type(hook)
    return owner.__module__.startswith("torch.nn.utils.")


def run_and_find(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], step: int
) -> NonFiniteOrigin | None:
    """Run `model`, a copy with finite weights, and find the first output that is not finite.

    Parameters
    ----------
    model
        Run as it is (training or evaluation mode), without gradients.
    args, kwargs
        What it is called with.
    step
        Passed on.

    Returns
    -------
    NonFiniteOrigin or None
        None when all outputs are finite. What the call raises is raised.
    """
    given = [t for t in tensors_in((args, kwargs)) if is_readable(t)]
    if any(has_bad(t) for t in given):
        return with_counts(NonFiniteOrigin(step, None, "input", "nan", exact=False), given)
    finder = _Finder(model, step)
    with torch.no_grad(), suppress(_FoundError):
        model(*_cloned(args), **_cloned(kwargs))
    return finder.origin


def _cloned(value: Any) -> Any:
    """Copy the tensors in tuples, lists and dicts: the forward may work in place."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if type(value) in (tuple, list):
        return type(value)(_cloned(item) for item in value)
    if type(value) is dict:
        return {key: _cloned(item) for key, item in value.items()}
    return value


class _FoundError(Exception):
    """The rest of the forward pass is not needed."""


class _Finder:
    """Hooks on every module of a copy, that look at its inputs and its output."""

    def __init__(self, model: nn.Module, step: int) -> None:
        self.origin: NonFiniteOrigin | None = None
        self._step = step
        self._clean: list[bool] = []
        for name, module in model.named_modules():
            module.register_forward_pre_hook(self._enters, with_kwargs=True)
            module.register_forward_hook(self._leaves(name))

    def _enters(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        # Looked at before the call: it may work in place.
        given = tensors_in((args, kwargs))
        self._clean.append(not any(has_bad(t) for t in given if is_readable(t)))

    def _leaves(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def leaves(module: nn.Module, args: Any, output: Any) -> None:
            clean = self._clean.pop()
            out = [t for t in tensors_in(output) if is_readable(t)]
            if clean and any(has_bad(t) for t in out):
                found = NonFiniteOrigin(self._step, name, "output", "nan", exact=False)
                self.origin = with_counts(found, out)
                raise _FoundError

        return leaves
