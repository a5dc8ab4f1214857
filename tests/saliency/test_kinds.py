"""Models, inputs and outputs of every kind: what is drawn is what is answered, or is refused."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets import SaliencyViewer
from nnwidgets.live import wire
from nnwidgets.probe.twin import Twin
from tests.saliency.conftest import Make, panes, part, shown_map, summed
from tests.training import Training, small_cnn

LARGEST = 300_000  # bytes of a part of a picture of 224×224


def settled(viewer: SaliencyViewer, method: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choose a method and wait; the pane's words and the arrays of the picture."""
    viewer.method = method
    viewer._have_answers()
    meta, arrays = part(viewer, "_picture")
    return meta["panes"][0], arrays


def check_every_method(viewer: SaliencyViewer) -> dict[str, dict[str, Any]]:
    """Every method that is said to apply does, in the picture as in the answer."""
    found = {}
    assert viewer.methods
    for method in viewer.methods:
        pane, arrays = settled(viewer, method)
        assert (pane["method"], pane["state"], pane["problem"]) == (method, "ready", None)
        assert arrays["0.map"].size
        assert list(np.shape(viewer.explain(method=method).arrays[0])) == pane["shape"]
        found[method] = {**arrays, **pane}
    assert viewer._error is None
    return found


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
    np.testing.assert_allclose(pane["0.map"], own, rtol=1e-6)
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


def tiny_vit() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        image_size=32, patch_size=8, num_labels=3,
    )  # fmt: skip
    model: nn.Module = transformers.ViTForImageClassification(config)
    return model


def tiny_bert() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=16, num_labels=2,
    )  # fmt: skip
    model: nn.Module = transformers.BertForSequenceClassification(config)
    return model


def test_a_vision_transformer(make: Make) -> None:
    torch.manual_seed(0)
    model = tiny_vit()
    viewer = make(model, {"pixel_values": torch.randn(2, 3, 32, 32)})
    for method in ("saliency", "grad_cam", "attention_rollout"):
        assert method in viewer.methods, viewer.unavailable.get(method)
        pane, arrays = settled(viewer, method)
        assert (pane["state"], pane["problem"]) == ("ready", None), method
        assert arrays["0.map"].shape == (32, 32)
    assert viewer._error is None


def test_bert(make: Make) -> None:
    torch.manual_seed(0)
    model = tiny_bert()
    ids = torch.randint(1, 30, (2, 7))
    viewer = make(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    for method in ("saliency", "integrated_gradients", "attention_rollout"):
        assert method in viewer.methods, viewer.unavailable.get(method)
        pane, arrays = settled(viewer, method)
        assert (pane["state"], pane["problem"]) == ("ready", None), method
        assert arrays["0.map"].shape == (7,)
        assert pane["kind"] == "tokens"


def test_wrapped_models_go_by_the_names_inside(training: Training, make: Make) -> None:
    plain = make(training.model, training.x[:3]).explain(0, method="grad_cam", layer="0")
    wrapped = nn.DataParallel(training.model)
    viewer = make(wrapped, training.x[:3], layer="0", method="grad_cam")
    assert panes(viewer)[0]["layer"] == "0"
    np.testing.assert_array_equal(viewer.explain(0).arrays[0], plain.arrays[0])
    viewer.keep("now")
    viewer.compare("checkpoint", "now")
    assert [pane["state"] for pane in panes(viewer)] == ["ready", "ready"]


def test_compiled_models(training: Training, make: Make) -> None:
    plain = make(training.model, training.x[:3]).explain(0, method="saliency")
    compiled = torch.compile(training.model, backend="eager")
    viewer = make(compiled, training.x[:3], layer="0", method="saliency")
    np.testing.assert_array_equal(viewer.explain(0).arrays[0], plain.arrays[0])
    assert panes(viewer)[0]["state"] == "ready"


def test_half_precision(make: Make) -> None:
    torch.manual_seed(0)
    model = small_cnn().to(torch.bfloat16)
    x = torch.randn(3, 1, 8, 8).to(torch.bfloat16)
    viewer = make(model, x, targets=1)
    full = make(small := small_cnn(), x.float(), targets=1)
    small.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    )
    for method in ("saliency", "integrated_gradients", "grad_cam", "occlusion"):
        pane, _ = settled(viewer, method)
        assert (pane["state"], pane["problem"]) == ("ready", None), method
        assert any("bfloat16" in one for one in pane["warnings"]), pane["warnings"]
        ours, exact = (v.explain(method=method).arrays[0] for v in (viewer, full))
        assert ours.dtype == np.float32
        assert np.corrcoef(ours.ravel(), exact.ravel())[0, 1] > 0.9, method


def test_a_model_too_large_to_copy(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:3], method="saliency")
    expected = viewer.explain(0, method="integrated_gradients").arrays[0]
    viewer._twin = Twin(training.model, largest=8)
    viewer.refresh()
    before = {k: v.clone() for k, v in training.model.state_dict().items()}
    pane, _ = settled(viewer, "integrated_gradients")
    assert (pane["state"], pane["problem"]) == ("ready", None)
    np.testing.assert_array_equal(viewer.explain(0).arrays[0], expected)
    for name, value in training.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert training.model.training
    assert all(not m._forward_hooks for m in training.model.modules())
    assert "copied" in viewer.status
    viewer.keep("now")  # other weights can not be put in
    viewer.compare("checkpoint", "now")
    states = [pane["state"] for pane in panes(viewer)]
    assert states == ["ready", "failed"]


def large_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
        nn.Linear(64, 1000),
    )  # fmt: skip


@pytest.mark.parametrize("method", ["saliency", "grad_cam", "lime"])
def test_every_part_of_a_large_picture_is_small(make: Make, method: str) -> None:
    torch.manual_seed(0)
    model = large_net()
    viewer = make(model, torch.randn(40, 3, 224, 224), method=method)
    viewer._have_answers()
    viewer.compare("target", 7)
    viewer._have_answers()
    assert [pane["state"] for pane in panes(viewer)] == ["ready", "ready"]
    for trait in ("_live", "_samples", "_choices", "_picture", "_film", "_trust"):
        size = wire.size(getattr(viewer, trait))
        assert size <= LARGEST, (trait, size)


def test_many_samples_and_many_classes_stay_small(make: Make) -> None:
    torch.manual_seed(0)
    count = 20_000
    model = nn.Sequential(nn.Linear(4, 30_000))
    viewer = make(model, torch.randn(count, 4), method="saliency", targets=[1] * count)
    assert panes(viewer)[0]["state"] == "ready"
    assert part(viewer, "_samples")[0]["count"] == count
    for trait in ("_live", "_samples", "_choices", "_picture", "_film"):
        size = wire.size(getattr(viewer, trait))
        assert size <= LARGEST, (trait, size)


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


def test_a_sequence_of_very_many_features_stays_small(make: Make) -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(700, 4, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[0].mean(1))

    model = Mean()
    viewer = make(model, torch.randn(1, 300, 700), method="saliency")
    meta, _ = part(viewer, "_picture")
    assert meta["panes"][0]["kind"] == "sequence"
    assert wire.size(viewer._picture) < 300_000
    values = np.abs(viewer.explain().arrays[0])
    assert values.max() > 0
    assert np.abs(shown_map(viewer)).max() == pytest.approx(values.max(), rel=0.01)
