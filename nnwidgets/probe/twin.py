"""A private twin of the user's model, to run and to take apart in its place.

The user's own model is never run to be looked at: its twin is a copy, made when it is first needed
and brought up to date each time. What a look does to it (hooks, buffers, attributes that a forward
changes, random numbers) is not done to the model. Only where there can be no copy is the model run
itself, and everything is put back.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

from torch import Tensor, nn

from nnwidgets.catalogue import text
from nnwidgets.probe import replay, tree
from nnwidgets.probe.twin_copy import Copy, Modules, is_sharded, named_modules, signature
from nnwidgets.probe.twin_guard import guarded, surroundings

__all__ = ["Twin", "TwinError"]

_LARGEST: Final = 512 * 2**20  # bytes


class TwinError(RuntimeError):
    """The model cannot be looked at, or not with other weights.

    Attributes
    ----------
    key, params
        The sentence, in the catalogue.
    """

    def __init__(self, key: str, **params: str) -> None:
        super().__init__(text(key, "en", **params))
        self.key = key
        self.params = params


class Twin:
    """A model's twin.

    Parameters
    ----------
    model
        Any module; held weakly. Of a compiled or replicated model the one inside.
    largest
        A model with more bytes of parameters and buffers than this is not copied.

    Notes
    -----
    Making one costs nothing; the copy is made when it is first opened, and takes as much memory
    as the model, on the same device. It is made anew when modules were added, removed or given
    other shapes, types or devices. Objects a module holds that are neither weights nor plain data
    are copied again when they are replaced, not when they change inside.

    Where there can be no copy, a change that the model's forward makes to a *parameter* cannot be
    undone, nor one inside an object that is no plain list, dict or set.
    """

    def __init__(self, model: nn.Module, *, largest: int = _LARGEST) -> None:
        self._model = weakref.ref(model)
        self._largest = largest
        self._copy: Copy | None = None
        self._obstacle: tuple[str, dict[str, str]] | None = None
        self._failed: tuple[object, ...] | None = None  # what could not be copied looked like this
        self._lazy = 0
        self._hooks = 0
        self._lock = threading.RLock()
        self._open = False

    @property
    def copied(self) -> bool:
        """Whether `open` gives a copy, as far as is known before it is first opened."""
        return self._obstacle is None

    @property
    def notes(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """What limits the look, as catalogue keys with their parameters."""
        notes = [] if self._obstacle is None else [self._obstacle]
        if self._copy is not None and self._copy.shared:
            notes.append(("probe.twin_shared", {"names": ", ".join(self._copy.shared[:6])}))
        if self._lazy:
            notes.append(("probe.twin_lazy", {"count": str(self._lazy)}))
        if self._hooks:
            notes.append(("probe.twin_hooks", {"count": str(self._hooks)}))
        return tuple(notes)

    @property
    def root(self) -> nn.Module | None:
        """The user's model, out of its wrappers; None when it no longer exists."""
        model = self._model()
        return None if model is None else tree.unwrap(model)

    @contextmanager
    def open(self, weights: Mapping[str, Tensor] | None = None) -> Iterator[nn.Module]:
        """Give a module in evaluation mode that is what the model is now.

        Parameters
        ----------
        weights
            Parameters and buffers to put in, by their names in the state dict of the model (out
            of its wrappers). What is not named is as the model has it now.

        Yields
        ------
        nn.Module
            With the names of the model. It may be hooked and changed until it is closed, except
            when `copied` is False: hooks are to be taken off, parameters left alone.

        Raises
        ------
        TwinError
            If the model is gone, is sharded, can neither be copied nor put back, or if the
            weights do not fit. Nothing was run then.

        Notes
        -----
        Inside, random numbers begin at a fixed seed, autocast and the user's hooks are off, what
        was compiled runs as written. Gradients are recorded as outside. Another thread waits.
        """
        with self._lock:
            if self._open:
                raise TwinError("probe.twin_busy")
            self._open = True
            try:
                with ExitStack() as stack:
                    yield self._enter(stack, weights)
            finally:
                self._open = False

    def forget(self) -> None:
        """Drop the copy and free its memory; the next `open` makes it again."""
        with self._lock:
            self._copy = None

    def _enter(self, stack: ExitStack, weights: Mapping[str, Tensor] | None) -> nn.Module:
        root = self.root
        if root is None:
            raise TwinError("probe.twin_gone")
        modules = named_modules(root)
        if is_sharded(modules):
            raise TwinError("probe.twin_sharded")
        stack.enter_context(surroundings())
        self._lazy = sum(tree.has_lazy(module) for _, module in modules)
        self._hooks = sum(_user_hooks(module) for _, module in modules)
        copy = self._copied(root, modules)
        if copy is None:
            if weights is not None:
                raise TwinError("probe.twin_past")
            if self._lazy:
                raise TwinError("probe.twin_lazy_uncopied")
            return stack.enter_context(guarded(root))
        copy.follow(modules)
        if weights is not None:
            unfit = copy.put(dict(weights))
            if unfit is not None:
                raise TwinError("probe.twin_unfit", name=unfit)
        return copy.module

    def _copied(self, root: nn.Module, modules: Modules) -> Copy | None:
        if self._copy is not None and self._copy.fits(modules):
            return self._copy
        if self._failed is not None and self._failed == signature(modules):
            return None
        self._copy = None  # before the new one is made: there is memory for one
        self._failed = self._obstacle = None
        if replay.size_in_bytes(root) > self._largest:
            limit = f"{self._largest / 2**20:.0f} MiB"
            self._obstacle = "probe.twin_too_large", {"limit": limit}
            return None
        try:
            self._copy = Copy(root)
        except Exception as problem:
            self._failed = signature(modules)
            why = f"{type(problem).__name__}: {problem}"[:200]
            self._obstacle = "probe.twin_not_copied", {"problem": why}
        return self._copy


def _user_hooks(module: nn.Module) -> int:
    """Return how many hooks of other code may change what a module takes and gives."""
    tables = (module._forward_hooks, module._forward_pre_hooks)
    return sum(not replay.is_torch_hook(hook) for table in tables for hook in table.values())
