"""Models of every family that the inspector must open, each with a sample to run it on.

Each function returns ``(model, sample)``: random weights, sizes small enough for a test, the model
in training mode as a constructor leaves it. A sample is a tensor, a tuple (positional inputs) or a
dict (keyword inputs). They are seeded and leave the generator as it was.
"""

from __future__ import annotations

from tests.probe.families_awkward import (
    broken,
    containers,
    control_flow,
    dataclass_output,
    deep,
    discriminator,
    generator,
    half_precision,
    lazy,
    made_in_forward,
    reparametrised,
    sequence_conv,
    shared,
    volume_conv,
)
from tests.probe.families_usual import (
    autoencoder,
    cnn,
    gpt,
    lstm,
    mlp,
    resnet,
    rnn_cell,
    transformer,
)
from tests.probe.family import FAMILIES

__all__ = [
    "FAMILIES",
    "autoencoder",
    "broken",
    "cnn",
    "containers",
    "control_flow",
    "dataclass_output",
    "deep",
    "discriminator",
    "generator",
    "gpt",
    "half_precision",
    "lazy",
    "lstm",
    "made_in_forward",
    "mlp",
    "reparametrised",
    "resnet",
    "rnn_cell",
    "sequence_conv",
    "shared",
    "transformer",
    "volume_conv",
]
