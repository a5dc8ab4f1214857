"""What a LayerInspector costs: a training that it watches, a click, a large model, a long run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import astuple, dataclass, replace
from time import perf_counter

import torch
from torch import nn

from bench.conditions import After
from bench.front_end import shown
from bench.timing import block, ratios
from bench.workloads import WORKLOADS, Workload
from nnwidgets import LayerInspector, TrainingMonitor
from nnwidgets.live import wire
from nnwidgets.probe.layer_history import LayerHistory
from nnwidgets.probe.snapshots import WeightSnapshots

__all__ = ["clicks", "large_model", "long_runs", "watched_by_inspector"]

VIEW = {"type": "view", "view": "bench", "visible": True, "language": "en"}
TRAITS = ("_layer", "_tree", "_graph", "_rows", "_samples")
BLOCKS = 200  # of five modules: a model of a thousand
SAMPLED = 20_000  # steps of a long run


@dataclass
class Told:
    """What an inspector had to tell at the end of a block of training."""

    samples: float  # a second
    sample_ms: float
    looks: float  # a second
    look_ms: float
    overhead: float


WATCHES = {
    "inspector, not shown": (False, False),
    "inspector, shown": (True, False),
    "inspector and monitor, shown": (True, True),
}


def watching(
    in_view: bool, with_monitor: bool, told: list[Told]
) -> Callable[[Workload], AbstractContextManager[After]]:
    """Make a condition (see `bench.conditions`) that notes what the inspector has to tell."""

    @contextmanager
    def condition(work: Workload) -> Iterator[After]:
        with ExitStack() as stack:
            if in_view:
                stack.enter_context(shown())
            inspector = stack.enter_context(LayerInspector(work.model, optimizer=work.optimizer))
            inspector._receive(VIEW, []) if in_view else None
            log: After = nothing
            if with_monitor:
                monitor = stack.enter_context(TrainingMonitor(work.model, work.optimizer))
                monitor._receive(VIEW, [])
                log = logging(monitor)
            session = inspector.session
            began = session.governor.wall
            yield log
            passed = session.governor.wall - began  # bare turns left out
            told.append(
                Told(
                    session.sampling.count / passed,
                    session.sampling.cost * 1e3,
                    inspector._seen / passed,
                    inspector._look_seconds * 1e3,
                    session.governor.overhead,
                )
            )

    return condition


def nothing(i: int, loss: torch.Tensor) -> None:
    """Do nothing after a step: the optimiser tells an inspector enough."""


def logging(monitor: TrainingMonitor) -> After:
    """Log the loss after each step."""
    return lambda i, loss: monitor.log(loss=loss)


def watched_by_inspector(trainings: list[str], seconds: float, pairs: int) -> None:
    """Print what an inspector costs a training, and how often it looks."""
    print("\n### Time a step, with an inspector ÷ bare\n")
    print(
        "| training | bare | watched by | wall | error | processor | samples/s | a sample "
        "| pictures/s | a picture | overhead said |"
    )
    print("|---|--:|---|--:|---|--:|--:|--:|--:|--:|--:|")
    for name in trainings:
        work = WORKLOADS[name]()
        block(work, seconds, None)
        for words, how in WATCHES.items():
            told: list[Told] = []
            ratio = ratios(work, watching(*how, told), seconds, pairs)
            each = astuple(told[0])
            print(
                f"| {name} | {ratio.bare:.2f} ms | {words} | {ratio} "
                f"| {each[0]:.1f} | {each[1]:.2f} ms "
                f"| {each[2]:.1f} | {each[3]:.1f} ms | {100 * each[4]:.1f} % |",
                flush=True,
            )


def probe_batch(name: str) -> torch.Tensor:
    """Return eight samples that the model of a workload takes."""
    if name == "transformer":
        return torch.randint(0, 64, (8, 64))
    return torch.randn(8, 2) if name == "MLP" else torch.randn(8, 1, 28, 28)


def clicks() -> None:
    """Print the time from a click on a layer to the message that answers it, at rest."""
    print("\n### A click on a layer, each layer of the model, 8 samples\n")
    print("| model | its own forward | click to message, median | slowest | on |")
    print("|---|--:|--:|--:|---|")
    for name, make in WORKLOADS.items():
        work, sample = make(), probe_batch(name)
        with shown(), LayerInspector(work.model, sample, optimizer=work.optimizer) as inspector:
            inspector._receive(VIEW, [])
            inspector.flush()
            own = forward_ms(work.model, sample)
            took: dict[str, float] = {}
            for layer in [info.name for info in inspector.layers] * 3:
                for tab in ("activations", "weights", "history"):
                    began = perf_counter()
                    inspector._receive(request("select", layer=layer), [])
                    inspector._receive(request("tab", tab=tab), [])
                    inspector.flush()
                    passed = (perf_counter() - began) * 1e3
                    key = f"{layer}, {tab}"
                    took[key] = min(passed, took.get(key, passed))
            slowest = max(took, key=lambda key: took[key])
            print(
                f"| {name} | {own:.1f} ms | {statistics.median(took.values()):.1f} ms "
                f"| {took[slowest]:.1f} ms | {slowest} |",
                flush=True,
            )


def request(action: str, **args: object) -> dict[str, object]:
    """Return what the browser sends."""
    return {"type": "request", "id": 1, "action": action, "args": args}


def forward_ms(model: nn.Module, sample: torch.Tensor) -> float:
    """Time a forward pass of a model in evaluation mode."""
    training = model.training
    model.eval()
    times = []
    with torch.no_grad():
        for _ in range(20):
            began = perf_counter()
            model(sample)
            times.append((perf_counter() - began) * 1e3)
    model.train(training)
    return statistics.median(times)


def deep() -> nn.Module:
    """Return a residual network of a thousand modules."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.norm = nn.Linear(16, 16), nn.LayerNorm(16)
            self.relu, self.out = nn.ReLU(), nn.Linear(16, 16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = x + self.out(self.relu(self.linear(self.norm(x))))
            return y

    torch.manual_seed(0)
    return nn.Sequential(*(Residual() for _ in range(BLOCKS)))


def large_model() -> None:
    """Print how long a model of a thousand modules takes to open, and the bytes of the parts."""
    print("\n### Opening, and what is sent\n")
    heads = " | ".join(f"`{trait}`" for trait in TRAITS)
    print(f"| model | modules | first picture | {heads} |\n|---|--:|--:|{'--:|' * len(TRAITS)}")
    models = {name: (make().model, probe_batch(name)) for name, make in WORKLOADS.items()}
    models["residual"] = (deep(), torch.randn(8, 16))
    for name, (model, sample) in models.items():
        times = []
        for _ in range(5):
            with shown():
                began = perf_counter()
                with LayerInspector(model, sample) as inspector:
                    inspector._receive(VIEW, [])
                    inspector.flush()
                    times.append((perf_counter() - began) * 1e3)
                    state = inspector.get_state()
        sizes = " | ".join(f"{wire.size(state[trait]) / 1e3:.0f} kB" for trait in TRAITS)
        modules = sum(1 for _ in model.modules()) - 1
        print(f"| {name} | {modules} | {min(times):.0f} ms | {sizes} |", flush=True)


def long_runs() -> None:
    """Print the memory that histories take after a long run."""
    print(f"\n### Memory after {SAMPLED:,} sampled steps\n")
    print("| model | histograms | of steps | weights | of steps | `_rows` |")
    print("|---|--:|--:|--:|--:|--:|")
    deep_model = deep()
    optimizer = torch.optim.SGD(deep_model.parameters(), lr=1e-3)

    def deep_step() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = deep_model(torch.randn(8, 16)).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    works = {name: make() for name, make in WORKLOADS.items()}
    works["residual"] = Workload(deep_model, optimizer, deep_step)
    for name, work in works.items():
        with LayerInspector(work.model, optimizer=work.optimizer) as inspector:
            inspector.session.look_into_next_step()
            for _ in range(3):
                work.step()
            sample = inspector._newest
            assert sample is not None
            history: LayerHistory = inspector._history
            weights: WeightSnapshots = inspector._snapshots
            history.clear()
            weights.clear()
            for step in range(SAMPLED):
                history.add(replace(sample, step=step))
                if step % 40 == 0:
                    weights.take(work.model, step)
            inspector.flush()
            print(
                f"| {name} | {history.nbytes / 1e6:.1f} MB | {len(history.steps)} "
                f"| {weights.nbytes / 1e6:.1f} MB | {len(weights.steps)} "
                f"| {wire.size(inspector._rows) / 1e3:.0f} kB |",
                flush=True,
            )
