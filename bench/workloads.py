"""Three small trainings, from 0.3 ms to some tens of ms a step, with fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["WORKLOADS", "Workload"]


@dataclass
class Workload:
    """A training that can be advanced step by step."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    step: Callable[[], Tensor]  # returns the loss, detached


def mlp() -> Workload:
    """Two moons, 4.6 thousand parameters: a step so short that everything beside it shows."""
    torch.manual_seed(0)
    angle = torch.rand(2048) * torch.pi
    upper = torch.arange(2048) % 2 == 0
    x = torch.where(
        upper[:, None],
        torch.stack((angle.cos(), angle.sin()), 1),
        torch.stack((1 - angle.cos(), 0.5 - angle.sin()), 1),
    )
    x = x + 0.2 * torch.randn_like(x)
    model = nn.Sequential(
        nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
    )
    return _classifier(model, x, upper.long(), batch=64, rate=0.1)


def cnn() -> Workload:
    """Handwritten digits at 28 × 28, two convolutions with batch normalisation and dropout."""
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    x = F.interpolate(x, size=28, mode="bilinear")

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]

    head = [nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10)]
    model = nn.Sequential(*block(1, 16), *block(16, 32), *head)
    return _classifier(model, x, torch.tensor(digits.target), batch=64, rate=0.05)


class _Predictor(nn.Module):
    """Next-token prediction."""

    def __init__(self, tokens: int, width: int, layers: int, length: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.place = nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, "gelu", batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, tokens)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.embed(tokens) + self.place(torch.arange(length))
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        logits: Tensor = self.head(self.blocks(x, mask=mask, is_causal=True))
        return logits


def transformer() -> Workload:
    """Counting in a small vocabulary, four layers of width 128, sequences of 64."""
    torch.manual_seed(0)
    tokens, length = 64, 64
    model = _Predictor(tokens, 128, 4, length)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    generator = torch.Generator().manual_seed(1)

    def step() -> Tensor:
        start, stride = torch.randint(1, tokens, (2, 16, 1), generator=generator)
        text = (start + stride * torch.arange(length + 1)) % tokens
        loss = F.cross_entropy(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())
        return _update(optimizer, loss)

    return Workload(model, optimizer, step)


def _classifier(model: nn.Module, x: Tensor, y: Tensor, batch: int, rate: float) -> Workload:
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    generator = torch.Generator().manual_seed(1)

    def step() -> Tensor:
        chosen = torch.randint(0, len(x), (batch,), generator=generator)
        return _update(optimizer, F.cross_entropy(model(x[chosen]), y[chosen]))

    return Workload(model, optimizer, step)


def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


WORKLOADS: dict[str, Callable[[], Workload]] = {"MLP": mlp, "CNN": cnn, "transformer": transformer}
