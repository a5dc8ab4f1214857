"""Batches follow from what one row was measured to take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain import batching
from nnwidgets.explain.batching import RowCost, in_batches, row_cost, rows_at_once
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from tests.explain.nets import cnn


class Widths(nn.Module):
    """Notes how many rows each call had."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = cnn()
        self.seen: list[int] = []

    def forward(self, values: Tensor) -> Tensor:
        self.seen.append(len(values))
        result: Tensor = self.inner(values)
        return result


def asked_of(net: nn.Module, side: int = 16):  # type: ignore[no-untyped-def]
    return Question(net, torch.randn(2, 3, side, side)).ask(0, 1)


def test_what_a_backward_pass_keeps_is_counted() -> None:
    """A linear layer on (1, 1000) keeps its input; a ReLU on (1, 500) its output."""
    net = nn.Sequential(nn.Linear(1000, 500), nn.ReLU(), nn.Linear(500, 3)).eval()
    asked = Question(net, torch.randn(2, 1000)).ask(0)
    cost = row_cost(asked)
    assert cost.given == 4000
    assert cost.largest == 4000  # the input itself
    # Each tensor once, weights not at all: the input, the output of the ReLU, and the logits for
    # the choice of the class.
    assert 4000 + 2000 <= cost.kept <= 4000 + 2 * 2000 + 200
    assert cost.seconds > 0


def test_a_row_is_measured_once_for_a_model_and_shape() -> None:
    net = Widths().eval()
    asked = asked_of(net)
    net.seen.clear()
    first = row_cost(asked)
    runs = len(net.seen)
    assert runs in (1, 2)
    assert row_cost(asked) is first
    assert len(net.seen) == runs
    row_cost(asked_of(net, 24))
    assert len(net.seen) > runs


@pytest.mark.parametrize(
    ("cost", "gradient", "expected"),
    [
        (RowCost(kept=10, largest=1, given=1, seconds=1e-6), True, 50),
        (RowCost(kept=batching.BYTES // 10, largest=0, given=0, seconds=1e-6), True, 10),
        (RowCost(kept=batching.BYTES, largest=0, given=0, seconds=1e-6), False, 50),
        (RowCost(kept=0, largest=batching.BYTES // 9, given=0, seconds=1e-6), False, 3),
        (RowCost(kept=9 * batching.BYTES, largest=0, given=0, seconds=1e-6), True, 1),
        (RowCost(kept=0, largest=0, given=0, seconds=batching.SECONDS / 4), True, 4),
        (RowCost(kept=0, largest=0, given=0, seconds=9.0), False, 1),
    ],
)
def test_memory_and_time_bound_the_batch(
    cost: RowCost, gradient: bool, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "row_cost", lambda asked: cost)
    asked = asked_of(cnn())
    assert rows_at_once(asked, 50, gradient=gradient) == expected
    assert rows_at_once(asked, 50, gradient=gradient, most=2) == min(2, expected)
    assert rows_at_once(asked, 1, gradient=gradient) == 1


def test_rows_come_back_in_their_order() -> None:
    asked = asked_of(cnn())
    rows = (torch.arange(10.0), torch.arange(10.0) * 2)
    sizes = []

    def run(part: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        sizes.append(len(part[0]))
        return (part[0] + part[1],)

    (found,) = in_batches(asked, rows, run, gradient=False, size=4)
    assert found.tolist() == [3.0 * n for n in range(10)]
    assert sizes == [4, 4, 2]


def test_batches_are_cut_when_a_row_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Widths().eval()
    asked = asked_of(net)
    row = row_cost(asked)
    monkeypatch.setattr(batching, "BYTES", 6 * (row.kept + 2 * row.largest + 3 * row.given))
    net.seen.clear()
    explain(asked, "integrated_gradients")
    # Six rows fit by what the model takes; captum's own copies of the input take the place of some.
    assert 1 < max(net.seen) <= 6
    assert sum(net.seen) == 50 + 2
    net.seen.clear()
    explain(asked, "integrated_gradients", options={"internal_batch_size": 25})
    assert max(net.seen) == 25


_MEMORY = """
import torch
from torch import nn
torch.set_num_threads(1)
def peak():  # KiB, of this process; ru_maxrss would begin at what its parent had
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
).eval()
asked = Question(net, torch.randn(1, 3, 224, 224)).ask(0)
explain(asked, "saliency")
before = peak()
explain(asked, "integrated_gradients")
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_fifty_steps_on_a_picture_of_224_stay_below_512_megabytes() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr
    added = int(done.stdout) / 1024
    assert 0 < added < 512
