"""Every number the inspector gives, against plainly hooked tensors and hand-made sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.inspector.conftest import Make
from tests.training import Training


def hooked(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    """What a layer gives in evaluation mode, by torch's own means."""
    seen: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda module, args, out: seen.append(out.detach().clone())
    )
    flags = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        model(x)
    for module, flag in flags.items():
        module.training = flag
    handle.remove()
    return seen[0]


def test_layers_are_all_modules_in_order(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    names = [name for name, _ in training.model.named_modules() if name]
    assert [layer.name for layer in inspector.layers] == names
    assert sum(layer.n_params for layer in inspector.layers) == sum(
        p.numel() for p in training.model.parameters()
    )
    assert tuple(inspector.layers[0].output_shape) == (5, 4, 8, 8)


def test_flops_are_the_flop_counters(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        training.model(training.x[:5])
    assert inspector.flops == counter.get_total_flops()
    assert sum(layer.flops or 0 for layer in inspector.layers) == inspector.flops


@pytest.mark.parametrize("layer", ["0", "1", "2", "3", "4", "6"])
def test_activations_are_the_layers_own(training: Training, make: Make, layer: str) -> None:
    """… before an in-place layer behind it has changed them."""
    inspector = make(training.model, training.x[:5])
    expected = hooked(training.model, layer, training.x[:5])
    np.testing.assert_allclose(inspector.activations(layer), expected.numpy(), atol=1e-6)


def test_weights_are_copies(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    weights = inspector.weights("6")
    np.testing.assert_array_equal(weights, training.model[6].weight.detach().numpy())
    weights[:] = 0
    assert training.model[6].weight.abs().sum() > 0


def test_contributions_sum_to_the_unit(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    inspector.sample_index = 2
    given = hooked(training.model, "6", training.x[:5])[2, 1]
    terms = inspector.contributions("6", 1)
    assert terms.shape == (64,)
    assert terms.sum() + training.model[6].bias[1].item() == pytest.approx(given.item(), rel=1e-5)
    given = hooked(training.model, "0", training.x[:5])[2, 3, 4, 5]
    terms = inspector.contributions("0", (3, 4, 5))
    assert terms.shape == (1, 3, 3)
    assert terms.sum() + training.model[0].bias[3].item() == pytest.approx(given.item(), rel=1e-5)


def test_statistics_before_training_are_of_the_sample(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    values = hooked(training.model, "0", training.x[:5]).double().numpy()
    found = inspector.stats("0")
    assert found.step == 0
    assert tuple(found.shape) == values.shape
    np.testing.assert_allclose(found.mean, values.mean(), rtol=1e-5)
    np.testing.assert_allclose(found.std, values.std(), rtol=1e-5)
    assert (found.min, found.max) == (values.min(), values.max())


def test_statistics_while_training_are_of_the_training_batch(
    training: Training, make: Make
) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    seen: list[Tensor] = []
    handle = training.model[0].register_forward_hook(
        lambda module, args, out: seen.append(out.detach().clone())
    )
    for _ in range(3):
        training.step()
    handle.remove()
    found = inspector.stats("0")
    assert found.step is not None
    assert found.step > 1  # the first one cannot be known of in time
    values = seen[found.step - 1].double()
    np.testing.assert_allclose(found.mean, values.mean(), rtol=1e-5)
    np.testing.assert_allclose(found.std, values.std(correction=0), rtol=1e-5)
    assert tuple(found.shape) == (16, 4, 8, 8)


def test_weight_and_gradient_are_as_they_are(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    with pytest.raises(ValueError, match="has no gradient"):
        inspector.stats("6", "gradient")
    for _ in range(4):
        training.step()
        weight = training.model[6].weight
        assert weight.grad is not None
        found = inspector.stats("6", "weight")
        np.testing.assert_allclose(found.std, weight.detach().std(correction=0), rtol=1e-5)
        found = inspector.stats("6", kind="gradient")
        np.testing.assert_allclose(found.max, weight.grad.max(), rtol=1e-6)
        assert found.step == inspector.session.step


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda i: i.stats("7"), "there is no layer '7'"),
        (lambda i: i.activations("conv"), "there is no layer 'conv'"),
        (lambda i: i.stats("0", "loss"), "kind must be one of"),
        (lambda i: i.weights("2"), "has no .weight"),
        (lambda i: i.contributions("6", 9), "9"),
        (lambda i: i.contributions("6", "a"), "a"),
        (lambda i: i.contributions("3", (0, 0, 0)), "MaxPool2d"),
    ],
)
def test_mistakes_are_one_sentence(training: Training, make: Make, call: Any, words: str) -> None:
    inspector = make(training.model, training.x[:5])
    with pytest.raises(ValueError, match=words.replace("(", r"\(")) as caught:
        call(inspector)
    assert str(caught.value).strip().endswith(".")


def test_summary_names_every_layer_and_the_totals(training: Training, make: Make) -> None:
    text = make(training.model, training.x[:5]).summary()
    for word in ("Conv2d", "BatchNorm2d", "Linear", "243"):
        assert word in text, word
    assert sum(p.numel() for p in training.model.parameters()) == 243


def test_the_update_is_told_beside_the_weights(training: Training, make: Make) -> None:
    """Norm of the layer's gradient, and how far the step moved its weight."""
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    linear = training.model[6]
    norms, ratios = [], []
    for _ in range(3):
        before = linear.weight.detach().clone()
        training.step()
        assert linear.weight.grad is not None
        assert linear.bias.grad is not None
        both = torch.cat([linear.weight.grad.flatten(), linear.bias.grad])
        norms.append(both.norm().item())
        ratios.append(((linear.weight.detach() - before).norm() / before.norm()).item())
    inspector.selected, inspector.tab = "6", "gradients"
    inspector.flush()
    block = inspector._blocks[-1]
    assert inspector._newest is not None
    at = inspector._newest.step - 1
    np.testing.assert_allclose(block.arrays["values"], [norms[at], ratios[at]], rtol=1e-4)
