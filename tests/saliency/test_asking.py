"""What can be set, clicked and asked, and what becomes of what cannot be."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
import traitlets as t
from torch import Tensor, nn

from nnwidgets import SaliencyViewer
from tests.live.doubles import Browser, install_browser
from tests.saliency.conftest import Make, click, panes, part, shown_map, summed
from tests.training import Training


def test_traits_and_clicks_are_one(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], method="saliency")
    seen: list[tuple[str, Any]] = []
    names = ["index", "target", "method", "layer"]
    viewer.observe(lambda change: seen.append((change["name"], change["new"])), names)
    click(viewer, "index", index=3)
    click(viewer, "target", target=2)
    click(viewer, "method", method="grad_cam")
    click(viewer, "layer", layer="2")
    assert seen == [("index", 3), ("target", 2), ("method", "grad_cam"), ("layer", "2")]
    viewer.method, viewer.index = "saliency", 1
    pane = panes(viewer)[0]
    assert (pane["method"], pane["index"], pane["state"]) == ("saliency", 1, "ready")
    assert viewer.target is None  # the class of another sample is another question
    expected = viewer.explain(1, method="saliency")
    np.testing.assert_allclose(shown_map(viewer), summed(expected.values), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("index", 5, "from 0 to 4"),
        ("index", -6, "from 0 to 4"),
        ("index", "1", "index"),
        ("index", 1.5, "index"),
        ("index", True, "index"),
        ("target", 3, "from 0 to 2"),
        ("target", -1, "from 0 to 2"),
        ("target", "cat", "class"),
        ("target", 1.0, "class"),
        ("target", True, "class"),
        ("method", "gradcam", "there is no method 'gradcam'; did you mean 'grad_cam'"),
        ("method", "layercam", "there is no method 'layercam'; did you mean 'layer_cam'"),
        ("method", "attention_rollout", "attention_rollout does not apply here"),
        ("layer", "77", "there is no layer '77'"),
    ],
)
def test_a_wrong_value_is_refused_and_changes_nothing(
    training: Training, make: Make, name: str, value: Any, words: str
) -> None:
    viewer = make(training.model, training.x[:5])
    viewer.index, viewer.target = 1, 2
    before, number = getattr(viewer, name), viewer._view.number
    with pytest.raises(t.TraitError, match=words):
        setattr(viewer, name, value)
    assert getattr(viewer, name) == before
    assert viewer._view.number == number


def test_integers_of_every_kind(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], targets=training.y[:5])
    viewer.index = np.int64(2)
    assert viewer.index == 2
    assert type(viewer.index) is int
    assert viewer.target == int(training.y[2])
    viewer.index = -1
    assert viewer.index == 4
    viewer.target = np.int32(1)
    assert (viewer.target, type(viewer.target)) == (1, int)
    viewer.target = torch.tensor(2)
    assert viewer.target == 2
    one = viewer.explain(np.int64(-1), target=np.int64(2))
    assert (one.index, one.target) == (4, 2)
    assert panes(viewer)[0]["target"] == 2


@pytest.mark.parametrize(
    ("kwargs", "kind", "words"),
    [
        ({"method": "grad-cam"}, ValueError, "did you mean 'grad_cam'"),
        ({"method": "layercam"}, ValueError, "no method 'layercam'; did you mean 'layer_cam'"),
        ({"method": "attention_rollout"}, ValueError, "does not apply"),
        ({"layer": "conv"}, ValueError, "there is no layer 'conv'"),
        ({"targets": ["cat"] * 5}, TypeError, "class"),
        ({"targets": np.array(["cat"] * 5)}, TypeError, "class numbers"),
        ({"targets": [0, 1]}, ValueError, "2 entries for 5 samples"),
        ({"targets": torch.rand(5)}, TypeError, "float32"),
        ({"targets": True}, TypeError, "truth value"),
        ({"targets": 7}, ValueError, "7"),
        ({"targets": [0, 1, 2, 3, 0]}, ValueError, "3"),
        ({"targets": (0, 1)}, ValueError, "2 entries"),
        ({"class_names": ["x"] * 5}, ValueError, "5 class names were given.* 3 outputs"),
        ({"class_names": "abc"}, TypeError, "class_names must be a list"),
        ({"feature_names": 3}, TypeError, "feature_names must be a list"),
        ({"tokens": "a b"}, TypeError, "tokens must be"),
        ({"tokens": [["a"]]}, ValueError, "1 samples; inputs hold 5"),
        ({"baseline": "black"}, ValueError, "baseline must be"),
        ({"baseline": [0.0]}, TypeError, "baseline must be"),
        ({"to_image": 3}, TypeError, "to_image must be a function"),
        ({"budget": 0.9}, ValueError, "budget"),
        ({"language": "fr"}, ValueError, "language"),
        ({"colour": 1}, TypeError, "colour"),
    ],
)
def test_a_wrong_constructor_raises_and_leaves_nothing(
    training: Training, kwargs: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        SaliencyViewer(training.model, training.x[:5], **kwargs)
    gc.collect()  # what was never finished says nothing when it goes
    assert not training.optimizer._optimizer_step_post_hooks
    assert all(not m._forward_hooks and m.training for m in training.model.modules())


@pytest.mark.parametrize(
    ("inputs", "kind", "words"),
    [
        (None, TypeError, "inputs must hold"),
        ([torch.ones(1)], TypeError, "not a list"),
        (np.ones((2, 1, 8, 8)), TypeError, r"torch.as_tensor\(inputs\)"),
        (torch.ones(0, 1, 8, 8), ValueError, "empty"),
        (("a", 1), TypeError, "no tensor"),
        ({1: torch.ones(2)}, TypeError, "no keyword"),
    ],
)
def test_wrong_inputs(training: Training, inputs: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        SaliencyViewer(training.model, inputs)


@pytest.mark.parametrize("model", [3, nn.Linear, [nn.Linear(2, 2)], None])
def test_wrong_models(model: Any) -> None:
    with pytest.raises(TypeError, match="model must be"):
        SaliencyViewer(model, torch.ones(1, 2))
    gc.collect()


@pytest.mark.parametrize(
    ("index", "kwargs", "kind", "words"),
    [
        (5, {}, ValueError, "from 0 to 4"),
        ("0", {}, TypeError, "whole number"),
        (True, {}, TypeError, "whole number"),
        (0, {"method": "grad cam"}, ValueError, "did you mean 'grad_cam'"),
        (0, {"method": "attention_rollout"}, ValueError, "attention"),
        (0, {"target": 3}, ValueError, "3"),
        (0, {"target": "cat"}, TypeError, "class"),
        (0, {"method": "grad_cam", "layer": "22"}, ValueError, "layer '22'"),
        (0, {"method": "grad_cam", "layer": "6"}, ValueError, "6"),
        (0, {"method": "saliency", "n_steps": 3}, ValueError, "n_steps"),
        (0, {"method": "integrated_gradients", "nsteps": 3}, ValueError, "nsteps"),
        (0, {"baseline": "white"}, ValueError, "baseline"),
        (
            0,
            {"method": "integrated_gradients", "baseline": torch.ones(3, 3)},
            ValueError,
            "A baseline of the shape 3×3",
        ),
        (0, {"method": "smooth_grad", "seed": -1}, ValueError, "seed"),
    ],
)
def test_a_wrong_question_is_one_sentence(
    training: Training,
    make: Make,
    index: Any,
    kwargs: dict[str, Any],
    kind: type[Exception],
    words: str,
) -> None:
    viewer = make(training.model, training.x[:5])
    before = {k: v.clone() for k, v in training.model.state_dict().items()}
    random = torch.get_rng_state()
    with pytest.raises(kind, match=words) as raised:
        viewer.explain(index, **kwargs)
    assert "\n" not in str(raised.value)
    assert torch.equal(random, torch.get_rng_state())
    for name, value in training.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert viewer.explain(0, method="saliency").values.shape == (1, 8, 8)  # and it goes on


def test_a_wrong_click_is_answered_with_a_sentence(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5])
    browser = Browser(viewer)
    for action, args, words in [
        ("index", {"index": 9}, "from 0 to 4"),
        ("method", {"method": "gradcam"}, "grad_cam"),
        ("layer", {"layer": "x"}, "no layer"),
        ("baseline", {"baseline": "white"}, "baseline must be"),
        ("compare", {"by": "weather", "value": 1}, "compare by"),
        ("compare", {"by": "step", "value": "x"}, "whole number"),
        ("compare", {"by": "checkpoint", "value": "x"}, "no checkpoint"),
        ("compare", {"by": "checkpoint", "value": ["x"]}, "no checkpoint"),
        ("compare", {"by": "method", "value": 3}, "no method"),
        ("compare", {"by": "target", "value": 9}, "from 0 to 2"),
        ("at", {"pane": 1, "place": [0, 0]}, "no map"),
        ("at", {"pane": 0, "place": [0]}, "no place"),
        ("at", {"pane": 0, "place": [8, 0]}, "no place"),
        ("at", {"pane": 0, "place": [-1, 0]}, "no place"),
        ("explode", {}, "no action"),
        ("index", {"number": 1}, "unexpected keyword"),
    ]:
        viewer.flush()
        answer = browser.answer(browser.ask(action, **args))
        assert answer["type"] == "error", (action, args)
        assert words in answer["error"], (action, args, answer)
    assert viewer._error is None
    assert viewer._other is None


def test_the_numbers_behind_a_pixel(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="input_x_gradient")
    browser = Browser(viewer)
    viewer.flush()
    plane = summed(viewer.explain().values)
    place = np.unravel_index(np.abs(plane).argmax(), plane.shape)
    answer = browser.answer(browser.ask("at", pane=0, place=[int(i) for i in place]))
    items = dict(answer["result"]["items"])
    assert float(items["value"].replace("−", "-")) == pytest.approx(plane[place], rel=0.01)
    assert items["rank by size"] == "1 / 64"


def test_a_model_that_is_gone(make: Make) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    viewer = make(model, torch.randn(3, 4), method="saliency")
    assert panes(viewer)[0]["state"] == "ready"
    del model
    gc.collect()
    calls = (
        viewer.explain,
        viewer.trust,
        viewer.refresh,
        lambda: viewer.methods,
        lambda: viewer.unavailable,
        lambda: viewer.keep("x"),
    )
    for call in calls:
        with pytest.raises(ValueError, match="no longer exists"):
            call()
    viewer.index = 1  # nothing raises, nothing is drawn that is not so
    assert panes(viewer)[0]["index"] == 0
    assert "no longer exists" in viewer.status
    viewer.figure()


class Fails(nn.Module):
    """Raises when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.fails = False

    def forward(self, x: Tensor) -> Tensor:
        if self.fails:
            raise RuntimeError("planted")
        out: Tensor = self.layer(x)
        return out


def test_a_model_that_fails(make: Make) -> None:
    model = Fails()
    model.fails = True
    viewer = make(model, torch.randn(3, 4))
    assert panes(viewer)[0]["state"] == "failed"
    assert "planted" in panes(viewer)[0]["problem"]
    for call in (viewer.explain, viewer.trust):
        with pytest.raises(ValueError, match="planted"):
            call()
    assert viewer.methods == ()
    assert "planted" in viewer.unavailable["saliency"]
    assert "planted" in viewer.status
    model.fails = False
    viewer.refresh()
    assert panes(viewer)[0]["state"] == "ready"
    assert viewer.methods
    model.fails = True
    viewer.index = 2  # from now on it cannot be asked; the picture says so, and of which sample
    pane = panes(viewer)[0]
    assert (pane["index"], pane["state"]) == (2, "failed")
    assert "planted" in pane["problem"]
    model.fails = False
    click(viewer, "explain")
    assert panes(viewer)[0]["state"] == "ready"


def test_wrong_widths(make: Make) -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    viewer = make(model, torch.randn(3, 5))
    pane = panes(viewer)[0]
    assert pane["state"] == "failed"
    assert "mat1 and mat2" in pane["problem"] or "shape" in pane["problem"]
    with pytest.raises(ValueError, match="shape"):
        viewer.explain()


def test_names_that_do_not_fit_are_refused(make: Make) -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(ValueError, match="2 feature names were given for 4 features"):
        make(model, torch.randn(2, 4), method="saliency", feature_names=["a", "b"])


def test_tokens_may_be_looked_up_in_a_vocabulary(make: Make) -> None:
    model = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Linear(6, 2))
    ids = torch.tensor([[1, 3], [0, 2]])
    for words in ({"to": 0, "be": 1, "or": 2, "not": 3}, lambda i: ["to", "be", "or", "not"][i]):
        viewer = make(model, ids, tokens=words)
        assert panes(viewer)[0]["tokens"] == ["be", "not"]
        assert viewer._solver.labels() == ["be not", "to or"]


def test_a_baseline_that_was_given_has_a_name(training: Training, make: Make) -> None:
    given = torch.full((1, 8, 8), 0.5)
    viewer = make(
        training.model, training.x[:5], method="integrated_gradients", baseline=given, targets=1
    )
    assert viewer.baseline == "given"
    own = viewer.explain(0)
    zero = viewer.explain(0, baseline=0)
    assert not np.allclose(own.values, zero.values)
    viewer._have_answers()  # on a slow machine it is worked out aside
    np.testing.assert_allclose(shown_map(viewer), summed(own.values), rtol=1e-5, atol=1e-7)
    viewer.baseline = "zero"
    viewer._have_answers()
    np.testing.assert_allclose(shown_map(viewer), summed(zero.values), rtol=1e-5, atol=1e-7)
    names = [one["name"] for one in part(viewer, "_choices")[0]["baselines"]]
    assert names[0] == "given"
    assert "zero" in names


def test_targets_of_each_sample_are_asked_about(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], targets=[2, 1, 0, None, 1], method="saliency")
    assert [viewer.explain(i).target for i in range(3)] == [2, 1, 0]
    training.model.eval()
    predicted = training.model(training.x[3:4]).argmax().item()
    training.model.train()
    assert viewer.explain(3).target == predicted
    viewer.index = 1
    assert viewer.target == 1
    assert panes(viewer)[0]["target"] == 1
    viewer.target = 0
    assert viewer.explain().target == 0
    assert viewer.explain(2).target == 0
    assert viewer.explain(0).target == 2
