"""Flawed maps are said to be flawed, and what cannot be done is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.methods import explain, method_named
from nnwidgets.explain.question import Question
from nnwidgets.explain.registry import METHODS, REGISTRY, Method, register
from nnwidgets.probe.refusal import Refusal
from tests.explain.nets import cnn, mlp
from tests.explain.test_methods import PLAIN, asked_image


class Constant(nn.Module):
    """Says the same whatever it sees."""

    def forward(self, values: Tensor) -> Tensor:
        return torch.zeros(len(values), 3)


class Ignoring(nn.Module):
    """Looks at the first of two inputs only."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 2)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.layer(left)


@pytest.mark.parametrize("method", [name for name in PLAIN if name != "lrp"])
def test_a_constant_model_gets_an_empty_map_that_is_said_to_be_one(method: str) -> None:
    asked = Question(Constant(), torch.randn(2, 4)).ask(0, 1)
    found = explain(asked, method)
    assert not np.any(found.values)
    assert found.warnings


@pytest.mark.parametrize("method", [*(n for n in PLAIN if n != "deep_lift"), "grad_cam"])
def test_weights_that_are_no_numbers_give_a_map_that_is_said_to_be_one(method: str) -> None:
    net = cnn()
    with torch.no_grad():
        net[-1].weight.fill_(torch.nan)
    found = explain(asked_image(net), method)
    assert not np.any(np.isfinite(found.values))
    assert any("NaN" in words for words in found.warnings)


def test_an_input_that_is_not_looked_at_is_named() -> None:
    asked = Question(Ignoring().eval(), (torch.randn(2, 3), torch.randn(2, 2))).ask(0, 1)
    for method in ("saliency", "integrated_gradients", "deep_lift", "smooth_grad"):
        found = explain(asked, method)
        assert np.any(found.values[0])
        assert not np.any(found.values[1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("method", [*PLAIN, "grad_cam", "guided_grad_cam"])
def test_half_precision_is_explained_and_said(method: str, dtype: torch.dtype) -> None:
    data = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(3)).to(dtype)
    asked = Question(cnn().to(dtype), data).ask(1, 2)
    found = explain(asked, method)
    assert found.values.dtype.kind == "f"
    assert np.isfinite(found.values).all()
    assert any(str(dtype).removeprefix("torch.") in words for words in found.warnings)
    whole = explain(asked_image(), method)
    if method != "lime":  # whose penalty may leave nothing of so small a score
        assert np.corrcoef(found.values.ravel(), whole.values.ravel())[0, 1] > 0.9


# --- what is refused ------------------------------------------------------------------------------


def test_wrong_calls_name_what_there_is() -> None:
    asked = asked_image()
    with pytest.raises(ValueError, match="did you mean 'saliency'"):
        explain(asked, "salience")
    with pytest.raises(ValueError, match=r"no option 'steps'.*internal_batch_size.*n_steps"):
        explain(asked, "integrated_gradients", options={"steps": 3})
    with pytest.raises(ValueError, match="it has none"):
        explain(asked, "input_x_gradient", options={"seed": 1})
    with pytest.raises(ValueError, match="n_steps must be a whole number"):
        explain(asked, "integrated_gradients", options={"n_steps": 0})
    with pytest.raises(ValueError, match="seed must be"):
        explain(asked, "smooth_grad", options={"seed": -1})
    with pytest.raises(ValueError, match="nt_type is one of smoothgrad"):
        explain(asked, "smooth_grad", options={"nt_type": "other"})
    with pytest.raises(ValueError, match="stdevs must be"):
        explain(asked, "smooth_grad", options={"stdevs": -1.0})
    with pytest.raises(ValueError, match="method is one of"):
        explain(asked, "integrated_gradients", options={"method": "simpson"})
    with pytest.raises(ValueError, match="no layer 'conv'"):
        explain(asked, "grad_cam", layer="conv")
    with pytest.raises(ValueError, match="does not fit the input"):
        explain(asked, "lime", options={"feature_mask": np.zeros((5, 5), int)})
    with pytest.raises(ValueError, match="larger than the input"):
        explain(asked, "occlusion", options={"sliding_window_shapes": (3, 50, 50)})
    with pytest.raises(ValueError, match="never be covered"):
        explain(
            asked, "occlusion", options={"sliding_window_shapes": (3, 2, 2), "strides": (3, 4, 4)}
        )
    with pytest.raises(ValueError, match="needs 3 positive whole numbers"):
        explain(asked, "occlusion", options={"sliding_window_shapes": (2, 2)})


def test_what_captum_cannot_do_becomes_one_sentence() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.act = nn.Linear(4, 4), nn.Linear(4, 3), nn.ReLU()

        def forward(self, values: Tensor) -> Tensor:
            return self.act(self.second(self.act(self.first(values))))

    asked = Question(Twice().eval(), torch.randn(2, 4).abs()).ask(0, 1)
    with pytest.raises(Refusal, match="module of its own, or use integrated gradients") as found:
        explain(asked, "deep_lift")
    assert found.value.key == "explain.failed.reused"
    net = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 3)).eval()
    with pytest.raises(Refusal, match="no rule for the layer type LayerNorm"):
        explain(Question(net, torch.randn(2, 4)).ask(0), "lrp")
    with pytest.raises(Refusal, match="at least two"):
        explain(Question(mlp(), torch.randn(1, 5)).ask(0), "feature_permutation")


def test_a_model_that_raises_is_quoted() -> None:
    class Fickle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, values: Tensor) -> Tensor:
            if len(values) > 7:
                raise RuntimeError("no more than seven at once, please")
            return self.layer(values)

    asked = Question(Fickle().eval(), torch.randn(2, 3)).ask(0)
    with pytest.raises(Refusal, match="no more than seven") as found:
        explain(asked, "integrated_gradients")
    assert isinstance(found.value.__cause__, RuntimeError)


def test_only_agreed_names_are_registered() -> None:
    method_named("saliency")
    assert set(REGISTRY) <= set(METHODS)
    with pytest.raises(ValueError, match="agreed on"):
        register(Method("other", lambda run: pytest.fail("never run")))
