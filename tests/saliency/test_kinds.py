"""Models, inputs and outputs of every kind: what is drawn is what is answered, or is refused."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.saliency.conftest import Make, panes, part, shown_map, summed
from tests.saliency.every_method import check_every_method


def test_a_table_with_names(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    names = ["length", "width", "<b>height</b>", "weight"]
    viewer = make(
        model, torch.randn(9, 4), feature_names=names, class_names=["a", "b", "c"], targets=1
    )
    found = check_every_method(viewer)
    pane = found["integrated_gradients"]
    assert pane["features"] == names
    assert pane["kind"] == "table"
    assert pane["target_name"] == "b"
    own = viewer.explain(method="integrated_gradients").arrays[0]
    np.testing.assert_allclose(pane["0.map"], own, rtol=1e-5, atol=1e-7)
    # … and the bars add up to the prediction, from the baseline's.
    with torch.no_grad():
        score = float(model(viewer._probe.sample[:1])[0, 1])
        base = float(model(torch.zeros(1, 4))[0, 1])
    assert pane["score"] == pytest.approx(score, abs=1e-5)
    assert pane["baseline_score"] == pytest.approx(base, abs=1e-5)
    assert pane["sum"] == pytest.approx(score - base, abs=0.02)


class Words(nn.Module):
    def __init__(self, words: int = 20) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, 6, padding_idx=0)
        self.out = nn.Linear(6, 2)

    def forward(self, ids: Tensor) -> Tensor:
        out: Tensor = self.out(torch.tanh(self.embed(ids)).mean(1))
        return out


def test_tokens(make: Make) -> None:
    torch.manual_seed(0)
    ids = torch.randint(1, 20, (3, 5))
    texts = [[f"w{i}" for i in row] for row in ids.tolist()]
    model = Words()
    viewer = make(model, ids, tokens=texts)
    found = check_every_method(viewer)
    for pane in found.values():
        assert pane["kind"] == "tokens"
        assert pane["tokens"] == texts[0]
        assert pane["0.map"].shape == (5,)
    viewer.index = 2
    assert panes(viewer)[0]["tokens"] == texts[2]
    plain = make(model, ids)
    assert panes(plain)[0]["tokens"] == [str(i) for i in ids[0].tolist()]


def signal_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(4), nn.Flatten(),
        nn.Linear(16, 3),
    )  # fmt: skip


def test_signals(make: Make) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, 24)
    model = signal_net()
    found = check_every_method(make(model, x))
    for method, pane in found.items():
        assert pane["kind"] == "signal", method
        assert pane["0.map"].shape == (2, 24), method
        np.testing.assert_allclose(pane["0.input"], x[0], rtol=1e-6)
    # A class activation map has one value a position, for both channels.
    np.testing.assert_array_equal(found["grad_cam"]["0.map"][0], found["grad_cam"]["0.map"][1])


def test_a_long_signal_keeps_its_peak(make: Make) -> None:
    class Picks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return torch.stack([x[:, 0, 12_345], x[:, 1, 7]], 1)

    model = Picks()
    x = torch.randn(2, 2, 20_001)
    viewer = make(model, x, method="saliency", targets=0)
    meta, arrays = part(viewer, "_picture")
    assert meta["panes"][0]["kind"] == "signal"
    assert arrays["0.map"].shape[1] <= 4096
    full = viewer.explain().arrays[0]
    drawn = shown_map(viewer)
    np.testing.assert_allclose(np.abs(drawn).max(1), np.abs(full).max(1), rtol=1e-6)
    place = int(np.abs(drawn[0]).argmax())
    assert place == 12_345 // -(-20_001 // 4096)
    assert arrays["0.input"][0, place] == pytest.approx(float(x[0, 0, 12_345]))


class Sequence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.last = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.block(self.first(x)).mean(1))
        return out


def test_sequences(make: Make) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 9, 3)
    model = Sequence()
    found = check_every_method(make(model, x, feature_names=["a", "b", "c"]))
    for method, pane in found.items():
        assert (pane["kind"], pane["features"]) == ("sequence", ["a", "b", "c"]), method
        assert pane["0.map"].shape == (9, 3), method
        np.testing.assert_allclose(pane["0.input"], x[0], rtol=1e-6)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True)
        self.last = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.lstm(x)[0][:, -1])
        return out


def test_recurrent_networks(make: Make) -> None:
    torch.manual_seed(0)
    model = Recurrent()
    check_every_method(make(model, torch.randn(2, 6, 3)))


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.last = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.conv(x.permute(0, 3, 1, 2)).relu().mean((2, 3)))
        return out


def test_images_with_their_channels_last(make: Make) -> None:
    torch.manual_seed(0)
    model = ChannelsLast()
    viewer = make(model, torch.rand(2, 10, 12, 3), method="saliency")
    values = viewer.explain().arrays[0]
    assert values.shape == (10, 12, 3)
    np.testing.assert_allclose(shown_map(viewer), values.sum(2), rtol=1e-5, atol=1e-8)
    items = dict(viewer._click_at(0, [9, 11])["items"])
    for channel in range(3):
        told = float(items[f"channel {channel}"].replace("−", "-"))
        assert told == pytest.approx(values[9, 11, channel], rel=0.01)
    assert "channel 3" not in items


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(1, 2, 3)
        self.table = nn.Linear(4, 3)
        self.last = nn.Linear(5, 3)

    def forward(self, image: Tensor, table: Tensor, *, scale: float = 1.0) -> Tensor:
        both = torch.cat([self.image(image).mean((2, 3)), self.table(table)], 1)
        out: Tensor = self.last(both * scale).tanh()
        return out


@pytest.mark.parametrize("keyed", [False, True])
def test_several_inputs(make: Make, keyed: bool) -> None:
    torch.manual_seed(0)
    image, table = torch.rand(3, 1, 8, 8), torch.randn(3, 4)
    inputs: Any = {"image": image, "table": table} if keyed else (image, table)
    model = TwoInputs()
    viewer = make(model, inputs, method="saliency")
    found = viewer.explain()
    assert type(found.values) is (dict if keyed else tuple)
    first, second = found.arrays
    assert (first.shape, second.shape) == ((1, 8, 8), (4,))
    np.testing.assert_allclose(shown_map(viewer), summed(first), rtol=1e-5, atol=1e-8)
    assert len(panes(viewer)[0]["slots"]) == 2
    viewer._click_slot(1)
    pane = panes(viewer)[0]
    assert (pane["slot"], pane["kind"], pane["state"]) == (1, "table", "ready")
    np.testing.assert_allclose(shown_map(viewer), second, rtol=1e-5, atol=1e-8)
    viewer._click_slot(99)
    assert panes(viewer)[0]["state"] == "ready"


@dataclasses.dataclass
class Output:
    logits: Tensor
    hidden: Tensor


@pytest.mark.parametrize("form", ["tuple", "dict", "dataclass"])
def test_outputs_with_parts(make: Make, form: str) -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Any:
            hidden = self.one(x).tanh()
            logits = self.two(hidden)
            if form == "tuple":
                return logits, hidden
            return (
                {"logits": logits, "hidden": hidden} if form == "dict" else Output(logits, hidden)
            )

    torch.manual_seed(0)
    model = Parts()
    x = torch.randn(2, 4)
    viewer = make(model, x, method="saliency", targets=2)
    leaf = x[:1].clone().requires_grad_()
    model.two(model.one(leaf).tanh())[0, 2].backward()
    assert leaf.grad is not None
    np.testing.assert_allclose(viewer.explain().arrays[0], leaf.grad[0].abs(), rtol=1e-5)
    assert panes(viewer)[0]["classes"] == ["0", "1", "2"]


def test_regression(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    viewer = make(model, torch.randn(3, 4), method="input_x_gradient")
    pane = panes(viewer)[0]
    assert (pane["state"], pane["target"], pane["target_unit"]) == ("ready", None, "value")
    with pytest.raises(ValueError, match="target"):
        viewer.explain(target=1)


def test_one_logit_with_names(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    viewer = make(model, torch.randn(3, 4), method="input_x_gradient", class_names=["no", "yes"])
    meta, arrays = part(viewer, "_picture")
    pane = meta["panes"][0]
    assert pane["classes"] == ["no", "yes"]
    probabilities = arrays["0.probabilities"]
    with torch.no_grad():
        yes = float(model(viewer._probe.sample[:1])[0, 0].sigmoid())
    np.testing.assert_allclose(probabilities, [1 - yes, yes], rtol=1e-5)
    assert pane["target"] == int(yes > 0.5)
    for_yes, for_no = (viewer.explain(target=t).arrays[0] for t in (1, 0))
    np.testing.assert_allclose(for_yes, -for_no, rtol=1e-6)


def test_a_function_picks_the_score_of_a_segmentation(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    x = torch.rand(2, 3, 12, 12)

    def middle_of_class_one(output: Tensor) -> Tensor:
        return output[:, 1, 4:8, 4:8].mean((1, 2))

    viewer = make(model, x, targets=middle_of_class_one, method="saliency")
    pane = panes(viewer)[0]
    assert (pane["state"], pane["target"]) == ("ready", None)
    assert pane["target_name"] == "middle_of_class_one"
    values = summed(viewer.explain().values)
    assert np.abs(values[5:7, 5:7]).sum() > 0
    assert np.abs(values[:2]).sum() == 0  # nothing there is seen by the middle
    assert viewer.get_state()["target"] == "middle_of_class_one"
    without = make(model, x)
    assert panes(without)[0]["state"] == "failed"
    with pytest.raises(ValueError, match="target"):
        without.explain()
    without.target = (1, 5, 5)
    assert panes(without)[0]["state"] == "ready"
    wrong = make(model, x, targets=lambda output: output, method="saliency")
    assert panes(wrong)[0]["state"] == "failed"


def test_what_is_not_finite_is_said(make: Make) -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    x = torch.randn(2, 4)
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
        model[0].weight[1, 1] = float("inf")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        viewer = make(model, x, method="saliency", targets=0)
        pane = panes(viewer)[0]
    assert pane["state"] == "ready"
    assert any("finite" in sentence for sentence in pane["warnings"]), pane["warnings"]
    assert np.isnan(shown_map(viewer)[0])
