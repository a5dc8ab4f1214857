"""Class activation maps in numpy, as pytorch-grad-cam states them, from plainly hooked tensors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nnwidgets.explain.cam import grad_cam_map, grad_cam_plus_plus_map, layer_cam_map

__all__ = ["ORACLES", "Two", "numpy_grad_cam", "plainly_hooked", "resized", "seeded"]

Arrays = tuple[np.ndarray, np.ndarray]


def seeded(seed: int, make: Callable[[], Any]) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def plainly_hooked(model: nn.Module, layer: nn.Module, call: Callable[[], Tensor]) -> Arrays:
    """A layer's activation and gradient, by a hook on the tensor itself: (C, …) each."""
    kept: dict[str, Any] = {}

    def keep(module: nn.Module, args: Any, output: Tensor) -> None:
        kept["activation"] = output.detach().clone()
        output.register_hook(lambda gradient: kept.__setitem__("gradient", gradient.clone()))

    handle = layer.register_forward_hook(keep)
    try:
        call().sum().backward()
    finally:
        handle.remove()
        model.zero_grad()
    return kept["activation"][0].double().numpy(), kept["gradient"][0].double().numpy()


def numpy_grad_cam(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    weights = gradient.mean(axis=tuple(range(1, gradient.ndim)))
    return np.tensordot(weights, activation, 1)


def numpy_grad_cam_plus_plus(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    result = np.zeros(activation.shape[1:])
    for channel in range(activation.shape[0]):
        total, weight = activation[channel].sum(), 0.0
        for place in itertools.product(*map(range, activation.shape[1:])):
            g = gradient[channel][place]
            below = 2 * g**2 + total * g**3
            if below != 0:
                weight += g**2 / below * max(g, 0.0)
        result += weight * activation[channel]
    return result


def numpy_layer_cam(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return (np.maximum(gradient, 0) * activation).sum(0)


# By method: ours, and the one in numpy.
ORACLES: dict[str, tuple[Any, Any]] = {
    "grad_cam": (grad_cam_map, numpy_grad_cam),
    "grad_cam_plus_plus": (grad_cam_plus_plus_map, numpy_grad_cam_plus_plus),
    "layer_cam": (layer_cam_map, numpy_layer_cam),
}


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear, pixel centres at halves, edges held: what ``cv2.resize`` does when enlarging."""
    for axis, wanted in enumerate(size):
        old = values.shape[axis]
        at = np.clip((np.arange(wanted) + 0.5) * old / wanted - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, old - 1)
        part = (at - low).reshape([-1 if n == axis else 1 for n in range(2)])
        values = np.take(values, low, axis) * (1 - part) + np.take(values, high, axis) * part
    return values


class Two(nn.Module):
    """A picture through one convolution, a row of numbers through a layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.line = nn.Linear(3, 2)
        self.idle = nn.Linear(3, 2)
        self.cut = nn.Linear(3, 2)

    def forward(self, picture: Tensor, row: Tensor) -> Tensor:
        return self.conv(picture).mean((2, 3)) + self.line(row) + self.cut(row).detach()
