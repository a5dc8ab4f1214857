"""Models as they stand in textbooks: perceptron, convolutions, recurrence, attention."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from tests.probe.family import family


@family
def mlp() -> tuple[nn.Module, Any]:
    """Linear, ReLU, Dropout."""
    model = nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 3)
    )
    return model, torch.randn(5, 8)


class CNN(nn.Module):
    """Two convolutions with batch norm and pooling, for 12 × 12 pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
        )
        self.drop = nn.Dropout(0.3)
        self.classifier = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Give logits (N, 10)."""
        return self.classifier(self.drop(torch.flatten(self.features(x), 1)))


@family
def cnn() -> tuple[nn.Module, Any]:
    """Convolutions, batch norm (buffers), in-place ReLU, a flatten between modules."""
    return CNN(), torch.randn(4, 1, 12, 12)


class ResidualBlock(nn.Module):
    """Two convolutions beside a skip, which is a 1 × 1 convolution where channels change."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut: nn.Module = (
            nn.Identity() if before == after else nn.Conv2d(before, after, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Use one ReLU twice and add in place."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return self.relu(out)


class ResNet(nn.Module):
    """A stem, two stages of blocks, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.stage1 = nn.Sequential(ResidualBlock(4, 4), ResidualBlock(4, 4))
        self.stage2 = nn.Sequential(ResidualBlock(4, 8), ResidualBlock(8, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Give logits (N, 5)."""
        x = self.stage2(F.max_pool2d(self.stage1(self.stem(x)), 2))
        return self.head(x.mean((2, 3)))


@family
def resnet() -> tuple[nn.Module, Any]:
    """Skips, in-place additions, one ReLU used twice a block, functional pooling."""
    return ResNet(), torch.randn(2, 3, 8, 8)


class PackedLSTM(nn.Module):
    """Embeds tokens, packs by length, and classifies from the last hidden state."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6, padding_idx=0)
        self.lstm = nn.LSTM(6, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 3)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Give logits (N, 3)."""
        packed = pack_padded_sequence(
            self.embed(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        out, (h, _) = self.lstm(packed)
        assert isinstance(out, PackedSequence)
        padded, _ = pad_packed_sequence(out, batch_first=True)
        return self.head(torch.cat([h[-2], h[-1]], 1) + padded.mean(1))


@family
def lstm() -> tuple[nn.Module, Any]:
    """Packed sequences go into an LSTM and come out, with a tuple of states."""
    tokens = torch.randint(1, 20, (3, 7))
    return PackedLSTM(), (tokens, torch.tensor([7, 4, 5]))


class CellLoop(nn.Module):
    """An RNN cell called once a time step."""

    def __init__(self, steps: int = 20) -> None:
        super().__init__()
        self.steps = steps
        self.cell = nn.RNNCell(3, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Take (T, N, 3)."""
        h = x.new_zeros(x.shape[1], 4)
        for t in range(self.steps):
            h = self.cell(x[t], h)
        return self.head(h)


@family
def rnn_cell() -> tuple[nn.Module, Any]:
    """One cell called twenty times in a loop."""
    return CellLoop(), torch.randn(20, 2, 3)


class Encoder(nn.Module):
    """torch's own transformer encoder over embedded tokens, with a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 8)
        self.position = nn.Parameter(torch.randn(1, 6, 8) * 0.1)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(8, 4)

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Give logits (N, 4)."""
        x = self.embed(tokens) + self.position[:, : tokens.shape[1]]
        x = self.encoder(x, src_key_padding_mask=padding)
        return self.head(x.mean(1))


@family
def transformer() -> tuple[nn.Module, Any]:
    """nn.TransformerEncoder (with its fast path in evaluation), keyword inputs, root parameter."""
    tokens = torch.randint(0, 30, (2, 6))
    padding = torch.zeros(2, 6, dtype=torch.bool)
    return Encoder(), {"tokens": tokens, "padding": padding}


class CausalAttention(nn.Module):
    """Scaled dot product attention with a fused projection, as GPT-like models write it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Take and give (N, T, width)."""
        n, t, c = x.shape
        q, k, v = (
            part.view(n, t, self.heads, c // self.heads).transpose(1, 2)
            for part in self.qkv(x).split(c, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(n, t, c))


class GPTBlock(nn.Module):
    """Pre-norm attention and a two-layer network, each with a skip."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = CausalAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Take and give (N, T, width)."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """A small decoder whose head shares the weight of its token embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(25, 12)
        self.positions = nn.Embedding(10, 12)
        self.blocks = nn.ModuleList(GPTBlock(12, 3) for _ in range(2))
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 25, bias=False)
        self.head.weight = self.tokens.weight
        self.offsets: Tensor
        self.register_buffer("offsets", torch.arange(10), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Give logits (N, T, 25)."""
        x = self.tokens(ids) + self.positions(self.offsets[: ids.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


@family
def gpt() -> tuple[nn.Module, Any]:
    """Weight tying, a ModuleList, scaled_dot_product_attention, a buffer that is not saved."""
    return GPT(), torch.randint(0, 25, (2, 8))


class Autoencoder(nn.Module):
    """Convolutions down, transposed convolutions up; gives the picture and the code."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 6)
        )
        self.decoder = nn.Sequential(
            nn.Linear(6, 64),
            nn.Unflatten(1, (4, 4, 4)),
            nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give (N, 1, 8, 8) and (N, 6)."""
        code = self.encoder(x)
        return self.decoder(code), code


@family
def autoencoder() -> tuple[nn.Module, Any]:
    """Two outputs, transposed convolution."""
    return Autoencoder(), torch.rand(3, 1, 8, 8)
