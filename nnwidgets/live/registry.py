"""Finding the one session of a model, without keeping either alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from torch import nn
from torch.optim import Optimizer

if TYPE_CHECKING:
    from nnwidgets.live.session import Session

__all__ = ["find_session", "forget", "inner_model", "loop_elsewhere", "loop_here"]

_sessions: weakref.WeakValueDictionary[int, Session] = weakref.WeakValueDictionary()


def inner_model(model: nn.Module) -> nn.Module:
    """Return the model inside of ``torch.compile`` and data-parallel wrappers."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        inside = model.module if isinstance(model, wrappers) else getattr(model, "_orig_mod", None)
        if not isinstance(inside, nn.Module):
            return model
        model = inside


def find_session(
    model: nn.Module | None, optimizers: Iterable[Optimizer], make: Callable[[], Session]
) -> Session:
    """Return the session that watches `model` or one of `optimizers`, else what `make` makes.

    Widgets given the same model share a session; so do widgets given the same optimiser,
    unless they name different models.
    """
    if model is not None:
        session = _sessions.get(id(model))
        if session is not None and session.model is model:  # not a successor at its address
            return session
    wanted = list(optimizers)
    for session in list(_sessions.values()):
        known = [slot.optimizer for slot in session.slots]
        if any(a is b for a in wanted for b in known) and (model is None or session.model is None):
            break
    else:
        session = make()
    if model is not None:
        session.watch_model(model)
    _sessions[id(session) if model is None else id(model)] = session
    return session


def loop_elsewhere(session: Session) -> Session | None:
    """Return another session whose loop is under way in another thread than this, if any."""
    for other in list(_sessions.values()):
        under_way = other.training or other.control.waiting
        if other is not session and under_way and not other.in_training_thread:
            return other
    return None


def loop_here(session: Session) -> bool:
    """Say whether the loop of another session is under way in this very thread."""
    return any(
        other is not session and other.training and other.in_training_thread
        for other in list(_sessions.values())
    )


def forget(session: Session) -> None:
    """Drop a closed session."""
    for key in [key for key, value in _sessions.items() if value is session]:
        del _sessions[key]
