"""What is kept of a sampled step: the calls of a chosen layer, and what the model was given."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.activity import ActivityWatch
from tests.probe.stepping import clean, step

__all__ = ["clean"]


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_chosen_layer_is_kept_small(batch_first: bool) -> None:
    model = nn.Sequential(nn.GRU(3, 4, batch_first=batch_first))
    watch = ActivityWatch(model)
    watch.chosen, watch.max_samples = "0", 5
    x = torch.randn(20, 9, 3) if batch_first else torch.randn(9, 20, 3)
    with torch.no_grad():
        expected, hidden = copy.deepcopy(model[0])(x)
    watch.arm()
    model(x)
    sample = watch.finish(0)
    assert sample is not None
    kept = sample.batch
    assert kept is not None
    assert (kept.name, kept.samples, kept.batch) == ("0", 5, 20)
    out, h = kept.calls[0].output
    assert torch.equal(out, expected[:5] if batch_first else expected[:, :5])
    assert torch.equal(h, hidden[:, :5])
    assert not out.requires_grad
    assert out._base is None
    watch.arm()
    model(torch.randn(2, 2, 3))
    watch.chosen = ""
    watch.finish(1)
    watch.arm()
    model(x)
    assert (again := watch.finish(2)) is not None
    assert again.batch is None


def test_a_chosen_layer_that_is_large_is_kept_within_bytes() -> None:
    model = nn.Sequential(nn.Linear(4, 10_000))
    watch = ActivityWatch(model)
    watch.chosen = "0"
    watch.arm()
    model(torch.randn(32, 4))
    sample = watch.finish(0)
    assert sample is not None
    assert sample.batch is not None
    assert sample.batch.calls[0].output.nbytes <= 4 << 20
    assert 1 <= sample.batch.samples < 32


class Doubles(nn.Module):
    """Works on its input in place, and has options."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor, *, mask: Tensor, scale: float = 1.0) -> Tensor:
        x.mul_(2)
        return self.layer(x) * mask * scale


def test_inputs_are_kept_as_they_were_given() -> None:
    model = Doubles()
    watch = ActivityWatch(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, mask = torch.randn(40, 3), torch.rand(40, 1)
    before = x.clone()
    assert watch.inputs is None
    watch.want_inputs = True
    step(watch, optimizer, lambda: model(x, mask=mask, scale=0.5).sum())
    assert not watch.want_inputs
    assert watch.inputs is not None
    (kept,), named = watch.inputs
    assert torch.equal(kept, before[:16])
    assert torch.equal(named["mask"], mask[:16])
    assert named["scale"] == 0.5
    model(kept, **named)  # and can be called with
    first = watch.inputs
    step(watch, optimizer, lambda: model(x, mask=mask).sum())
    assert watch.inputs is first


def test_inputs_that_cannot_be_kept_are_said_so() -> None:
    class Batch:
        def __init__(self) -> None:
            self.x = torch.randn(4, 3)

    class Strange(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, batch: Batch) -> Tensor:
            return self.layer(batch.x)

    model = Strange()
    watch = ActivityWatch(model)
    watch.want_inputs = True
    step(watch, torch.optim.SGD(model.parameters(), lr=0.1), lambda: model(Batch()).sum())
    assert watch.inputs is None
    assert "Batch" in watch.status
    assert not watch.want_inputs


def test_a_sample_of_inputs_is_small_whatever_is_given() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, pair: tuple[Tensor, Tensor], names: list[str]) -> Tensor:
            return self.layer(pair[1]) + pair[0].mean()

    model = Wide()
    watch = ActivityWatch(model)
    watch.want_inputs = True
    big, labels = torch.randn(32, 1 << 18), [str(i) for i in range(32)]
    step(
        watch, torch.optim.SGD(model.parameters(), lr=0.1),
        lambda: model((big, torch.randn(32, 3)), labels).sum(),
    )  # fmt: skip
    assert watch.inputs is not None
    ((wide, narrow), names), _ = watch.inputs
    assert wide.nbytes + narrow.nbytes <= 8 << 20
    assert len(wide) == len(narrow) == len(names) > 0
