"""Small networks of every form that the methods are asked about."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Bag", "Pair", "Patches", "Toy", "cnn", "mlp", "signal_net", "text_ids"]


def cnn(channels: int = 3, classes: int = 4) -> nn.Sequential:
    """A convolutional classifier of pictures of any size, of layers that LRP has rules for."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, classes),
    ).eval()


def mlp(features: int = 5, classes: int = 3) -> nn.Sequential:
    """A classifier of table rows."""
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Linear(features, 12), nn.ReLU(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, classes)
    ).eval()


def signal_net() -> nn.Sequential:
    """A classifier of two-channel signals."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv1d(2, 5, 5, padding=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(5, 3),
    ).eval()


class Bag(nn.Module):
    """A classifier of token ids; id 0 is the padding, whose vector is zero."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.embedding = nn.Embedding(11, width, padding_idx=0)
        self.rest = nn.Sequential(nn.Linear(width, 9), nn.ReLU(), nn.Linear(9, 3))

    def forward(self, ids: Tensor) -> Tensor:
        return self.from_vectors(self.embedding(ids))

    def from_vectors(self, vectors: Tensor) -> Tensor:
        """Return what follows after the embedding."""
        places = torch.linspace(1, 2, vectors.shape[1]).view(1, -1, 1)
        return self.rest((vectors * places).mean(1))


def text_ids() -> Tensor:
    """Three texts of six tokens."""
    return torch.tensor([[3, 5, 1, 9, 2, 7], [10, 4, 4, 6, 8, 1], [2, 2, 3, 1, 10, 9]])


class Pair(nn.Module):
    """A regression on two inputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.left = nn.Linear(3, 6)
        self.right = nn.Linear(2, 6)
        self.act = nn.ReLU()
        self.out = nn.Linear(6, 2)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.out(self.act(self.left(left) * 0.5 + self.right(right)))


class Toy(nn.Module):
    """relu(relu(a) − 1 − relu(b)): the example of the paper on integrated gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, values: Tensor) -> Tensor:
        left, right = self.one(values[:, 0]), self.two(values[:, 1])
        return self.three(left - 1 - right).unsqueeze(1)


class Patches(nn.Module):
    """A small ViT for pictures of 12 × 16: read from its class token, or from the mean of all."""

    def __init__(self, classed: bool = True) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.cls = nn.Parameter(torch.randn(1, 1, 8))
        self.classed = classed
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.patch(pictures).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1)
        x = self.encoder(x)
        return self.head(x[:, 0] if self.classed else x.mean(1))
