"""Counts, shapes and operations against torchinfo, the flop counter and plain sums."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torchinfo
from torch import Tensor, nn

from nnwidgets.probe.look import call_arguments, look
from nnwidgets.probe.shapes import shape_of
from nnwidgets.probe.structure import trace_structure
from nnwidgets.probe.twin import Twin
from tests.probe.model_families import (
    FAMILIES,
    broken,
    cnn,
    containers,
    control_flow,
    dataclass_output,
    deep,
    gpt,
    lazy,
    lstm,
    mlp,
    reparametrised,
    rnn_cell,
    shared,
    transformer,
)
from tests.probe.traced import counted, row, structure_of

# -- every family ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "lazy"])
def test_parameters_are_those_of_the_model(name: str) -> None:
    model, sample = FAMILIES[name]()
    structure = structure_of(model, sample)
    assert structure.total_params == sum(p.numel() for p in model.parameters())
    column = sum(node.info.n_params for node in structure.nodes)
    assert column + structure.root_params == structure.total_params
    assert [node.info.name for node in structure.nodes] == [n for n, _ in model.named_modules()][1:]
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    assert structure.parameter_bytes == size


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "lazy"])
def test_operations_are_those_of_the_flop_counter(name: str) -> None:
    model, sample = FAMILIES[name]()
    structure = structure_of(model, sample)
    assert structure.total_flops == counted(model, sample)
    assert structure.root_flops is not None
    column = sum(node.info.flops for node in structure.nodes)
    assert column + structure.root_flops == structure.total_flops


@pytest.mark.parametrize("name", FAMILIES)
def test_shapes_are_those_of_the_outputs(name: str) -> None:
    model, sample = FAMILIES[name]()
    structure = structure_of(model, sample)
    twin = Twin(model)
    with twin.open() as module:
        seen = look(module, sample, [n for n, _ in model.named_modules()])
    assert seen.problem is None
    assert structure.failure is None
    assert structure.output == shape_of(seen.result)
    for node in structure.nodes:
        calls = seen.calls[node.info.name]
        assert node.calls == len(calls)
        assert node.info.output_shape == (shape_of(calls[0].output) if calls else None)
        assert (node.order < 0) == (not calls)


# torchinfo stops at nested tensors, dataclasses and lazy modules, and counts tied weights twice.
COMPARABLE = ["mlp", "cnn", "resnet", "lstm", "rnn_cell", "autoencoder", "generator", "volume_conv"]


@pytest.mark.parametrize("name", COMPARABLE)
def test_agrees_with_torchinfo(name: str) -> None:
    model, sample = FAMILIES[name]()
    args, _ = call_arguments(sample)
    model.eval()
    theirs = torchinfo.summary(model, input_data=list(args), verbose=0, mode="eval")
    ours = structure_of(model, sample)
    assert ours.total_params == theirs.total_params
    assert ours.trainable_params == theirs.trainable_params
    if name != "lstm":  # of several outputs torchinfo counts the first
        assert 2 * ours.output_bytes == theirs.total_output_bytes
    assert ours.parameter_bytes == theirs.total_param_bytes
    by_name = dict(model.named_modules())
    names = {id(module): n for n, module in by_name.items()}
    compared = 0
    for info in theirs.summary_list:
        name = names.get(id(info.module), "")
        if not name or info.is_recursive:
            continue
        node = row(ours, name)
        assert node.info.depth == info.depth - 1
        assert node.info.type == info.class_name
        if info.is_leaf_layer:
            assert node.info.n_params == info.num_params
        if isinstance(node.info.output_shape, tuple) and isinstance(node.info.output_shape[0], int):
            assert list(node.info.output_shape) == info.output_size
        compared += 1
    assert compared == len(ours.nodes)


# -- what is special -------------------------------------------------------------------------


def test_attention_counts_what_it_owns_and_runs() -> None:
    model = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(3, 5, 8)
    structure = structure_of(nn.Sequential(model), (x,))  # fails: three inputs are wanted
    assert structure.failure is not None

    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = model

        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x, x, x)[0]

    structure = structure_of(Attends(), x)
    attention = row(structure, "attention")
    projection = row(structure, "attention.out_proj")
    assert attention.info.n_params == 3 * 8 * 8 + 3 * 8
    assert projection.info.n_params == 8 * 8 + 8
    assert structure.total_params == sum(p.numel() for p in model.parameters())
    # In and out projection of 15 tokens, and two products of 5 × 5 for each head.
    projections = 2 * 15 * 8 * 24 + 2 * 15 * 8 * 8
    products = 2 * (2 * 3 * 2 * 5 * 5 * 4)
    assert attention.info.flops == projections + products
    assert projection.info.flops == 0  # a module that never runs
    assert projection.calls == 0
    assert attention.info.output_shape == ((3, 5, 8), (3, 5, 5))
    assert torchinfo.summary(Attends(), input_data=x, verbose=0).total_mult_adds == 0


def test_a_shared_parameter_counts_for_its_first_owner() -> None:
    structure = structure_of(*gpt())
    assert row(structure, "tokens").info.n_params == 25 * 12
    head = row(structure, "head")
    assert head.info.n_params == 0
    assert head.info.shared_with == ("tokens",)
    assert head.info.trainable
    assert row(structure, "tokens").info.shared_with == ()


def test_a_module_used_twice_counts_once_and_runs_twice() -> None:
    structure = structure_of(*shared())
    assert [node.info.name for node in structure.nodes] == ["first", "second"]
    first, second = structure.nodes
    assert (first.calls, first.info.flops, first.info.n_params) == (2, 2 * 2 * 2 * 4 * 4, 20)
    assert second.info.n_params == 4
    assert second.info.shared_with == ("first",)


def test_what_the_model_itself_owns() -> None:
    structure = structure_of(*transformer())
    assert structure.root_params == 6 * 8
    model, sample = mlp()
    model.register_parameter("own", model[0].weight)  # the model is the first owner then
    structure = structure_of(model, sample)
    assert structure.root_params == 8 * 16
    assert row(structure, "0").info.n_params == 16
    assert row(structure, "0").info.shared_with == ("",)


def test_frozen() -> None:
    model, sample = mlp()
    model[0].requires_grad_(False)
    model[3].bias.requires_grad_(False)
    structure = structure_of(model, sample)
    frozen = {node.info.name: (node.frozen, node.info.trainable) for node in structure.nodes}
    assert frozen == {
        "0": ("all", False),
        "1": ("", False),
        "2": ("", False),
        "3": ("part", True),
        "4": ("", False),
        "5": ("none", True),
    }
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert structure.trainable_params == trainable
    assert sum(node.n_trainable for node in structure.nodes) == trainable


def test_without_a_sample_there_is_the_tree() -> None:
    model, _ = cnn()
    for structure in (structure_of(model), trace_structure(None, model)):
        assert structure.total_params == sum(p.numel() for p in model.parameters())
        assert structure.total_flops is None
        assert structure.failure is None
        assert structure.graph.nodes == ()
        for node in structure.nodes:
            assert node.info.output_shape is None
            assert node.info.flops is None
            assert node.order == -1
    tree = [(node.info.name, node.parent, node.kind, node.label) for node in structure.nodes]
    assert tree[0] == ("features", -1, "container", "Sequential")
    assert tree[1] == ("features.0", 0, "layer", "Conv2d 1→6")
    assert tree[-1] == ("classifier", -1, "layer", "Linear 32→10")


def test_a_forward_that_fails_half_way() -> None:
    structure = structure_of(*broken())
    assert structure.failure is not None
    layer, sentence = structure.failure
    assert layer == "wrong"
    assert sentence.startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert "\n" not in sentence
    assert [node.failed for node in structure.nodes] == [False, False, False, True]
    assert row(structure, "body.0").info.output_shape == (2, 6)
    assert row(structure, "body.0").info.flops == 2 * 2 * 4 * 6
    assert structure.total_flops is None
    assert structure.output is None
    assert [node.label for node in structure.graph.nodes] == [
        "x",
        "Linear 4→6",
        "ReLU",
        "Linear 5→2",
    ]


def test_a_sample_that_cannot_be_an_input() -> None:
    model, _ = mlp()
    structure = structure_of(model, {"nothing": torch.zeros(1)})
    assert structure.failure is not None
    assert structure.failure.layer == ""
    assert "nothing" in structure.failure.text
    assert len(structure.nodes) == 6


class Tolerant(nn.Module):
    """Calls a module that raises, and goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(3, 4), nn.Linear(9, 9))
        self.other = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        try:
            return self.block(x)
        except RuntimeError:
            return self.other(x)


def test_a_failure_that_the_model_catches_is_none() -> None:
    model, sample = Tolerant(), torch.randn(2, 3)
    structure = structure_of(model, sample)
    assert structure.failure is None
    assert structure.total_flops == 2 * 2 * 3 * 4 + 2 * 2 * 3 * 2
    assert row(structure, "block.0").info.flops == 2 * 2 * 3 * 4
    assert row(structure, "other").info.flops == 2 * 2 * 3 * 2
    assert not any(node.failed for node in structure.nodes)
    assert structure.graph.nodes[-1].kind == "output"


def test_lazy_modules_get_shapes_and_counts_without_being_materialised() -> None:
    model, sample = lazy()
    structure = structure_of(model, sample)
    assert [type(m).__name__ for m in model] == [
        "LazyConv2d",
        "LazyBatchNorm2d",
        "ReLU",
        "Flatten",
        "LazyLinear",
    ]
    later = copy.deepcopy(sample)
    with torch.random.fork_rng(devices=[]):
        model(later)
    assert structure.total_params == sum(p.numel() for p in model.parameters())
    assert structure.nodes[0].label == "Conv2d 2→4"
    assert structure.nodes[4].info.output_shape == (2, 3)
    model, _ = lazy()
    assert structure_of(model).total_params == sum(
        p.numel() for p in model.parameters() if not nn.parameter.is_lazy(p)
    )


def test_nested_outputs() -> None:
    structure = structure_of(*dataclass_output())
    assert structure.output == {"logits": (3, 2), "states": ((3, 6), (3, 6))}
    assert structure_of(*containers()).output == {"small": (3, 2), "large": (3, 6)}
    shape = row(structure_of(*lstm()), "lstm").info.output_shape
    assert shape == ({"packed": (16, 10)}, ((4, 3, 5), (4, 3, 5)))


def test_a_branch_that_is_not_taken_has_no_shape() -> None:
    structure = structure_of(*control_flow())
    right = row(structure, "right")
    assert (right.calls, right.order, right.info.output_shape, right.info.flops) == (0, -1, None, 0)
    assert row(structure, "again").calls == 3


def test_parametrised_modules_keep_their_names() -> None:
    model, sample = reparametrised()
    structure = structure_of(model, sample)
    assert row(structure, "3").info.type == "Linear"
    assert row(structure, "3").kind == "layer"
    assert row(structure, "3.parametrizations.weight").info.n_params == 5 * 4 + 4


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m, backend="eager")])
def test_wrapped_models_are_those_inside(wrap: Any) -> None:
    model, sample = cnn()
    plain, wrapped = structure_of(model, sample), structure_of(wrap(model), sample)
    assert wrapped.nodes == plain.nodes
    assert wrapped.graph == plain.graph


def test_a_thousand_modules() -> None:
    model, sample = deep()
    structure = structure_of(model, sample)
    assert len(structure.nodes) == 1002
    assert structure.total_flops == 334 * 2 * 2 * 4 * 4
    assert len(structure.graph.nodes) == 2 * 334 + 2


def test_a_loop_of_many_rounds_stays_small() -> None:
    model, _ = rnn_cell()
    model.steps = 400
    structure = structure_of(model, torch.randn(400, 2, 3))
    assert row(structure, "cell").calls == 400
    assert len(structure.graph.nodes) == 5


# -- other people's models -------------------------------------------------------------------


def tiny_vit() -> tuple[nn.Module, Any]:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=16,
        patch_size=4,
    )
    return transformers.ViTForImageClassification(config), {
        "pixel_values": torch.rand(2, 3, 16, 16)
    }


def tiny_bert() -> tuple[nn.Module, Any]:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
    )
    ids = torch.randint(0, 30, (2, 9))
    return (
        transformers.BertForSequenceClassification(config),
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
    )


@pytest.mark.parametrize("make", [tiny_vit, tiny_bert])
def test_transformers_from_their_configurations(make: Any) -> None:
    model, sample = make()
    structure = structure_of(model, sample)
    assert structure.failure is None
    assert structure.total_params == sum(p.numel() for p in model.parameters())
    assert structure.total_flops == counted(model, sample)
    assert structure.output == {"logits": (2, 2)}
    graph = structure.graph
    assert graph.notes == ()
    # From each input there is a way to the output, through both layers.
    reached = {node.id for node in graph.nodes if node.label in ("pixel_values", "input_ids")}
    for _ in graph.nodes:
        reached |= {b for a, b, _ in graph.edges if a in reached}
    assert next(n.id for n in graph.nodes if n.kind == "output") in reached
    passed = {graph.nodes[i].layer for i in reached} - {-1}
    linear = {n.index for n in structure.nodes if n.info.type == "Linear"}
    assert len(linear) >= 13
    assert linear <= passed
