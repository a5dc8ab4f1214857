"""Methods that change how a backward pass runs through each layer: captum's, made safe.

deep_lift        differences of activations to the baseline's, passed back     Shrikumar et al. 2017
guided_backprop  gradients, without what is negative at a ReLU             Springenberg et al. 2014
lrp              relevance, shared out by the ε-rule                             Bach et al. 2015
"""

from __future__ import annotations

from typing import Any

from nnwidgets.explain.methods_gradient import Gradients, plain, with_gradient
from nnwidgets.explain.methods_rules import lrp_rules
from nnwidgets.explain.registry import Method, Result, Run, register

__all__: list[str] = []


def _deep_lift(run: Run) -> Result:
    from captum.attr import DeepLift

    by_inputs = bool(run.options.get("multiply_by_inputs", True))
    eps = run.options.get("eps", 1e-10)
    method = DeepLift(run.asked.model, multiply_by_inputs=by_inputs, eps=eps)
    gradients = Gradients(run.asked)
    method.gradient_func = gradients
    run.expect(6)
    values, delta = method.attribute(
        with_gradient(run.asked.inputs),
        baselines=run.baselines,
        additional_forward_args=run.asked.others or None,
        return_convergence_delta=True,
    )
    return Result(plain(values), float(delta.detach()) if by_inputs else None, gradients.warnings)


def _guided_backprop(run: Run) -> Result:
    from captum.attr import GuidedBackprop

    method: Any = GuidedBackprop(run.asked.model)
    gradients = Gradients(run.asked)
    method.gradient_func = gradients
    run.expect(2)
    values = method.attribute(
        with_gradient(run.asked.inputs), additional_forward_args=run.asked.others or None
    )
    return Result(plain(values), warnings=gradients.warnings)


def _lrp(run: Run) -> Result:
    from captum.attr import LRP

    method: Any = LRP(run.asked.model)
    gradients = Gradients(run.asked)
    method.gradient_func = gradients
    run.expect(3)
    with lrp_rules(run.asked.root):
        values, delta = method.attribute(
            with_gradient(run.asked.inputs),
            additional_forward_args=run.asked.others or None,
            return_convergence_delta=True,
        )
    return Result(plain(values), float(delta.detach()), gradients.warnings)


register(
    Method(
        "deep_lift",
        _deep_lift,
        uses_baseline=True,
        options=frozenset({"eps", "multiply_by_inputs"}),
        promises_completeness=True,
        cost=lambda asked, options: 8,
    )
)
register(Method("guided_backprop", _guided_backprop))
register(Method("lrp", _lrp, cost=lambda asked, options: 4))
