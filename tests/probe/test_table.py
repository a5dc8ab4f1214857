"""The summary against torchinfo's words and the model's own numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torchinfo
from torch import Tensor, nn

from nnwidgets.probe.structure import trace_structure
from nnwidgets.probe.table import _width, summary_text
from tests.probe.model_families import FAMILIES, broken, cnn, gpt, mlp, rnn_cell, transformer
from tests.probe.traced import structure_of


def columns(words: str) -> dict[str, tuple[int, int]]:
    """Parameters and operations of each row, by the path of names that the branches draw."""
    lines = words.splitlines()
    begin = lines[1].index("Param #") + len("Param #")
    end = lines[1].index("FLOPs") + len("FLOPs")
    found: dict[str, tuple[int, int]] = {}
    path: list[str] = []
    for line in lines[4 : lines.index(lines[0], 3)]:
        branch = re.match(r"((?:│  |   )*)[├└]─ ([^:]+): ", line)
        assert branch is not None, line
        path = [*path[: len(branch[1]) // 3], branch[2]]
        params, flops = (_number(line[:at].split()[-1]) for at in (begin, end))
        found[".".join(path)] = params, flops
    return found


def _number(cell: str) -> int:
    return 0 if cell == "–" else int(cell.replace(",", ""))


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "lazy"])
def test_rows_are_the_modules_and_their_numbers(name: str) -> None:
    model, sample = FAMILIES[name]()
    structure = structure_of(model, sample)
    rows = columns(summary_text(structure))
    assert rows == {n.info.name: (n.info.n_params, n.info.flops) for n in structure.nodes}


@pytest.mark.parametrize("name", ["cnn", "gpt", "resnet", "transformer"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_what_is_not_shown_is_added_to_what_holds_it(name: str, depth: int) -> None:
    structure = structure_of(*FAMILIES[name]())
    rows = columns(summary_text(structure, depth=depth))
    assert max(path.count(".") for path in rows) < depth
    assert sum(params for params, _ in rows.values()) == structure.total_params - (
        structure.root_params
    )
    assert structure.total_flops is not None
    assert sum(flops for _, flops in rows.values()) == structure.total_flops - (
        structure.root_flops or 0
    )


@pytest.mark.parametrize("name", ["mlp", "cnn", "resnet", "autoencoder", "volume_conv"])
def test_totals_are_torchinfos(name: str) -> None:
    model, sample = FAMILIES[name]()
    next(model.parameters()).requires_grad_(False)
    theirs = str(torchinfo.summary(model, input_data=sample, verbose=0, mode="eval"))
    ours = summary_text(structure_of(model, sample)).splitlines()
    wanted = (
        "Total params: ",
        "Trainable params: ",
        "Non-trainable params: ",
        "Input size (MB): ",
        "Forward/backward pass size (MB): ",
        "Params size (MB): ",
    )
    lines = [line for line in theirs.splitlines() if line.startswith(wanted)]
    assert len(lines) == 6
    assert set(lines) <= set(ours)


def test_sizes_of_a_model_that_has_one() -> None:
    model, sample = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU()), torch.zeros(8, 3, 66, 66)
    theirs = str(torchinfo.summary(model, input_data=sample, verbose=0)).splitlines()
    ours = summary_text(structure_of(model, sample)).splitlines()
    sizes = [line for line in theirs if "size (MB)" in line]
    assert sizes == [
        "Input size (MB): 0.42",
        "Forward/backward pass size (MB): 16.78",
        "Params size (MB): 0.01",
    ]
    assert set(sizes) <= set(ours)
    assert "Estimated total size (MB): 17.20" in ours  # the sum, before it is rounded
    # 64 maps of 64 × 64, each number of 27 products.
    flops = 2 * 8 * 64 * 64 * 64 * 27
    assert f"Total FLOPs: {flops:,} (a multiplication and an addition are two)" in ours
    assert f"Total mult-adds: {flops // 2:,}" in ours


class Attends(nn.Module):
    """Attention, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x)[0]


def test_attention_has_the_right_numbers() -> None:
    """torchinfo finds no operation in attention, and counts tied weights twice."""
    model, sample = Attends(), torch.randn(2, 5, 16)
    words = summary_text(structure_of(model, sample))
    params = sum(p.numel() for p in model.parameters())
    assert params == 4 * 16 * 16 + 4 * 16
    assert f"Total params: {params:,}" in words
    own, projection = columns(words).values()
    assert own[0] + projection[0] == params
    assert own[1] == 2 * 10 * 16 * 64 + 2 * (2 * 2 * 4 * 5 * 5 * 4)
    assert torchinfo.summary(model, input_data=sample, verbose=0).total_mult_adds == 0

    tied, ids = gpt()
    assert f"Total params: {sum(p.numel() for p in tied.parameters()):,}" in summary_text(
        structure_of(tied, ids)
    )
    assert torchinfo.summary(tied, input_data=ids, verbose=0).total_params > sum(
        p.numel() for p in tied.parameters()
    )


def line_of(words: str, name: str) -> str:
    return next(line for line in words.splitlines() if f" {name}: " in line)


def test_remarks() -> None:
    model, sample = gpt()
    model.norm.requires_grad_(False)
    model.blocks[0].norm1.bias.requires_grad_(False)
    words = summary_text(structure_of(model, sample))
    assert line_of(words, "head").endswith("tied to tokens")
    assert line_of(words, "norm").endswith(" frozen")
    assert line_of(words, "norm1").endswith("partly frozen")
    assert line_of(summary_text(structure_of(*rnn_cell())), "cell").endswith("×20")


def test_without_a_sample() -> None:
    model, _ = cnn()
    words = summary_text(trace_structure(None, model))
    assert f"Total params: {sum(p.numel() for p in model.parameters()):,}" in words
    assert "Total FLOPs" not in words
    assert "Input size" not in words
    assert "classifier: Linear 32→10" in words


def test_a_failure_is_told() -> None:
    words = summary_text(structure_of(*broken()))
    assert line_of(words, "wrong").endswith("failed here")
    assert "The forward pass failed in wrong: RuntimeError: mat1 and mat2" in words
    assert "Total params: 42" in words
    assert "Total FLOPs" not in words


def test_a_model_without_modules() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    words = summary_text(structure_of(Nothing(), torch.zeros(2)))
    assert "Nothing" in words
    assert "Total params: 0" in words


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("make", [mlp, transformer])
def test_lines_are_aligned_in_both_languages(make: Any, language: str) -> None:
    lines = summary_text(structure_of(*make()), language=language).splitlines()
    rules = [line for line in lines if set(line) == {"="}]
    assert len({len(rule) for rule in rules}) == 1
    assert max(_width(line) for line in lines) == len(rules[0])
    end = lines.index(rules[0], 3)
    table = [line for line in lines[1:end] if line not in rules]
    assert len({_width(line) for line in table}) == 1  # the last column is aligned on the right
    if language == "zh":
        assert "参数总数：" in "\n".join(lines)


def test_a_deep_nest_is_written() -> None:
    model: nn.Module = nn.Linear(2, 2)
    for _ in range(120):
        model = nn.Sequential(model)
    words = summary_text(trace_structure(None, model))
    assert words.count("└─ 0:") == 120
