"""Random numbers of our own: nobody else's generator is drawn from, or left changed.

The methods that draw are given a generator in each place where captum would take torch's or
numpy's global one. What is left is a model that draws by itself in evaluation mode.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from nnwidgets.probe.own_random import OwnRandom

__all__ = ["generator", "kept_random"]


def generator(seed: int, device: torch.device | None = None) -> torch.Generator:
    """Return a generator that gives what torch's own would give after ``manual_seed(seed)``."""
    return torch.Generator(device or torch.device("cpu")).manual_seed(seed)


@contextmanager
def kept_random(module: nn.Module, seed: int) -> Iterator[None]:
    """Begin the global generators at `seed` for what is run inside; put them back afterwards.

    Parameters
    ----------
    module
        Where its parameters lie, there are generators too.
    seed
        Of torch's.

    Notes
    -----
    Only the main thread may put aside what belongs to the process. In every other thread torch's
    operations draw from private generators instead (`nnwidgets.probe.own_random`); there a model
    that draws from numpy's or Python's generators cannot be kept from it.
    """
    stack = _get_current_dispatch_mode_stack()
    if any(isinstance(mode, OwnRandom) for mode in stack):
        yield
    elif threading.current_thread() is not threading.main_thread():
        with OwnRandom(seed):
            yield
    else:
        devices = {p.device for p in module.parameters() if p.device.type == "cuda"}
        python, numpy = random.getstate(), np.random.get_state(legacy=True)
        cuda = {device: torch.cuda.get_rng_state(device) for device in devices}
        state = torch.get_rng_state()
        try:
            torch.default_generator.manual_seed(seed)
            for device in devices:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            yield
        finally:
            torch.set_rng_state(state)
            for device, kept in cuda.items():
                torch.cuda.set_rng_state(kept, device)
            np.random.set_state(numpy)
            random.setstate(python)
