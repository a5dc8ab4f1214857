"""The run that is recorded: what it leaves behind, and what it bears."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.trace import trace
from tests.probe.model_families import broken, cnn
from tests.probe.traced import row, structure_of


def test_takes_its_hooks_off_again() -> None:
    for make in (cnn, broken):
        model, sample = make()
        model.eval()
        trace(model, sample)
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_leaves_the_sample_alone() -> None:
    class InPlace(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mul_(2)

    sample = torch.ones(3)
    assert structure_of(InPlace(), sample).output == (3,)
    assert torch.equal(sample, torch.ones(3))


def test_a_keyboard_interrupt_goes_through() -> None:
    class Interrupted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        structure_of(Interrupted(), torch.ones(3))


class Suspicious(nn.Module):
    """Refuses to run while somebody counts or watches."""

    def __init__(self, modes: bool) -> None:
        super().__init__()
        self.modes = modes
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        from torch.overrides import _get_current_function_mode
        from torch.utils._python_dispatch import _get_current_dispatch_mode

        if _get_current_dispatch_mode() is not None:
            raise RuntimeError("somebody counts")
        if self.modes and _get_current_function_mode() is not None:
            raise RuntimeError("somebody watches")
        return self.linear(x)


@pytest.mark.parametrize("modes", [False, True])
def test_a_model_that_fails_only_because_it_is_watched_is_run_again(modes: bool) -> None:
    structure = structure_of(Suspicious(modes), torch.ones(2, 3))
    assert structure.failure is None
    assert structure.output == (2, 3)
    assert structure.total_flops is None
    assert row(structure, "linear").info.output_shape == (2, 3)
    assert (structure.graph.notes != ()) == modes


def test_counting_does_not_import_the_compiler() -> None:
    """It would take a second; the way around it is private to torch (see `probe.flops`)."""
    code = (
        "import sys, torch\n"
        "from nnwidgets.probe.trace import trace\n"
        "found = trace(torch.nn.Linear(2, 3).eval(), torch.ones(1, 2))\n"
        "assert found.flops == 12, found\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
