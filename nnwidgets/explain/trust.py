"""How far a map can be believed: it is put to the tests that a map can fail.

Each test asks the method again under other circumstances, or the model with parts of the input
taken away. All of it is cut into slices, one explanation or one small batch each; between two of
them, and inside each explanation, it is asked whether anybody still waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from nnwidgets.explain import methods, trials
from nnwidgets.explain.asked import Asked
from nnwidgets.explain.baselines import baseline_names
from nnwidgets.explain.cancelling import Cancelled, never
from nnwidgets.explain.curves import INTERVALS
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.inquiry import Inquiry
from nnwidgets.explain.methods_random import kept_random
from nnwidgets.explain.question import Question
from nnwidgets.explain.registry import REGISTRY
from nnwidgets.explain.verdict import KINDS, Check, TrustReport, unknown, verdict
from nnwidgets.probe.refusal import Refusal

__all__ = ["trust"]

_DEAR: Final = 64  # evaluations; a method that takes more is asked less often
_OFTEN: Final = 5
_SELDOM: Final = 3


def trust(
    asked: Asked,
    method: str,
    *,
    question: Question | None = None,
    layer: str | None = None,
    baseline: Any = None,
    options: Mapping[str, Any] | None = None,
    explain: Callable[..., Explanation] = methods.explain,
    cancelled: Callable[[], bool] = never,
    progress: Callable[[float], None] | None = None,
    samples: int | None = None,
    maps: int = 19,
    seed: int = 0,
    language: str = "en",
) -> TrustReport:
    """Try what can be tried on the map that a method gives for one sample and target.

    Parameters
    ----------
    asked
        The sample and the target. Its model is run, and copied; neither it nor a random number
        generator of the process is changed, whatever happens.
    method
        One of `nnwidgets.explain.registry.METHODS`.
    question
        Where `asked` comes from; without it there are no other samples (for the spread of a
        table's columns and for baselines made of samples).
    layer, baseline, options
        As for the explanation. Curves run towards this baseline, also for methods without one.
    explain
        Called as `nnwidgets.explain.methods.explain`.
    cancelled
        Asked between slices and inside explanations.
    progress
        Told the fraction that is done, from 0 to 1, never less than before.
    samples
        How often what is repeated is repeated: noise, seeds, layers of the cascade. Default 5; 3
        for methods that run the model more than 64 times.
    maps
        How many random maps the curves are held against, at least 9.
    seed
        Of all random numbers.
    language
        Of the verdict.

    Returns
    -------
    TrustReport
        A check that could not be tried is ``"unknown"`` and says why.

    Raises
    ------
    Cancelled
        If nobody waits any more.
    Exception
        What the method raises when it is asked for the map itself.
    """
    if maps < 9:
        raise ValueError(f"maps must be at least 9, to tell what one in ten does, not {maps}")
    if samples is not None and samples < 1:
        raise ValueError(f"samples must be at least 1, not {samples}")
    chosen = dict(options or {})
    other = chosen.pop("baselines", None)  # captum's name for it
    baseline = other if baseline is None else baseline
    inquiry = Inquiry(
        asked, method, question, layer, baseline, chosen, explain, cancelled, progress, seed
    )
    with kept_random(asked.model, seed):
        checks = _checks(inquiry, samples, maps)
    inquiry.finish()
    values = {check.kind: check.value for check in checks if check.level != "unknown"}
    steady = [v for k, v in values.items() if k in ("stability", "seeds") and v is not None]
    return TrustReport(
        # Where chance may reach as much it is not judged, and still a number.
        randomisation=inquiry.details.pop("randomisation", None),
        completeness=values.get("completeness"),
        deletion=values.get("deletion"),
        insertion=values.get("insertion"),
        stability=min(steady, default=None),
        verdict=verdict(checks, language),
        checks=checks,
        details=MappingProxyType(inquiry.details),
        method=method,
        index=asked.index,
        target=asked.target,
        layer=inquiry.first.layer,
        evaluations=inquiry.evaluations,
        language=language,
    )


def _checks(inquiry: Inquiry, samples: int | None, maps: int) -> tuple[Check, ...]:
    """Try everything that can be tried."""
    first = inquiry.begin()
    flaw = first.flaw_words
    if flaw is not None:
        kinds = ("randomisation", "completeness", "deletion", "insertion", "stability")
        return tuple(Check(kind, "unknown", flaw) for kind in kinds)
    count = samples or (_SELDOM if first.evaluations > _DEAR else _OFTEN)
    method = REGISTRY.get(inquiry.method)  # filled by now; a method of one's own is not in it
    random = method is not None and method.random
    compares = method is not None and method.uses_baseline
    runs = 2 * (INTERVALS - 1) * (maps + 1)
    share = runs / max(1, first.evaluations)  # of an explanation's time
    names = baseline_names(inquiry.asked, inquiry.question)
    again = count + 2 + count + count * random + len(names) * compares
    inquiry.expect(again + share)
    found = [
        *_tried(inquiry, ("randomisation",), lambda: trials.randomisation(inquiry, count)),
        *_tried(inquiry, ("completeness",), lambda: trials.completeness(inquiry)),
        *_tried(
            inquiry,
            ("deletion", "insertion"),
            lambda: trials.deletion_and_insertion(inquiry, maps, inquiry.slices(share)),
        ),
        *_tried(inquiry, ("stability",), lambda: trials.stability(inquiry, count)),
    ]
    if random:
        found += _tried(inquiry, ("seeds",), lambda: trials.seeds(inquiry, count))
    if compares:
        found += _tried(inquiry, ("baseline",), lambda: trials.baselines(inquiry))
    return tuple(sorted(found, key=lambda check: KINDS.index(check.kind)))


def _tried(
    inquiry: Inquiry, kinds: tuple[str, ...], trial: Callable[[], list[Check]]
) -> list[Check]:
    """Run one test; what goes wrong in it concerns it alone."""
    inquiry.check()
    try:
        return trial()
    except Cancelled:
        raise
    except Refusal as refusal:
        return [Check(kind, "unknown", (refusal.key, refusal.params)) for kind in kinds]
    except Exception as problem:
        why = f"{type(problem).__name__}: {problem}"[:200]
        return [unknown(kind, "explain.trust.failed", problem=why) for kind in kinds]
