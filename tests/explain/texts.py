"""Sentences cut from the help that ships with Python, and networks that have learnt to read them.

A window of words belongs to a class by one word in it; without it, to the class "none". The words
are those of pydoc's topics, so the others are real ones, in their real order. In training words
are blanked at random, so that the networks know what nothing looks like.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import dataclass
from pydoc_data.topics import topics

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["DECISIVE", "Reader", "Text", "read_by", "text"]

DECISIVE = ("statement", "expression", "method")
LENGTH = 10
_WORDS = 400
_PAD, _OTHER = 0, 1


@dataclass(frozen=True)
class Text:
    """Windows of words as ids, the class of each, and where the word stands that decides."""

    ids: Tensor
    labels: Tensor
    places: np.ndarray
    words: tuple[str, ...]


@functools.cache
def text() -> Text:
    """Cut all windows that hold exactly one of the three words; every fifth is kept apart."""
    words = re.findall(r"[a-z]+", " ".join(topics.values()).lower())
    common = [word for word, _ in Counter(words).most_common(_WORDS)]
    vocabulary = ("<pad>", "<other>", *common)
    ids = {word: number for number, word in enumerate(vocabulary)}
    numbers = np.array([ids.get(word, _OTHER) for word in words])
    decisive = [ids[word] for word in DECISIVE]
    windows = np.lib.stride_tricks.sliding_window_view(numbers, LENGTH)[::3]
    found = np.isin(windows, decisive)
    kept = found.sum(1) == 1
    windows, places = windows[kept], found[kept].argmax(1)
    labels = [decisive.index(number) for number in windows[np.arange(len(windows)), places]]
    return Text(torch.from_numpy(windows.copy()).long(), torch.tensor(labels), places, vocabulary)


class Reader(nn.Module):
    """An LSTM or a transformer over word ids; logits of the three words and of none of them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.embed = nn.Embedding(_WORDS + 2, 16, padding_idx=_PAD)
        if kind == "lstm":
            self.layers: nn.Module = nn.LSTM(16, 24, batch_first=True, bidirectional=True)
            self.head = nn.Linear(48, len(DECISIVE) + 1)
        else:
            self.place = nn.Parameter(torch.randn(LENGTH, 16) * 0.1)
            layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(16, len(DECISIVE) + 1)

    def forward(self, ids: Tensor) -> Tensor:
        """Give logits (N, 4)."""
        vectors = self.embed(ids)
        if self.kind == "lstm":
            return self.head(self.layers(vectors)[0].mean(1))
        return self.head(self.layers(vectors + self.place).mean(1))


@functools.cache
def read_by(kind: str) -> Reader:
    """Train ``"lstm"`` or ``"transformer"`` for a few seconds; the same each time."""
    world = text()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Reader(kind)
    train = torch.arange(len(world.ids)) % 5 > 0
    ids, labels = world.ids[train], world.labels[train]
    places = torch.from_numpy(world.places)[train]
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        batch = torch.randint(0, len(ids), (64,), generator=generator)
        blank = torch.rand(64, LENGTH, generator=generator) < torch.rand(64, 1, generator=generator)
        lost = blank[torch.arange(64), places[batch]]
        wanted = labels[batch].masked_fill(lost, len(DECISIVE))
        loss = nn.functional.cross_entropy(model(ids[batch].masked_fill(blank, _PAD)), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
