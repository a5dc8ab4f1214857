"""Tracing a model in a test, and what to hold it against."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nnwidgets.probe.graph import Graph
from nnwidgets.probe.look import call_arguments, copied
from nnwidgets.probe.structure import Node, Structure, trace_structure
from nnwidgets.probe.twin import Twin


def structure_of(model: nn.Module, sample: Any = None) -> Structure:
    """Trace a model through a twin of it."""
    twin = Twin(model)
    with twin.open() as module:
        root = twin.root
        assert root is not None
        return trace_structure(module, root, sample)


def row(structure: Structure, name: str) -> Node:
    """Return the node of a layer."""
    return next(node for node in structure.nodes if node.info.name == name)


def counted(model: nn.Module, sample: Any) -> int:
    """What the flop counter says of the model in evaluation mode."""
    args, kwargs = call_arguments(copied(sample))
    torch.backends.mha.set_fastpath_enabled(False)  # which hides the modules, and their operations
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model.eval()(*args, **kwargs)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    return counter.get_total_flops()


def graph_of(model: nn.Module, sample: Any) -> Graph:
    """Trace a model that runs, and return its graph."""
    structure = structure_of(model, sample)
    assert structure.failure is None, structure.failure
    return structure.graph


def words(graph: Graph) -> list[str]:
    """The nodes in order, with how often they ran if more than once."""
    return [n.label + (f" ×{n.times}" if n.times > 1 else "") for n in graph.nodes]


def arrows(graph: Graph) -> list[str]:
    """The edges, by labels; only for graphs in which these are different."""
    labels = [node.label for node in graph.nodes]
    assert len(set(labels)) == len(labels)
    return sorted(f"{labels[a]} → {labels[b]}" for a, b, _ in graph.edges)
