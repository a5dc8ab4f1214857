"""Layers whose batch is not the model's, and inputs that cannot be cut: how many samples are there?

Characters of all words, rows of all images, frames of one clip stand where torch's layers have
their batch; the model itself is given fewer samples than that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from nnwidgets import LayerInspector
from nnwidgets.probe.packed_rows import PackedRows, packed_layers


class Characters(nn.Module):
    """Reads words (sentence × word × character), all at once."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 6)
        self.rnn = nn.LSTM(6, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, text: Tensor) -> Tensor:
        sentences, words, characters = text.shape
        turned = self.embed(text.reshape(-1, characters)).transpose(0, 1)
        state = self.rnn(turned)[1][0][-1]
        result: Tensor = self.head(state.view(sentences, words, -1).mean(1))
        return result


class Rows(nn.Module):
    """Attends along the rows of images."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(4, 2)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        rows = images.permute(3, 0, 2, 1).reshape(width, count * height, channels)
        mixed, _ = self.attend(rows, rows, rows)
        result: Tensor = self.head(mixed.mean(0).view(count, height, channels).mean(1))
        return result


class Steps(nn.Module):
    """Is given the batch first although its layer takes time first, as many are by mistake."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, signal: Tensor) -> Tensor:
        result: Tensor = self.head(self.rnn(signal)[0][:, -1])
        return result


class Clips(nn.Module):
    """Attends within each frame of each clip (clip × frame × place × feature)."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(4, 2)
        self.head = nn.Linear(4, 3)

    def forward(self, clips: Tensor) -> Tensor:
        places = clips.flatten(0, 1).transpose(0, 1)
        mixed, _ = self.attend(places, places, places)
        result: Tensor = self.head(mixed.mean(0).view(*clips.shape[:2], -1).mean(1))
        return result


@pytest.mark.parametrize(
    ("kind", "sample"),
    [
        (Characters, torch.randint(0, 30, (4, 7, 9), generator=torch.Generator().manual_seed(1))),
        (Rows, torch.randn(5, 4, 6, 7, generator=torch.Generator().manual_seed(2))),
        (Steps, torch.randn(5, 7, 4, generator=torch.Generator().manual_seed(3))),
        (Clips, torch.randn(3, 6, 5, 4, generator=torch.Generator().manual_seed(4))),
        (Clips, torch.randn(1, 6, 5, 4, generator=torch.Generator().manual_seed(5))),
    ],
)
def test_samples_are_what_the_model_is_given(kind: type[nn.Module], sample: Tensor) -> None:
    torch.manual_seed(0)
    model = kind()
    with torch.no_grad():
        wanted = model(sample)[:, 1].numpy()
    count = len(sample)
    with LayerInspector(model, sample) as inspector:
        inspector.sample_index = count - 1
        with pytest.raises(Exception, match=f"the probe batch holds {count}"):
            inspector.sample_index = count
        found = inspector.best_samples("head", 1)
    order = np.argsort(-wanted, kind="stable")
    assert found.indices.tolist() == order.tolist()
    np.testing.assert_allclose(found.values, wanted[order], atol=1e-5)


@pytest.mark.parametrize("lengths", [(6, 3, 5), (2, 2, 2, 2), (1, 4, 2)])
def test_the_best_of_packed_sequences_that_stand_time_first(lengths: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    sequences = [torch.randn(length, 4) for length in lengths]
    model = nn.Sequential(nn.LSTM(4, 5))
    with torch.no_grad():
        wanted = np.array([float(model(s)[0][:, 2].max()) for s in sequences])
    with LayerInspector(model, pack_sequence(sequences, enforce_sorted=False)) as inspector:
        found = inspector.best_samples("0", 2)
    order = np.argsort(-wanted, kind="stable")
    assert found.indices.tolist() == order.tolist()
    np.testing.assert_allclose(found.values, wanted[order], atol=1e-6)


class Ragged(nn.Module):
    """Pads nested sequences, and attends to them time first."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(4, 4)
        self.attend = nn.MultiheadAttention(4, 2)

    def forward(self, nested: Tensor) -> Tensor:
        padded = torch.nested.to_padded_tensor(self.into(nested), 0.0).transpose(0, 1)
        result: Tensor = self.attend(padded, padded, padded)[0]
        return result


class Nodes(nn.Module):
    """Mixes what a recurrent layer says of the nodes of a graph."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, graph: Tensor, signal: Tensor) -> Tensor:
        result: Tensor = self.head(graph @ self.rnn(signal)[0][-1])
        return result


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("kind", ["nested", "coo", "csr"])
def test_what_cannot_be_cut_is_left_whole(kind: str) -> None:
    model: nn.Module
    sample: Any
    if kind == "nested":
        model, count = Ragged(), 2
        sample = torch.nested.nested_tensor([torch.randn(3, 4), torch.randn(5, 4)])
    else:
        model, count = Nodes(), 6
        graph = torch.eye(6).to_sparse() if kind == "coo" else torch.eye(6).to_sparse_csr()
        sample = graph, torch.randn(3, 6, 4)
    with LayerInspector(model, sample) as inspector:
        inspector.sample_index = count - 1
        inspector._at_rest(inspector._look)
        assert inspector._blocks
        assert all(block.meta.get("level") != "error" for block in inspector._blocks)
        if kind == "nested":
            assert sorted(inspector.best_samples("attend", 0).indices.tolist()) == [0, 1]


class Late(nn.Module):
    """Runs other layers, whose outputs are gone, before it embeds what is packed later."""

    def __init__(self, others: int) -> None:
        super().__init__()
        self.others = others
        self.other = nn.Linear(1, 4)
        self.embed = nn.Embedding(9, 4)
        self.rnn = nn.LSTM(4, 5)

    def forward(self, tokens: Tensor, sizes: Tensor) -> Tensor:
        one = torch.ones(2, 1)
        for _ in range(self.others):
            self.other(one)
        made = self.embed(tokens)
        result: Tensor = self.rnn(PackedSequence(made, sizes))[0].data
        return result


@pytest.mark.parametrize("others", [0, 1, 2, 5])
def test_rows_are_known_in_the_place_of_a_tensor_that_is_gone(others: int) -> None:
    packed = pack_sequence([torch.randint(0, 9, (n,)) for n in (5, 3, 2)])
    assert "embed" in packed_layers(Late(others).eval(), (packed.data, packed.batch_sizes))


def test_rows_of_a_sample_are_where_packing_puts_them() -> None:
    lengths = (3, 7, 1, 4)
    numbered = [torch.arange(n) + 100.0 * i for i, n in enumerate(lengths)]
    packed = pack_sequence(numbered, enforce_sorted=False)
    rows = PackedRows.of(packed)
    for index, sequence in enumerate(numbered):
        assert torch.equal(packed.data[rows.of_sample(index)], sequence)


def test_where_samples_stand_is_tried_once() -> None:
    """A first look runs a model: once to trace, once to show, and twice and once to find out."""

    class Counted(Steps):
        runs = 0

        def forward(self, signal: Tensor) -> Tensor:
            Counted.runs += 1
            result: Tensor = self.head(self.rnn(signal)[0])
            return result

    model = Counted()
    with LayerInspector(model, torch.randn(6, 5, 4)) as inspector:
        inspector._at_rest(inspector._look)
        assert Counted.runs <= 5
        before = Counted.runs
        inspector._at_rest(inspector._look)
        assert Counted.runs == before + 1
