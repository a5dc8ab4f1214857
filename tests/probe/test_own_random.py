"""Operations that draw random numbers, kept apart from the generators of the process."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nnwidgets.probe.own_random import OwnRandom, draws_outside_torch, use_of_state
from nnwidgets.probe.refusal import Refusal
from tests.live.doubles import Background

X = torch.linspace(0.1, 0.9, 32).reshape(4, 8)
LSTM = nn.LSTM(8, 8, 2, dropout=0.5)

DRAW: dict[str, Callable[[], Any]] = {
    "dropout": lambda: F.dropout(X),
    "dropout1d": lambda: F.dropout1d(X),
    "alpha": lambda: F.alpha_dropout(X, training=True),
    "rand": lambda: torch.rand(3),
    "randn": lambda: torch.randn(3, dtype=torch.float64),
    "rand_like": lambda: torch.rand_like(X),
    "randn_like": lambda: torch.randn_like(X),
    "randint": lambda: torch.randint(0, 9, (5,)),
    "randint_high": lambda: torch.randint(9, (5,)),
    "randint_like": lambda: torch.randint_like(X, 9),
    "randint_like_low": lambda: torch.randint_like(X, 2, 9),
    "randperm": lambda: torch.randperm(7),
    "bernoulli": lambda: torch.bernoulli(X),
    "multinomial": lambda: torch.multinomial(X, 2),
    "normal": lambda: torch.normal(X, 1.0),
    "normal_": lambda: torch.empty(4).normal_(),
    "uniform_": lambda: torch.empty(4).uniform_(),
    "exponential_": lambda: torch.empty(4).exponential_(),
    "poisson": lambda: torch.poisson(X),
    "rrelu": lambda: F.rrelu(X - 0.5, training=True),
    "gumbel": lambda: F.gumbel_softmax(X),
    "attention": lambda: F.scaled_dot_product_attention(X[None], X[None], X[None], dropout_p=0.5),
    "recurrent": lambda: LSTM(X[None])[0].detach(),
    "distribution": lambda: torch.distributions.Normal(0.0, 1.0).sample((3,)),
    "gamma": lambda: torch.distributions.Gamma(1.0, 1.0).sample((3,)),
    "dirichlet": lambda: torch.distributions.Dirichlet(torch.ones(3)).rsample(),
}


@pytest.mark.parametrize("name", DRAW)
def test_drawing_leaves_the_generators_of_the_process_alone(name: str) -> None:
    before = torch.get_rng_state()
    DRAW[name]()
    assert not torch.equal(before, torch.get_rng_state()), "this draws nothing anyway"
    before = torch.get_rng_state()
    with OwnRandom():
        first, second = DRAW[name](), DRAW[name]()
    assert torch.equal(before, torch.get_rng_state())
    assert first.shape == second.shape
    with OwnRandom():
        torch.testing.assert_close(DRAW[name](), first, rtol=0, atol=0)


def test_numbers_are_those_of_a_generator_with_this_seed() -> None:
    with OwnRandom(3):
        drawn = torch.rand(4)
    torch.testing.assert_close(drawn, torch.rand(4, generator=torch.Generator().manual_seed(3)))


def test_a_generator_of_the_models_own_is_used() -> None:
    own = torch.Generator().manual_seed(5)
    with OwnRandom():
        drawn = torch.rand(4, generator=own)
    torch.testing.assert_close(drawn, torch.rand(4, generator=torch.Generator().manual_seed(5)))


def test_what_takes_no_generator_is_refused_unless_it_is_off() -> None:
    with OwnRandom(), pytest.raises(Refusal, match="native_dropout"):
        torch.native_dropout(X, 0.5, True)
    with OwnRandom():
        torch.testing.assert_close(torch.native_dropout(X, 0.5, False)[0], X)


def test_gradients_pass() -> None:
    x = X.clone().requires_grad_()
    layer = nn.Linear(8, 1)
    with OwnRandom():
        (slope,) = torch.autograd.grad(F.dropout(layer(x), 0.0).sum(), x)
    torch.testing.assert_close(slope, layer.weight.detach().expand(4, 8))


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda: random.random(), True),
        (lambda: np.random.rand(), True),
        (lambda: np.random.default_rng(0).random(), False),
        (lambda: torch.rand(1), False),
    ],
)
def test_python_and_numpy_are_told(draw: Callable[[], Tensor], expected: bool) -> None:
    assert draws_outside_torch(draw) is expected


def test_torchs_compiler_is_not_imported_for_it() -> None:
    """It takes seconds, in which nothing can be cancelled; torch itself would import it."""
    code = (
        "import sys, torch\n"
        "from nnwidgets.probe.own_random import OwnRandom\n"
        "assert 'torch._dynamo' not in sys.modules\n"
        "with OwnRandom(3): one = torch.rand(4)\n"
        "assert 'torch._dynamo' not in sys.modules\n"
        "import torch._dynamo\n"
        "with OwnRandom(3): other = torch.rand(4)\n"
        "print(torch.equal(one, other))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout.strip()) == (0, "True"), ran.stderr


def test_what_is_compiled_draws_from_ours_too() -> None:
    compiled = torch.compile(lambda: torch.rand(3) * 2, backend="eager")
    state = torch.get_rng_state()
    with OwnRandom(5):
        found = compiled(), torch.rand(3) * 2
    assert torch.equal(torch.get_rng_state(), state)
    with OwnRandom(5):
        expected = torch.rand(3) * 2, torch.rand(3) * 2
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


class _Recomputing(nn.Module):
    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3)
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Any:
        return checkpoint(self.inner, x, use_reentrant=self.reentrant)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_reads_the_state_in_the_forward_pass(reentrant: bool) -> None:
    model = _Recomputing(reentrant=reentrant)
    x = torch.randn(2, 3, requires_grad=True)
    assert use_of_state(lambda: model(x)) == "reads"
    assert use_of_state(lambda: model.inner(x)) == "none"


def test_a_model_that_sets_the_state_is_noticed() -> None:
    before = torch.get_rng_state()

    def run() -> None:
        torch.manual_seed(3)
        torch.rand(2)

    assert use_of_state(run) == "sets"
    torch.set_rng_state(before)
    originals = torch.get_rng_state, torch.set_rng_state, torch.manual_seed
    with pytest.raises(RuntimeError, match="half-way"):
        use_of_state(_raising)
    assert originals == (torch.get_rng_state, torch.set_rng_state, torch.manual_seed)


def test_what_another_thread_does_meanwhile_is_not_meant() -> None:
    def run() -> None:
        Background(torch.get_rng_state).join()

    assert use_of_state(run) == "none"


def _raising() -> None:
    raise RuntimeError("half-way")
