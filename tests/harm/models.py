"""Awkward models in an ordinary loop."""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from tests.harm.loop import Loop, case, mlp, sgd, simple, vectors


@case
def dropout() -> Loop:
    return simple(mlp(nn.Dropout(0.3)), vectors)


@case
def batch_norm_and_inplace_relu() -> Loop:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 2)
    )
    return simple(model, lambda: torch.randn(8, 1, 6, 6))


@case
def shared_modules() -> Loop:
    layer = nn.Linear(4, 4)
    return simple(nn.Sequential(layer, nn.ReLU(), layer, nn.Tanh(), layer), vectors)


@case
def recurrent() -> Loop:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 6, 2, dropout=0.2, batch_first=True)
            self.cell, self.out = nn.GRUCell(6, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            states, (h, _) = self.lstm(x)
            for t in range(states.shape[1]):
                h = self.cell(states[:, t], h[-1] if t == 0 else h)
            return self.out(h)

    return simple(Tagger(), lambda: torch.randn(5, 3, 4))


@case
def tied_weights_and_sparse_embedding() -> Loop:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rare = nn.Embedding(12, 6), nn.Embedding(9, 6, sparse=True)
            self.head = nn.Linear(6, 12, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.embed(x) + self.rare(x % 9))

    model = Tied()
    dense = torch.optim.Adam([model.embed.weight], lr=0.01)
    sparse = torch.optim.SparseAdam([model.rare.weight], lr=0.01)

    def step() -> Tensor:
        x = torch.randint(0, 12, (8, 3))
        dense.zero_grad()
        sparse.zero_grad()
        loss = F.cross_entropy(model(x).flatten(0, 1), x.flatten())
        loss.backward()
        dense.step()
        sparse.step()
        return loss.detach()

    return Loop(model, [dense, sparse], step)


def _checkpointed(reentrant: bool) -> Loop:
    class Saving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.block = nn.Linear(4, 4), mlp(nn.Dropout(0.2))

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.block, self.first(x), use_reentrant=reentrant)

    return simple(Saving(), vectors)


@case
def checkpoint_reentrant() -> Loop:
    return _checkpointed(True)


@case
def checkpoint_without_reentry() -> Loop:
    return _checkpointed(False)


@case
def mappings_in_and_out() -> Loop:
    @dataclass
    class Output:
        logits: Tensor
        hidden: tuple[Tensor, ...]

    class Keywords(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, *, x: Tensor, scale: float = 1.0) -> dict[str, Any]:
            hidden = torch.relu(self.a(x)) * scale
            return {"output": Output(self.b(hidden), (hidden,)), "scale": scale}

    model = Keywords()
    optimizer = sgd(model)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = model(x=vectors(), scale=0.5)["output"].logits.square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return Loop(model, [optimizer], step)


@case
def lazy_modules() -> Loop:
    model = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2))
    return simple(model, vectors, torch.optim.SGD(model.parameters(), lr=0.05))


@case
def spectral_and_weight_norm() -> Loop:
    model = nn.Sequential(
        parametrizations.spectral_norm(nn.Linear(4, 8)),
        nn.ReLU(),
        nn.utils.spectral_norm(nn.Linear(8, 8)),
        nn.ReLU(),
        parametrizations.weight_norm(nn.Linear(8, 2)),
    )
    return simple(model, vectors)


@case
def draws_and_counts_in_forward() -> Loop:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.calls, self.own = mlp(), 0, torch.Generator().manual_seed(3)
            self.register_buffer("average", torch.zeros(2))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            noise = torch.rand(()) + random.random() + np.random.rand()
            out = self.net(x + noise + torch.rand((), generator=self.own))
            self.average = 0.9 * self.average + 0.1 * out.detach().mean(0)
            return out

    model = Noisy()
    state = {"calls": lambda: model.calls, "own": lambda: model.own.get_state()}
    return simple(model, vectors, state=state)


@case
def attention() -> Loop:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    loop = simple(encoder, lambda: torch.randn(4, 5, 8))
    train = loop.step

    def step() -> Tensor:
        loss = train()
        encoder.eval()
        with torch.no_grad():
            fast = encoder(torch.randn(4, 5, 8)).sum()  # the fast path looks for hooks
        encoder.train()
        return loss + fast

    loop.step = step
    return loop


@case
def scripted() -> Loop:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = nn.Sequential(torch.jit.script(mlp()), nn.Linear(2, 1))
    return simple(model, vectors)
