"""Inputs that are made from numbers which may be any: what activation maximisation changes.

A picture is made from its Fourier coefficients, each divided by its frequency, so that a step
changes broad forms more than single pixels (Olah, Mordvintsev and Schubert 2017, "Feature
Visualization", distill.pub, section on preconditioning). Its values are squeezed between the ends
that the given samples have, by a logistic function, so that its activation can be compared with
theirs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nnwidgets.probe.natural import spread

__all__ = ["Parametrisation"]


class Parametrisation:
    """A map from free numbers to inputs like some samples.

    Parameters
    ----------
    samples
        Shape (samples, …), real. Four or five dimensions are pictures or volumes, (samples,
        channels, sizes …); anything else is a vector of numbers that do not depend on each other.
    decay
        Coefficients are divided by frequency to this power; 0 makes all alike.

    Attributes
    ----------
    shape
        Of one input, with a batch of one.
    picture
        Whether inputs are pictures or volumes.
    low, high
        The ends for each channel (each element of a vector).
    """

    def __init__(self, samples: Tensor, decay: float = 1.0) -> None:
        self.shape = (1, *samples.shape[1:])
        self.picture = samples.dim() in (4, 5)
        self._dtype = samples.dtype
        work = samples.detach()
        work = work if work.dtype == torch.float64 else work.float()
        rows = work if self.picture else work.reshape(len(work), -1)
        self.low, self.high = spread(rows)
        finite = torch.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)
        mean = finite.movedim(1, 0).flatten(1).mean(1)
        share = ((mean - self.low) / (self.high - self.low)).clamp(0.02, 0.98)
        self._start = torch.log(share / (1 - share))
        self._sizes = tuple(samples.shape[2:]) if self.picture else ()
        self._scale = self._frequencies(decay, rows) if self.picture else None

    def _frequencies(self, decay: float, like: Tensor) -> Tensor:
        """Return what each coefficient is multiplied by; noise of size 1 stays of size 1."""
        grids = [torch.fft.fftfreq(n, dtype=like.dtype) for n in self._sizes[:-1]]
        grids.append(torch.fft.rfftfreq(self._sizes[-1], dtype=like.dtype))
        squares = torch.zeros((), dtype=like.dtype)
        for axis, grid in enumerate(grids):
            line = [-1 if i == axis else 1 for i in range(len(grids))]
            squares = squares + grid.reshape(line) ** 2
        lowest = 1 / max(self._sizes)
        scale = squares.sqrt().clamp(min=lowest) ** -decay
        return (scale / (2 * scale.square().mean()).sqrt()).to(like.device)

    def noise(self, generator: torch.Generator) -> Tensor:
        """Return free numbers that make an input of noise, from a normal distribution."""
        if self._scale is None:
            shape: tuple[int, ...] = (1, len(self.low))
        else:  # a real and an imaginary part
            shape = (1, self.shape[1], *self._scale.shape, 2)
        drawn = torch.randn(shape, generator=generator, dtype=self.low.dtype)
        return drawn.to(self.low.device)

    def render(self, free: Tensor) -> Tensor:
        """Return the input that some free numbers make, in the samples' precision."""
        if self._scale is None:
            place = torch.sigmoid(self._start + free)
            values = self.low + (self.high - self.low) * place
            return values.reshape(self.shape).to(self._dtype)
        spectrum = torch.view_as_complex(free) * self._scale
        axes = tuple(range(2, 2 + len(self._sizes)))
        image = torch.fft.irfftn(spectrum, s=self._sizes, dim=axes, norm="ortho")
        line = (-1, *(1,) * len(self._sizes))
        low, high = self.low.reshape(line), self.high.reshape(line)
        place = torch.sigmoid(self._start.reshape(line) + image)
        return (low + (high - low) * place).to(self._dtype)
