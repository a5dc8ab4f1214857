"""Awkward models with the loops that train them.

A case is a function that builds a `Loop`: everything random in it comes from the global
generators, which `tests.harm.observe` seeds, so that two runs are bit for bit the same unless
somebody interferes.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint


@dataclass
class Loop:
    """A training loop that can be taken one step at a time.

    Attributes
    ----------
    model
        What a widget is given to watch.
    optimizers
        All of them, in the order in which they step.
    step
        One turn of the user's loop; returns its loss.
    state
        Whatever else the user's code keeps; compared as well.
    compiles
        Uses torch.compile, which has to be reset afterwards.
    """

    model: nn.Module
    optimizers: list[torch.optim.Optimizer]
    step: Callable[[], Tensor]
    state: dict[str, Any] = field(default_factory=dict)
    compiles: bool = False


Case = Callable[[], Loop]
CASES: dict[str, Case] = {}


def case(build: Case) -> Case:
    """Register a case under the name of its function."""
    CASES[build.__name__] = build
    return build


def sgd(model: nn.Module, lr: float = 0.05) -> torch.optim.Optimizer:
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(trained, lr=lr, momentum=0.9, weight_decay=1e-3)


def simple(
    model: nn.Module,
    batch: Callable[[], Any],
    optimizer: torch.optim.Optimizer | None = None,
    loss: Callable[[Any], Tensor] = lambda out: out.float().square().mean(),
    **options: Any,
) -> Loop:
    """The usual loop around `model`, whose inputs come from `batch`."""
    optimizer = optimizer or sgd(model)

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss(model(batch()))
        value.backward()
        optimizer.step()
        return value.detach()

    return Loop(model, [optimizer], step, **options)


def mlp(*extra: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), *extra, nn.Linear(16, 2))


def vectors() -> Tensor:
    return torch.randn(16, 4)


@case
def dropout() -> Loop:
    return simple(mlp(nn.Dropout(0.3)), vectors)


@case
def batch_norm_and_inplace_relu() -> Loop:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 2)
    )
    return simple(model, lambda: torch.randn(8, 1, 6, 6))


@case
def shared_modules() -> Loop:
    layer = nn.Linear(4, 4)
    return simple(nn.Sequential(layer, nn.ReLU(), layer, nn.Tanh(), layer), vectors)


@case
def recurrent() -> Loop:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 6, 2, dropout=0.2, batch_first=True)
            self.cell, self.out = nn.GRUCell(6, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            states, (h, _) = self.lstm(x)
            for t in range(states.shape[1]):
                h = self.cell(states[:, t], h[-1] if t == 0 else h)
            return self.out(h)

    return simple(Tagger(), lambda: torch.randn(5, 3, 4))


@case
def tied_weights_and_sparse_embedding() -> Loop:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rare = nn.Embedding(12, 6), nn.Embedding(9, 6, sparse=True)
            self.head = nn.Linear(6, 12, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.embed(x) + self.rare(x % 9))

    model = Tied()
    dense = torch.optim.Adam([model.embed.weight], lr=0.01)
    sparse = torch.optim.SparseAdam([model.rare.weight], lr=0.01)

    def step() -> Tensor:
        x = torch.randint(0, 12, (8, 3))
        dense.zero_grad()
        sparse.zero_grad()
        loss = F.cross_entropy(model(x).flatten(0, 1), x.flatten())
        loss.backward()
        dense.step()
        sparse.step()
        return loss.detach()

    return Loop(model, [dense, sparse], step)


def _checkpointed(reentrant: bool) -> Loop:
    class Saving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.block = nn.Linear(4, 4), mlp(nn.Dropout(0.2))

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.block, self.first(x), use_reentrant=reentrant)

    return simple(Saving(), vectors)


@case
def checkpoint_reentrant() -> Loop:
    return _checkpointed(True)


@case
def checkpoint_without_reentry() -> Loop:
    return _checkpointed(False)


@case
def autocast_and_scaler() -> Loop:
    model, scaler = mlp(nn.LayerNorm(16)), torch.amp.GradScaler("cpu", init_scale=128.0)
    optimizer = sgd(model)

    def step() -> Tensor:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(vectors()).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.detach()

    return Loop(model, [optimizer], step, state={"scaler": scaler.state_dict})


@case
def bfloat16_and_fused_adam() -> Loop:
    model = nn.Sequential(mlp().to(torch.bfloat16))
    fused = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    return simple(model, lambda: vectors().to(torch.bfloat16), fused)


def _compiled(backend: str) -> Loop:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about itself
        model = torch.compile(mlp(nn.Dropout(0.2)), backend=backend)
    return simple(model, vectors, compiles=True)


@case
def compiled_eager() -> Loop:
    return _compiled("eager")


@case
def compiled_aot_eager() -> Loop:
    return _compiled("aot_eager")


@case
def compiled_in_place() -> Loop:
    model = mlp()
    model.compile(backend="eager")
    return simple(model, vectors, compiles=True)


@case
def mappings_in_and_out() -> Loop:
    @dataclass
    class Output:
        logits: Tensor
        hidden: tuple[Tensor, ...]

    class Keywords(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, *, x: Tensor, scale: float = 1.0) -> dict[str, Any]:
            hidden = torch.relu(self.a(x)) * scale
            return {"output": Output(self.b(hidden), (hidden,)), "scale": scale}

    model = Keywords()
    optimizer = sgd(model)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = model(x=vectors(), scale=0.5)["output"].logits.square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return Loop(model, [optimizer], step)


@case
def frozen_parts_and_evaluation_mode() -> Loop:
    model = mlp(nn.BatchNorm1d(16), nn.Dropout(0.5))
    model[0].requires_grad_(False)
    model[2].eval()
    loop = simple(model, vectors)
    train = loop.step

    def step() -> Tensor:
        loss = train()
        model.eval()  # validation in between, as everybody does it
        with torch.no_grad():
            model(vectors())
        model.train()
        model[2].eval()
        return loss

    loop.step = step
    return loop


@case
def gan_pair() -> Loop:
    critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 1))
    model = nn.ModuleDict({"g": mlp(), "d": critic})
    g, d = sgd(model["g"]), torch.optim.RMSprop(critic.parameters(), lr=0.01)

    def step() -> Tensor:
        for _ in range(2):
            d.zero_grad()
            fake, real = model["g"](vectors()).detach(), torch.randn(8, 2)
            loss = F.softplus(critic(fake)).mean() + F.softplus(-critic(real)).mean()
            loss.backward()
            d.step()
        g.zero_grad()
        F.softplus(-critic(model["g"](vectors()))).mean().backward()
        g.step()
        return loss.detach()

    return Loop(model, [d, g], step)


@case
def accumulation_clipping_and_schedule() -> Loop:
    model = mlp()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=50)

    def step() -> Tensor:
        optimizer.zero_grad()
        for _ in range(3):
            loss = model(vectors()).square().mean() / 3
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        cycle.step()
        return loss.detach()

    return Loop(model, [optimizer], step, state={"schedule": cycle.state_dict})


@case
def lbfgs_closure() -> Loop:
    model = mlp()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)

    def step() -> Tensor:
        x = vectors()

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = (model(x) - 1).square().mean()
            loss.backward()
            return loss

        return optimizer.step(closure).detach()

    return Loop(model, [optimizer], step)


@case
def lazy_modules() -> Loop:
    model = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2))
    return simple(model, vectors, torch.optim.SGD(model.parameters(), lr=0.05))


@case
def hooks_of_the_user() -> Loop:
    model = mlp()
    seen: list[str] = []
    model[0].register_forward_pre_hook(lambda *_: seen.append("before"))
    model[0].register_forward_hook(lambda m, a, out: out * 1.5)
    model[2].register_full_backward_hook(lambda *_: seen.append("back"))
    model[2].weight.register_hook(lambda g: g * 0.5)
    model[2].bias.register_post_accumulate_grad_hook(lambda p: seen.append("grad"))
    loop = simple(model, vectors, state={"seen": seen})
    loop.optimizers[0].register_step_post_hook(lambda *_: seen.append("step"))
    return loop


@case
def spectral_and_weight_norm() -> Loop:
    model = nn.Sequential(
        parametrizations.spectral_norm(nn.Linear(4, 8)),
        nn.ReLU(),
        nn.utils.spectral_norm(nn.Linear(8, 8)),
        nn.ReLU(),
        parametrizations.weight_norm(nn.Linear(8, 2)),
    )
    return simple(model, vectors)


@case
def draws_and_counts_in_forward() -> Loop:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.calls, self.own = mlp(), 0, torch.Generator().manual_seed(3)
            self.register_buffer("average", torch.zeros(2))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            noise = torch.rand(()) + random.random() + np.random.rand()
            out = self.net(x + noise + torch.rand((), generator=self.own))
            self.average = 0.9 * self.average + 0.1 * out.detach().mean(0)
            return out

    model = Noisy()
    state = {"calls": lambda: model.calls, "own": lambda: model.own.get_state()}
    return simple(model, vectors, state=state)


@case
def goes_to_nan() -> Loop:
    """Diverges at once, draws random numbers in forward, and counts what it did."""
    model = mlp(nn.Dropout(0.5), nn.BatchNorm1d(16))
    hooked: list[str] = []
    model[0].register_forward_hook(lambda *_: hooked.append("forward"))
    steps = [0]

    def batch() -> Tensor:
        steps[0] += 1
        return vectors() / 0.0 if steps[0] == 4 else vectors()

    return simple(model, batch, state={"hooked": hooked, "steps": steps})


@case
def overflows() -> Loop:
    model = mlp()
    return simple(model, vectors, sgd(model, lr=1e12))


@case
def attention() -> Loop:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    loop = simple(encoder, lambda: torch.randn(4, 5, 8))
    train = loop.step

    def step() -> Tensor:
        loss = train()
        encoder.eval()
        with torch.no_grad():
            fast = encoder(torch.randn(4, 5, 8)).sum()  # the fast path looks for hooks
        encoder.train()
        return loss + fast

    loop.step = step
    return loop


@case
def scripted() -> Loop:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = nn.Sequential(torch.jit.script(mlp()), nn.Linear(2, 1))
    return simple(model, vectors)


@case
def per_sample_gradients() -> Loop:
    model = mlp()
    optimizer = sgd(model)

    def loss_of(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(model, parameters, (x,)).square().mean()

    each = torch.func.vmap(torch.func.grad_and_value(loss_of), in_dims=(None, 0))

    def step() -> Tensor:
        gradients, losses = each({k: p.detach() for k, p in model.named_parameters()}, vectors())
        for name, parameter in model.named_parameters():
            parameter.grad = gradients[name].mean(0)
        optimizer.step()
        return losses.mean()

    return Loop(model, [optimizer], step)


@case
def replicated() -> Loop:
    return simple(nn.DataParallel(mlp()), vectors)


@case
def averaged_copy() -> Loop:
    model = mlp()
    loop, average = simple(model, vectors), torch.optim.swa_utils.AveragedModel(model)
    train = loop.step

    def step() -> Tensor:
        loss = train()
        average.update_parameters(model)
        return loss

    loop.step = step
    loop.state["average"] = average.state_dict
    return loop
