"""Layers whose output has no row for each sample, no numbers, or no call at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import traitlets as t
from torch import Tensor, nn

from tests.inspector.conftest import Make, blocks


class Placed(nn.Module):
    """Adds an embedding of positions, computed once for all samples, as BERT and GPT do."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 6)
        self.places = nn.Embedding(5, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, ids: Tensor) -> Tensor:
        place = torch.arange(ids.shape[1])[None]
        out: Tensor = self.head((self.words(ids) + self.places(place)).mean(1))
        return out


def words(inspector: Any) -> str:
    inspector.flush()
    return " ".join(block.title[0] for block in inspector._blocks if block.kind == "note")


def test_one_row_for_all_samples_is_taken_apart_for_each_of_them(make: Make) -> None:
    model = Placed()
    inspector = make(model, torch.randint(9, (4, 5)))
    inspector.selected, inspector.tab, inspector.sample_index = "places", "contributions", 3
    shown = blocks(inspector)
    weights = model.places.weight.detach().numpy()
    strongest = np.unravel_index(int(weights.argmax()), weights.shape)
    assert inspector._scene is not None
    assert inspector._scene.unit == tuple(map(int, strongest))
    assert shown["terms"].arrays["product"].sum() == pytest.approx(weights.max(), rel=1e-6)
    inspector.tab = "feature"
    assert words(inspector) == "probe.inspect.feature"
    assert inspector._error is None


def test_a_sample_that_the_layer_does_not_have_is_one_sentence(make: Make) -> None:

    class FirstTwo(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.head(x[:2])
            return result

    model = FirstTwo()
    inspector = make(model, torch.randn(7, 3))
    inspector.selected, inspector.sample_index = "head", 5
    for tab in ("activations", "contributions", "feature"):
        inspector.tab = tab
        assert words(inspector).startswith("probe.unit.sample"), tab
    assert inspector._error is None
    del model


def test_an_output_without_numbers(make: Make) -> None:
    with pytest.warns(UserWarning, match="zero-element"):
        model = nn.Sequential(nn.Linear(3, 0))
    inspector = make(model, torch.randn(4, 3))
    for inspector.tab in ("activations", "contributions", "feature"):
        assert words(inspector).startswith("probe.display.empty"), inspector.tab
    assert inspector._error is None


@pytest.mark.filterwarnings("ignore:Complex modules are a new feature")
def test_complex_numbers_have_no_signed_terms_either_way(
    make: Make, recwarn: pytest.WarningsRecorder
) -> None:
    class Waves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(3, 2).to(torch.complex64)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.mix(torch.fft.rfft(x)).abs()
            return out

    inspector = make(model := Waves(), torch.randn(4, 4))
    inspector.selected, inspector.tab = "mix", "contributions"
    for backward in (False, True):
        inspector._ask_for(backward=backward)
        assert "probe.contributions.complex" in words(inspector)
    assert inspector._error is None
    assert not [w for w in recwarn if "imaginary" in str(w.message)]
    del model


class Holders(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(3, 3)])
        self.ways = nn.ModuleDict({"a": nn.ReLU()})
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(3))])
        self.empty = nn.ModuleList()
        self.idle = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.ways["a"](self.blocks[0](x)) * self.scales[0]
        return out


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("blocks", r"blocks \(ModuleList\) only holds other modules .* choose one of those inside"),
        ("ways", r"ways \(ModuleDict\) only holds other modules"),
        ("scales", r"scales \(ParameterList\) only holds parameters .* weights"),
        ("empty", r"empty \(ModuleList\) has no forward"),
        ("idle", r"did not call idle for this input"),
    ],
)
def test_why_a_module_was_not_called(make: Make, layer: str, sentence: str) -> None:
    model = Holders()
    inspector = make(model, torch.randn(4, 3))
    with pytest.raises(ValueError, match=sentence):
        inspector.activations(layer)


def test_the_model_as_a_whole_is_no_layer(make: Make) -> None:
    inspector = make(model := Holders(), torch.randn(4, 3))
    with pytest.raises(t.TraitError, match="as a whole is one only where"):
        inspector.selected = ""
    assert inspector.selected == "blocks.0"
    del model


def test_an_output_that_is_no_number_is_not_the_models_failure(make: Make) -> None:
    class Positive(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x > 0

    model = nn.Sequential(nn.Linear(3, 2), Positive())
    inspector = make(model, torch.randn(4, 3))
    inspector.selected = "1"
    inspector._ask_for(sort="contribution")
    assert "probe.unit.none" in words(inspector)
    assert "probe.reach.failed_in" not in words(inspector)


@pytest.mark.parametrize("kind", ["LinearAttention", "SelfAttn", "Mixer"])
def test_attention_without_a_map_says_so(make: Make, kind: str) -> None:
    """Linear attention has none; what its author calls attention is the only sign of it."""

    def forward(self: Any, x: Tensor) -> Tensor:
        out: Tensor = torch.einsum("bqd,bkd,bke->bqe", self.q(x).exp(), x.exp(), x)
        return out

    module = type(kind, (nn.Module,), {"forward": forward})()
    module.q = nn.Linear(4, 4)
    model = nn.Sequential(module)
    inspector = make(model, torch.randn(2, 5, 4))
    inspector.selected = "0"
    assert ("probe.attention.none" in words(inspector)) == (kind != "Mixer")
    assert "matrix" in blocks(inspector)
