"""Models of every kind that can be asked why, small, seeded and in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def seeded(make: Callable[[], nn.Module], seed: int = 3) -> nn.Module:
    """Make a model from a seed, in evaluation mode; the generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().eval()


def noise(*shape: int, seed: int = 5) -> Tensor:
    """Give normal numbers from a seed of their own."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ids(*shape: int, most: int = 20, seed: int = 5) -> Tensor:
    """Give token ids from 1 to `most` − 1."""
    return torch.randint(1, most, shape, generator=torch.Generator().manual_seed(seed))


class Linear2(nn.Module):
    """Two classes of three features, weights chosen by hand: attributions are weight × input."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        with torch.no_grad():
            self.linear.weight.copy_(torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]]))
            self.linear.bias.copy_(torch.tensor([0.25, -0.5]))

    def forward(self, x: Tensor) -> Tensor:
        """Give logits (N, 2)."""
        return self.linear(x)


class MinOfReLUs(nn.Module):
    """relu(relu(x₁) − 1 − relu(x₂)): the example of the integrated gradients paper (2017).

    At (3, 1), from the baseline (0, 0), integrated gradients are (1.5, −0.5).
    """

    def __init__(self) -> None:
        super().__init__()
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Give one number a sample, (N,)."""
        return self.relu3(self.relu1(x[:, 0]) - 1 - self.relu2(x[:, 1]))


class MLP(nn.Module):
    """A table: two hidden layers with a module for each activation."""

    def __init__(self, features: int = 6, outputs: int = 3, last: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, 12),
            nn.ReLU(),
            nn.Linear(12, 8),
            nn.Tanh(),
            nn.Linear(8, outputs),
            *([last] if last is not None else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, outputs)."""
        return self.layers(x)


class SmallCNN(nn.Module):
    """Two convolutions, global pooling, a linear layer; each ReLU is used once."""

    def __init__(self, channels: int = 3, classes: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 6, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.head = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Give logits (N, classes)."""
        x = self.pool(self.relu1(self.conv1(x)))
        return self.head(self.relu2(self.conv2(x)).mean((2, 3)))


class ResNetish(nn.Module):
    """A skip, batch norm, and one in-place ReLU that is used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Give logits (N, 5)."""
        x = self.relu(self.bn(self.stem(x)))
        y = self.conv2(self.relu(self.conv1(x)))
        y += x
        return self.fc(torch.flatten(self.pool(self.relu(y)), 1))


class FunctionalReLU(nn.Module):
    """The same as `SmallCNN` but for ``F.relu``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.conv2 = nn.Conv2d(4, 4, 3)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Give logits (N, 3)."""
        x = F.relu(self.conv1(x))
        return self.head(F.relu(self.conv2(x)).mean((2, 3)))


class ReusedReLU(nn.Module):
    """One ReLU module for two places."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, 3)."""
        return self.relu(self.second(self.relu(self.first(x))))


class Vgg(nn.Sequential):
    """Only modules that captum's LRP has rules for, in a row; flattened by a function."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 2, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Give logits (N, 2) of 8 × 8 pixels."""
        return super().forward(x).flatten(1)


class Conv1dNet(nn.Module):
    """A signal (N, channels, length)."""

    def __init__(self, turned: bool = False) -> None:
        super().__init__()
        self.turned = turned
        self.conv = nn.Conv1d(2, 5, 3, padding=1)
        self.relu = nn.ReLU()
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Give logits; `turned`: of (N, time, features)."""
        x = x.transpose(1, 2) if self.turned else x
        return self.head(self.relu(self.conv(x)).mean(2))


class SequenceLSTM(nn.Module):
    """A multivariate sequence (N, time, features)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 6, batch_first=True)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give logits and all hidden states."""
        out, _ = self.lstm(x)
        return self.head(out[:, -1]), out


class TokenLSTM(nn.Module):
    """Token ids with lengths, packed."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 5, padding_idx=0)
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.head = nn.Linear(6, 1)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Give one logit a sample, (N,)."""
        packed = pack_padded_sequence(
            self.embedding(ids), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        out, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        last = out[torch.arange(len(ids)), lengths - 1]
        return self.head(last)[:, 0]


class TokenTransformer(nn.Module):
    """Token ids with a padding mask through a transformer encoder; positions are embedded too."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.places = nn.Embedding(12, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> dict[str, Tensor]:
        """Give a dict with a loss-like scalar before the logits."""
        x = self.words(input_ids) + self.places(torch.arange(input_ids.shape[1]))
        hidden = None if attention_mask is None else attention_mask == 0
        x = self.encoder(x, src_key_padding_mask=hidden)
        return {"loss": x.mean(), "hidden": x, "logits": self.head(x.mean(1))}


class TwoInputs(nn.Module):
    """A picture and a row of features, and a flag."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.fc = nn.Linear(3 + 4, 2)

    def forward(self, image: Tensor, row: Tensor, double: bool = False) -> Tensor:
        """Give logits (N, 2)."""
        seen = self.conv(image).relu().mean((2, 3))
        logits = self.fc(torch.cat([seen, row], 1))
        return logits * 2 if double else logits


class Siamese(nn.Module):
    """Two texts through one embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.head = nn.Linear(8, 2)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Give logits (N, 2)."""
        both = [self.embedding(one).mean(1) for one in (left, right)]
        return self.head(torch.cat(both, 1))


class WideAndDeep(nn.Module):
    """The same ids through two embeddings, of which one is scaled by a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Embedding(20, 4)
        self.wide = nn.Embedding(20, 1)
        self.head = nn.Linear(4, 1)

    def forward(self, ids: Tensor) -> Tensor:
        """Give one number a sample, (N, 1)."""
        return self.head(self.deep(ids).tanh().sum(1)) + self.wide(ids).sum(1)


class Bag(nn.Module):
    """Token ids through an ``nn.EmbeddingBag``, which pools them itself."""

    def __init__(self, mode: str = "mean") -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(20, 5, mode=mode, padding_idx=0)
        self.head = nn.Linear(5, 3)

    def forward(self, ids: Tensor) -> Tensor:
        """Give logits (N, 3)."""
        return self.head(self.bag(ids))


class Categories(nn.Module):
    """A table of categories: an embedding for each column, of different widths."""

    def __init__(self) -> None:
        super().__init__()
        self.columns = nn.ModuleList([nn.Embedding(20, 2), nn.Embedding(20, 3)])
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Give logits (N, 3)."""
        parts = [column(x[:, at]) for at, column in enumerate(self.columns)]
        return self.head(torch.cat(parts, 1))


class TiedTagger(nn.Module):
    """A class for each token, through the embedding's own weights; tokens before samples inside."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 6)
        self.rnn = nn.GRU(6, 6)
        self.out = nn.Linear(6, 7, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Give logits (N, tokens, 7)."""
        states, _ = self.rnn(self.embedding(ids.t()))
        return self.out(states).transpose(0, 1)


class Segmenter(nn.Module):
    """A class for each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.out = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Give logits (N, 2, height, width), as torchvision does."""
        return {"out": self.out(self.conv(x).relu())}


class Sabotage(nn.Module):
    """Raises half-way, in the layer ``second``."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Never return."""
        return self.second(self.first(x))


class InPlace(nn.Module):
    """Centres its input in place."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, 2)."""
        x -= x.mean(1, keepdim=True)
        return self.linear(x)


def called(root: nn.Module, sample: Any) -> Any:
    """Call a model with a sample, plainly."""
    with torch.no_grad():
        if isinstance(sample, dict):
            return root(**sample)
        return root(*sample) if isinstance(sample, tuple) else root(sample)
