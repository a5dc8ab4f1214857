"""Seeing the forward pass of one step without touching the model.

A hook on a module would travel with every copy, pickle and ``torch.save`` of the model. A *global*
module hook does not: it belongs to torch, is called for each module of every model in the process,
and tells ours from the rest by identity. It is there for one sampled step only.

What it must never do is as important as what it sees: it returns ``None``, keeps no output alive,
lets no exception out, and looks away while torch traces, compiles, transforms or recomputes.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Final

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)

__all__ = ["ForwardTap", "NextForward", "looking_is_unsafe"]

_CALL_LIMIT: Final = 1024  # a recurrent loop may call one cell ten thousand times in a step

# Private, but the only way to tell a recomputation from a forward pass; absent: no such filter.
_graph_task: Callable[[], int] | None = getattr(torch._C, "_current_graph_task_id", None)
_functorch = getattr(torch._C, "_functorch", None)
_transform: Callable[[], Any] | None = getattr(_functorch, "peek_interpreter_stack", None)

Visit = Callable[[Any, nn.Module, tuple[Any, ...], Any], None]


def looking_is_unsafe() -> bool:
    """Whether a tensor at hand may be a stand-in, or reading it would become part of a program.

    True while ``torch.jit`` traces, a ``torch.func`` transform runs, the backward pass recomputes
    a checkpointed part (its forward was already seen), or a CUDA graph is captured.
    """
    if torch._C._get_tracing_state() is not None:
        return True
    if _transform is not None and _transform() is not None:
        return True
    if _graph_task is not None and _graph_task() != -1:
        return True
    cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return cuda and torch.cuda.is_current_stream_capturing()


class ForwardTap:
    """Calls `visit` after each forward call of the given modules, in the thread that trains.

    Parameters
    ----------
    modules
        ``{id(module): (weak reference to the module, token)}``: who is looked at.
    visit
        Called as ``visit(token, module, args, output)``. May raise: the tap then closes itself and
        keeps the exception in `error`.
    limit
        So many calls are looked at; after them the tap closes itself and is `truncated`.

    Notes
    -----
    Only calls with gradients enabled count (the others are validation, or the first half of a
    reentrant checkpoint), and only those of the first thread that makes one: replicas of
    ``DataParallel`` and a second model run elsewhere.
    """

    def __init__(
        self,
        modules: Mapping[int, tuple[weakref.ref[nn.Module], Any]],
        visit: Visit,
        limit: int = _CALL_LIMIT,
    ) -> None:
        self.calls = 0
        self._limit = limit
        self.seconds = 0.0
        self.truncated = False
        self.error: Exception | None = None
        self._modules = modules
        self._visit = visit
        self._thread: int | None = None
        self._handle: Any = None

    def open(self) -> None:
        """Attach; once."""
        # torch's table holds the hook strongly. Through a weak reference it cannot keep the tap
        # alive, and a tap that is dropped without `close` takes its hook along.
        if self._handle is not None:
            return
        handles: list[Any] = []
        this = weakref.ref(self, lambda _: [handle.remove() for handle in handles])

        def hook(module: nn.Module, args: Any, output: Any) -> None:
            if torch.compiler.is_compiling():
                return
            tap = this()
            if tap is not None:
                tap._called(module, args, output)

        self._handle = register_module_forward_hook(hook)
        self._weak = this
        handles.append(self._handle)

    def close(self) -> None:
        """Detach; idempotent."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.remove()

    @property
    def thread(self) -> int | None:
        """Identifier of the thread whose calls are seen; None before the first."""
        return self._thread

    def _called(self, module: nn.Module, args: Any, output: Any) -> None:
        entry = self._modules.get(id(module))
        if entry is None or entry[0]() is not module or not torch.is_grad_enabled():
            return
        begun = perf_counter()
        try:
            if looking_is_unsafe():
                return
            current = threading.get_ident()
            if self._thread is None:
                self._thread = current
            elif self._thread != current:
                return
            if self.calls >= self._limit:
                self.truncated = True
                self.close()
                return
            self.calls += 1
            self._visit(entry[1], module, args, output)
        except Exception as problem:
            self.error = problem
            self.close()
        finally:
            self.seconds += perf_counter() - begun


class NextForward:
    """Waits for the next training call of one module and hands over what it was given.

    Parameters
    ----------
    module
        The module; held weakly.
    before
        Called right before its forward; `args` then holds the positional inputs, before the
        forward could work on them in place.
    after
        Called right after it as ``after(args, kwargs)``; both detach first.
    failed
        Called with an exception that either of them raised.
    """

    def __init__(
        self,
        module: nn.Module,
        before: Callable[[], None],
        after: Callable[[tuple[Any, ...], dict[str, Any]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.args: tuple[Any, ...] = ()
        self._module = weakref.ref(module)
        self._before = before
        self._after = after
        self._failed = failed
        self._thread: int | None = None
        self._handles: list[Any] = []

    def open(self) -> None:
        """Attach."""
        handles = self._handles
        this = weakref.ref(self, lambda _: _remove(handles))

        def pre_hook(module: nn.Module, args: Any) -> None:
            if not torch.compiler.is_compiling():
                tap = this()
                if tap is not None:
                    tap._begins(module, args)

        def hook(module: nn.Module, args: Any, *rest: Any) -> None:
            # Taken off by another thread, or by the collector, while torch goes through the hooks
            # of this call, it is called once more, without keyword inputs: nobody waits any more.
            if len(rest) == 2 and not torch.compiler.is_compiling():
                tap = this()
                if tap is not None:
                    tap._returns(module, args, rest[0])

        self._weak = this
        handles.append(register_module_forward_pre_hook(pre_hook))
        handles.append(register_module_forward_hook(hook, with_kwargs=True))

    def close(self) -> None:
        """Detach; idempotent."""
        _remove(self._handles)

    def _begins(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if module is not self._module() or not torch.is_grad_enabled() or looking_is_unsafe():
            return
        try:
            self._thread = threading.get_ident()
            self.args = args
            self._before()
        except Exception as problem:
            self.close()
            self._failed(problem)
        finally:
            self.args = ()

    def _returns(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if module is not self._module() or self._thread != threading.get_ident():
            return
        self.close()
        try:
            self._after(args, kwargs)
        except Exception as problem:
            self._failed(problem)


def _remove(handles: list[Any]) -> None:
    while handles:
        handle = handles.pop()
        handle.remove()
        # torch 2.13 forgets to forget this one, and then takes every compiled module for hooked.
        with_kwargs = getattr(torch.nn.modules.module, "_global_forward_hooks_with_kwargs", {})
        with_kwargs.pop(handle.id, None)
