"""The data-flow graph of a forward pass, small enough to be drawn.

Made from what `nnwidgets.probe.dataflow` has recorded: runs of operations that only change a
shape become one node, and a graph that is too large is drawn as the modules that hold its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nnwidgets.probe.blocks import Words
from nnwidgets.probe.dataflow import Dataflow, Site

__all__ = ["Graph", "GraphNode", "build_graph"]

LIMIT: Final = 2000
"""Nodes of a graph at most."""

# Functions that compute nothing: they rearrange, pick, or change the type.
_RESHAPING = ("view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "ravel", "unfold")
_TURNING = ("transpose", "permute", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "T", "mT")
_PICKING = ("unsqueeze", "squeeze", "expand", "expand_as", "getitem", "select", "narrow", "unbind")
_CASTING = ("to", "type", "type_as", "float", "half", "double", "bfloat16")
_CHEAP: Final = frozenset((*_RESHAPING, *_TURNING, *_PICKING, *_CASTING))


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node.

    Attributes
    ----------
    id
        Its place in `Graph.nodes`; they are in order of their first run.
    kind
        ``"input"``, ``"module"``, ``"op"`` (a function between modules) or ``"output"``.
    layer
        Index of the module among the layers; -1 for what is none.
    label
        Class and sizes of a module, name of a function or of an input; ``"?"`` for what torch did
        not show.
    times
        How often it ran.
    parent
        Index of the layer it lies in; -1 for the model itself.
    shape
        Of what it returned, as text; the first and the last where they differ.
    """

    id: int
    kind: str
    layer: int
    label: str
    times: int
    parent: int
    shape: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and edges.

    Attributes
    ----------
    nodes
        In order of their first run.
    edges
        ``(from, to, label)``: ids, and the shapes of the tensors that went that way. An edge from
        a node to itself or to an earlier one belongs to a repetition. One edge stands for all
        tensors between two nodes.
    notes
        What was left out, as catalogue keys with their parameters.
    """

    nodes: tuple[GraphNode, ...] = ()
    edges: tuple[tuple[int, int, str], ...] = ()
    notes: tuple[Words, ...] = ()


@dataclass(frozen=True)
class _Row:
    """A layer, as far as the graph needs it."""

    label: str
    parent: int
    calls: int


def build_graph(
    flow: Dataflow,
    names: Mapping[str, int],
    labels: Mapping[str, str],
    calls: Mapping[str, int],
    *,
    limit: int = LIMIT,
) -> Graph:
    """Make the graph of a flow.

    Parameters
    ----------
    flow
        What was recorded.
    names
        Index of each layer by its name; the root has none.
    labels, calls
        What to write on each layer, and how often it was called, by its name.
    limit
        Nodes at most.
    """
    rows = {
        index: _Row(labels[name], names.get(name.rpartition(".")[0], -1), calls[name])
        for name, index in names.items()
    }
    nodes = [_node(i, site, flow, names, labels) for i, site in enumerate(flow.sites)]
    edges = {pair: list(shapes) for pair, shapes in flow.edges.items()}
    draft = _merge_cheap(_Draft(dict(enumerate(nodes)), edges))
    notes: list[Words] = []
    if not flow.complete:
        notes.append(("probe.graph_incomplete", {}))
    if any(node.label == "?" for node in draft.nodes.values()):
        notes.append(("probe.graph_unseen", {}))
    if len(draft.nodes) > limit:
        draft, note = _fit(draft, rows, limit)
        notes.append(note)
    return _finished(draft, tuple(notes))


@dataclass
class _Draft:
    nodes: dict[int, GraphNode]
    edges: dict[tuple[int, int], list[str]]


def _node(
    number: int, site: Site, flow: Dataflow, names: Mapping[str, int], labels: Mapping[str, str]
) -> GraphNode:
    shapes = site.shapes
    if site.composite:  # of those, only what something else has used is a result
        used = [flow.edges[pair] for pair in flow.edges if pair[0] == number and pair[1] != number]
        shapes = list(dict.fromkeys(text for texts in used for text in texts)) or shapes[-1:]
        shape = ", ".join(shapes)
    else:
        shape = shapes[0] if len(shapes) == 1 else " … ".join([*shapes[:1], *shapes[-1:]])
    if site.kind == "module":
        return GraphNode(
            number,
            "module",
            names.get(site.layer, -1),
            labels.get(site.layer, site.label),
            site.times,
            names.get(site.layer.rpartition(".")[0], -1),
            shape,
        )
    parent = names.get(site.layer, -1)
    return GraphNode(number, site.kind, -1, site.label, site.times, parent, shape)


def _merge_cheap(draft: _Draft) -> _Draft:
    """Join a change of shape with the next one, where nothing else takes what lies between."""
    into: dict[int, set[int]] = {}
    out: dict[int, set[int]] = {}
    for a, b in draft.edges:
        out.setdefault(a, set()).add(b)
        into.setdefault(b, set()).add(a)
    moved: dict[int, int] = {}
    for number in sorted(draft.nodes):
        node = draft.nodes[number]
        followers = out.get(number, set())
        if node.kind != "op" or _words(node)[-1] not in _CHEAP or len(followers) != 1:
            continue
        (last,) = followers
        other = draft.nodes[last]
        joinable = (
            last > number
            and other.kind == "op"
            and other.label in _CHEAP
            and other.parent == node.parent
            and other.times == node.times
            and into.get(last) == {number}
        )
        if joinable:
            words = _words(node)
            if words[-1] != other.label:
                words = [*words, other.label]
            draft.nodes[last] = replace(other, label=_JOIN.join(words))
            moved[number] = last
            # The first keeps its place in the order: what comes in goes to the last.
            into[last] = into.get(number, set())
            for source in into[last]:
                out[source] = (out[source] - {number}) | {last}
    if not moved:
        return draft
    return _contracted(draft, moved)


_JOIN: Final = " · "


def _words(node: GraphNode) -> list[str]:
    return node.label.split(_JOIN)


def _contracted(draft: _Draft, moved: Mapping[int, int]) -> _Draft:
    """Let some nodes become others; what went on between them goes away."""

    def end(number: int) -> int:
        while number in moved:
            number = moved[number]
        return number

    edges: dict[tuple[int, int], list[str]] = {}
    for (a, b), shapes in draft.edges.items():
        pair = end(a), end(b)
        if pair[0] == pair[1] and (a in moved or b in moved):
            continue
        known = edges.setdefault(pair, [])
        known.extend(text for text in shapes if text not in known)
    return _Draft({n: node for n, node in draft.nodes.items() if n not in moved}, edges)


def _fit(draft: _Draft, rows: Mapping[int, _Row], limit: int) -> tuple[_Draft, Words]:
    """Draw what lies too deep as the modules it lies in; as deep as there is room for."""
    count = str(len(draft.nodes))
    chains = {number: _ancestors(node, rows) for number, node in draft.nodes.items()}
    for depth in range(max(map(len, chains.values()), default=0) - 1, -1, -1):
        holders = {n: chain[depth] for n, chain in chains.items() if len(chain) > depth}
        if len(draft.nodes) - len(holders) + len(set(holders.values())) > limit:
            continue
        return (
            _collapsed(draft, holders, rows),
            ("probe.graph_collapsed", {"count": count, "depth": str(depth + 1)}),
        )
    # Even the outermost modules are too many: those that ran first, and the output.
    draft = _collapsed(draft, {n: chain[0] for n, chain in chains.items() if chain}, rows)
    order = sorted(draft.nodes)
    outputs = [n for n in order if draft.nodes[n].kind == "output"]
    kept = {*[n for n in order if n not in outputs][: limit - len(outputs)], *outputs}
    edges = {pair: shapes for pair, shapes in draft.edges.items() if kept.issuperset(pair)}
    nodes = {n: draft.nodes[n] for n in order if n in kept}
    return _Draft(nodes, edges), ("probe.graph_cut", {"count": count, "shown": str(len(nodes))})


def _ancestors(node: GraphNode, rows: Mapping[int, _Row]) -> list[int]:
    """Return the layers a node lies in, outermost first."""
    found: list[int] = []
    at = node.parent
    while at >= 0:
        found.append(at)
        at = rows[at].parent
    return found[::-1]


def _collapsed(draft: _Draft, holders: Mapping[int, int], rows: Mapping[int, _Row]) -> _Draft:
    """Replace nodes by the layers that hold them."""
    first: dict[int, int] = {}
    for number in sorted(holders):
        first.setdefault(holders[number], number)
    nodes = dict(draft.nodes)
    for layer, number in first.items():
        row = rows[layer]
        leaving = [
            text
            for (a, b), shapes in draft.edges.items()
            if holders.get(a) == layer and holders.get(b) != layer
            for text in shapes
        ]
        shape = ", ".join(dict.fromkeys(leaving))
        nodes[number] = GraphNode(
            number, "module", layer, row.label, max(row.calls, 1), row.parent, shape
        )
    moved = {n: first[layer] for n, layer in holders.items() if n != first[layer]}
    result = _contracted(_Draft(nodes, draft.edges), moved)
    for number in first.values():
        result.edges.pop((number, number), None)
    return result


def _finished(draft: _Draft, notes: tuple[Words, ...]) -> Graph:
    place = {number: i for i, number in enumerate(sorted(draft.nodes))}
    nodes = tuple(replace(draft.nodes[number], id=i) for number, i in place.items())
    edges = sorted((place[a], place[b], _label(s)) for (a, b), s in draft.edges.items())
    return Graph(nodes, tuple(edges), notes)


def _label(shapes: Iterable[str]) -> str:
    texts = list(shapes)
    return ", ".join(texts) if len(texts) <= 3 else f"{texts[0]} … {texts[-1]}"
