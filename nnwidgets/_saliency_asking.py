"""What somebody asks a viewer: the traits that can be set, and the clicks of the browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import traitlets as t

from nnwidgets._inspector_arguments import nearest
from nnwidgets._saliency_arguments import check_method, checked_target
from nnwidgets._saliency_checking import Checking
from nnwidgets._saliency_drawn import slot_of
from nnwidgets._saliency_wish import COMPARED
from nnwidgets.catalogue import text
from nnwidgets.live.widget import action
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number

__all__ = ["Asking"]


class Asking(Checking):
    """The part of a viewer that is asked for something."""

    index = t.Int(0).tag(sync=True)
    target = t.Any(None, allow_none=True).tag(sync=True, to_json=lambda value, _: _plain(value))
    method = t.Unicode("").tag(sync=True)
    layer = t.Unicode("").tag(sync=True)

    # -- traits --------------------------------------------------------------------------

    @t.validate("index")
    def _check_index(self, proposal: Any) -> int:
        if isinstance(proposal["value"], bool):
            raise t.TraitError(f"index must be a whole number, not {proposal['value']!r}.")
        index, count = int(proposal["value"]), self._probe.count
        if not -count <= index < count:
            raise t.TraitError(
                f"index must be from 0 to {count - 1}: inputs hold {count} samples; not {index}."
            )
        return index % count

    @t.validate("target")
    def _check_target(self, proposal: Any) -> Any:
        try:
            target = checked_target(proposal["value"])
        except TypeError as problem:
            raise t.TraitError(str(problem)) from None
        count = len(self._solver.classes())
        if isinstance(target, int) and count and not 0 <= target < count:
            raise t.TraitError(f"target must be from 0 to {count - 1}, not {target}.")
        return target

    @t.validate("method")
    def _check_method(self, proposal: Any) -> str:
        name = str(proposal["value"])
        try:
            if name:
                check_method(name)
        except ValueError as problem:
            raise t.TraitError(str(problem)) from None
        known = self._applicability
        if known is not None and name in known.unavailable:
            key, params = known.unavailable[name]
            raise t.TraitError(f"{name} does not apply here: {text(key, 'en', **params)}")
        return name

    @t.validate("layer")
    def _check_layer(self, proposal: Any) -> str:
        name = str(proposal["value"])
        model = self._session.model
        if name and model is not None and name not in dict(model.named_modules()):
            raise t.TraitError(nearest(name, [one for one, _ in model.named_modules() if one]))
        known = self._applicability
        spatial = [one.name for one in known.layers] if known is not None else []
        if name and spatial and name not in spatial:
            layers = ", ".join(spatial[-6:])
            raise t.TraitError(text("explain.layer_not_spatial", "en", layer=name, layers=layers))
        return name

    @t.observe("index", "target", "method", "layer")
    def _asked(self, change: Any) -> None:
        if not getattr(self, "_ready", False):
            return
        with self._shelf:
            # All of them, whichever has changed: somebody else may set another one meanwhile.
            self._wish = replace(
                self._wish,
                index=self.index,
                target=self.target,
                method=self.method,
                layer=self.layer,
            )
            self._given_up.clear()
        if change["name"] == "index":
            # The class of the sample before is another question.
            target = self._given.target(change["new"])
            if target != self.target:
                self.target = target
                return
        self._changed()

    @property
    def baseline(self) -> str:
        """Name of the baseline of the shown map; ``"given"`` for one that was passed."""
        return self._wish.baseline

    @baseline.setter
    def baseline(self, value: str) -> None:
        self._click_baseline(value)

    # -- clicks --------------------------------------------------------------------------

    @action("index")
    def _click_index(self, index: int) -> None:
        self.index = int(index)

    @action("target")
    def _click_target(self, target: Any = None) -> None:
        self.target = tuple(target) if isinstance(target, list) else target

    @action("method")
    def _click_method(self, method: str) -> None:
        self.method = method

    @action("layer")
    def _click_layer(self, layer: str | None = None) -> None:
        self.layer = layer or ""

    @action("baseline")
    def _click_baseline(self, baseline: str) -> None:
        names = [name for name, _ in self._solver.baselines()]
        if names and baseline not in names:
            raise ValueError(
                f"baseline must be one of {', '.join(map(repr, names))}, not {baseline!r}."
            )
        with self._shelf:
            self._wish = replace(self._wish, baseline=baseline)
            self._given_up.clear()
        self._changed()

    @action("slot")
    def _click_slot(self, slot: int) -> None:
        with self._shelf:
            self._wish = replace(self._wish, slot=max(0, int(slot)))
        self._changed()

    @action("compare")
    def _click_compare(self, by: str | None = None, value: Any = None) -> None:
        if by is None:
            self._other = None
        else:
            if by not in COMPARED:
                raise ValueError(f"compare by one of {', '.join(COMPARED)}, not {by!r}.")
            self._other = by, self._compared(by, value)
        self._given_up.clear()
        self._changed()

    def _compared(self, by: str, value: Any) -> Any:
        try:
            if by == "method":
                check_method(value)
                return self._check_method({"value": value})
            if by == "target":
                return self._check_target({"value": value})
        except t.TraitError as problem:
            raise ValueError(str(problem)) from None
        if by == "checkpoint":
            if not isinstance(value, str) or value not in self._checkpoints:
                names = ", ".join(map(repr, self._checkpoints)) or "none; keep() makes one"
                raise ValueError(f"there is no checkpoint {value!r}; there are {names}.")
            return str(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"a step is a whole number, not {value!r}.")
        kept = self._kept.snapshots.steps
        if not kept or not kept[0] <= value <= self._session.step:
            there = f"from {kept[0]:,} to {self._session.step:,}" if kept else "none yet"
            raise ValueError(f"there are no weights of step {value:,.0f}; there are {there}.")
        return int(value)

    @action("cursor")
    def _click_cursor(self, step: int | None = None) -> None:
        self._session.set_cursor(None if step is None else int(step))

    @action("explain")
    def _click_explain(self) -> None:
        self._given_up.clear()
        self._changed()

    @action("refresh", touches_model=True)
    def _click_refresh(self) -> None:
        # At a safe point already: to wait for another one, with the lock in hand, would hang.
        self._ask_anew()

    def refresh(self) -> None:
        """Ask the model anew, as it is now: structure, methods, maps."""
        if self._session.model is None:
            raise Refusal("explain.view.model_gone")
        self._at_rest(self._ask_anew)

    def _ask_anew(self) -> None:
        if self._session.model is None:
            raise Refusal("explain.view.model_gone")
        self._solver.forget()
        self._twin.forget()
        self._forget_answers()
        self._stale = self._asked_for = True
        self._look()

    @action("at")
    def _click_at(self, pane: int, place: list[int]) -> dict[str, Any]:
        """Return the numbers behind one pixel, token or feature."""
        answers = self._view.answers
        if not 0 <= pane < len(answers) or answers[pane].explanation is None:
            raise ValueError(text("explain.view.no_map", self._shown_language))
        return {"items": self._behind(pane, tuple(int(i) for i in place))}

    def _behind(self, pane: int, place: tuple[int, ...]) -> list[list[str]]:
        answer, words = self._view.answers[pane], self._words_of
        assert answer.explanation is not None
        picture, wish = answer.drawn, answer.wish
        values = np.asarray(slot_of(answer.explanation.values, wish.slot), np.float64)
        values = self._solver.channels_first(values, wish.slot)
        items: list[list[str]] = []
        if picture is None or (shown := picture.map) is None:
            return items
        if len(place) != shown.ndim or any(
            not 0 <= i < size for i, size in zip(place, shown.shape, strict=False)
        ):
            raise ValueError(f"there is no place {place} in a map of shape {shown.shape}.")
        items.append([words("value"), number(float(shown[place]))])
        if picture.kind == "image" and values.ndim == 3:
            size = picture.reduced
            square = values[:, place[0] * size : (place[0] + 1) * size][
                :, :, place[1] * size : (place[1] + 1) * size
            ]
            for channel, part in enumerate(square.mean((1, 2))):
                items.append([words("channel", number=str(channel)), number(float(part))])
        if picture.input is not None and picture.kind != "image":
            items.append([words("input"), number(float(picture.input[place]))])
        if picture.kind == "tokens" and answer.tokens is not None and place[0] < len(answer.tokens):
            items.append([words("token"), answer.tokens[place[0]]])
        # One value for all channels of a signal is one value.
        sizes = values if picture.kind in ("signal", "sequence") else shown
        finite = np.abs(sizes[np.isfinite(sizes)])
        if finite.size and np.isfinite(shown[place]):
            rank = int((finite > abs(shown[place])).sum()) + 1
            items.append([words("rank"), f"{rank:,} / {finite.size:,}"])
            if (total := float(finite.sum())) > 0:
                share = 100 * abs(float(shown[place])) / total
                items.append([words("share"), f"{share:.2g} %"])
        if picture.spread is not None:
            items.append([words("spread"), number(float(picture.spread[place]))])
        return items

    def _words_of(self, name: str, **params: str) -> str:
        return text(f"explain.at.{name}", self._shown_language, **params)


def _plain(target: Any) -> Any:
    """Return a target as the browser may know it: a function is known by its name alone."""
    return getattr(target, "__name__", "function") if callable(target) else target
