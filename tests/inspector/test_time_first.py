"""Models that take time first: their twin that takes the batch first is the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from nnwidgets import LayerInspector
from nnwidgets._inspector_scene import TABS
from nnwidgets.probe.time_first import sample_axes

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")


class Reader(nn.Module):
    """Embedding, LSTM, encoder, attention, norm and a linear layer: one class a token."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.embed = nn.Embedding(20, 8)
        self.rnn = nn.LSTM(8, 6, 2, bidirectional=True, batch_first=batch_first)
        layer = nn.TransformerEncoderLayer(12, 2, 10, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 1)
        self.attend = nn.MultiheadAttention(12, 2, batch_first=batch_first)
        self.norm = nn.LayerNorm(12)
        self.act = nn.ReLU()
        self.head = nn.Linear(12, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.rnn(self.embed(tokens))
        coded = self.encoder(states)
        mixed, _ = self.attend(coded, coded, coded)
        result: Tensor = self.head(self.act(self.norm(mixed)))
        return result


def _pair() -> tuple[Reader, Reader]:
    torch.manual_seed(3)
    late, early = Reader(batch_first=False), Reader(batch_first=True)
    early.load_state_dict(late.state_dict())
    return late, early


def _pages(inspector: LayerInspector, layer: str, tab: str, sample: int) -> list[Any]:
    inspector.selected, inspector.tab, inspector.sample_index = layer, tab, sample
    inspector._at_rest(inspector._look)
    return [(b.kind, b.title, b.meta, b.arrays) for b in inspector._blocks]


@pytest.mark.parametrize(("time", "batch"), [(5, 3), (4, 4), (6, 1)])
def test_every_tab_shows_what_the_batch_first_twin_shows(time: int, batch: int) -> None:
    late, early = _pair()
    tokens = torch.randint(0, 20, (time, batch), generator=torch.Generator().manual_seed(1))
    with LayerInspector(late, tokens) as one, LayerInspector(early, tokens.T) as other:
        for layer in (info.name for info in one.layers):
            for sample in {batch - 1}:
                for tab in TABS:
                    shown = _pages(one, layer, tab, sample)
                    wanted = _pages(other, layer, tab, sample)
                    assert [p[:2] for p in shown] == [p[:2] for p in wanted], (layer, tab)
                    for (kind, _, _, mine), (_, _, _, theirs) in zip(shown, wanted, strict=True):
                        assert mine.keys() == theirs.keys()
                        for name, array in mine.items():
                            where = f"{layer} {tab} {kind} {name}"
                            if array.dtype == np.uint8:  # a rounded number may go either way
                                gap = np.abs(array.astype(int) - theirs[name].astype(int))
                                assert array.shape == theirs[name].shape, where
                                assert gap.max(initial=0) <= 1, where
                            else:
                                np.testing.assert_allclose(
                                    array, theirs[name], rtol=1e-3, atol=1e-4, err_msg=where
                                )


def test_the_samples_are_counted_along_the_second_dimension() -> None:
    late, early = _pair()
    tokens = torch.randint(0, 20, (7, 3), generator=torch.Generator().manual_seed(2))
    with LayerInspector(late, tokens) as one, LayerInspector(early, tokens.T) as other:
        one.sample_index = 2  # before anything was looked at
        with pytest.raises(Exception, match="0 to 2: the probe batch holds 3; not 3"):
            one.sample_index = 3
        other.sample_index = 2
        unit = (6, 1)
        np.testing.assert_allclose(
            one.contributions("head", unit), other.contributions("head", unit), atol=1e-6
        )
        mine, theirs = one.best_samples("head", unit), other.best_samples("head", unit)
        assert mine.indices.tolist() == theirs.indices.tolist()
        np.testing.assert_allclose(mine.values, theirs.values, atol=1e-5)
        np.testing.assert_allclose(
            one.ablate("rnn", 2).after, other.ablate("rnn", 2).after, atol=1e-5
        )


def test_a_feature_is_a_sequence_not_a_moment() -> None:
    torch.manual_seed(0)
    late, early = (nn.Sequential(nn.LSTM(4, 5, batch_first=b)) for b in (False, True))
    early.load_state_dict(late.state_dict())
    signal = torch.randn(6, 3, 4)
    with LayerInspector(late, signal) as one, LayerInspector(early, signal.transpose(0, 1)) as two:
        mine, theirs = (i.feature("0", (5, 2), steps=4) for i in (one, two))
    assert mine.image.shape == (6, 4)
    np.testing.assert_allclose(mine.image, theirs.image, atol=1e-5)
    assert mine.best_index == theirs.best_index


class Turning(nn.Module):
    """Takes the batch first, and turns it for a layer that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Linear(4, 6)
        self.attend = nn.MultiheadAttention(6, 2)
        self.between = nn.Linear(6, 6)
        self.after = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        turned = self.before(x).transpose(0, 1)
        mixed = self.between(self.attend(turned, turned, turned)[0])
        result: Tensor = self.after(mixed.mean(0))
        return result


@pytest.mark.parametrize("time", [3, 5])
def test_each_layer_of_a_model_that_turns_its_input(time: int) -> None:
    torch.manual_seed(0)
    model, x = Turning(), torch.randn(3, time, 4)
    found = sample_axes(model.eval(), x)
    assert found is not None
    assert (found.count, found.inputs) == (3, (0,))
    assert found.outputs["before"] == (3, 0)
    assert found.outputs["between"] == (3, 1)
    assert found.outputs["after"] == found.outputs[""] == (2, 0)
    with LayerInspector(model, x) as inspector:
        for sample in range(3):
            # The oracle knows nothing of dimensions: one sample at a time.
            alone = inspector.contributions("between", (time - 1, 4)) if sample == 0 else None
            inspector.sample_index = sample
            terms = inspector.contributions("between", (time - 1, 4))
            turned = model.before(x[sample]).unsqueeze(1)
            mixed = model.attend(turned, turned, turned)[0][time - 1, 0]
            np.testing.assert_allclose(terms, (mixed * model.between.weight[4]).detach(), atol=1e-6)
            assert alone is None or np.array_equal(alone, terms)


def test_packed_sequences_and_masks_are_cut_along_their_own_dimension() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = nn.MultiheadAttention(4, 2)
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor, mask: Tensor, state: Tensor) -> Tensor:
            mixed, _ = self.attend(x, x, x, key_padding_mask=mask)
            result: Tensor = self.head(mixed + state.sum(0))
            return result

    for time in (5, 3):  # as long as the batch is wide, too
        mask = torch.zeros(3, time, dtype=torch.bool)
        mask[1, -1] = True
        found = sample_axes(Masked().eval(), (torch.randn(time, 3, 4), mask, torch.randn(2, 3, 4)))
        assert found is not None
        assert found.inputs == (1, 0, 1)
        assert found.outputs["head"] == (3, 1)

    class Packing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(4, 5)

        def forward(self, x: Tensor, lengths: Tensor) -> Any:
            return self.rnn(pack_padded_sequence(x, lengths, enforce_sorted=False))

    found = sample_axes(Packing().eval(), (torch.randn(4, 4, 4), torch.tensor([2, 4, 1, 3])))
    assert found is not None
    assert found.inputs == (1, 0)


def test_other_models_are_not_run_for_it() -> None:
    calls = []
    model = nn.Sequential(nn.Linear(3, 2))
    model.register_forward_hook(lambda *_: calls.append(1))
    assert sample_axes(model, torch.zeros(2, 3)) is None
    rnn = nn.LSTM(3, 2, batch_first=True)
    rnn.register_forward_hook(lambda *_: calls.append(1))
    assert sample_axes(rnn, torch.zeros(2, 4, 3)) is None
    assert calls == []


def test_a_model_of_one_batch_size_is_read_by_its_sizes() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.RNN(4, 5)
            self.head = nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            if x.shape[1] != 3:
                raise ValueError("three sequences")
            result: Tensor = self.head(self.rnn(x)[0])
            return result

    found = sample_axes(Fixed().eval(), torch.randn(6, 3, 4))
    assert found is not None
    assert (found.count, found.inputs, found.outputs["head"]) == (3, (1,), (3, 1))
    assert sample_axes(Fixed().eval(), torch.randn(3, 3, 4)) is None  # nothing tells: as before


def test_the_training_batch_and_its_first_inputs() -> None:
    late, early = _pair()
    tokens = torch.randint(0, 20, (5, 40), generator=torch.Generator().manual_seed(1))
    shown = []
    for model, given in ((late, tokens), (early, tokens.T)):
        model.train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
            if isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        with LayerInspector(model, optimizer=optimizer, budget=0.5) as inspector:
            inspector.selected = "head"
            inspector._click_source("batch")
            for _ in range(4):
                inspector.session.look_into_next_step()
                model(given).square().sum().backward()
                optimizer.step()
            inspector.sample_index = 2
            inspector._at_rest(inspector._look)
            (block,) = (b for b in inspector._blocks if b.kind == "matrix")
            shown.append((block.arrays, inspector._probe.count if inspector._probe else 0))
    (mine, count), (theirs, other) = shown
    assert mine["pixels"].shape == theirs["pixels"].shape == (5, 3)
    gap = np.abs(mine["pixels"].astype(int) - theirs["pixels"].astype(int))
    assert gap.max() <= 1
    assert (count, other) == (16, 16)
