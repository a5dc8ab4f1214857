"""Models from elsewhere, wrapped, compiled, in half precision, or too large to copy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets.probe.twin import Twin
from tests.saliency.conftest import Make, panes
from tests.saliency.every_method import settled
from tests.training import Training, small_cnn


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
    # How many inputs go through at once depends on the time, and the last digits on that.
    np.testing.assert_allclose(viewer.explain(0).arrays[0], expected, rtol=1e-4, atol=1e-6)
    for name, value in training.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert training.model.training
    assert all(not m._forward_hooks for m in training.model.modules())
    assert "copied" in viewer.status
    viewer.keep("now")  # other weights can not be put in
    viewer.compare("checkpoint", "now")
    states = [pane["state"] for pane in panes(viewer)]
    assert states == ["ready", "failed"]
