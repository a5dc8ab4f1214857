"""The trained network of CNN Explainer (Wang et al. 2020, MIT), where its data lies beside us.

A Tiny VGG on pictures of 64 × 64: two blocks of two convolutions and a pooling, one linear layer,
ten classes. Weights and pictures are not part of this project; without them the tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

__all__ = ["CLASSES", "pictures", "tiny_vgg"]

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "cnn-explainer"
CLASSES = (
    *("boat", "bug", "pizza", "pepper", "bus"),
    *("koala", "espresso", "panda", "orange", "car"),
)


def _data() -> Path:
    if not (_DATA / "nn_10.json").exists():
        pytest.skip("the data of CNN Explainer is not here")
    return _DATA


def tiny_vgg() -> nn.Sequential:
    """Return the network with its trained weights, in evaluation mode."""
    layers = json.loads((_data() / "nn_10.json").read_text(encoding="utf-8"))
    modules: list[tuple[str, nn.Module]] = []
    for layer in layers:
        name = layer["name"]
        if name.startswith("conv"):
            weight = torch.tensor([neuron["weights"] for neuron in layer["weights"]])
            made: nn.Module = nn.Conv2d(weight.shape[1], weight.shape[0], 3)
            made.weight = nn.Parameter(weight)
            made.bias = nn.Parameter(torch.tensor([n["bias"] for n in layer["weights"]]))
        elif name.startswith("relu"):
            made = nn.ReLU()
        elif name.startswith("max_pool"):
            made = nn.MaxPool2d(2)
        elif name == "flatten":
            made = nn.Flatten()
        else:
            flat = torch.tensor([neuron["weights"] for neuron in layer["weights"]])
            # They were trained on maps laid out row, column, channel.
            weight = flat.reshape(10, 4, 4, 10).permute(0, 3, 1, 2).reshape(10, 160)
            made = nn.Linear(weight.shape[1], weight.shape[0])
            made.weight = nn.Parameter(weight)
            made.bias = nn.Parameter(torch.tensor([n["bias"] for n in layer["weights"]]))
        modules.append((name, made))
    model = nn.Sequential()
    for name, module in modules:
        model.add_module(name, module)
    return model.eval()


def pictures() -> tuple[Tensor, list[int]]:
    """Return the pictures of the ten classes as (n, 3, 64, 64) from 0 to 1, and their classes."""
    images, labels = [], []
    for file in sorted((_data() / "img").glob("*.jpeg")):
        if file.stem.split("_")[0] not in CLASSES:
            continue
        image = Image.open(file).convert("RGB").resize((64, 64))
        images.append(np.asarray(image, np.float32).transpose(2, 0, 1) / 255)
        labels.append(CLASSES.index(file.stem.split("_")[0]))
    return torch.from_numpy(np.stack(images)), labels
