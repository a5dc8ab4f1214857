"""The graph against hand-written ones, and against what must hold for any model."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nnwidgets.probe.graph import Graph, build_graph
from nnwidgets.probe.trace import trace
from tests.probe.model_families import (
    FAMILIES,
    autoencoder,
    control_flow,
    deep,
    gpt,
    lazy,
    lstm,
    made_in_forward,
    resnet,
    rnn_cell,
    shared,
    transformer,
)
from tests.probe.traced import arrows, graph_of, structure_of, words

# -- by hand ---------------------------------------------------------------------------------


class Skip(nn.Module):
    """x + f(x), with functions in between."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.outer = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.inner(x)) + x
        return F.log_softmax(self.outer(torch.cat([y, x], dim=1)), dim=1)


def test_a_skip_and_functions_between_modules() -> None:
    graph = graph_of(Skip(), torch.randn(3, 4))
    assert arrows(graph) == sorted(
        [
            "x → Linear 4→4",
            "Linear 4→4 → tanh",
            "tanh → add",
            "x → add",
            "add → cat",
            "x → cat",
            "cat → Linear 8→2",
            "Linear 8→2 → log_softmax",
            "log_softmax → output",
        ]
    )
    assert [(n.kind, n.layer, n.parent, n.shape) for n in graph.nodes] == [
        ("input", -1, -1, "3×4"),
        ("module", 0, -1, "3×4"),
        ("op", -1, -1, "3×4"),
        ("op", -1, -1, "3×4"),
        ("op", -1, -1, "3×8"),
        ("module", 1, -1, "3×2"),
        ("op", -1, -1, "3×2"),
        ("output", -1, -1, "3×2"),
    ]
    labels = {(a, b): label for a, b, label in graph.edges}
    assert labels[4, 5] == "3×8"


def test_a_loop_is_the_few_places_it_consists_of() -> None:
    graph = graph_of(*rnn_cell())
    assert words(graph) == ["x", "getitem ×20", "RNNCell 3→4 ×20", "Linear 4→2", "output"]
    assert [(a, b) for a, b, _ in graph.edges] == [(0, 1), (1, 2), (2, 2), (2, 3), (3, 4)]


def test_a_module_used_several_times_is_one_node_with_an_edge_for_each_use() -> None:
    graph = graph_of(*shared())
    assert words(graph) == ["x", "Linear 4→4 ×2", "relu", "relu", "Linear 4→4", "output"]
    assert [(a, b) for a, b, _ in graph.edges] == [(0, 1), (1, 2), (1, 3), (2, 1), (3, 4), (4, 5)]


def test_a_loop_over_one_module_and_a_function() -> None:
    graph = graph_of(*control_flow())
    assert words(graph) == ["x", "mean", "gt", "Linear 4→4", "Linear 4→4 ×3", "relu ×3", "output"]
    assert [(a, b) for a, b, _ in graph.edges] == [
        (0, 1),
        (0, 3),
        (1, 2),
        (3, 4),
        (4, 5),
        (5, 4),
        (5, 6),
    ]


def test_in_place_additions_and_a_shortcut_that_does_nothing() -> None:
    structure = structure_of(*resnet())
    graph = structure.graph
    names = [structure.nodes[n.layer].info.name if n.layer >= 0 else n.label for n in graph.nodes]
    block = {
        (names[a], names[b])
        for a, b, _ in graph.edges
        if graph.nodes[b].parent >= 0
        and structure.nodes[graph.nodes[b].parent].info.name == "stage1.0"
    }
    assert block == {
        ("stem", "stage1.0.conv1"),
        ("stage1.0.conv1", "stage1.0.bn1"),
        ("stage1.0.bn1", "stage1.0.relu"),
        ("stage1.0.relu", "stage1.0.conv2"),
        ("stage1.0.conv2", "stage1.0.bn2"),
        ("stem", "stage1.0.shortcut"),  # not from conv1, though Identity gives the same tensor
        ("stage1.0.bn2", "add"),
        ("stage1.0.shortcut", "add"),
        ("add", "stage1.0.relu"),
    }


def test_attention_written_out() -> None:
    structure = structure_of(*gpt())
    index = next(n.index for n in structure.nodes if n.info.name == "blocks.0.attention")
    inside = [n.label for n in structure.graph.nodes if n.parent == index]
    assert inside == [
        "Linear 12→36",
        "split",
        "view · transpose",
        "scaled_dot_product_attention",
        "transpose · reshape",
        "Linear 12→12",
    ]


def test_attention_of_torch_is_one_node() -> None:
    graph = graph_of(*transformer())
    counts = Counter(n.label for n in graph.nodes)
    assert counts["MultiheadAttention 8, 2 heads"] == 2
    assert counts["relu"] == 2  # between linear1 and linear2, called by a method of the layer
    assert not any("NonDynamically" in label or label == "linear" for label in counts)


def test_what_a_library_does_in_python_is_one_node() -> None:
    graph = graph_of(*lstm())
    assert words(graph) == [
        "tokens",
        "lengths",
        "Embedding 20×6",
        "pack_padded_sequence",
        "LSTM 6→5 ×2",
        "pad_packed_sequence",
        "getitem",
        "getitem",
        "cat",
        "mean",
        "add",
        "Linear 10→3",
        "output",
    ]


def test_several_outputs() -> None:
    graph = graph_of(*autoencoder())
    output = graph.nodes[-1]
    assert output.shape == "(3×1×8×8, 3×6)"
    coming = {graph.nodes[a].label: label for a, b, label in graph.edges if b == output.id}
    assert coming == {"Sigmoid": "3×1×8×8", "Linear 64→6": "3×6"}


def test_modules_made_in_forward_are_seen_as_what_they_do() -> None:
    assert words(graph_of(*made_in_forward())) == [
        "x",
        "Linear 4→4",
        "linear",
        "relu",
        "mul",
        "output",
    ]


def test_lazy_modules() -> None:
    assert words(graph_of(*lazy())) == [
        "input",
        "Conv2d 2→4",
        "BatchNorm2d 4",
        "ReLU",
        "Flatten",
        "Linear 64→3",
        "output",
    ]


# -- size ------------------------------------------------------------------------------------


def drawn(model: nn.Module, sample: Any, limit: int) -> Graph:
    names = {name: i for i, name in enumerate(n for n, _ in model.named_modules() if n)}
    run = trace(model.eval(), sample)
    labels = {n: n for n in names}
    calls = {n: visit.calls for n, visit in run.visits.items()}
    return build_graph(run.flow, names, labels, calls, limit=limit)


def test_a_graph_that_is_too_large_is_drawn_as_the_modules_it_lies_in() -> None:
    model, sample = gpt()
    whole = drawn(model, sample, 1000)
    assert whole.notes == ()
    graph = drawn(model, sample, 25)
    assert graph.notes == (
        ("probe.graph_collapsed", {"count": str(len(whole.nodes)), "depth": "3"}),
    )
    labels = [n.label for n in graph.nodes]
    assert "blocks.0.attention" in labels  # its parts are within
    assert "blocks.0.norm1" in labels
    graph = drawn(model, sample, 8)
    assert [n.label for n in graph.nodes] == [
        "ids",
        "tokens",
        "positions",
        "add",
        "blocks",
        "norm",
        "head",
        "output",
    ]
    assert [(a, b) for a, b, _ in graph.edges] == [
        (0, 1),
        (1, 3),
        (2, 3),
        (3, 4),
        (4, 5),
        (5, 6),
        (6, 7),
    ]
    assert graph.nodes[4].kind == "module"
    assert graph.nodes[4].shape == "2×8×12"


def test_a_row_of_too_many_modules_is_cut() -> None:
    model, sample = deep(60)
    graph = drawn(model, sample, 20)
    assert graph.notes == (("probe.graph_cut", {"count": "122", "shown": "20"}),)
    assert len(graph.nodes) == 20
    assert graph.nodes[-1].kind == "output"


# -- whatever the model ----------------------------------------------------------------------


def sound(graph: Graph, layers: int) -> None:
    assert [n.id for n in graph.nodes] == list(range(len(graph.nodes)))
    assert len({(a, b) for a, b, _ in graph.edges}) == len(graph.edges)
    for a, b, _ in graph.edges:
        assert 0 <= a < len(graph.nodes)
        assert 0 <= b < len(graph.nodes)
        assert graph.nodes[a].kind != "output"
        assert graph.nodes[b].kind != "input"
    for node in graph.nodes:
        assert node.times >= 1
        assert -1 <= node.layer < layers
        assert -1 <= node.parent < layers
        assert (node.kind == "module") == (node.layer >= 0)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_way_from_an_input_to_the_output(name: str) -> None:
    structure = structure_of(*FAMILIES[name]())
    graph = structure.graph
    sound(graph, len(structure.nodes))
    assert graph.notes == ()
    reached = {n.id for n in graph.nodes if n.kind == "input"}
    for _ in graph.nodes:
        reached |= {b for a, b, _ in graph.edges if a in reached}
    assert graph.nodes[-1].kind == "output"
    assert graph.nodes[-1].id in reached
    for node in structure.nodes:
        used = [n for n in graph.nodes if n.layer == node.index]
        if used:
            assert used[0].times == node.calls


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "linear", "relu_", "view"]), st.integers(0, 5)),
        max_size=12,
    )
)
def test_any_program_gives_the_edges_it_executes(program: list[tuple[str, int]]) -> None:
    """Straight-line programs over numbered values, against an interpreter that follows them."""

    class Program(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in program)

        def forward(self, x: Tensor) -> Tensor:
            values = [x]
            for (what, which), layer in zip(program, self.layers, strict=True):
                value = values[which % len(values)]
                if what == "linear":
                    values.append(layer(value))
                elif what == "add":
                    values.append(value + values[-1])
            return values[-1]

    graph = graph_of(Program(), torch.randn(2, 2))
    # The interpreter: an addition is one place of the code however often it runs.
    comes: list[str] = ["x"]
    expected: set[tuple[str, str]] = set()
    for i, (what, which) in enumerate(program):
        source = comes[which % len(comes)]
        if what == "linear":
            expected.add((source, f"layers.{i}"))
            comes.append(f"layers.{i}")
        elif what == "add":
            expected |= {(source, "add"), (comes[-1], "add")}
            comes.append("add")
    expected.add((comes[-1], "output"))

    def name(number: int) -> str:
        node = graph.nodes[number]
        return f"layers.{node.layer - 1}" if node.kind == "module" else node.label

    assert {(name(a), name(b)) for a, b, _ in graph.edges} == expected
