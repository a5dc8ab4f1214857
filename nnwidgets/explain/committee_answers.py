"""What a committee says at points: the mean answer, and its uncertainty taken apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from nnwidgets.explain.answers import Answers, waiting
from nnwidgets.explain.committee import Committee, Ensemble, member_answers
from nnwidgets.explain.laplace import LaplaceCommittee
from nnwidgets.explain.last_layer import find_last_layer
from nnwidgets.explain.mc_dropout import DropoutCommittee
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.swag import SnapshotCommittee
from nnwidgets.explain.uncertainty import decompose, decompose_values
from nnwidgets.probe.refusal import Refusal

__all__ = ["WAYS", "CommitteePredictor", "committee_for"]

WAYS: Final = ("mc_dropout", "snapshots", "laplace")
"""Names of the ways to get a committee from one model."""

_NUMBERS: Final = 2**23  # that all members together say at once: 64 MiB
_FEW: Final = 64  # points of a batch that no predictor splits


class CommitteePredictor:
    """Asks several models about points and answers for all of them.

    Parameters
    ----------
    predictor
        Knows how points are brought to the model, and what its numbers mean.
    committee
        The models (see `committee_for`).

    Attributes
    ----------
    unsound
        Members that have given NaN or infinite numbers for some point so far, by their places.
    """

    def __init__(self, predictor: Predictor, committee: Committee) -> None:
        self._predictor = predictor
        self.committee = committee
        self.unsound: set[int] = set()

    def answer(self, points: Any, check: Callable[[], None] = waiting) -> Answers:
        """Return the mean answer and what is uncertain about it.

        Parameters
        ----------
        points
            (n, features) or ``(n, *shape)``, finite.
        check
            Called between batches and members; what it raises ends the work.

        Returns
        -------
        Answers
            With `epistemic`; with `aleatoric` too, except for values whose noise is not known.

        Raises
        ------
        Refusal
            As `nnwidgets.explain.predictor.Predictor.answer`, and if the members' answers have
            different shapes.
        """
        rows = points.detach().cpu().numpy() if isinstance(points, Tensor) else np.asarray(points)
        kind = self._predictor.kind(rows)
        a_row = self.committee.count * max(kind.classes, 2)
        size = max(_FEW, _NUMBERS // a_row)
        parts = [
            self._some(rows[start : start + size], kind.exclusive, check)
            for start in range(0, len(rows), size)
        ]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _some(self, rows: Any, exclusive: bool, check: Callable[[], None]) -> Answers:
        classes = False

        def ask(module: nn.Module) -> Any:
            nonlocal classes
            found = self._predictor.on(module).answer(rows, check)
            classes = found.probabilities is not None
            return found.probabilities if classes else found.values

        given = member_answers(self.committee, ask, check=check)
        fine = np.isfinite(given).reshape(len(given), -1).all(1)
        self.unsound.update(np.flatnonzero(~fine).tolist())
        if classes:
            said = decompose(given, exclusive=exclusive)
            return Answers(
                said.mean,
                epistemic=said.epistemic,
                aleatoric=said.aleatoric,
                exclusive=exclusive,
            )
        noise = self.committee.noise if isinstance(self.committee, LaplaceCommittee) else None
        value = decompose_values(given, noise)
        return Answers(None, value.mean, epistemic=value.epistemic, aleatoric=value.aleatoric)


def committee_for(
    way: str | Sequence[nn.Module],
    predictor: Predictor,
    *,
    data: Any = None,
    targets: Any = None,
    snapshots: Sequence[Mapping[str, Tensor]] = (),
    count: int = 30,
    seed: int = 0,
) -> Committee:
    """Make a committee.

    Parameters
    ----------
    way
        One of `WAYS`, or a list of models: the whole ensemble (private copies).
    predictor
        Of the model; its ``root`` is what is changed for each member, and put back.
    data
        (n, features): training points. Needed for ``"laplace"``; for ``"snapshots"`` batch norm
        takes its statistics from them.
    targets
        (n,) or (n, outputs): true values of the training points, for ``"laplace"`` of values.
    snapshots
        Weights of the run, oldest first, for ``"snapshots"``.
    count, seed
        How many members are drawn, by which generator of their own.

    Raises
    ------
    Refusal
        If this way cannot tell for this model: no dropout, one model, fewer than two snapshots, no
        last linear layer.
    ValueError
        If there is no such way.
    """
    if not isinstance(way, str):
        return Ensemble(way)
    if way == "mc_dropout":
        return DropoutCommittee(predictor.root, count=count, seed=seed)
    if way == "snapshots":
        refresh = None
        if data is not None and len(data) >= 2:
            predictor.kind(data)  # now: finding out runs the model, which batch norm would count
            refresh = _refreshing(predictor, data)
        return SnapshotCommittee(predictor.root, snapshots, count=count, seed=seed, refresh=refresh)
    if way == "laplace":
        return _laplace(predictor, data, targets, count, seed)
    raise ValueError(f"uncertainty is one of {', '.join(WAYS)}, or a list of models, not {way!r}")


def _laplace(
    predictor: Predictor, data: Any, targets: Any, count: int, seed: int
) -> LaplaceCommittee:
    if data is None or not len(data):
        raise Refusal("explain.uncertainty.no_data")
    output = predictor.kind(data)
    kind = "regression"
    if output.kind != "regression":
        kind = "probability" if output.kind in ("logit", "probability") else "probabilities"
    if not output.exclusive:
        raise Refusal("explain.uncertainty.no_last_layer")

    def scores(rows: Any) -> Callable[[nn.Module], Tensor]:
        def run(module: nn.Module) -> Tensor:
            found = predictor.on(module).answer(rows)
            given = found.values if found.probabilities is None else found.probabilities
            tensor = torch.as_tensor(np.asarray(given))
            return tensor[:, 1:] if kind == "probability" else tensor

        return run

    # In one batch: a layer's output is held against the scores row by row.
    layer = find_last_layer(predictor.root, scores(data[:_FEW]), kind)
    right = targets.detach().cpu().numpy() if isinstance(targets, Tensor) else targets
    return LaplaceCommittee(
        predictor.root, layer, scores(data), targets=right, count=count, seed=seed
    )


def _refreshing(predictor: Predictor, data: Any) -> Callable[[nn.Module], object]:
    def run(module: nn.Module) -> None:
        asked = predictor.on(module)
        # A batch of one has no spread, so what is left over goes with the batch before it.
        count = max(len(data) // _FEW, 1)
        for part in np.array_split(np.arange(len(data)), count):
            asked.answer(data[part[0] : part[-1] + 1])

    return run


def _joined(parts: Sequence[Answers]) -> Answers:
    def together(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    return Answers(
        together("probabilities"),
        together("values"),
        together("epistemic"),
        together("aleatoric"),
        parts[0].exclusive,
    )
