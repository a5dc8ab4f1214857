"""Which methods there are, and what each needs: the one table that everything else reads.

A method is a function from a `Run` (what was asked, with everything prepared) to a `Result`. Those
of captum stand in ``methods_*.py``, those that captum lacks in files of their own; each registers
itself when its file is imported, and `nnwidgets.explain.methods` imports them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

    from nnwidgets.explain.asked import Asked
    from nnwidgets.explain.question import Question

__all__ = [
    "GRADIENT_FREE",
    "METHODS",
    "REGISTRY",
    "Method",
    "Result",
    "Run",
    "Warned",
    "register",
]

# In the order in which they are listed and offered (design §3).
METHODS: Final = (
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
    "occlusion",
    "feature_ablation",
    "feature_permutation",
    "lime",
    "kernel_shap",
    "lrp",
    "attention_rollout",
    "activation_x_weight",
)

Warned = tuple[str, dict[str, str]]
"""A warning: a key of the catalogue and what stands in its gaps."""


@dataclass(frozen=True)
class Run:
    """One explanation, ready to be worked out.

    Attributes
    ----------
    asked
        The sample, the target and the scored model.
    question
        What `asked` comes from; None where there is none, so no other samples either.
    layer
        Name of the layer in ``asked.root``, of the methods that need one; None for the others.
    baselines
        One tensor for each of ``asked.inputs``, of its shape.
    baseline
        Whether a baseline was chosen; False: `baselines` are zeros because nobody said anything.
    options
        Those that were given; all of them are among the method's.
    seed
        Of every random number.
    check
        To be called now and then in long computations of its own: raises `Cancelled` if nobody
        waits any more. It is called by itself in each forward and backward of ``asked.model``.
    progress
        To be told how far it is, from 0 to 1; also counts as a check.
    expect
        To be told how many rows ``asked.model`` will be asked for in all; progress is then told
        by itself, from the rows counted.
    """

    asked: Asked
    question: Question | None
    layer: str | None
    baselines: tuple[Tensor, ...]
    options: Mapping[str, Any]
    check: Callable[[], None]
    progress: Callable[[float], None]
    baseline: bool = False
    seed: int = 0
    expect: Callable[[int], None] = lambda rows: None


@dataclass(frozen=True)
class Result:
    """What a method found.

    Attributes
    ----------
    values
        One tensor for each of ``asked.inputs``, of its shape (with the batch of one); shaped for
        the user afterwards. A method of maps may give (1, 1, height, width) for an image: one
        plane at the input's resolution.
    delta
        How far the values are from adding up to what the method promises; None: no promise.
    warnings
        Sentences, as keys of the catalogue with their parameters.
    details
        What else is known, by name: ``{"r2": 0.93, "spread": array}``.
    """

    values: tuple[Tensor, ...]
    delta: float | None = None
    warnings: tuple[Warned, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes
    ----------
    name
        One of `METHODS`.
    run
        Does the work, on ``run.asked.model``.
    needs_layer
        It looks at the output of one layer.
    uses_baseline
        It compares with a baseline.
    random
        It draws random numbers; it then has the option ``seed`` as well.
    options
        Names of its options, with captum's meaning.
    promises_completeness
        Its values add up to the score less the baseline's score.
    takes_several_baselines
        A baseline may have several rows, to be drawn from.
    cost
        How many forward-equivalents of one sample it takes, for ``(asked, options)``; a backward
        counts as two.
    """

    name: str
    run: Callable[[Run], Result]
    needs_layer: bool = False
    uses_baseline: bool = False
    random: bool = False
    options: frozenset[str] = frozenset()
    promises_completeness: bool = False
    takes_several_baselines: bool = False
    cost: Callable[[Asked, Mapping[str, Any]], int] = lambda asked, options: 3


REGISTRY: Final[dict[str, Method]] = {}

GRADIENT_FREE: Final = frozenset(
    {
        "occlusion", "feature_ablation", "feature_permutation", "lime", "kernel_shap",
    }
)  # fmt: skip
"""Methods that only run the model forwards, whatever its layers are."""


def register(method: Method) -> Method:
    """Put a method into the table; a later one of the same name takes its place."""
    if method.name not in METHODS:
        raise ValueError(f"{method.name!r} is not among the methods that were agreed on")
    REGISTRY[method.name] = method
    return method
