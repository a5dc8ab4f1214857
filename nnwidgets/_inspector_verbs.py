"""What clicks can find out, as plain questions of a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnwidgets._inspector_arguments import check_sample
from nnwidgets._inspector_asking import Asking
from nnwidgets.probe.ablation import Ablation, ablate
from nnwidgets.probe.badge import Badge
from nnwidgets.probe.best_samples import BestSamples, best_samples
from nnwidgets.probe.features import Feature, maximise
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.own_random import OwnRandom
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.units import Unit, as_unit

__all__ = ["Verbs"]


class Verbs(Asking):
    """The part of an inspector that answers a program what it answers clicks."""

    def badges(self) -> tuple[Badge, ...]:
        """Return what is wrong with which layer, as the badges in the tree say it.

        Returns
        -------
        tuple of Badge
            In order of the layers, the most urgent of a layer first; empty before there are a few
            sampled steps. ``badge.layer``, ``badge.kind`` (``"nan"``, ``"exploding"``,
            ``"vanishing"``, ``"dead"``, ``"saturated"``, ``"constant"``), ``badge.severity``
            (``"info"``, ``"warning"``, ``"error"``), ``badge.value`` (the number it rests on),
            ``badge.step`` (since when) and ``badge.text()``, the sentence.
        """
        found = self._health.badges()
        return tuple(b for b in found if self._only is None or b.layer in self._only)

    def ablate(
        self, layer: str, units: int | Sequence[int | tuple[int, ...]] | None = None
    ) -> Ablation:
        """Run the probe batch with and without some units of a layer.

        A private copy of the model is run, in evaluation mode and as things stand; neither the
        model nor what the widget shows changes.

        Parameters
        ----------
        layer
            Its name; each of its calls is changed.
        units
            Channels or features (ints) and single units (tuples of indices into the layer's output
            without the batch), set to zero for every sample. None is the whole layer.

        Returns
        -------
        Ablation
            ``.before`` and ``.after``: float64, shape (samples, outputs), probabilities where the
            model tells classes apart; ``.flips``: indices of the samples whose class changes.

        Raises
        ------
        ValueError
            If there is no such layer, unit or sample, or the model fails with or without it; in one
            sentence.
        """
        self._module(layer)
        sample = self._need_sample()

        def compute() -> Ablation:
            with self._open_twin() as root:
                if any_without_data(root.parameters()):
                    raise Refusal("explain.meta_model")
                return ablate(root, sample, layer, units)

        return self._at_rest(compute)

    def best_samples(
        self, layer: str, unit: Unit, samples: Any = None, *, count: int = 12
    ) -> BestSamples:
        """Find the samples that drive a unit most.

        Runs in the calling thread, on a copy of its own with random numbers of its own: a training
        in another thread goes on meanwhile.

        Parameters
        ----------
        layer
            Its name; of several calls the first counts.
        unit
            Index into the layer's output without the batch; an int where that takes several: a
            channel, by its largest unit.
        samples
            What is searched, in the form of the inspector's `sample` and on the model's device; by
            default the probe batch.
        count
            How many to return at most.

        Returns
        -------
        BestSamples
            ``.indices`` (int64) and ``.values`` (float64), the strongest first.

        Raises
        ------
        TypeError, ValueError
            If there is no such layer or unit, there are no samples, or the model fails; in one
            sentence.
        """
        self._module(layer)
        as_unit(unit)
        check_sample(samples)
        searched = self._need_sample() if samples is None else samples
        root = self._at_rest(self._private_copy)
        with OwnRandom():
            return best_samples(root, searched, layer, unit, count=count)

    def feature(
        self, layer: str, unit: Unit, *, steps: int = 160, seed: int = 0, like: Any = None
    ) -> Feature:
        """Make an input that drives a unit as much as possible (activation maximisation).

        Runs in the calling thread, on a copy of its own with random numbers of its own: a training
        in another thread goes on meanwhile. See `nnwidgets.probe.features` for the method.

        Parameters
        ----------
        layer
            Its name; of several calls the first counts.
        unit
            Index into the layer's output without the batch; an int where that takes several: a
            channel, by the mean of its units.
        steps
            Of the search.
        seed
            The same seed gives the same input.
        like
            Samples in whose range the input is kept, in the form of the inspector's `sample`; by
            default the probe batch.

        Returns
        -------
        Feature
            ``.image`` (float32, without the batch) and the unit's ``.activation`` for it; to
            compare with, its value for ``.noise``, for the ``.mean_sample`` and for the
            ``.best_sample``.

        Raises
        ------
        TypeError, ValueError
            If there is no such layer, unit or sample, the input cannot be changed smoothly (whole
            numbers), or the model fails; in one sentence.
        """
        self._module(layer)
        as_unit(unit)
        check_sample(like)
        given = self._need_sample() if like is None else like
        root = self._at_rest(self._private_copy)
        with OwnRandom():
            return maximise(root, layer, unit, given, steps=steps, seed=seed)
