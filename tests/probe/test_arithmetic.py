"""The written arithmetic is read again, line by line, and compared with the layer's own output."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnwidgets.probe.arithmetic import explain_forward
from nnwidgets.probe.blocks import Block
from nnwidgets.probe.look import Call
from nnwidgets.probe.units import UnitError
from nnwidgets.probe.written import digits, joined
from tests.probe.refilled import called, randn, refill

NAMES = {
    "max": max, "min": min, "exp": math.exp, "sqrt": math.sqrt, "tanh": math.tanh, "ln": math.log
}  # fmt: skip


def evaluated(expression: str) -> float:
    """What an expression of the arithmetic is worth, written with ordinary signs."""
    plain = expression.replace("−", "-").replace("×", "*").replace("÷", "/")
    plain = plain.replace("e^(", "exp(").replace("√(", "sqrt(").replace(",", ", ")
    plain = re.sub(r"(?<=\d), (?=\d{3})", "", plain)
    return float(eval(plain, {"__builtins__": {}}, NAMES))


def chains(block: Block) -> list[tuple[str, str, list[str]]]:
    """(kind, words, expressions said to be equal) of each line that states a number."""
    found = []
    for line, kind in block.meta["lines"]:
        if kind in ("head", "note") or "not above" in line:
            continue
        words, _, chain = line.rpartition(": ")
        parts = [part.strip() for part in chain.split(" = ")]
        # The names that stand before the first "=": x, x̂, γ × x̂ + β.
        named = [part for part in parts if not re.search(r"[xγμ]", part)]
        if named and not words.startswith(("running", "over")):
            found.append((kind, words, named))
    return found


def result_of(block: Block) -> float:
    """The number that the last line of the results states, each chain checked on the way."""
    last = math.nan
    for kind, _, chain in chains(block):
        values = [evaluated(part) for part in chain]
        for value in values:
            assert math.isclose(value, values[-1], rel_tol=2e-3, abs_tol=2e-4), chain
        if kind == "result":
            last = values[-1]
    return last


def check(layer: nn.Module, call: Call, sample: int, unit: Any, **options: Any) -> Block:
    block = explain_forward(layer, call, sample, unit, **options)
    output = call.output[0] if isinstance(call.output, tuple) else call.output
    index = (sample, *unit) if isinstance(unit, tuple) else (sample, unit)
    own = float(output[index])
    assert math.isclose(result_of(block), own, rel_tol=1e-4, abs_tol=1e-9), block.meta["lines"]
    assert not any("itself" in line for line, _ in block.meta["lines"]), block.meta["lines"]
    return block


def lines(block: Block, kind: str) -> list[str]:
    return [line for line, its in block.meta["lines"] if its == kind]


@pytest.mark.parametrize(
    ("layer", "shape", "unit"),
    [
        (nn.Linear(5, 3), (2, 5), 1),
        (nn.Linear(50, 3, bias=False), (2, 7, 50), (6, 2)),
        (nn.Conv1d(3, 2, 3, padding=1), (2, 3, 9), (1, 0)),
        (nn.Conv2d(3, 4, 3, padding=1, stride=2), (2, 3, 8, 8), (3, 0, 2)),
        (nn.Conv2d(4, 4, (3, 2), groups=2, bias=False), (2, 4, 6, 6), (2, 1, 2)),
        (nn.Conv3d(2, 2, 2), (2, 2, 3, 3, 3), (1, 1, 0, 1)),
        (nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1), (2, 3, 4, 4), (1, 2, 3)),
        (nn.BatchNorm1d(5), (2, 5), 3),
        (nn.BatchNorm2d(5), (2, 5, 3, 3), (4, 1, 2)),
        (nn.BatchNorm2d(5, affine=False, track_running_stats=False), (2, 5, 3, 3), (4, 1, 2)),
        (nn.LayerNorm(6), (2, 4, 6), (3, 5)),
        (nn.LayerNorm(6, bias=False), (2, 4, 6), (3, 5)),
        (nn.GroupNorm(2, 6), (2, 6, 4), (3, 2)),
        (nn.InstanceNorm2d(5), (2, 5, 3, 3), (4, 1, 2)),
        (nn.MaxPool1d(3), (2, 3, 9), (1, 2)),
        (nn.MaxPool2d(2), (2, 3, 8, 8), (1, 2, 3)),
        (nn.MaxPool2d(3, 2, padding=1, dilation=2, ceil_mode=True), (2, 3, 9, 9), (1, 0, 3)),
        (nn.MaxPool2d(2, return_indices=True), (2, 3, 8, 8), (1, 2, 3)),
        (nn.AvgPool1d(3, 1, padding=1), (2, 3, 9), (1, 0)),
        (nn.AvgPool2d(2), (2, 3, 8, 8), (1, 2, 3)),
        (nn.AvgPool2d(3, padding=1, count_include_pad=False), (2, 3, 8, 8), (1, 0, 0)),
        (nn.AvgPool2d(3, padding=1, ceil_mode=True), (2, 3, 9, 9), (1, 3, 3)),
        (nn.AvgPool2d(3, divisor_override=4), (2, 3, 9, 9), (1, 2, 2)),
        (nn.AvgPool3d(2), (2, 3, 4, 4, 4), (1, 1, 0, 1)),
        (nn.AdaptiveAvgPool1d(4), (2, 3, 9), (1, 3)),
        (nn.AdaptiveAvgPool2d(1), (2, 3, 5, 5), (1, 0, 0)),
        (nn.AdaptiveAvgPool2d((3, None)), (2, 3, 7, 5), (1, 1, 4)),
        (nn.AdaptiveMaxPool2d(3), (2, 3, 7, 5), (1, 1, 2)),
        (nn.Softmax(dim=1), (2, 30), 7),
        (nn.Softmax(dim=-1), (2, 4, 5), (3, 2)),
        (nn.Softmax2d(), (2, 4, 5, 5), (3, 2, 2)),
        (nn.Softmin(dim=1), (2, 6), 2),
        (nn.LogSoftmax(dim=1), (2, 30), 7),
        (nn.Dropout(0.9), (2, 6), 2),
        (nn.Dropout2d(0.9), (2, 6, 3, 3), (2, 1, 1)),
        (nn.Identity(), (2, 6), 2),
        (nn.Flatten(), (2, 3, 4, 5), 59),
        (nn.Flatten(2), (2, 3, 4, 5), (2, 7)),
        (nn.Unflatten(1, (3, 4)), (2, 12), (1, 3)),
        (nn.RNNCell(3, 4), (2, 3), 1),
        (nn.RNNCell(3, 4, nonlinearity="relu"), (2, 3), 1),
        (nn.Bilinear(3, 3, 2), (2, 3), 1),
    ],
    ids=repr,
)
def test_the_result_is_the_layers_own(layer: nn.Module, shape: tuple[int, ...], unit: Any) -> None:
    refill(layer)
    args = [randn(*shape)] * (2 if isinstance(layer, nn.Bilinear) else 1)
    call = called(layer, *args)
    for shown in (2, 12):
        check(layer, call, 1, unit, shown=shown)


@pytest.mark.parametrize(
    "layer",
    [
        nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2), nn.PReLU(), nn.PReLU(3), nn.ELU(0.7), nn.GELU(),
        nn.GELU("tanh"), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.Softplus(), nn.Softplus(2, 4),
        nn.Hardtanh(-0.5, 2.0), nn.Hardsigmoid(), nn.Hardswish(),
    ],
    ids=repr,
)  # fmt: skip
@given(x=st.floats(-30, 30))
def test_activation_functions(layer: nn.Module, x: float) -> None:
    layer.double().eval()
    call = called(layer, torch.tensor([[0.0, x, 0.0]], dtype=torch.float64))
    block = explain_forward(layer, call, 0, 1)
    own = float(call.output[0, 1])
    # An exponential of a rounded number is only as exact as its last written digit.
    tolerance = 1e-4 + 1e-3 * abs(x) / 30
    stated = evaluated(lines(block, "result")[-1].rsplit(" = ", 1)[1])
    assert math.isclose(stated, own, rel_tol=1e-4, abs_tol=1e-12)
    expression = lines(block, "result")[-1].split(" = ")[0]
    assert math.isclose(evaluated(expression), own, rel_tol=tolerance, abs_tol=1e-4)
    assert not lines(block, "note")


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus()])
@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan, 1e30, -1e30])
def test_extreme_inputs_do_not_raise(layer: nn.Module, x: float) -> None:
    call = called(layer, torch.tensor([[x]]))
    block = explain_forward(layer, call, 0, 0)
    stated = lines(block, "result")[-1].rsplit(" = ", 1)[1]
    own = float(call.output[0, 0])
    if math.isfinite(own) or not lines(block, "note"):
        assert stated == digits(own)


def test_the_words_of_a_small_convolution() -> None:
    layer = nn.Conv2d(1, 1, 2, padding=1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, -4.0]]]]))
        layer.bias.fill_(-0.5)
    call = called(layer, torch.tensor([[[[5.0, 6.0], [7.0, 8.0]]]], dtype=torch.float64))
    block = explain_forward(layer, call, 0, (0, 0, 1))
    assert block.meta["lines"] == [
        [
            "Conv2d at (0, 0, 1): "
            "each input in the window times its weight in the kernel, added up",
            "head",
        ],
        ["input (0, 0, 1): 6 × −4 = −24", "term"],
        ["input (0, 0, 0): 5 × 3 = 15", "term"],
        ["padding (0, -1, 0): 0 × 1 = 0", "term"],
        ["padding (0, -1, 1): 0 × 2 = 0", "term"],
        ["sum of 4 terms: −9", "result"],
        ["with the bias: −9 − 0.5 = −9.5", "result"],
    ]


def test_terms_that_are_left_out_are_summed() -> None:
    layer = refill(nn.Linear(100, 1))
    call = called(layer, randn(1, 100))
    block = check(layer, call, 0, 0, shown=7)
    terms = lines(block, "term")
    assert len(terms) == 8
    assert terms[-1].startswith("… the other 93 terms together: ")
    products = (call.args[0][0] * layer.weight.detach()[0]).numpy()
    stated = [evaluated(line.rsplit(": ", 1)[1].split(" = ")[-1]) for line in terms]
    assert math.isclose(sum(stated), products.sum(), rel_tol=1e-3)
    sizes = [abs(value) for value in stated[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= sorted(abs(products))[-8]


def test_the_smaller_ones_of_a_window_are_bounded() -> None:
    layer = nn.MaxPool2d(3)
    call = called(layer, randn(1, 1, 3, 3))
    (line,) = [
        line
        for line, _ in explain_forward(layer, call, 0, (0, 0, 0), shown=4).meta["lines"]
        if "not above" in line
    ]
    ordered = sorted(call.args[0].ravel().tolist(), reverse=True)
    assert line == f"… the other 5 are not above {digits(ordered[4])}"


def test_embeddings() -> None:
    layer = refill(nn.Embedding(9, 4))
    call = called(layer, torch.tensor([[3, 8], [1, 0]]))
    check(layer, call, 1, (0, 2))
    bag = refill(nn.EmbeddingBag(9, 4, mode="mean"))
    check(bag, called(bag, torch.tensor([[3, 8], [1, 0]])), 1, 3)


def test_a_chosen_class_far_down_the_list_is_shown() -> None:
    layer = nn.Softmax(dim=1)
    call = called(layer, torch.arange(40.0, dtype=torch.float64)[None] / 10)
    block = check(layer, call, 0, 0)
    assert any(line.startswith("input 0: e^(0 − 3.9)") for line in lines(block, "term"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_layer_of_few_digits_is_compared(dtype: torch.dtype) -> None:
    layer = refill(nn.Linear(300, 2)).to(dtype)
    call = called(layer, randn(2, 300).to(dtype))
    block = explain_forward(layer, call, 0, 1)
    (sentence,) = lines(block, "note")
    assert digits(float(call.output[0, 1])) in sentence
    assert str(dtype).removeprefix("torch.") in sentence


@pytest.mark.parametrize(
    "layer", [nn.LSTM(4, 3, batch_first=True), nn.Sequential(nn.Linear(4, 3), nn.ReLU())]
)
def test_other_layers_state_their_value_and_say_so(layer: nn.Module) -> None:
    call = called(layer, torch.rand(2, 5, 4, generator=torch.Generator().manual_seed(0)))
    block = explain_forward(layer, call, 1, (4, 2))
    output = call.output[0] if isinstance(call.output, tuple) else call.output
    assert lines(block, "result") == [f"value: {digits(float(output[1, 4, 2]))}"]
    assert type(layer).__name__ in lines(block, "note")[0]


def test_a_layer_that_is_not_in_evaluation_mode_is_not_written_as_if() -> None:
    layer = nn.Dropout(0.5).train()
    block = explain_forward(layer, called(layer, torch.ones(2, 6)), 0, 1)
    assert "not written out" in lines(block, "note")[0]


def test_without_a_batch() -> None:
    layer = nn.MaxPool2d(2)
    call = called(layer, randn(3, 8, 8))
    assert math.isclose(
        result_of(explain_forward(layer, call, 0, (2, 3, 0))),
        float(call.output[2, 3, 0]),
        rel_tol=1e-4,
    )


def test_in_chinese() -> None:
    layer = refill(nn.Linear(3, 2))
    block = explain_forward(layer, called(layer, randn(1, 3)), 0, 1, language="zh")
    english = explain_forward(layer, called(layer, randn(1, 3)), 0, 1)
    assert [kind for _, kind in block.meta["lines"]] == [k for _, k in english.meta["lines"]]
    assert all(re.search("[\u4e00-\u9fff]", line) for line, _ in block.meta["lines"])


def test_a_unit_that_is_not_there() -> None:
    with pytest.raises(UnitError):
        explain_forward(nn.ReLU(), called(nn.ReLU(), torch.ones(2, 3)), 0, 3)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"), (-0.0, "0"), (0.5, "0.5"), (-12.34567, "−12.346"), (1.2e-7, "1.2e−7"),
        (123456.0, "1.2346e5"), (math.nan, "NaN"), (-math.inf, "−∞"), (99999.6, "1e5"),
    ],
)  # fmt: skip
def test_digits(value: float, written: str) -> None:
    assert digits(value) == written


@given(st.floats(-1e300, 1e300))
def test_digits_can_be_read_again(value: float) -> None:
    assert math.isclose(float(digits(value).replace("−", "-")), value, rel_tol=1e-4, abs_tol=0)


def test_sums_show_one_sign() -> None:
    assert (joined(0.5, -0.25), joined(-0.5, 0.25)) == ("0.5 − 0.25", "−0.5 + 0.25")
