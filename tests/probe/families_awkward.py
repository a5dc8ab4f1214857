"""Models that are built, called, shared or stored in less usual ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.probe.family import family


class Switch(nn.Module):
    """Takes a branch by what it sees, and leaves the other one alone."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(4, 4)
        self.right = nn.Linear(4, 4)
        self.again = nn.Linear(4, 4)

    def forward(self, x: Tensor, times: int = 3) -> Tensor:
        """Take (N, 4)."""
        x = self.left(x) if x.mean() > 0 else self.right(x)
        for _ in range(times):
            x = torch.relu(self.again(x))
        return x


@family
def control_flow() -> tuple[nn.Module, Any]:
    """`right` never runs for this sample; `again` runs three times; a plain number is an input."""
    return Switch(), (torch.ones(2, 4), 3)


@family
def lazy() -> tuple[nn.Module, Any]:
    """Modules that wait for the first batch."""
    model = nn.Sequential(
        nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)
    )
    return model, torch.randn(2, 2, 6, 6)


class Containers(nn.Module):
    """Parameters and modules in lists and dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({"small": nn.Linear(4, 2), "large": nn.Linear(4, 6)})
        self.steps = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.scales = nn.ParameterList([torch.ones(4), torch.full((4,), 0.5)])
        self.extra = nn.ParameterDict({"shift": torch.zeros(4)})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Give one tensor a head."""
        for step, scale in zip(self.steps, self.scales, strict=True):
            x = step(x) * scale + self.extra["shift"]
        return {name: head(x) for name, head in self.heads.items()}


@family
def containers() -> tuple[nn.Module, Any]:
    """ModuleDict, ModuleList, ParameterList and ParameterDict; a dict as output."""
    return Containers(), torch.randn(3, 4)


class Improviser(nn.Module):
    """Makes a module anew in every forward, which nobody sees in ``named_modules()``."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Take and give (N, 4)."""
        made = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        return made(self.first(x)) * 2


@family
def made_in_forward() -> tuple[nn.Module, Any]:
    """A module created (with random weights) in forward."""
    return Improviser(), torch.randn(2, 4)


@dataclass
class Answer:
    """What a model of the transformers library would return."""

    logits: Tensor
    states: tuple[Tensor, ...]
    loss: Tensor | None = None


class Answering(nn.Module):
    """Returns a dataclass; takes two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.second = nn.Linear(5, 6)
        self.head = nn.Bilinear(6, 6, 2)

    def forward(self, x: Tensor, y: Tensor) -> Answer:
        """Take (N, 4) and (N, 5)."""
        a, b = torch.relu(self.first(x)), torch.relu(self.second(y))
        return Answer(self.head(a, b), (a, b))


@family
def dataclass_output() -> tuple[nn.Module, Any]:
    """Two inputs, a dataclass with a tuple and a None inside as output."""
    return Answering(), (torch.randn(3, 4), torch.randn(3, 5))


@family
def half_precision() -> tuple[nn.Module, Any]:
    """All weights and inputs in bfloat16."""
    model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2))
    return model.to(torch.bfloat16), torch.randn(3, 6).to(torch.bfloat16)


@family
def sequence_conv() -> tuple[nn.Module, Any]:
    """N × C × L."""
    model = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 3, 2))
    return model, torch.randn(2, 2, 12)


@family
def volume_conv() -> tuple[nn.Module, Any]:
    """N × C × D × H × W."""
    model = nn.Sequential(nn.Conv3d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(192, 2))
    return model, torch.randn(2, 1, 6, 6, 6)


@family
def reparametrised() -> tuple[nn.Module, Any]:
    """Spectral and weight norm, as parametrizations and as the old hooks."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the old weight_norm is deprecated, and still used
        old = nn.utils.weight_norm(nn.Linear(6, 5))
    model = nn.Sequential(
        nn.utils.spectral_norm(nn.Linear(4, 6)),
        nn.ReLU(),
        old,
        nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)),
        nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)),
    )
    return model, torch.randn(3, 4)


class Shared(nn.Module):
    """One module under two names, and one parameter in two modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.alias = self.first
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        """Take and give (N, 4)."""
        return self.second(torch.relu(self.alias(torch.relu(self.first(x)))))


@family
def shared() -> tuple[nn.Module, Any]:
    """A module under two names, used twice, whose weight another one shares."""
    return Shared(), torch.randn(2, 4)


class Generator(nn.Module):
    """Noise to numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.LeakyReLU(0.2))
        self.out = nn.Linear(8, 4)

    def forward(self, z: Tensor) -> Tensor:
        """Take (N, 3)."""
        return torch.tanh(self.out(self.net(z)))


@family
def generator() -> tuple[nn.Module, Any]:
    """Half of a GAN."""
    return Generator(), torch.randn(4, 3)


@family
def discriminator() -> tuple[nn.Module, Any]:
    """The other half; its sample has the shape of what `generator` gives."""
    model = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 1))
    return model, torch.randn(4, 4)


class Broken(nn.Module):
    """The second layer does not fit the first."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
        self.wrong = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Raise, always."""
        return self.wrong(self.body(x))


def broken() -> tuple[nn.Module, Any]:
    """A forward that fails half-way, in `wrong`; not among `FAMILIES`."""
    return Broken(), torch.randn(2, 4)


def deep(blocks: int = 334) -> tuple[nn.Module, Any]:
    """About 3 × `blocks` modules; not among `FAMILIES`."""
    parts = [nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(blocks)]
    return nn.Sequential(*parts), torch.randn(2, 4)
