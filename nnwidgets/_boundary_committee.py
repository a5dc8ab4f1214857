"""Several models that could all be true, asked in the place of one alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import nn

from nnwidgets._boundary_scene import Scene
from nnwidgets._boundary_sources import Sources, Weights
from nnwidgets._boundary_wish import Shown
from nnwidgets.explain.answers import Answering
from nnwidgets.explain.committee_answers import CommitteePredictor
from nnwidgets.explain.surface import surface
from nnwidgets.live.jobs import Job
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = ["OF_COMMITTEES", "Committees"]

OF_COMMITTEES: Final = ("epistemic", "aleatoric")
"""Views that one model alone has not."""
# Of a committee's surface: places along an axis while something trains, and members.
_LIVE_SIDE: Final = 40
_LIVE_MEMBERS: Final = 10
_MEMBERS: Final = 30


class Committees(Sources):
    """The part of a plot that asks several models."""

    @property
    def _side(self) -> int:
        """Places along an axis of a committee's surface: fewer where somebody else computes too."""
        full = self._given.resolution
        return min(full, _LIVE_SIDE) if self._passing else full

    @property
    def _passing(self) -> bool:
        """Whether something trains, so that a rough answer soon is worth more than a fine one."""
        return self._session.training and not self._in_full

    @property
    def _alone(self) -> bool:
        """Whether the model alone is shown for now: it moves, and several cost many times it."""
        return self._passing and self.view not in OF_COMMITTEES

    _in_full = False  # somebody waits for the whole picture, whatever else goes on

    def _joint(
        self, scene: Scene, snapshots: Sequence[Weights], models: Sequence[nn.Module]
    ) -> CommitteePredictor | None:
        """Return several models to ask; None, and say why, where this way cannot tell."""
        assert scene.wish.uncertain is not None
        self._untold = None
        try:
            members = _LIVE_MEMBERS if self._passing else _MEMBERS
            return self._space.committee(
                scene.predictor, scene.wish.uncertain, snapshots, models, members
            )
        except Refusal as refusal:
            self._untold = refusal.key, refusal.params
            return None

    def _work_surface(
        self, job: Job, scene: Scene, joint: CommitteePredictor | None
    ) -> Shown | None:
        if joint is None:
            return None
        side = self._side
        made = surface(joint, scene.plane, side, scene.rectangle, job.check)
        verdict = self._space.verdict(joint, scene.plane, check=job.check)
        self._note_members(joint)
        notes = (*joint.committee.notes, *self._space.notes, *self._unsound)
        count = joint.committee.count
        return scene.showing(
            Shown(surface=made, state="ready", members=count, verdict=verdict, notes=notes)
        )

    _unsound: tuple[Words, ...] = ()  # which of several given models give no finite answers

    def _note_members(self, joint: Answering) -> None:
        """Name the models of an ensemble without which there would be an answer everywhere."""
        found = joint.unsound if isinstance(joint, CommitteePredictor) else ()
        names = ", ".join(f"uncertainty[{place}]" for place in sorted(found))
        given = bool(names) and self._wish.uncertain == "ensemble"
        self._unsound = (("explain.boundary.unsound", {"names": names}),) if given else ()
