"""Ordinary models in an awkward loop."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.harm.loop import Loop, case, mlp, sgd, simple, vectors


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
