"""Which methods apply to a model and an input, and why the others do not.

Nothing is taken from a model's name or its text: it is run, and what it does is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from nnwidgets.explain.inputs import Slot
from nnwidgets.explain.methods_rules import COVERED
from nnwidgets.explain.registry import METHODS
from nnwidgets.explain.spatial import SpatialLayer, spatial_layers
from nnwidgets.explain.structure import PRODUCTS, RELUS, Operation, Structure, structure_of
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked
    from nnwidgets.explain.question import Question

__all__ = ["Applicability", "applicable", "is_differentiable"]

GRADIENT: Final = (
    "saliency",
    "input_x_gradient",
    "integrated_gradients",
    "smooth_grad",
    "gradient_shap",
    "deep_lift",
    "guided_backprop",
    "grad_cam",
    "grad_cam_plus_plus",
    "layer_cam",
    "guided_grad_cam",
    "lrp",
    "activation_x_weight",
)
OF_LAYERS: Final = (
    "grad_cam",
    "grad_cam_plus_plus",
    "layer_cam",
    "guided_grad_cam",
    "activation_x_weight",
)
GUIDED: Final = ("guided_backprop", "guided_grad_cam")

# The modules whose difference rule captum's DeepLift has.
_LIFTED: Final = (
    nn.ReLU,
    nn.ELU,
    nn.LeakyReLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.Softmax,
)
# Without one of these there is no attention to be seen.
_ATTENDING: Final = frozenset(
    {"softmax", "scaled_dot_product_attention", "multi_head_attention_forward"}
)
_BENT: Final = RELUS | {
    "abs",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "amax",
    "amin",
    "celu",
    "clamp",
    "cos",
    "elu",
    "exp",
    "gelu",
    "glu",
    "group_norm",
    "gru",
    "gru_cell",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "instance_norm",
    "layer_norm",
    "leaky_relu",
    "log",
    "log_softmax",
    "logsigmoid",
    "logsumexp",
    "lstm",
    "lstm_cell",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "maximum",
    "min",
    "minimum",
    "mish",
    "multi_head_attention_forward",
    "norm",
    "normalize",
    "pow",
    "prelu",
    "relu6",
    "rms_norm",
    "rnn_relu",
    "rnn_tanh",
    "rsqrt",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "sin",
    "softmax",
    "softplus",
    "softsign",
    "sqrt",
    "square",
    "tanh",
    "topk",
}
# Functions that only lay numbers out anew, or pick some: relevance goes through them unchanged.
_LAYOUT: Final = frozenset(
    {
        "chunk",
        "clone",
        "contiguous",
        "detach",
        "dropout",
        "flatten",
        "float",
        "getitem",
        "movedim",
        "permute",
        "ravel",
        "requires_grad_",
        "reshape",
        "select",
        "split",
        "squeeze",
        "t",
        "to",
        "transpose",
        "unflatten",
        "unsqueeze",
        "view",
    }
)


@dataclass(frozen=True, eq=False)
class Applicability:
    """Which methods apply.

    Attributes
    ----------
    methods
        Their names, in the order of `nnwidgets.explain.registry.METHODS`.
    unavailable
        By name of each other method the reason, as a sentence of the catalogue.
    default
        A sound method that applies: Grad-CAM for a convolutional network on images whose last
        maps have at least 3 × 3 places, integrated gradients for everything else, and where there
        is no gradient, occlusion or ablation. Never a guided one.
    layers
        Of which a class activation map can be made.
    """

    methods: tuple[str, ...]
    unavailable: Mapping[str, Words]
    default: str
    layers: tuple[SpatialLayer, ...] = ()


def applicable(question: Question, index: int = 0, target: Any = None) -> Applicability:
    """Find out which methods apply.

    Parameters
    ----------
    question
        The model and the samples. The model is run a few times.
    index, target
        As in `Question.ask`.

    Raises
    ------
    Refusal
        As `Question.ask`.
    """
    asked = question.ask(index, target)
    reasons: dict[str, Words] = {}
    layers: tuple[SpatialLayer, ...] = ()
    problem = is_differentiable(asked)
    if problem is not None:
        reasons.update(dict.fromkeys(GRADIENT, problem))
    else:
        layers = spatial_layers(asked)
        if not layers:
            reasons.update(dict.fromkeys(OF_LAYERS, _no_layers(asked)))
        elif all(layer.tokens for layer in layers):
            reasons["guided_grad_cam"] = "explain.why.guided_tokens", {"layer": layers[-1].name}
        structure = structure_of(asked)
        _add(reasons, ("deep_lift",), _lift_obstacle(structure))
        _add(reasons, GUIDED, _guided_obstacle(structure))
        _add(reasons, ("lrp",), _relevance_obstacle(asked, structure))
        if not structure.scripted and not _ATTENDING & {o.function for o in structure.operations}:
            reasons["attention_rollout"] = "explain.rollout.none", {}
    if not any(slot.kind in ("image", "signal", "sequence", "tokens") for slot in asked.slots):
        reasons["occlusion"] = "explain.why.no_neighbours", {}
    if question.count == 1:
        reasons["feature_permutation"] = "explain.why.one_sample", {}
    if "attention_rollout" not in reasons:
        _add(reasons, ("attention_rollout",), _rollout_obstacle(asked))
    methods = tuple(name for name in METHODS if name not in reasons)
    ordered: dict[str, Words] = {name: reasons[name] for name in METHODS if name in reasons}
    return Applicability(methods, ordered, _default(methods, asked.slots, layers), layers)


def _add(reasons: dict[str, Words], methods: Sequence[str], why: Words | None) -> None:
    if why is not None:
        for name in methods:
            reasons.setdefault(name, why)


def is_differentiable(asked: Asked) -> Words | None:
    """Say whether the score has a gradient towards the inputs; None if it has, or the reason.

    Parameters
    ----------
    asked
        The sample and the target; the model is run once.
    """
    try:
        with torch.enable_grad():
            inputs = [value.detach().clone().requires_grad_() for value in asked.inputs]
            score = asked.model.readout.score(asked.model.call(*inputs, *asked.others)).sum()
            if not score.requires_grad:
                return "explain.why.no_gradient", {}
            found = torch.autograd.grad(score, inputs, allow_unused=True)
    except Refusal:
        raise
    except RuntimeError as problem:
        lines = str(problem).strip().splitlines() or [type(problem).__name__]
        return "explain.why.gradient_raised", {"problem": lines[0][:200]}
    if all(gradient is None for gradient in found):
        return "explain.why.no_gradient", {}
    return None


def _no_layers(asked: Asked) -> Words:
    kinds = {slot.kind for slot in asked.slots}
    if kinds <= {"table", "other"}:
        return "explain.why.no_plane", {}
    return "explain.why.no_maps", {}


def _named(items: Sequence[str]) -> str:
    shown = list(dict.fromkeys(items))
    return ", ".join(shown[:3]) + (", …" if len(shown) > 3 else "")


def _where(operation: Operation) -> str:
    return f"{operation.function} ({operation.layer})" if operation.layer else operation.function


def _of_types(structure: Structure, types: tuple[type[nn.Module], ...]) -> list[str]:
    """Return the names of modules of these types that were called more than once."""
    kinds = {o.layer: o.type for o in structure.operations}
    return [n for n, calls in structure.calls.items() if calls > 1 and kinds.get(n) in types]


def _lift_obstacle(structure: Structure) -> Words | None:
    if structure.scripted:
        return "explain.why.scripted", {}
    reused = _of_types(structure, _LIFTED)
    if reused:
        return "explain.why.reused", {"layers": _named(reused)}
    outside = structure.outside(_LIFTED)
    lifted = {"relu", "relu_", "elu", "leaky_relu", "sigmoid", "tanh", "softplus", "softmax"}
    lifted |= {"max_pool1d", "max_pool2d", "max_pool3d", "sigmoid_", "tanh_"}
    plain = [o for o in outside if o.function in lifted and _in_container(o)]
    if plain:
        return "explain.why.functional", {"functions": _named([_where(o) for o in plain])}
    bent = [o for o in outside if o.function.rstrip("_") in _BENT or o.function in _BENT]
    bent += [o for o in outside if o.function in PRODUCTS and o.operands > 1]
    if bent:
        names = [o.layer + f" ({o.type.__name__})" if o.layer else _where(o) for o in bent]
        return "explain.why.no_difference_rule", {"layers": _named(names)}
    return None


def _in_container(operation: Operation) -> bool:
    """Say whether a function was called by a forward that somebody wrote, not by torch's layer."""
    return not operation.type.__module__.startswith("torch.nn.modules")


def _guided_obstacle(structure: Structure) -> Words | None:
    if structure.scripted:
        return "explain.why.scripted", {}
    outside = [o for o in structure.operations if not issubclass(o.type, nn.ReLU)]
    plain = [o for o in outside if o.function in RELUS]
    if plain:
        return "explain.why.functional", {"functions": _named([_where(o) for o in plain])}
    relus = {o.layer for o in structure.operations if issubclass(o.type, nn.ReLU)}
    if not relus:
        return "explain.why.no_relu", {}
    reused = [name for name in structure.calls if name in relus and structure.calls[name] > 1]
    return ("explain.why.reused", {"layers": _named(reused)}) if reused else None


def _relevance_obstacle(asked: Asked, structure: Structure) -> Words | None:
    if structure.scripted:
        return "explain.why.scripted", {}
    leaves = {n: m for n, m in asked.root.named_modules() if not any(True for _ in m.children())}
    without = [
        f"{name} ({type(m).__name__})" for name, m in leaves.items() if type(m) not in COVERED
    ]
    if without:
        return "explain.why.no_relevance_rule", {"layers": _named([w.strip() for w in without])}
    reused = [name for name in leaves if structure.calls.get(name, 0) > 1]
    if reused:
        return "explain.why.reused", {"layers": _named(reused)}
    beside = [o for o in structure.outside(COVERED) if o.function not in _LAYOUT]
    if beside:
        return "explain.why.functional_relevance", {
            "functions": _named([_where(o) for o in beside])
        }
    idle = [name for name in leaves if not structure.calls.get(name)]
    if idle:
        return "explain.why.idle", {"layers": _named(idle)}
    return None


def _rollout_obstacle(asked: Asked) -> Words | None:
    from nnwidgets.explain.rollout import self_attention

    if not any(slot.kind in ("image", "tokens", "sequence") for slot in asked.slots):
        return "explain.rollout.none", {}
    try:
        self_attention(asked)
    except Refusal as refusal:
        return refusal.key, refusal.params
    except RuntimeError as problem:
        lines = str(problem).strip().splitlines() or [type(problem).__name__]
        return "explain.model_failed", {"problem": lines[0][:200]}
    return None


def _default(methods: Sequence[str], slots: Sequence[Slot], layers: Sequence[SpatialLayer]) -> str:
    image = any(slot.kind == "image" for slot in slots)
    last = layers[-1] if layers else None
    roomy = last is not None and not last.tokens and len(last.grid) == 2 and min(last.grid) >= 3
    order = ["grad_cam"] if image and roomy else []
    order += ["integrated_gradients", "occlusion", "feature_ablation"]
    return next(name for name in order if name in methods)
