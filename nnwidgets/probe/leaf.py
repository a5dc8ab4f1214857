"""Running a private model so that the graph of a gradient begins at one layer's output.

Nothing before the layer is recorded, so that frozen weights make no difference. Each layer that
takes the output on gets a clone of its own, which tells apart how much of the gradient came back
through which of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nnwidgets.probe.flow import not_in_place
from nnwidgets.probe.nests import fresh_arguments, replaced
from nnwidgets.probe.reach import ReachError, not_called, submodule
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.units import main_tensor

__all__ = ["Run", "Use", "run_from"]


@dataclass(eq=False)
class Use:
    """One call of a layer that was given the output, or a view of it.

    Attributes
    ----------
    name, module
        The layer.
    args, kwargs
        What it was called with, the clones in their places.
    given
        The clones.
    views
        For each clone the size, the strides and the offset of the view that it was cloned from:
        they tell which element of the output each of its elements is.
    output
        What the layer returned, before anything could work on it in place.
    """

    name: str
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    given: list[Tensor]
    views: list[tuple[tuple[int, ...], tuple[int, ...], int]]
    output: Any = None


@dataclass(eq=False)
class Run:
    """A run from one layer's output on.

    Attributes
    ----------
    module
        The layer.
    output
        Its output, a leaf of the graph.
    passed
        The clone of it that was passed on.
    uses
        By the layers that took it on.
    result
        What the model returned.
    """

    module: nn.Module
    output: Tensor
    passed: Tensor
    uses: list[Use] = field(default_factory=list)
    result: Any = None


def run_from(model: nn.Module, sample: Any, layer: str, *, call: int = 0) -> Run:
    """Run a model, recording a graph from one layer's output on.

    Parameters
    ----------
    model
        A private copy, in evaluation mode.
    sample
        See `nnwidgets.probe.look.call_arguments`.
    layer
        Name of the layer.
    call
        Which of its calls.

    Raises
    ------
    Refusal
        If there is no such layer or call, it returned no tensor, or the model raised.
    """
    module = submodule(model, layer)
    recorder = _Recorder(module, call)
    handles = []
    try:
        handles.append(module.register_forward_hook(recorder.returned))
        for name, other in model.named_modules():
            # A container hands the tensor to the layers inside it; attention computes by itself.
            if next(other.children(), None) is None or isinstance(other, nn.MultiheadAttention):
                recorder.names[id(other)] = name
                handles.append(other.register_forward_pre_hook(recorder.enters, with_kwargs=True))
                handles.append(other.register_forward_hook(recorder.leaves))
        args, kwargs = fresh_arguments(sample)
        with torch.enable_grad(), not_in_place(model):
            result = model(*args, **kwargs)
    except Refusal:  # of the layer's output, not the model's fault
        raise
    except Exception as problem:
        words = f"{type(problem).__name__}: {problem}"
        raise ReachError("probe.reach.failed_in", problem=words) from problem
    finally:
        for handle in handles:
            handle.remove()
    if recorder.run is None:
        raise not_called(model, layer)
    recorder.run.result = result
    return recorder.run


class _Recorder:
    def __init__(self, module: nn.Module, call: int) -> None:
        self.run: Run | None = None
        self.names: dict[int, str] = {}
        self._module = module
        self._left = call
        self._running: dict[int, Use] = {}

    def returned(self, module: nn.Module, args: Any, output: Any) -> Any:
        self._left -= 1
        if self._left != -1:
            return None
        tensor = main_tensor(output)
        leaf = tensor.detach().clone().requires_grad_()
        self.run = Run(self._module, leaf, leaf.clone())
        return replaced(output, {id(tensor): self.run.passed})

    def enters(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        run = self.run
        if run is None:
            return None
        clones: dict[int, Tensor] = {}
        views = []
        for tensor in tensors_in((args, kwargs)):
            same = tensor is run.passed or tensor._base is run.passed
            # After an operation in place it is the same tensor but no longer the layer's output.
            if same and run.passed._version == 0 and id(tensor) not in clones:
                clones[id(tensor)] = tensor.clone()
                views.append((tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset())))
        if not clones:
            return None
        args, kwargs = replaced(args, clones), replaced(kwargs, clones)
        use = Use(self.names[id(module)], module, args, kwargs, list(clones.values()), views)
        run.uses.append(use)
        self._running[id(module)] = use
        return args, kwargs

    def leaves(self, module: nn.Module, args: Any, output: Any) -> Any:
        use = self._running.pop(id(module), None)
        if use is None:
            return None
        use.output = output
        return replaced(output, {id(t): t.clone() for t in tensors_in(output)})
