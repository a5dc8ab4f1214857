"""Measure and print: ratios to the bare loop, cost of a call, memory, size of what is sent.

Every ratio comes from one process in which the bare loop and the watched one take turns of a tenth
of a second (A B B A …, see `bench.turns`) on the same model; it is the mean of the ratios of
neighbours, so that a machine that becomes faster or slower meanwhile does not matter. Wall time is
what a user waits; processor time, summed over all threads, also holds what a second core hides.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import tracemalloc
from collections.abc import Callable
from time import perf_counter, process_time

import torch

from bench.boundary import refinement, surfaces
from bench.conditions import CONDITIONS
from bench.inspector import clicks, large_model, long_runs, watched_by_inspector
from bench.plot import dragging, watched_by_plot
from bench.saliency import cancelling, large_cam, memory, times
from bench.timing import block, ratios
from bench.viewer import watched_by_viewer
from bench.workloads import WORKLOADS
from nnwidgets import TrainingMonitor, __version__
from nnwidgets.live import wire
from nnwidgets.live.history import History

__all__ = ["main"]

STEPS = 1_000_000
FOUR = {"loss": 0.5, "val_loss": 0.25, "accuracy": 0.75, "val_accuracy": 0.125}


def overhead(trainings: list[str], seconds: float, pairs: int) -> None:
    """Print what watching costs a training."""
    print("\n### Time a step, watched ÷ bare\n")
    print("| training | bare | watched by | wall | error | processor |")
    print("|---|--:|---|--:|---|--:|")
    for name in trainings:
        work = WORKLOADS[name]()
        block(work, seconds, None)
        for words, condition in CONDITIONS.items():
            ratio = ratios(work, condition, seconds, pairs)
            print(f"| {name} | {ratio.bare:.2f} ms | {words} | {ratio} |", flush=True)


def appending(rows: int, values: dict[str, float]) -> tuple[float, float]:
    """Microseconds a row for appending, and for folding so many rows at a time."""
    history = History()
    append = fold = 0.0
    repeats = 50_000 // rows
    for _ in range(repeats):
        began = process_time()
        for i in range(rows):
            history.append(i, i, values)
        between = process_time()
        history.settle()
        append, fold = append + between - began, fold + process_time() - between
    return append / repeats / rows * 1e6, fold / repeats / rows * 1e6


def calls() -> None:
    """Print what one call costs, whatever is done later on its behalf included."""
    print("\n### One call\n\n| call | cost |\n|---|--:|")

    def row(words: str, microseconds: float) -> None:
        print(f"| {words} | {microseconds:.2f} µs |", flush=True)

    def repeated(count: int, call: Callable[[int], object]) -> float:
        began = process_time()
        for i in range(count):
            call(i)
        return (process_time() - began) / count * 1e6

    for words, values in (("1 metric", {"loss": 0.5}), ("4 metrics", FOUR)):
        for rows in (25, 250):
            append, fold = appending(rows, values)
            row(f"`History.append`, {words}", append)
            row(f"folding such a row, {rows} at a time", fold)
    with TrainingMonitor() as monitor:
        row("`log` of 4 floats, amortised", repeated(300_000, lambda i: monitor.log(FOUR)))
        tensor = torch.tensor(0.5)
        tensors = dict.fromkeys(FOUR, tensor)
        row("`log` of 4 tensors, amortised", repeated(100_000, lambda i: monitor.log(tensors)))


def long_run() -> None:
    """Print memory, views and snapshots of a run of a million steps."""
    print(f"\n### A run of {STEPS:,} steps of four series\n\n| what | figure |\n|---|--:|")
    history = History()
    gc.collect()
    tracemalloc.start()
    for step in range(STEPS):
        value = 100.0 if step == 654_321 else step % 7
        history.append(step, step * 3e-4, {**FOUR, "loss": value})
    history.settle()
    traced, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"| memory | {traced / 1e6:.0f} MB |\n| … at most, meanwhile | {peak / 1e6:.0f} MB |")
    names = list(history)
    began = perf_counter()
    history.view(names)
    print(f"| first view, which builds the pyramids | {(perf_counter() - began) * 1e3:.1f} ms |")
    print(f"| memory, pyramids included | {history.nbytes / 1e6:.0f} MB |")
    for words, ends in (("everything", ()), ("a tenth", (4e5, 5e5)), ("a hundredth", (4e5, 4.1e5))):
        times = []
        for _ in range(30):
            began = perf_counter()
            view = history.view(names * 2, *ends)
            times.append(perf_counter() - began)
        print(f"| view of eight series, {words} | {statistics.median(times) * 1e3:.2f} ms |")
    found = history.view(["loss"]).hi.max() == 100
    print(f"| spike of one step in the view of everything | {'seen' if found else 'LOST'} |")
    print(f"| bytes of such a view | {view.nbytes / 1e3:.0f} kB |", flush=True)


def snapshots() -> None:
    """Print the size of everything that is synced, after runs of different length."""
    print("\n### Synced state of a monitor with a model and eight series\n")
    print("| steps | curves | layers | everything |\n|--:|--:|--:|--:|")
    work = WORKLOADS["CNN"]()
    monitor = TrainingMonitor(work.model, work.optimizer)
    values = {name: 0.5 for name in (*FOUR, "f1", "val_f1", "loss_aux", "val_loss_aux")}
    step = 0
    for until in (1_000, 10_000, 100_000, 1_000_000):
        while step < until:
            if step < 100 or step + 10 > until:
                work.step()
            monitor.history.append(step, step * 3e-4, values)
            step += 1
        state = monitor.get_state()
        sizes = {name: wire.size(state[name]) for name in ("_live", "_curves", "_layers", "_notes")}
        print(
            f"| {until:,} | {sizes['_curves'] / 1e3:.0f} kB | {sizes['_layers'] / 1e3:.0f} kB "
            f"| {sum(sizes.values()) / 1e3:.0f} kB |",
            flush=True,
        )
    monitor.close()


def main() -> None:
    """Measure what is asked for."""
    parts = {
        "overhead",
        "calls",
        "long_run",
        "snapshots",
        "inspector",
        "saliency",
        "boundary",
        "plot",
        "viewer",
    }
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(sorted(parts))}; default: all")
    parser.add_argument("--seconds", type=float, default=1.5, help="trained at a time")
    parser.add_argument("--pairs", type=int, default=9, help="so many times that, bare and watched")
    parser.add_argument(
        "--training", action="append", choices=WORKLOADS, help="only this one; default: all"
    )
    # One by default: torch's own threads wait for one another by spinning, which on a machine
    # that does anything else besides makes steps of 0.3 ms last 50.
    parser.add_argument("--threads", type=int, default=1, help="for torch")
    asked = parser.parse_args()
    wanted = set(asked.parts) or parts
    if not wanted <= parts:
        parser.error(f"unknown: {', '.join(sorted(wanted - parts))}")
    torch.set_num_threads(asked.threads)
    print(
        f"nnwidgets {__version__}, Python {platform.python_version()}, torch {torch.__version__}, "
        f"{os.cpu_count()} cores, {torch.get_num_threads()} for torch, {platform.machine()}"
    )
    if "calls" in wanted:
        calls()
    if "long_run" in wanted:
        long_run()
    if "snapshots" in wanted:
        snapshots()
    if "inspector" in wanted:
        clicks()
        large_model()
        long_runs()
        watched_by_inspector(asked.training or list(WORKLOADS), asked.seconds, asked.pairs)
    if "saliency" in wanted:
        times(asked.seconds)
        memory()
        large_cam()
        cancelling()
    if "viewer" in wanted:
        watched_by_viewer(asked.training or list(WORKLOADS), asked.seconds, asked.pairs)
    if "plot" in wanted:
        dragging(asked.seconds * 4)
        watched_by_plot(asked.training or list(WORKLOADS), asked.seconds, asked.pairs)
    if "boundary" in wanted:
        surfaces(asked.seconds)
        refinement()
    if "overhead" in wanted:
        overhead(asked.training or list(WORKLOADS), asked.seconds, asked.pairs)
