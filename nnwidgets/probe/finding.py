"""A finding: one thing worth telling about a run, with its evidence, in the reader's language."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from nnwidgets.catalogue import text

KINDS = (
    "nan", "exploding", "diverging", "overfitting", "underfitting", "oscillating", "vanishing",
    "dead_units", "saturated", "plateau",
)  # fmt: skip
"""Every kind a finding can be of, the most urgent first."""

_AFTERMATH = {"exploding", "vanishing", "dead_units", "saturated"}  # what NaN brings with it

SEVERITIES = ("error", "warning", "info")
"""From "the run is lost" over "something should be changed" to "good to know"."""


@dataclass(frozen=True)
class Finding:
    """One observation about a run.

    Attributes
    ----------
    kind
        One of `KINDS`.
    severity
        ``"error"``, ``"warning"`` or ``"info"``.
    step
        The step the finding points to: the best validation step of ``"overfitting"`` and
        ``"plateau"``, the first bad step of ``"nan"``, otherwise where it began. None if there is
        no such step.
    message
        Title, body and advice as one text.
    evidence
        The numbers it rests on, by name; plain and finite, so that they can be stored as JSON.
    key, params, language
        From which sentences of the catalogue, with which values, the message was made.
    """

    kind: str
    severity: str
    step: int | None
    message: str
    evidence: dict[str, float | int | str]
    key: str = field(default="", repr=False, compare=False)
    params: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    language: str = field(default="en", repr=False, compare=False)

    @property
    def title(self) -> str:
        """What was found, in a few words."""
        return self._sentence("title")

    @property
    def body(self) -> str:
        """What it rests on."""
        return self._sentence("body")

    @property
    def advice(self) -> str:
        """What to try next, and why."""
        return self._sentence("advice")

    def _sentence(self, part: str) -> str:
        return text(f"{self.key}.{part}", language=self.language, **self.params)


def make(
    kind: str,
    severity: str,
    step: float | None,
    evidence: dict[str, float | int | str],
    params: dict[str, str],
    *,
    variant: str = "",
    language: str = "en",
) -> Finding:
    """Make a finding whose sentences are ``finding.<kind>[_<variant>].title|body|advice``."""
    key = f"finding.{kind}_{variant}" if variant else f"finding.{kind}"
    title, body, advice = (
        text(f"{key}.{part}", language=language, **params) for part in ("title", "body", "advice")
    )
    message = text("finding.message", language=language, title=title, body=body, advice=advice)
    return Finding(
        kind=kind,
        severity=severity,
        step=None if step is None else int(step),
        message=message,
        evidence=_finite(evidence),
        key=key,
        params=params,
        language=language,
    )


def _finite(evidence: dict[str, float | int | str]) -> dict[str, float | int | str]:
    """Drop what JSON cannot carry: the ratio of two extreme numbers may be infinite."""
    return {
        name: value
        for name, value in evidence.items()
        if not isinstance(value, float) or math.isfinite(value)
    }


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Bring findings of several sources together: most severe first, then most urgent kind.

    Of several findings of one kind the most severe stays, and of equally severe ones that of the
    layers, which is closer to the cause. Only for ``"nan"`` both stay, *when* from a metric and
    *where* from the model, if that is known. Layers are not accused of what they show from the
    step of a NaN on that has ended the run: with it in weights, gradients or activations, they
    die and their gradients vanish. What began before it stays, as it may be the cause.
    """
    kept: dict[tuple[str, bool], Finding] = {}
    for f in findings:
        place = (f.kind, f.kind == "nan" and f.evidence.get("where", "all") != "all")
        if place not in kept or _rank(f) < _rank(kept[place]):
            kept[place] = f
    end = ended_at(kept.values())
    return sorted(
        (f for f in kept.values() if f.kind not in _AFTERMATH or (f.step or 0) < end),
        key=lambda f: (
            SEVERITIES.index(f.severity),
            KINDS.index(f.kind),
            f.step if f.step is not None else -1,
        ),
    )


def ended_at(findings: Iterable[Finding]) -> float:
    """Return the step of the first NaN that has ended the run, ∞ if there was none."""
    lost = [f.step for f in findings if f.kind == "nan" and f.severity == "error"]
    return min((float(step) for step in lost if step is not None), default=math.inf)


def _rank(finding: Finding) -> tuple[int, bool]:
    of_layers = not {"layer", "update_ratio", "where"}.isdisjoint(finding.evidence)
    # A metric knows the very step in which NaN came, layers are only looked at now and then.
    return SEVERITIES.index(finding.severity), of_layers == (finding.kind == "nan")
