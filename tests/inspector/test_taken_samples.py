"""Of the inputs of a training that takes time first a few samples are kept, as of any other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nnwidgets import LayerInspector


class Turned(nn.Module):
    """Takes pictures as vectors or sequences; one of its layers takes time first."""

    def __init__(self, *, batch_first: bool, rows: bool = False) -> None:
        super().__init__()
        self.batch_first, self.rows = batch_first, rows
        self.attend = nn.MultiheadAttention(4, 2)
        self.head = nn.Linear(4, 2)

    def forward(self, given: Tensor) -> Tensor:
        if self.rows:  # image × row × column × channel: attends along the rows
            turned = given.flatten(0, 1).transpose(0, 1)
            mixed = self.attend(turned, turned, turned)[0].mean(0)
            result: Tensor = self.head(mixed.view(*given.shape[:2], -1).mean(1))
            return result
        turned = given.transpose(0, 1) if self.batch_first else given
        result = self.head(self.attend(turned, turned, turned)[0].mean(0))
        return result


@pytest.mark.parametrize(
    ("model", "shape", "kept"),
    [
        (Turned(batch_first=True), (40, 7, 4), (16, 7, 4)),
        (Turned(batch_first=False), (7, 40, 4), (7, 16, 4)),
        (Turned(batch_first=False), (30, 5, 4), (30, 5, 4)),
        (Turned(batch_first=True, rows=True), (40, 3, 7, 4), (16, 3, 7, 4)),
    ],
)
def test_no_more_than_sixteen_samples(
    model: nn.Module, shape: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    batch = torch.randn(shape)
    with LayerInspector(model) as inspector:
        inspector._session.attach(optimizer)
        for _ in range(3):
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            optimizer.step()
        inspector._at_rest(inspector._look)
        probe = inspector._probe
        assert probe is not None
        (held,) = probe.sample.args if hasattr(probe.sample, "args") else (probe.sample,)
        assert held.shape == kept
        assert torch.equal(held, batch[tuple(slice(n) for n in kept)])
        count = min(16, 5 if shape[1] == 5 else 40)
        inspector.sample_index = count - 1
        with pytest.raises(Exception, match=f"the probe batch holds {count}"):
            inspector.sample_index = count
        assert inspector.best_samples("head", 0).seen == count
