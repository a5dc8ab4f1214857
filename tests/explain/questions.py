"""Every kind of model with a sample, and what is known about it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nnwidgets.explain.question import Question
from tests.explain import models, models_hf
from tests.explain.models import ids, noise, seeded


def hooks(root: nn.Module) -> int:
    """Count all hooks on a model."""
    tables = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(m, table)) for m in root.modules() for table in tables)


def lengths(*sizes: int) -> Tensor:
    return torch.tensor(sizes)


MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
PADDED = torch.tensor([[3, 4, 0, 0], [7, 0, 0, 0], [0, 0, 0, 0], [1, 2, 3, 4]])
CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    # what makes the model, the sample, and: kind of the main slot, of the output, classes
    "linear": (models.Linear2, noise(5, 3), dict(kind="table", output="logits", classes=2)),
    "one number": (models.MinOfReLUs, noise(3, 2), dict(output="regression", classes=1)),
    "mlp": (models.MLP, noise(4, 6), dict(kind="table", output="logits", classes=3)),
    "probabilities": (
        lambda: models.MLP(last=nn.Softmax(1)),
        noise(4, 6),
        dict(output="probabilities", classes=3),
    ),
    "log": (
        lambda: models.MLP(last=nn.LogSoftmax(1)),
        noise(4, 6),
        dict(output="log_probabilities"),
    ),
    "sigmoid": (
        lambda: models.MLP(outputs=1, last=nn.Sigmoid()),
        noise(4, 6),
        dict(output="probability", classes=2),
    ),
    "cnn": (models.SmallCNN, noise(2, 3, 8, 8), dict(kind="image", output="logits", classes=4)),
    "grey": (lambda: models.SmallCNN(1), noise(2, 1, 8, 8), dict(kind="image")),
    "bands": (lambda: models.SmallCNN(7), noise(2, 7, 8, 8), dict(kind="image")),
    "resnet": (models.ResNetish, noise(2, 3, 8, 8), dict(kind="image", classes=5)),
    "signal": (models.Conv1dNet, noise(3, 2, 9), dict(kind="signal")),
    "turned": (lambda: models.Conv1dNet(True), noise(3, 9, 2), dict(kind="sequence")),
    "sequence": (models.SequenceLSTM, noise(3, 7, 3), dict(kind="sequence", classes=2)),
    "packed": (
        models.TokenLSTM,
        {"ids": ids(3, 6), "lengths": lengths(6, 2, 4)},
        dict(kind="tokens", output="regression"),
    ),
    "masked": (
        models.TokenTransformer,
        {"input_ids": ids(2, 5), "attention_mask": MASK},
        dict(kind="tokens", classes=3),
    ),
    "two": (
        models.TwoInputs,
        (noise(3, 1, 6, 6), noise(3, 4), True),
        dict(kind="image", classes=2),
    ),
    "siamese": (models.Siamese, (ids(3, 4), ids(3, 5, seed=6)), dict(kind="tokens")),
    "equal texts": (models.Siamese, (ids(3, 4), ids(3, 4)), dict(kind="tokens")),
    "wide": (models.WideAndDeep, ids(3, 4), dict(kind="tokens", output="regression")),
    "bag": (models.Bag, ids(3, 4), dict(kind="tokens", classes=3)),
    "bag, sum": (lambda: models.Bag("sum"), PADDED, dict(kind="tokens", classes=3)),
    "bag, padded": (models.Bag, PADDED, dict(kind="tokens", classes=3)),
    "bag, max": (lambda: models.Bag("max"), PADDED, dict(kind="tokens", classes=3)),
    "columns": (models.Categories, ids(4, 2), dict(kind="table", classes=3)),
    "in place": (models.InPlace, noise(3, 4), dict(kind="table")),
    "bert": (
        models_hf.tiny_bert,
        {"input_ids": ids(2, 5), "attention_mask": MASK, "token_type_ids": torch.zeros_like(MASK)},
        dict(kind="tokens", classes=3),
    ),
    "vit": (
        models_hf.tiny_vit,
        {"pixel_values": noise(2, 3, 16, 16)},
        dict(kind="image", classes=3),
    ),
    "bert embedded": (
        models_hf.tiny_bert,
        {"inputs_embeds": noise(2, 5, 16)},
        dict(kind="sequence", classes=3),
    ),
}


def asked_of(name: str) -> tuple[nn.Module, Any, dict[str, Any], Question]:
    make, sample, facts = CASES[name]
    root = seeded(make)
    return root, sample, facts, Question(root, sample)


def row_of(output: Any) -> Tensor:
    """The scores in an output, found by hand."""
    if isinstance(output, dict):
        output = output["logits"]
    return output[0] if isinstance(output, tuple) else output
