"""What a sceptical user ran into."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor, nn

from nnwidgets.explain.registry import METHODS
from tests.saliency.conftest import Make, panes, shown_map, summed
from tests.training import Training


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_scripted_models_are_asked_like_others(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a slow machine features are permuted among fewer samples, and the answer is another.
    monkeypatch.setattr("nnwidgets.explain.batching.SECONDS", 1000.0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    scripted = torch.jit.script(net)
    x = torch.rand(3, 1, 8, 8)
    viewer = make(scripted, x, targets=1)
    plain = make(net, x, targets=1)
    assert set(viewer.methods) >= {"saliency", "integrated_gradients", "occlusion"}
    for method in viewer.methods:
        found = viewer.explain(0, method=method).arrays[0]
        np.testing.assert_allclose(
            found, plain.explain(0, method=method).arrays[0], atol=1e-5, err_msg=method
        )


def test_a_figure_is_of_the_weights_as_they_are(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:3], method="integrated_gradients", targets=1)
    viewer.figure()
    before = shown_map(viewer)
    with torch.no_grad():
        training.model[0].weight.mul_(3.0)
    viewer.figure()
    after = shown_map(viewer)
    assert not np.allclose(before, after)
    assert after == pytest.approx(summed(viewer.explain(0).arrays[0]), abs=1e-5)


def test_a_whole_number_is_the_id_of_a_token(make: Make) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(12, 5), nn.Flatten(), nn.Linear(20, 2)).eval()
    ids = torch.tensor([[1, 2, 3, 4]])
    viewer = make(net, ids, method="integrated_gradients", targets=1)
    theirs = LayerIntegratedGradients(net, net[0]).attribute(ids, baselines=7, target=1)
    ours = viewer.explain(0, baseline=7).arrays[0]
    np.testing.assert_allclose(ours, theirs[0].sum(-1).detach().numpy(), atol=1e-5)


def test_a_hook_that_is_left_out_is_told_of(training: Training, make: Make) -> None:
    handle = training.model[0].register_forward_hook(lambda module, args, out: out * 2)
    viewer = make(training.model, training.x[:3], method="saliency")
    assert any("hook" in sentence for sentence in viewer.explain(0).warnings)
    handle.remove()
    viewer.refresh()
    assert viewer.explain(0).warnings == ()


def test_without_a_target_nothing_applies_and_the_reason_is_given(make: Make) -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    viewer = make(net, torch.rand(2, 1, 8, 8))
    assert viewer.methods == ()
    assert set(viewer.unavailable) == set(METHODS)
    assert "target" in viewer.unavailable["saliency"]
    assert "target" in viewer.status
    viewer.target = (0, 3, 3)
    assert "saliency" in viewer.methods
    assert viewer.explain(0, method="saliency").arrays[0].shape == (1, 8, 8)


def test_the_status_says_why_nothing_can_be_shown(make: Make) -> None:
    net = nn.Sequential(nn.Linear(4, 3))
    viewer = make(net, torch.rand(2, 5))
    assert "shape" in viewer.status
    assert viewer.methods == ()


def test_boxes_are_asked_about_by_a_function(make: Make) -> None:
    class Boxes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, padding=1)

        def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
            maps = self.conv(x)
            return [
                {"boxes": one.mean((1, 2))[None], "scores": one.amax((1, 2))[:1]} for one in maps
            ]

    net, x = Boxes(), torch.rand(3, 1, 8, 8)
    assert "targets=" in make(net, x).unavailable["saliency"]

    def best(output: list[dict[str, Tensor]]) -> Tensor:
        return torch.stack([one["scores"][0] for one in output])

    viewer = make(net, x, targets=best, method="saliency")
    given = x[1:2].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(best(net(given)).sum(), given)
    np.testing.assert_allclose(viewer.explain(1).arrays[0], gradient[0].abs().numpy(), atol=1e-6)
    assert panes(viewer)[0]["target_name"] == "best"


def test_a_layer_without_places_is_refused_at_once(training: Training, make: Make) -> None:
    with pytest.raises(ValueError, match="keeps no places"):
        make(training.model, training.x[:3], method="grad_cam", layer="6")


def test_steps_and_weights_that_there_are_not_are_refused(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:3], method="saliency")
    with pytest.raises(ValueError, match="no weights of step"):
        viewer.compare("step", 99_999)
    with pytest.raises(ValueError, match=r"lack 0\.weight"):
        viewer.keep("nothing", {})
    other = {**training.model.state_dict(), "0.weight": torch.zeros(2, 2)}
    with pytest.raises(ValueError, match="fit"):
        viewer.keep("other", other)


def test_a_baseline_may_be_an_array(training: Training, make: Make) -> None:
    black = np.zeros((1, 8, 8), np.float32)
    options = {"method": "integrated_gradients", "targets": 1}
    viewer = make(training.model, training.x[:3], baseline=black, **options)
    plain = make(training.model, training.x[:3], **options)
    expected = plain.explain(0).arrays[0]
    # How many inputs go through at once depends on the time, and the last digits on that.
    for found in (viewer.explain(0), plain.explain(0, baseline=black)):
        np.testing.assert_allclose(found.arrays[0], expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="Did you mean 'blurred'"):
        make(training.model, training.x[:3], baseline="blur")


def test_answers_are_short_in_a_cell(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:3], method="saliency", targets=1)
    said = repr(viewer.explain(0))
    assert said.startswith("Explanation(saliency, values 1×8×8, index 0, target 1")
    report = viewer.trust(0)
    assert len(repr(report)) < len(report.verdict) + 200
    assert report.verdict in repr(report).replace("\\'", "'")
