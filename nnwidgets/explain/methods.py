"""Asking a model why, by any of the methods.

Whatever the method does, the module is left as it was (`methods_untouched`), nobody's random
numbers are used up (`methods_random`), somebody who waits can stop waiting (`cancelling`), and what
goes wrong inside captum becomes one sentence (`methods_problem`).
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from nnwidgets.catalogue import text
from nnwidgets.explain.baselines import baseline_tensors, baseline_words
from nnwidgets.explain.cancelling import Cancelled, Watch, never
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.methods_problem import sentence
from nnwidgets.explain.methods_quiet import quiet
from nnwidgets.explain.methods_random import kept_random
from nnwidgets.explain.methods_untouched import untouched
from nnwidgets.explain.registry import METHODS, REGISTRY, Method, Result, Run, Warned
from nnwidgets.explain.spatial import default_layer
from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked
    from nnwidgets.explain.question import Question

__all__ = ["cost", "explain", "method_named"]

# Each registers its methods when it is imported.
_FILES: Final = (
    "methods_gradient",
    "methods_backward",
    "methods_cam",
    "methods_perturbation",
    "methods_surrogate",
    "cam",
    "rollout",
    "layer_terms",
)
_NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})
_EXPLAINED: Final = frozenset({"explain.gradient.none", "explain.surrogate.penalty"})
_COARSE: Final = (torch.float16, torch.bfloat16)


def explain(
    asked: Asked,
    method: str,
    *,
    question: Question | None = None,
    layer: str | None = None,
    baseline: Any = None,
    options: Mapping[str, Any] = _NO_OPTIONS,
    cancelled: Callable[[], bool] = never,
    progress: Callable[[float], None] | None = None,
) -> Explanation:
    """Work out one explanation.

    Parameters
    ----------
    asked
        The sample, the target and the scored model; the model is used and left as it was.
    method
        One of `nnwidgets.explain.registry.METHODS`.
    question
        Where `asked` comes from: for baselines taken from the samples, and for methods that
        compare samples.
    layer
        Name of a module in ``asked.root``, for methods that look at one; None: the last layer with
        space in it.
    baseline
        What stands for "nothing there": a number, a tensor, a name (see
        `nnwidgets.explain.baselines`), of several inputs a tuple; None: zero. Gradient SHAP also
        takes a tensor of several rows, from which it draws.
    options
        By captum's names. Random methods also take ``seed``. Beyond captum's: ``baselines`` is the
        same as `baseline`; ``seeds`` of LIME and kernel SHAP repeats them to see their spread;
        ``integration`` is another name of integrated gradients' ``method``, for functions that have
        an argument `method` themselves.
    cancelled
        Asked again and again whether nobody waits any more, from this thread.
    progress
        Told the fraction that is done, from this thread.

    Returns
    -------
    Explanation
        Its values are what captum gives with the same options, without the batch.

    Raises
    ------
    Cancelled
        If nobody waits any more; nothing is left behind.
    Refusal
        If the method cannot be used on this model or sample, with what to do.
    ValueError, TypeError
        For unknown methods, options, layers and baselines, before anything is run.

    Notes
    -----
    Options that are not given have captum's defaults, except where those would not do:

    - ``stdevs`` of SmoothGrad is 0.15 of each input's range, as its paper recommends (captum: 1,
      whatever the input's units are).
    - Occlusion's window is an eighth of each axis of a picture and a twentieth of time, and moves
      by half (captum has none).
    - Ablation, LIME and kernel SHAP switch off segments, columns and tokens (captum: each number).
      LIME and kernel SHAP draw ten samples for each of them (captum: 25 in all).
    - ``internal_batch_size``, ``nt_samples_batch_size`` and ``perturbations_per_eval`` follow from
      measured memory and time. They change no number beyond rounding.
    - Grad-CAM's map is brought to the input's resolution bilinearly, as its paper does (captum:
      by nearest neighbour). Guided Grad-CAM is as captum's.

    Other than in a script's only thread, the model must not be used by others meanwhile.
    """
    known = method_named(method)
    options = dict(options)
    given = options.pop("baselines", None)
    baseline = given if baseline is None else baseline
    seed = _checked(known, options)
    chosen = _layer(asked, known, layer)
    tensors, words = _baselines(asked, question, known, baseline)
    began = perf_counter()
    watch = Watch(asked.model, cancelled, progress)
    run = Run(
        asked=asked,
        question=question,
        layer=chosen,
        baselines=tensors,
        options=options,
        check=watch.check,
        progress=watch.tell,
        baseline=baseline is not None,
        seed=seed,
        expect=watch.expect,
    )
    result = _run(known, run, watch)
    values = asked.shaped([_float(value) for value in result.values])
    explanation = Explanation(
        values=values,
        method=method,
        target=asked.target,
        layer=chosen,
        convergence_delta=result.delta,
        seconds=perf_counter() - began,
        warnings=(),
        index=asked.index,
        baseline=words,
        inputs_shape=tuple(tuple(value.shape[1:]) for value in asked.inputs),
        details=MappingProxyType(dict(result.details)),
        evaluations=watch.rows,
    )
    said = {text(key, **words): (key, words) for key, words in _warned(asked, result, explanation)}
    return replace(explanation, warnings=tuple(said), words=tuple(said.values()))


def cost(asked: Asked, method: str, options: Mapping[str, Any] = _NO_OPTIONS) -> int:
    """Return how much work an explanation is.

    Parameters
    ----------
    asked, method, options
        As for `explain`.

    Returns
    -------
    int
        Forward passes of one sample that take about as long; a backward pass counts as two.
    """
    return int(method_named(method).cost(asked, options))


def method_named(name: str) -> Method:
    """Return a method.

    Raises
    ------
    ValueError
        If there is none of that name, with the nearest.
    """
    _load()
    if name not in REGISTRY:
        near = difflib.get_close_matches(str(name), METHODS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(METHODS)}"
        raise ValueError(f"there is no method {name!r}; {hint}")
    return REGISTRY[name]


@cache
def _load() -> None:
    for name in _FILES:
        importlib.import_module(f"nnwidgets.explain.{name}")


def _checked(method: Method, options: dict[str, Any]) -> int:
    """Take the seed out of the options; raise for those that the method does not know."""
    known = method.options | ({"seed"} if method.random else set())
    for name in options:
        if name not in known:
            told = f"known are {', '.join(sorted(known))}" if known else "it has none"
            raise ValueError(f"{method.name} has no option {name!r}; {told}")
    seed = options.pop("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1, not {seed!r}")
    return seed


def _layer(asked: Asked, method: Method, layer: str | None) -> str | None:
    if not method.needs_layer:
        return None
    if layer is None:
        found = default_layer(asked)
        if found is None:
            raise Refusal("explain.layer.none", method=method.name)
        return found
    names = dict(asked.root.named_modules())
    if layer not in names:
        near = difflib.get_close_matches(str(layer), names, 1)
        hint = f"did you mean {near[0]!r}?" if near else "see named_modules() of the model"
        raise ValueError(f"the model has no layer {layer!r}; {hint}")
    return layer


def _baselines(
    asked: Asked, question: Question | None, method: Method, baseline: Any
) -> tuple[tuple[Tensor, ...], str | None]:
    """Return the baselines and their name."""
    if not method.uses_baseline:
        none = tuple(torch.zeros((), dtype=v.dtype, device=v.device) for v in asked.inputs)
        return tuple(n.expand(v.shape) for n, v in zip(none, asked.inputs, strict=True)), None
    key, params = baseline_words(baseline, asked, question)
    words = text(key, **params)
    several = _distribution(asked, baseline) if method.takes_several_baselines else None
    return several or baseline_tensors(asked, question, baseline), words


def _distribution(asked: Asked, baseline: Any) -> tuple[Tensor, ...] | None:
    """Return baselines with several rows, as they were given; None if they are nothing of that."""
    given = baseline if isinstance(baseline, tuple) else (baseline,)
    if len(given) != len(asked.inputs):
        return None
    rows = []
    for value, part in zip(asked.inputs, given, strict=True):
        if not isinstance(part, Tensor) or part.shape[1:] != value.shape[1:] or len(part) < 2:
            return None
        rows.append(part.detach().to(value))
    return tuple(rows)


def _run(method: Method, run: Run, watch: Watch) -> Result:
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        untouched(run.asked.model),
        kept_random(run.asked.model, run.seed),
        quiet(),
        watch.open(),
    ):
        try:
            return method.run(run)
        except Cancelled:
            raise
        except Exception as problem:
            told = sentence(method.name, problem)
            if told is problem:
                raise
            raise told from problem


def _float(value: Tensor) -> Tensor:
    value = value.detach()
    return value.float() if value.dtype in _COARSE else value


def _warned(asked: Asked, result: Result, explanation: Explanation) -> list[Warned]:
    warned = list(result.warnings)
    kinds = {value.dtype for value in asked.inputs} | {p.dtype for p in asked.root.parameters()}
    coarse = sorted(str(kind).removeprefix("torch.") for kind in kinds & set(_COARSE))
    if coarse:
        warned.append(("explain.coarse", {"dtype": coarse[0]}))
    flaw = explanation.flaw_words
    # A sentence that already gives the reason for zeros does not need a guess beside it.
    if flaw is not None and not _EXPLAINED & {key for key, _ in warned}:
        warned.append(flaw)
    return warned
