"""What a model is made of: its modules with their shapes, parameters and operations.

Counts need no forward pass. Shapes, operations, calls and the data-flow graph come from one that
is run on a sample. Where that fails half-way, everything up to there is told, and where and why it
failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import nn
from torch.nn.parameter import is_lazy

from nnwidgets.probe import tree
from nnwidgets.probe.dataflow import is_leaf
from nnwidgets.probe.graph import Graph, build_graph
from nnwidgets.probe.shapes import Shape
from nnwidgets.probe.trace import Trace, Visit, trace

__all__ = ["Failure", "LayerInfo", "Node", "Structure", "trace_structure"]


@dataclass(frozen=True)
class LayerInfo:
    """One module.

    Attributes
    ----------
    name
        As in ``named_modules()``.
    type
        Class name.
    depth
        0 for the model's own children.
    output_shape
        Of what its first call on the sample returned, the batch included: a tuple of ints for a
        tensor, tuples, lists and dicts of such for a nest (see `nnwidgets.probe.shapes`). None if
        it was not called or returned no tensor.
    n_params
        Numbers in the parameters it owns itself. A shared one counts for the first module that
        owns it, so that these add up to the model's (with those that the model itself owns).
    trainable
        Whether one of its own parameters takes part in training.
    flops
        Operations run for the sample while it was the innermost module, over all its calls, as
        ``torch.utils.flop_counter`` counts them. None if they are not known.
    shared_with
        Names of the modules that some of its own parameters were counted for (``""`` is the
        model itself).
    """

    name: str
    type: str
    depth: int
    output_shape: Shape
    n_params: int
    trainable: bool
    flops: int | None
    shared_with: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A module's row in the tree.

    Attributes
    ----------
    info
        What it is.
    index
        Its place among the nodes.
    parent
        Index of the module it is a child of; -1 for the model.
    label
        Class and sizes, such as ``"Conv2d 16→32"``.
    kind
        ``"container"`` if it has children, else ``"layer"``.
    calls
        How often it was called.
    order
        Rank of its first call; -1 if it was not called.
    frozen
        How many of its own parameters do not take part in training: ``"all"``, ``"part"``,
        ``"none"``; ``""`` if it has none.
    failed
        The forward pass failed in it.
    n_trainable
        As `LayerInfo.n_params`, of those that take part in training.
    output_bytes
        Memory of the tensors it returned, over all calls.
    """

    info: LayerInfo
    index: int
    parent: int
    label: str
    kind: str
    calls: int
    order: int
    frozen: str
    failed: bool
    n_trainable: int
    output_bytes: int


class Failure(NamedTuple):
    """Where a forward pass failed, and why.

    Attributes
    ----------
    layer
        The innermost module that was running; ``""`` is the model itself.
    text
        What it raised, on one line.
    """

    layer: str
    text: str


@dataclass(frozen=True)
class Structure:
    """A model's modules, in order of definition, the model itself left out.

    Attributes
    ----------
    nodes
        The modules.
    total_params, trainable_params
        Of the model, each once.
    total_flops
        For the sample; None if they are not known.
    failure
        Where and why the forward pass failed; None if it did not.
    graph
        The flow of data; empty without a sample.
    output
        Shape of what the model returned (see `nnwidgets.probe.shapes`).
    type
        Class name of the model.
    root_params
        Of the total, those that the model owns itself.
    root_flops
        Of the total, those run between the modules in the model's own forward.
    parameter_bytes, buffer_bytes, input_bytes
        Memory taken.
    output_bytes
        Memory of what the layers that own parameters returned, over all calls.
    owners
        How many of the nodes own parameters.
    root
        The model itself, if it owns parameters; none of the nodes, its index is -1.
    """

    nodes: tuple[Node, ...]
    total_params: int
    trainable_params: int
    total_flops: int | None = None
    failure: Failure | None = None
    graph: Graph = field(default_factory=Graph)
    output: Shape = None
    type: str = ""
    root_params: int = 0
    root_flops: int | None = None
    parameter_bytes: int = 0
    buffer_bytes: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    owners: int = 0
    root: Node | None = None


def trace_structure(
    twin_module: nn.Module | None, real_module: nn.Module, sample: Any = None
) -> Structure:
    """Tell what a model is made of.

    Parameters
    ----------
    twin_module
        What to run in its place (see `nnwidgets.probe.twin`); None with no sample.
    real_module
        The model, out of its wrappers. It gives names and classes, and is not run.
    sample
        See `nnwidgets.probe.look.call_arguments`; None to run nothing.
    """
    run = None
    if sample is not None and twin_module is not None:
        run = _traced(twin_module, sample)
    copies = {} if twin_module is None else dict(twin_module.named_modules())
    counts = _Counts()
    # Of the twin: lazy modules have got their shapes in it alone.
    own_root = counts.add("", copies.get("", real_module))
    rows = [(n, m, copies.get(n, m)) for n, m in real_module.named_modules() if n]
    index = {name: i for i, (name, _, _) in enumerate(rows)}
    nodes: list[Node] = []
    for name, module, copy in rows:
        own = counts.add(name, copy)
        visit = Visit() if run is None else run.visits.get(name, Visit())
        known = run is not None and run.flops is not None and (visit.calls or not run.problem)
        info = LayerInfo(
            name=name,
            type=tree.type_name(module),
            depth=name.count("."),
            output_shape=visit.output,
            n_params=own.count,
            trainable=own.training > 0,
            flops=visit.flops if known else None,
            shared_with=own.shared_with,
        )
        nodes.append(
            Node(
                info=info,
                index=len(nodes),
                parent=index.get(name.rpartition(".")[0], -1),
                label=tree.describe(copy),
                kind="container" if _children(module) else "layer",
                calls=visit.calls,
                order=visit.order,
                frozen=own.frozen,
                failed=run is not None and run.failed_in == name,
                n_trainable=own.trainable,
                output_bytes=visit.output_bytes,
            )
        )
    return Structure(
        nodes=tuple(nodes),
        total_params=counts.total,
        trainable_params=counts.trainable,
        type=tree.type_name(real_module),
        root_params=own_root.count,
        root=_root(own_root, real_module, run) if own_root.number else None,
        parameter_bytes=counts.parameter_bytes,
        buffer_bytes=counts.buffer_bytes,
        output_bytes=sum(
            node.output_bytes
            for node, (_, module, _) in zip(nodes, rows, strict=True)
            if node.frozen and is_leaf(module)
        ),
        owners=sum(node.frozen != "" for node in nodes),
        **({} if run is None else _of_run(run, index, nodes)),
    )


def _root(own: _Own, model: nn.Module, run: Trace | None) -> Node:
    visit = Visit() if run is None else run.visits.get("", Visit())
    info = LayerInfo(
        name="",
        type=tree.type_name(model),
        depth=0,
        output_shape=visit.output,
        n_params=own.count,
        trainable=own.training > 0,
        flops=None if run is None or run.problem is not None else visit.flops,
        shared_with=own.shared_with,
    )
    return Node(
        info=info,
        index=-1,
        parent=-1,
        label=tree.describe(model),
        kind="container" if _children(model) else "layer",
        calls=visit.calls,
        order=visit.order,
        frozen=own.frozen,
        failed=run is not None and run.failed_in == "",
        n_trainable=own.trainable,
        output_bytes=visit.output_bytes,
    )


def _of_run(run: Trace, index: Mapping[str, int], nodes: list[Node]) -> dict[str, Any]:
    labels = {node.info.name: node.label for node in nodes}
    calls = {node.info.name: node.calls for node in nodes}
    failed = run.problem is not None
    return {
        "total_flops": None if failed else run.flops,
        "root_flops": None if failed or run.flops is None else run.visits[""].flops,
        "failure": Failure(run.failed_in or "", run.problem) if run.problem is not None else None,
        "graph": build_graph(run.flow, index, labels, calls),
        "output": run.output,
        "input_bytes": run.input_bytes,
    }


def _traced(model: nn.Module, sample: Any) -> Trace:
    """Run a model; again with less of ours around it, should that be what makes it fail."""
    first = trace(model, sample)
    if first.problem is None:
        return first
    for flow in (True, False):
        again = trace(model, sample, flops=False, flow=flow)
        if again.problem is None:
            return again
    return first


def _children(module: nn.Module) -> bool:
    return any(name != "parametrizations" for name, _ in module.named_children())


@dataclass
class _Own:
    """The parameters a module owns itself."""

    count: int = 0
    trainable: int = 0  # of the count
    training: int = 0  # parameters, shared ones too
    number: int = 0
    shared_with: tuple[str, ...] = ()

    @property
    def frozen(self) -> str:
        if not self.number:
            return ""
        return "none" if self.training == self.number else "part" if self.training else "all"


class _Counts:
    """Counts each parameter once, for the first module that owns it."""

    def __init__(self) -> None:
        self.total = self.trainable = self.parameter_bytes = self.buffer_bytes = 0
        self._owner: dict[int, str] = {}
        self._buffers: set[int] = set()

    def add(self, name: str, module: nn.Module) -> _Own:
        own = _Own()
        for _, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            own.number += 1
            own.training += parameter.requires_grad
            owner = self._owner.setdefault(id(parameter), name)
            if owner != name:
                own.shared_with = tuple(dict.fromkeys((*own.shared_with, owner)))
        for _, parameter in module.named_parameters(recurse=False):
            if self._owner[id(parameter)] == name and not is_lazy(parameter):
                count = parameter.numel()
                own.count += count
                own.trainable += count if parameter.requires_grad else 0
                self.parameter_bytes += count * parameter.element_size()
        for _, buffer in module.named_buffers(recurse=False):
            if id(buffer) not in self._buffers and not is_lazy(buffer):
                self._buffers.add(id(buffer))
                self.buffer_bytes += buffer.numel() * buffer.element_size()
        self.total += own.count
        self.trainable += own.trainable
        return own
