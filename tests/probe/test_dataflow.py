"""What flows between modules, for functions that are easily got wrong."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnwidgets.probe.dataflow import Dataflow
from nnwidgets.probe.trace import _Recorder
from tests.probe.traced import arrows, graph_of, words


class Function(nn.Module):
    """Runs a function, so that a test can be one line."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.linear = nn.Linear(4, 4)
        self.register_buffer("table", torch.ones(4))

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def write_into(m: Any, x: Tensor) -> Tensor:
    y = torch.zeros(2, 4)
    y[:, :2] = m.linear(x)[:, :2]
    return y * 2


def view_in_place(m: Any, x: Tensor) -> Tensor:
    y = m.linear(x)
    y[:, 0].mul_(3)
    return y.sum()


def through_out(m: Any, x: Tensor) -> Tensor:
    y = torch.empty(2, 4)
    torch.sin(x, out=y)
    return m.linear(y)


def noise(m: Any, x: Tensor) -> Tensor:
    return m.linear(x) + torch.randn_like(x)


def constants(m: Any, x: Tensor) -> Tensor:
    return x * torch.softmax(m.table + torch.arange(4.0), 0)


def nothing(m: Any, x: Tensor) -> Tensor:
    return m.linear(x.to(torch.float32).contiguous().detach())


def functional_dropout(m: Any, x: Tensor) -> Tensor:
    return F.dropout(x, 0.5, m.training) + x


def split_and_join(m: Any, x: Tensor) -> Tensor:
    a, b = x.chunk(2, 1)
    a.relu_()
    return torch.cat([a, b.exp()], 1)


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


def own_function(m: Any, x: Tensor) -> Tensor:
    return m.linear(Double.apply(m.linear(x)))


def over_numpy(m: Any, x: Tensor) -> Tensor:
    return torch.relu(torch.Tensor(m.linear(x).numpy() + 1))


def helpers(m: Any, x: Tensor) -> Tensor:
    def twice(t: Tensor) -> Tensor:
        return t.sigmoid()

    return twice(x) * twice(x + 1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            write_into,
            "x → Linear 4→4 | Linear 4→4 → getitem | getitem → setitem | setitem → mul"
            " | mul → output",
        ),
        (
            view_in_place,
            "x → Linear 4→4 | Linear 4→4 → getitem | getitem → mul | mul → sum | sum → output",
        ),
        (through_out, "x → sin | sin → Linear 4→4 | Linear 4→4 → output"),
        (
            noise,
            "x → Linear 4→4 | x → randn_like | Linear 4→4 → add | randn_like → add | add → output",
        ),
        (constants, "x → mul | mul → output"),
        (nothing, "x → Linear 4→4 | Linear 4→4 → output"),
        (functional_dropout, "x → dropout | dropout → add | x → add | add → output"),
        (
            split_and_join,
            "x → chunk | chunk → relu | chunk → exp | relu → cat | exp → cat | cat → output",
        ),
        (
            own_function,
            "x → Linear 4→4 | Linear 4→4 → mul | mul → Linear 4→4 | Linear 4→4 → output",
        ),
        (over_numpy, "x → Linear 4→4 | Linear 4→4 → ? | ? → relu | relu → output"),
    ],
)
def test_functions_that_are_easily_got_wrong(function: Any, expected: str) -> None:
    graph = graph_of(Function(function), torch.randn(2, 4))
    assert arrows(graph) == sorted(expected.split(" | "))
    assert bool(graph.notes) == ("?" in expected)


def test_one_helper_called_from_two_places_is_two_nodes() -> None:
    graph = graph_of(Function(helpers), torch.randn(2, 4))
    assert words(graph) == ["x", "sigmoid", "add", "sigmoid", "mul", "output"]


@pytest.mark.parametrize(
    ("function", "label"),
    [
        (lambda m, x: x + 1, "add"),
        (lambda m, x: 1 - x, "sub"),
        (lambda m, x: 2 / x, "div"),
        (lambda m, x: x @ x.T, "matmul"),
        (lambda m, x: x**2, "pow"),
        (lambda m, x: -x, "neg"),
        (lambda m, x: x.clone().add_(1), "add"),
        (lambda m, x: F.relu(x, inplace=True), "relu"),
        (lambda m, x: F.max_pool1d(x, 2), "max_pool1d"),
        (lambda m, x: F.normalize(x), "normalize"),
        (lambda m, x: torch.einsum("ij,kj->ik", x, x), "einsum"),
        (lambda m, x: F.gelu(x), "gelu"),
        (lambda m, x: F.layer_norm(x, (4,)), "layer_norm"),
        (lambda m, x: torch.where(x > 0, x, 0.0), "where"),
        (lambda m, x: torch.stack([x, x]), "stack"),
    ],
)
def test_names_of_functions(function: Any, label: str) -> None:
    graph = graph_of(Function(function), torch.randn(2, 4))
    last = next(a for a, b, _ in graph.edges if graph.nodes[b].kind == "output")
    assert graph.nodes[last].label == label


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_scripted_part_is_one_node() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    graph = graph_of(nn.Sequential(nn.Linear(4, 4), scripted, nn.Linear(4, 2)), torch.randn(2, 4))
    assert len(graph.nodes) == 5
    assert [(a, b) for a, b, _ in graph.edges] == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_tensors_are_not_kept_alive() -> None:
    sizes: list[int] = []

    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for _ in range(20):
                x = x + 1
                sizes.append(len(flow._origin._of))
            return x

    model = nn.Sequential(Counting())
    flow = Dataflow(model)
    recorder = _Recorder(model, None)
    recorder.result.flow = flow
    recorder.run(torch.ones(2))
    assert sizes[-1] <= sizes[2]
