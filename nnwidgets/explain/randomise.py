"""Taking away what a model has learned, layer by layer, from the output backwards.

A map that shows what was learned has to change when that is taken away (Adebayo et al. 2018,
"Sanity checks for saliency maps", §3.1, cascading randomisation). Each layer is put back to the
state in which one of its type begins.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.probe.own_random import OwnRandom

__all__ = ["cascade", "randomise"]

_RESETS: Final = ("reset_parameters", "_reset_parameters")


def cascade(root: nn.Module, run: Callable[[], object]) -> tuple[str, ...]:
    """Return the names of the layers that hold parameters, the one nearest to the output first.

    Parameters
    ----------
    root
        The model.
    run
        Called once without arguments to run it on the sample.

    Returns
    -------
    tuple of str
        Names of modules that own parameters themselves. A module that is not called (its weights
        are used by its parent) stands where its parent does; one that is called several times,
        where it is called first; the root itself is ``""``.
    """
    names = dict(root.named_modules())
    called: dict[str, int] = {}
    handles = []
    for name, module in names.items():

        def see(module: nn.Module, args: Any, name: str = name) -> None:
            called.setdefault(name, len(called))

        # Scripted modules take no hooks; they stand where their parent does.
        if not isinstance(module, torch.jit.ScriptModule):
            handles.append(module.register_forward_pre_hook(see))
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()

    def place(name: str) -> int:
        while name not in called and name:
            name = name.rpartition(".")[0]
        return called.get(name, 0)

    seen: set[int] = set()
    holders = []
    for position, (name, module) in enumerate(names.items()):
        own = [p for p in module.parameters(recurse=False) if _can_change(p)]
        fresh = [p for p in own if id(p) not in seen]
        seen.update(id(p) for p in own)
        if fresh:
            holders.append((place(name), position, name))
    return tuple(name for _, _, name in sorted(holders, reverse=True))


def randomise(module: nn.Module, seed: int) -> None:
    """Put the parameters that a module itself holds back to an untrained state.

    Parameters
    ----------
    module
        A copy of ours: it is changed in place. Its children are not, unless its own reset does
        that.
    seed
        Of the new values; no global generator is drawn from.

    Notes
    -----
    The layer type's own reset is used (``reset_parameters``, of multi-head attention
    ``_reset_parameters``). Parameters that it leaves as they are though they hold different values
    (weights behind a parametrisation, layers without a reset) are shuffled: their distribution
    stays and what they have learned is lost.
    """
    own = [p for p in module.parameters(recurse=False) if _can_change(p)]
    before = [p.detach().clone() for p in own]
    with torch.no_grad(), OwnRandom(seed):
        for name in _RESETS:
            reset = getattr(module, name, None)
            if callable(reset) and _reset(reset):
                break
        for parameter, old in zip(own, before, strict=True):
            if torch.equal(parameter, old) and parameter.numel() > 1:
                flat = old.flatten()
                shuffled = flat[torch.randperm(flat.numel(), device=flat.device)]
                parameter.copy_(shuffled.view_as(parameter))


def _reset(reset: Callable[[], object]) -> bool:
    """Call a reset; False if it cannot be used, with whatever it drew from others put back."""
    if str(getattr(reset, "__module__", "")).startswith("torch."):
        state = None
    else:
        # Written by the user: it may draw from generators that torch's mode does not see.
        numpy = sys.modules.get("numpy.random")
        state = random.getstate(), numpy.get_state() if numpy is not None else None
    try:
        reset()
    except Exception:
        return False
    finally:
        if state is not None:
            random.setstate(state[0])
            if state[1] is not None:
                sys.modules["numpy.random"].set_state(state[1])
    return True


def _can_change(parameter: Tensor) -> bool:
    """Whether there is anything to take away."""
    return not nn.parameter.is_lazy(parameter) and (
        parameter.is_floating_point() or parameter.is_complex()
    )
