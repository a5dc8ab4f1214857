"""What an explanation costs beside captum's own: time, memory, Grad-CAM of a large network."""

from __future__ import annotations

import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import captum.attr as ca
import torch
from torch import Tensor, nn

from nnwidgets.explain.asked import Asked
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question

__all__ = ["cancelling", "efficientnet", "large_cam", "memory", "picture_net", "times"]

Call = Callable[[], Any]


def picture_net(width: int = 16) -> nn.Sequential:
    """Make a small CNN for pictures of 224 × 224."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10)),
    ).eval()


def _cases(net: nn.Module, x: Tensor, target: int) -> dict[str, tuple[dict[str, Any], Call]]:
    zero = torch.zeros_like(x)
    mask = None
    if x.dim() == 4:
        rows = torch.arange(x.shape[2]).view(-1, 1) * 8 // x.shape[2]
        columns = torch.arange(x.shape[3]) * 8 // x.shape[3]
        mask = (rows * 8 + columns).expand(x.shape).contiguous()
    shared = {"perturbations_per_eval": 16, "feature_mask": mask}
    fitted = {**shared, "n_samples": 100}
    window = (
        (1,) * (x.dim() - 1) if x.dim() == 2 else (x.shape[1], x.shape[2] // 8, x.shape[3] // 8)
    )
    occluded = {"sliding_window_shapes": window, "strides": window, "perturbations_per_eval": 16}
    given: dict[str, Any] = {"target": target}
    return {
        "saliency": ({}, lambda: ca.Saliency(net).attribute(x, **given)),
        "input_x_gradient": ({}, lambda: ca.InputXGradient(net).attribute(x, **given)),
        "integrated_gradients": (
            {},
            lambda: ca.IntegratedGradients(net).attribute(
                x, return_convergence_delta=True, **given
            ),
        ),
        "smooth_grad": (
            {"stdevs": 0.1},
            lambda: ca.NoiseTunnel(ca.Saliency(net)).attribute(x, stdevs=0.1, **given),
        ),
        "gradient_shap": (
            {},
            lambda: ca.GradientShap(net).attribute(x, zero, return_convergence_delta=True, **given),
        ),
        "deep_lift": (
            {},
            lambda: ca.DeepLift(net).attribute(x, return_convergence_delta=True, **given),
        ),
        "guided_backprop": ({}, lambda: ca.GuidedBackprop(net).attribute(x, **given)),
        "occlusion": (occluded, lambda: ca.Occlusion(net).attribute(x, **occluded, **given)),
        "feature_ablation": (
            shared,
            lambda: ca.FeatureAblation(net).attribute(x, **shared, **given),
        ),
        "lime": (fitted, lambda: ca.Lime(net).attribute(x, **fitted, **given)),
        "kernel_shap": (fitted, lambda: ca.KernelShap(net).attribute(x, **fitted, **given)),
    }


def _ratio(ours: Call, theirs: Call, seconds: float) -> tuple[float, float]:
    """Milliseconds of theirs, and the median of ours ÷ theirs, taken in turns."""
    ours(), theirs()
    ours(), theirs()
    bare, ratios = [], []
    until = perf_counter() + seconds
    while perf_counter() < until or len(ratios) < 5:
        began = perf_counter()
        theirs()
        between = perf_counter()
        ours()
        ended = perf_counter()
        bare.append((between - began) * 1e3)
        ratios.append((ended - between) / (between - began))
    return statistics.median(bare), statistics.median(ratios)


def _asked(net: nn.Module, x: Tensor) -> Asked:
    return Question(net, x).ask(0, 1)


def times(seconds: float = 1.5) -> None:
    """Print the time of each method over captum's."""
    print("\n### Time of an explanation, ours ÷ the same call of captum's\n")
    print("| method | table, 0.1 ms a run | ÷ | picture 32 × 32 | ÷ | picture 224 × 224 | ÷ |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    torch.manual_seed(0)
    small = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 2)).eval()
    nets: list[tuple[nn.Module, Tensor]] = [
        (small, torch.randn(1, 30)),
        (picture_net(), torch.randn(1, 3, 32, 32)),
        (picture_net(), torch.randn(1, 3, 224, 224)),
    ]
    cases = [(net, x, _asked(net, x), _cases(net, x, 1)) for net, x in nets]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in cases[0][3]:
            cells = []
            for _, _, asked, each in cases:
                options, theirs = each[name]
                given = {key: value for key, value in options.items() if value is not None}
                ours = _explaining(asked, name, given)
                bare, ratio = _ratio(ours, theirs, seconds)
                cells.append(f"{bare:.2f} ms | **{ratio:.2f}**")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _explaining(asked: Asked, name: str, options: dict[str, Any]) -> Call:
    return lambda: explain(asked, name, options=options)


_PEAK = """
import sys, torch
torch.set_num_threads(1)
def peak():  # KiB, of this process; ru_maxrss would begin at what its parent had
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
from bench.saliency import picture_net
from captum.attr import IntegratedGradients
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
net, x = picture_net(), torch.randn(1, 3, 224, 224)
asked = Question(net, x).ask(0, 1)
explain(asked, "saliency")
before = peak()
if sys.argv[1] == "ours":
    explain(asked, "integrated_gradients")
else:
    IntegratedGradients(net).attribute(x, target=1)
print((peak() - before) / 1024)
"""


def memory() -> None:
    """Print what integrated gradients with 50 steps add at their peak."""
    print("\n### Memory added by integrated gradients, 50 steps, 224 × 224, small CNN\n")
    print("| by | at most |\n|---|--:|")
    for words, who in (("ours", "ours"), ("captum, as it is by default", "captum")):
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, who], capture_output=True, text=True, check=True
        )
        print(f"| {words} | {float(done.stdout):.0f} MiB |", flush=True)


class _Squeeze(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.down, self.up = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)
        self.act, self.gate = nn.SiLU(), nn.Sigmoid()

    def forward(self, values: Tensor) -> Tensor:
        gate: Tensor = self.gate(self.up(self.act(self.down(self.pool(values)))))
        return values * gate


class _Block(nn.Module):
    def __init__(self, before: int, after: int, grow: int, side: int, stride: int) -> None:
        super().__init__()
        width = before * grow
        layers: list[nn.Module] = []
        if grow > 1:
            layers += [nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width), nn.SiLU()]
        around = side // 2
        layers += [
            nn.Conv2d(width, width, side, stride, around, groups=width, bias=False),
            *(nn.BatchNorm2d(width), nn.SiLU(), _Squeeze(width, max(1, before // 4))),
            *(nn.Conv2d(width, after, 1, bias=False), nn.BatchNorm2d(after)),
        ]
        self.layers = nn.Sequential(*layers)
        self.skips = stride == 1 and before == after

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.layers(values)
        return values + result if self.skips else result


def efficientnet() -> nn.Sequential:
    """Make a network of the form and size of EfficientNet-B0 (Tan & Le 2019, table 1)."""
    torch.manual_seed(0)
    stages = (
        *((1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2)),
        *((6, 112, 3, 5, 1), (6, 192, 4, 5, 2), (6, 320, 1, 3, 1)),
    )
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.SiLU()]
    before = 32
    for grow, width, count, side, stride in stages:
        for number in range(count):
            layers.append(_Block(before, width, grow, side, 1 if number else stride))
            before = width
    layers += [nn.Conv2d(before, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.SiLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers).eval()


def large_cam(repeats: int = 9) -> None:
    """Print what Grad-CAM on a large network takes beyond one forward and backward pass."""
    net, x = efficientnet(), torch.randn(1, 3, 224, 224)
    count = sum(parameter.numel() for parameter in net.parameters())
    began = perf_counter()
    asked = _asked(net, x)
    asking = perf_counter() - began
    began = perf_counter()
    first = explain(asked, "grad_cam")
    opening = perf_counter() - began
    layer = net.get_submodule(str(first.layer))

    def bare() -> None:
        score = net(x)[:, 1].sum()
        torch.autograd.grad(score, [p for p in net.parameters() if p.dim() > 3][-1:])

    rows: dict[str, list[float]] = {"bare": [], "ours": [], "captum": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repeats):
            for name, call in (
                ("bare", bare),
                ("ours", _explaining(asked, "grad_cam", {})),
                ("captum", lambda: ca.LayerGradCam(net, layer).attribute(x, target=1)),
            ):
                began = perf_counter()
                call()
                rows[name].append((perf_counter() - began) * 1e3)
    beyond = [ours - base for ours, base in zip(rows["ours"], rows["bare"], strict=True)]
    print(
        f"\n### Grad-CAM, {count / 1e6:.1f} million parameters, 224 × 224, {len([*net.modules()])}"
        " modules\n\n| what | time |\n|---|--:|"
    )
    middle = {name: statistics.median(values) for name, values in rows.items()}
    print(f"| forward, and backward to the last convolution | {middle['bare']:.0f} ms |")
    print(f"| `explain`, the same layer | {middle['ours']:.0f} ms |")
    print(f"| … beyond the computation | **{statistics.median(beyond):.0f} ms** |")
    print(f"| captum's LayerGradCam | {middle['captum']:.0f} ms |")
    print(f"| the first time, when the layer is looked for | {opening * 1e3:.0f} ms |")
    print(f"| before: looking at what the model takes and gives | {asking * 1e3:.0f} ms |")


def cancelling(tries: int = 12) -> None:
    """Print how long a slow explanation goes on after nobody waits any more."""
    net, x = efficientnet(), torch.randn(1, 3, 224, 224)
    asked = _asked(net, x)
    print("\n### From Cancel to the end, in the middle of a call on that network\n")
    print("| method | median | longest |\n|---|--:|--:|")
    for method in ("integrated_gradients", "occlusion", "lime", "gradient_shap"):
        late = []
        for number in range(tries):
            moment = perf_counter() + 0.4 + 0.37 * number % 3
            try:
                explain(asked, method, cancelled=lambda at=moment: perf_counter() > at)
            except Cancelled:
                late.append((perf_counter() - moment) * 1e3)
        longest = max(late, default=float("nan"))
        print(f"| {method} | {statistics.median(late):.0f} ms | {longest:.0f} ms |", flush=True)
