"""Recording one forward pass: which modules ran, in which order, and what flowed between them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode

from nnwidgets.probe import callsite
from nnwidgets.probe.dataflow import Dataflow
from nnwidgets.probe.flops import FlopMeter
from nnwidgets.probe.look import call_arguments, copied
from nnwidgets.probe.shapes import Shape, shape_of
from nnwidgets.probe.tensors import tensors_in

__all__ = ["Trace", "Visit", "trace"]


@dataclass
class Visit:
    """What one module did.

    Attributes
    ----------
    calls
        Times it was called.
    order
        Rank of its first call among those of all modules; -1 if it was not called.
    output
        Shape of what its first call returned (see `shape_of`).
    flops
        Its own share, over all calls.
    output_bytes
        Memory of the tensors it returned, over all calls.
    """

    calls: int = 0
    order: int = -1
    output: Shape = None
    flops: int = 0
    output_bytes: int = 0


@dataclass
class Trace:
    """What a forward pass has shown.

    Attributes
    ----------
    visits
        By name of the module, the root (``""``) included.
    flow
        What went between the modules.
    flops
        All of them; None if they were not counted.
    output
        Shape of what the model returned.
    input_bytes
        Memory of the tensors of the sample.
    problem
        What the model raised, on one line.
    failed_in
        Name of the innermost module that was running then.
    """

    visits: dict[str, Visit]
    flow: Dataflow
    flops: int | None = None
    output: Shape = None
    input_bytes: int = 0
    problem: str | None = None
    failed_in: str | None = None
    running: list[str] = field(default_factory=list)


def trace(model: nn.Module, sample: Any, *, flops: bool = True, flow: bool = True) -> Trace:
    """Run a model once, without gradients, and record what happens.

    Parameters
    ----------
    model
        A private copy, or guarded; in the mode it is to be run in. Its hooks are taken off again.
    sample
        See `call_arguments`; cloned first.
    flops
        Count operations.
    flow
        Record what flows between the modules.

    Returns
    -------
    Trace
        What the model raises is in it; KeyboardInterrupt is raised.
    """
    recorder = _Recorder(model, FlopMeter() if flops else None)
    recorder.result.flow.complete = flow
    return recorder.run(sample)


class _Recorder:
    def __init__(self, model: nn.Module, meter: FlopMeter | None) -> None:
        self._model = model
        self._meter = meter
        self.result = Trace({name: Visit() for name, _ in model.named_modules()}, Dataflow(model))
        self._called = 0
        self._aside = False  # what is called now is called by us

    def run(self, sample: Any) -> Trace:
        trace, flow = self.result, self.result.flow
        args, kwargs = call_arguments(copied(sample))
        trace.input_bytes = _bytes((args, kwargs))
        for name, value in _arguments(self._model, args, kwargs):
            self._record(flow.takes, name, value)
        with ExitStack() as stack:
            for handle in self._attached():
                stack.callback(handle.remove)
            stack.enter_context(torch.no_grad())
            if self._meter is not None:
                stack.enter_context(self._meter)
            if flow.complete:
                stack.enter_context(_Functions(self))
            try:
                value = self._model(*args, **kwargs)
            except Exception as problem:
                lines = str(problem).strip().splitlines()
                trace.problem = ": ".join([type(problem).__name__, *lines[:1]])[:300]
                trace.failed_in = trace.running[-1] if trace.running else ""
            else:
                self._aside = True
                trace.output = shape_of(value)
                self._record(flow.returns, value)
            if self._meter is not None:
                trace.flops = self._meter.total
        return trace

    def _attached(self) -> Iterator[Any]:
        scripted: dict[int, tuple[Callable[..., None], Callable[..., Any]]] = {}
        for name, module in self._model.named_modules():
            before, after = self._hooks(name)
            if isinstance(module, torch.jit.ScriptModule):
                scripted[id(module)] = before, after
                continue
            yield module.register_forward_pre_hook(before, with_kwargs=True)
            yield module.register_forward_hook(after)
        if scripted:
            # They take no hooks of their own. A call from Python passes the global ones.
            def enters(module: nn.Module, args: Any) -> None:
                known = scripted.get(id(module))
                if known is not None:
                    known[0](module, args, {})

            def leaves(module: nn.Module, args: Any, output: Any) -> Any:
                return (
                    scripted[id(module)][1](module, args, output)
                    if id(module) in scripted
                    else None
                )

            yield register_module_forward_pre_hook(enters)
            yield register_module_forward_hook(leaves)

    def _hooks(self, name: str) -> tuple[Callable[..., None], Callable[..., Any]]:
        visit, running, flow = self.result.visits[name], self.result.running, self.result.flow

        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            frame = callsite.caller()
            visit.calls += 1
            if visit.order < 0:
                visit.order = self._called
                self._called += 1
            running.append(name)
            if self._meter is not None:
                self._meter.enter_module()
            self._record(flow.enter, name, module, frame, (args, kwargs))

        def after(module: nn.Module, args: Any, output: Any) -> Any:
            while running.pop() != name:  # a call that raised, and whose caller caught it
                pass
            if self._meter is not None:
                visit.flops += self._meter.leave_module(len(running))
            return self._record(self._leave, name, visit, output)

        return before, after

    def _leave(self, name: str, visit: Visit, output: Any) -> Any:
        if visit.output is None:
            visit.output = shape_of(output)
        visit.output_bytes += _bytes(output)
        return self.result.flow.leave(name, output)

    def _record(self, step: Callable[..., Any], *args: Any) -> Any:
        """Take a note; a slip of ours ends the recording, not the forward pass."""
        aside, self._aside = self._aside, True
        try:
            return step(*args)
        except Exception:
            self.result.flow.complete = False
            return None
        finally:
            self._aside = aside

    def call(self, func: Any, args: Any, kwargs: Any, frame: Any) -> Any:
        """Call a torch function for the model."""
        flow = self.result.flow
        if self._aside or not flow.wants() or callsite.is_counting(frame):
            return func(*args, **kwargs)
        before = self._record(flow.before, args, kwargs)
        result = func(*args, **kwargs)
        other = self._record(flow.called, func, frame, before, result)
        return result if other is None else other


class _Functions(TorchFunctionMode):
    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._recorder.call(func, args, kwargs or {}, callsite.caller())


def _bytes(value: Any) -> int:
    return sum(t.numel() * t.element_size() for t in tensors_in(value))


def _arguments(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield the inputs under the names that the model's forward gives them."""
    try:
        signature = inspect.signature(model.forward)
        bound = signature.bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # the call itself will tell
        yield from ((f"input {i}", value) for i, value in enumerate(args))
        yield from kwargs.items()
        return
    for name, value in bound.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((f"{name} {i}" if i else name, item) for i, item in enumerate(value))
        else:
            yield name, value
