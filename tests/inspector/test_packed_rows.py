"""Layers on the data of packed sequences, against the same sequences run one at a time."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from nnwidgets import LayerInspector
from nnwidgets.probe.packed_rows import packed_layers

LENGTHS = [2, 4, 1, 3]


class Tagger(nn.Module):
    """A class for every step; everything runs on the packed data, nothing on padding."""

    def __init__(self, *, turned: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 5)
        self.rnn = nn.LSTM(5, 6, batch_first=True)
        self.norm = nn.LayerNorm(6)
        self.hidden = nn.Linear(6, 7)
        self.act = nn.ReLU()
        self.head = nn.Linear(7, 3)
        self.turned = turned

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(tokens, lengths, batch_first=True, enforce_sorted=False)
        states, _ = self.rnn(packed._replace(data=self.embed(packed.data)))
        hidden = self.hidden(self.norm(states.data))
        hidden = F.relu(hidden) if self.turned else self.act(hidden)
        said = states._replace(data=self.head(hidden))
        padded, _ = pad_packed_sequence(said, batch_first=True)
        return padded[torch.arange(len(lengths)), lengths - 1]

    def alone(self, tokens: Tensor) -> dict[str, Tensor]:
        """Run one sequence by hand and return what each layer gives for it."""
        embedded = self.embed(tokens)
        states = self.rnn(embedded.unsqueeze(0))[0][0]
        norm = self.norm(states)
        hidden = self.hidden(norm)
        act = hidden.relu()
        found = {"embed": embedded, "norm": norm, "hidden": hidden, "act": act}
        return {**found, "head": self.head(act), "rnn": states}


def _given() -> tuple[Tensor, Tensor]:
    tokens = torch.randint(1, 30, (4, 4), generator=torch.Generator().manual_seed(1))
    return tokens, torch.tensor(LENGTHS)


@pytest.mark.parametrize("turned", [False, True])
def test_terms_of_each_sample_and_step(turned: bool) -> None:
    torch.manual_seed(0)
    model = Tagger(turned=turned).eval()
    tokens, lengths = _given()
    with torch.no_grad(), LayerInspector(model, (tokens, lengths)) as inspector:
        for sample, length in enumerate(LENGTHS):
            alone = model.alone(tokens[sample, :length])
            inspector.sample_index = sample
            for time in range(length):
                terms = inspector.contributions("hidden", (time, 3))
                np.testing.assert_allclose(
                    terms, alone["norm"][time] * model.hidden.weight[3], atol=1e-5
                )
                terms = inspector.contributions("head", (time, -1))
                np.testing.assert_allclose(
                    terms, alone["act"][time] * model.head.weight[2], atol=1e-5
                )
                (term,) = inspector.contributions("embed", (time, 2))
                assert term == model.embed.weight[tokens[sample, time], 2]
            with pytest.raises(ValueError, match=f"is {length}×3"):
                inspector.contributions("head", (length, 0))


@pytest.mark.parametrize("layer", ["embed", "norm", "hidden", "act", "head", "rnn"])
@pytest.mark.parametrize("backward", [False, True])
def test_what_is_drawn_is_the_samples_own(layer: str, backward: bool) -> None:
    torch.manual_seed(0)
    model = Tagger().eval()
    tokens, lengths = _given()
    with LayerInspector(model, (tokens, lengths)) as inspector:
        inspector.selected = layer
        for sample, length in enumerate(LENGTHS):
            alone = model.alone(tokens[sample, :length])
            values = alone[layer].detach()
            inspector.sample_index, inspector.tab, inspector.unit = sample, "activations", None
            inspector._at_rest(inspector._look)
            numbers = {b.kind: b for b in inspector._blocks}["matrix"]
            assert numbers.arrays["pixels"].shape == values.shape
            inspector.tab, inspector.unit = "contributions", (length - 1, 1)
            inspector._click_direction("backward" if backward else "forward")
            inspector._at_rest(inspector._look)
            (block,) = (b for b in inspector._blocks if b.kind == "arithmetic")
            assert block.meta["unit"] == f"({length - 1}, 1)"
            if backward:
                kept = alone[layer]
                score = _score_at(model, alone, layer, length)
                (slope,) = torch.autograd.grad(score, kept)
                wanted = float(slope[length - 1, 1])
            else:
                wanted = float(values[length - 1, 1])
            line = [line for line, kind in block.meta["lines"] if kind == "result"][-1]
            assert _last_number(line) == pytest.approx(wanted, abs=2e-4, rel=2e-3), line


def _last_number(line: str) -> float:
    """Read the number a line ends in, as it is written."""
    mantissa, power = re.findall(r"(−?[\d.]*\d)(?: ?[×·] ?10([⁻⁰¹²³⁴-⁹]+))?", line)[-1]
    exponent = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) if power else "0"
    return float(mantissa.replace("−", "-")) * 10.0 ** int(exponent)


def _score_at(model: Tagger, alone: dict[str, Any], layer: str, length: int) -> Tensor:
    """Return the largest score of a sample, which is that of its last step."""
    scores: Tensor = alone["head"][length - 1]
    return scores.max()


def test_the_units_shown_and_the_best_samples() -> None:
    torch.manual_seed(0)
    model = Tagger().eval()
    tokens, lengths = _given()
    with torch.no_grad(), LayerInspector(model, (tokens, lengths)) as inspector:
        largest = [
            float(model.alone(tokens[i, :n])["hidden"][:, 4].max()) for i, n in enumerate(LENGTHS)
        ]
        found = inspector.best_samples("hidden", 4)
        assert found.indices.tolist() == np.argsort(np.negative(largest)).tolist()
        np.testing.assert_allclose(found.values, sorted(largest, reverse=True), atol=1e-5)
        inspector.selected, inspector.tab, inspector.sample_index = "hidden", "contributions", 1
        inspector._at_rest(inspector._look)
        values = model.alone(tokens[1])["hidden"]
        assert inspector._scene is not None
        assert inspector._scene.unit == tuple(
            int(i) for i in np.unravel_index(int(values.argmax()), values.shape)
        )


def test_a_packed_probe_batch() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4)
            self.head = nn.Linear(4, 2)

        def forward(self, x: PackedSequence) -> Tensor:
            out, _ = self.rnn(x)
            result: Tensor = self.head(out.data)
            return result

    torch.manual_seed(0)
    signals = [torch.randn(n, 3) for n in LENGTHS]
    packed = nn.utils.rnn.pack_sequence(signals, enforce_sorted=False)
    model = Bare().eval()
    with torch.no_grad(), LayerInspector(model, packed) as inspector:
        inspector.sample_index = 3
        with pytest.raises(Exception, match="holds 4"):
            inspector.sample_index = 4
        states = model.rnn(signals[3].unsqueeze(1))[0][:, 0]
        for time in range(3):
            np.testing.assert_allclose(
                inspector.contributions("head", (time, 1)),
                states[time] * model.head.weight[1],
                atol=1e-6,
            )
        largest = [float(model.rnn(s.unsqueeze(1))[0][:, 0, 2].max()) for s in signals]
        best = inspector.best_samples("rnn", 2)
        assert best.indices.tolist() == np.argsort(np.negative(largest)).tolist()


def test_layers_beside_packed_sequences_are_left_alone() -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(30, 5)
            self.rnn = nn.LSTM(5, 6, batch_first=True)
            self.head = nn.Linear(6, 3)

        def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
            embedded = self.embed(tokens)
            packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
            padded, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
            result: Tensor = self.head(padded)
            return result

    assert packed_layers(Padded().eval(), _given()) == {}
    model = Tagger()
    assert set(packed_layers(model, _given())) == {"embed", "norm", "hidden", "act", "head"}
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
