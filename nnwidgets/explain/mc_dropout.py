"""MC dropout: a network thinned at random is a model that could be true (Gal & Ghahramani 2016).

Only dropout is on, everything else stays in evaluation mode. A member is one mask for all points:
each point then has the distribution it would have with masks of its own, but the member is a
function that can be asked again, and its surface is smooth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.explain.committee import evaluating
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.own_random import OwnRandom
from nnwidgets.probe.refusal import Refusal

__all__ = ["DropoutCommittee", "dropout_layers"]

# The value that SELU saturates at, and which alpha dropout puts for what it drops: −λα of
# Klambauer et al. 2017, "Self-normalizing neural networks".
_SATURATED: Final = -1.7580993408473766
_BY_CHANNEL: Final = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout)
_ALPHA: Final = (nn.AlphaDropout, nn.FeatureAlphaDropout)
_MASKED: Final = (nn.Dropout, nn.AlphaDropout, *_BY_CHANNEL)


def dropout_layers(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the modules that drop something when dropout is on."""
    return tuple(name for name, module in model.named_modules() if _masked(module) or _own(module))


class DropoutCommittee:
    """Thinned networks.

    Parameters
    ----------
    model
        A private copy of the model.
    count
        How many members.
    seed
        Of generators of its own; the same seed gives the same members.

    Raises
    ------
    Refusal
        If no module of the model drops anything.
    ValueError
        If `count` is below two.

    Notes
    -----
    Dropout that a forward calls as a function is off: it cannot be told from outside. Dropout
    inside recurrent and attention modules is on, and draws for each point.
    """

    def __init__(self, model: nn.Module, *, count: int = 30, seed: int = 0) -> None:
        if count < 2:
            raise ValueError(f"a committee has two members at least, not {count!r}")
        if not dropout_layers(model):
            raise Refusal("explain.uncertainty.no_dropout")
        self._model = model
        self._count = count
        self._seed = seed

    @property
    def count(self) -> int:
        """How many members there are."""
        return self._count

    @property
    def notes(self) -> tuple[Words, ...]:
        """How they were made."""
        words = {"count": str(self._count), "layers": str(len(dropout_layers(self._model)))}
        return (("explain.uncertainty.dropout", words),)

    @contextmanager
    def member(self, index: int) -> Iterator[nn.Module]:
        """Give the network, thinned by the masks of one member."""
        seed = self._seed * 1_000_003 + index
        with ExitStack() as stack:
            stack.enter_context(evaluating(self._model))
            masks = _Masks(seed)
            inside = []
            for place, module in enumerate(self._model.modules()):
                if _masked(module):
                    masks.places[module] = place
                    stack.callback(module.register_forward_hook(masks.drop).remove)
                elif _own(module):
                    inside.append(module)
                elif isinstance(module, nn.TransformerEncoderLayer):
                    module.training = True  # or its fused path leaves out the dropout inside
            begin = self._model.register_forward_pre_hook(masks.begin)
            stack.callback(begin.remove)
            if inside:
                for module in inside:
                    module.training = True
                stack.enter_context(OwnRandom(seed))
            yield self._model


class _Masks:
    """The masks of one member, each made when it is first needed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: dict[tuple[object, ...], Tensor] = {}
        self._calls: dict[nn.Module, int] = {}
        self.places: dict[nn.Module, int] = {}

    def begin(self, module: nn.Module, inputs: object) -> None:
        """A forward begins: a module that is called twice in it has two masks, the same again."""
        self._calls.clear()

    def drop(self, module: Any, inputs: object, output: Any) -> Any:
        """Drop from what a dropout module let through."""
        if not isinstance(output, Tensor) or not output.dim():
            return None
        call = self._calls.get(module, 0)
        self._calls[module] = call + 1
        channels = isinstance(module, _BY_CHANNEL) and output.dim() > 2
        shape = (1, *output.shape[1:2]) if channels else (1, *output.shape[1:])
        keep = self._mask((self.places[module], call, shape), module.p)
        keep = keep.to(output.device).reshape(
            *shape, *[1] * (output.dim() - len(shape) if channels else 0)
        )
        if not isinstance(module, _ALPHA):
            return output * keep.to(output.dtype) / (1 - module.p) if module.p < 1 else output * 0
        if module.p == 1:
            return output * 0
        scale = ((1 - module.p) * (1 + module.p * _SATURATED**2)) ** -0.5
        thinned = torch.where(keep, output, torch.full_like(output, _SATURATED))
        return thinned * scale - scale * _SATURATED * module.p

    def _mask(self, key: tuple[int, int, tuple[int, ...]], rate: float) -> Tensor:
        if key not in self._made:
            # From what it is for, not from the order in which members and modules are asked.
            seed = hash((self._seed, key)) % 2**63
            generator = torch.Generator().manual_seed(seed)
            self._made[key] = torch.rand(key[2], generator=generator, dtype=torch.float64) >= rate
        return self._made[key]


def _masked(module: Any) -> bool:
    return isinstance(module, _MASKED) and module.p > 0


def _own(module: Any) -> bool:
    """Whether a module that is more than dropout drops something inside."""
    if isinstance(module, nn.RNNBase):
        return module.dropout > 0 and module.num_layers > 1
    return isinstance(module, nn.MultiheadAttention) and module.dropout > 0
