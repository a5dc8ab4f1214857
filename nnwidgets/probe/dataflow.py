"""What flows between the modules and functions of one forward pass.

Told of every module that begins and ends and of every torch function that is called between them,
`Dataflow` keeps the places of the flow and which of them tensors went between. Where a tensor came
from is known by its identity. A function call is told from another by the place in the code it is
made from, so that a loop of a thousand rounds is the few places it consists of, each with the
number of its rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final

from torch import Tensor, nn

from nnwidgets.probe import callsite
from nnwidgets.probe.provenance import CONSTANT, Provenance
from nnwidgets.probe.shapes import shape_of, shape_text
from nnwidgets.probe.tensors import tensors_in

__all__ = ["Dataflow", "Site", "is_leaf"]

_RANDOM: Final = frozenset(
    f"{kind}{after}" for kind in ("rand", "randn", "randint") for after in ("", "_like")
) | {"randperm", "normal", "bernoulli", "multinomial", "poisson"}
# Of an argument they take the shape, the type or the device at most.
_FACTORIES: Final = frozenset(
    f"{before}{kind}{after}"
    for before, after in (("", ""), ("new_", ""), ("", "_like"))
    for kind in ("zeros", "ones", "empty", "full", "tensor")
) | {"arange", "linspace", "logspace", "eye", "as_tensor", "scalar_tensor", "from_numpy"}
# The result is the argument, for whoever looks at the flow of data.
_SAME: Final = frozenset(("detach", "data", "contiguous", "clone", "alias", "requires_grad"))
_DROPOUT: Final = frozenset(
    f"{kind}dropout{after}"
    for kind in ("", "alpha_", "feature_", "feature_alpha_")
    for after in ("", "1d", "2d", "3d")
)
_TENSORS: Final = 1024  # of one call that are looked at
_CALLS: Final = 200_000  # calls after which the flow is not recorded further
_SHAPES: Final = 8  # different shapes of one place that are kept


@dataclass
class Site:
    """A place of the flow.

    Attributes
    ----------
    kind
        ``"input"``, ``"module"``, ``"op"`` or ``"output"``.
    layer
        Name of the module; of an operation, of the module whose forward it is part of.
    label
        Class of the module, or name of the function or of the input; ``"?"`` for what torch did
        not show.
    times
        How often it ran.
    composite
        It is one call for the user and several for torch: `shapes` are of results on the way too.
    shapes
        The different shapes of what it returned, as text, in order of appearance.
    """

    kind: str
    layer: str
    label: str
    times: int = 0
    composite: bool = False
    shapes: list[str] = field(default_factory=list)


@dataclass
class _Scope:
    """A module that is running."""

    name: str
    module: nn.Module
    leaf: bool
    frame: int  # `id` of the frame that calls its forward
    given: list[Tensor]
    seen: int  # edges there were when it began
    site: int | None = None
    versions: list[int] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    loose: dict[int, None] = field(default_factory=dict)  # places whose results nothing took yet


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is one place of the flow, whatever happens inside.

    Attention is: it has a projection inside that it never calls.
    """
    if isinstance(module, nn.MultiheadAttention):
        return True
    return all(name == "parametrizations" for name, _ in module.named_children())


class Dataflow:
    """The places of a flow, in order of their first run, and the edges between them.

    Parameters
    ----------
    model
        That is going to run.

    Attributes
    ----------
    sites
        The places.
    edges
        By (from, to): the shapes of what went that way, as text. An edge to a place that comes
        earlier belongs to a repetition.
    complete
        Whether everything was recorded.
    """

    def __init__(self, model: nn.Module) -> None:
        self.sites: list[Site] = []
        self.edges: dict[tuple[int, int], list[str]] = {}
        self.complete = True
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._origin = Provenance(model)
        self._scopes: list[_Scope] = []
        self._leaves = 0  # of the scopes
        self._calls = 0
        self._library: FrameType | None = None  # the call into a library that was last seen

    # -- the model -------------------------------------------------------------------------

    def takes(self, name: str, value: Any) -> None:
        """The model is given an input."""
        tensors = list(tensors_in(value, limit=_TENSORS))
        if tensors:
            self._gave(self._site(("input", name), "input", "", name), value, tensors)

    def returns(self, value: Any) -> None:
        """The model is over."""
        tensors = list(tensors_in(value, limit=_TENSORS))
        site = self._site(("output",), "output", "", "output")
        known = [self._origin.of(t) for t in tensors]
        self._connect(tensors, [CONSTANT if k is None else k for k in known], site)
        self.sites[site].shapes.append(shape_text(shape_of(value)))
        self._library = None

    # -- modules ---------------------------------------------------------------------------

    def enter(self, name: str, module: nn.Module, frame: FrameType, given: Any) -> None:
        """A module begins; `given` are its arguments, `frame` is that which calls its forward."""
        leaf = bool(name) and is_leaf(module)
        tensors = list(tensors_in(given, limit=_TENSORS))
        scope = _Scope(name, module, leaf, id(frame), tensors, len(self.edges))
        if self._recording():
            scope.sources = [self._source(t) for t in tensors]
            if leaf:
                scope.versions = [t._version for t in tensors]
                scope.site = self._module(scope)
                self._connect(tensors, scope.sources, scope.site)
        self._scopes.append(scope)
        self._leaves += leaf

    def leave(self, name: str, output: Any) -> Tensor | None:
        """A module is over; return what to give in place of its output, if anything."""
        while self._scopes[-1].name != name:  # a call that raised, and whose caller caught it
            self._leaves -= self._scopes.pop().leaf
        scope = self._scopes.pop()
        self._leaves -= scope.leaf
        if not self._recording():
            return None
        if scope.leaf:
            return self._leave_leaf(scope, output)
        unknown = [t for t in tensors_in(output, limit=_TENSORS) if self._origin.of(t) is None]
        if unknown and len(self.edges) == scope.seen:
            # Nothing was seen inside (it is scripted): it is one place then.
            site = self._module(scope)
            self._connect(scope.given, scope.sources, site)
            self._gave(site, output, unknown)
        elif unknown:
            self._gave(self._unseen(scope), output, unknown)
        if self._scopes:
            self._scopes[-1].loose.update(scope.loose)
        return None

    def _leave_leaf(self, scope: _Scope, output: Any) -> Tensor | None:
        if scope.site is None:
            return None
        outputs = list(tensors_in(output, limit=_TENSORS))
        changed = _changed(scope.given, scope.versions)
        other = None
        if not changed and any(output is t for t in scope.given):
            # Identity, or dropout in evaluation: the input must keep its own origin.
            other = output.view_as(output)
            outputs = [other]
        self._gave(scope.site, output, [*changed, *outputs])
        return other

    def _module(self, scope: _Scope) -> int:
        kind = type(scope.module).__name__
        return self._site(("module", scope.name), "module", scope.name, kind)

    # -- functions -------------------------------------------------------------------------

    def wants(self) -> bool:
        """Whether a function that is called now is part of the flow."""
        return bool(self._scopes) and self._recording()

    def before(self, args: Any, kwargs: Any) -> tuple[list[Tensor], list[int]]:
        """A function is about to be called; give the answer to `called`."""
        given = list(tensors_in((args, kwargs), limit=_TENSORS))
        return given, [t._version for t in given]

    def called(
        self, func: Any, frame: FrameType, before: tuple[list[Tensor], list[int]], result: Any
    ) -> Tensor | None:
        """A function was called in `frame`; return what to give instead of its result, if any."""
        given, versions = before
        changed = _changed(given, versions)
        outputs = list(tensors_in(result, limit=_TENSORS))
        if not outputs and not changed:
            return None
        name = callsite.function_name(func)
        if name in _FACTORIES:
            self._origin.set(outputs, CONSTANT)
            return None
        sources = [self._source(t) for t in given]
        if name in _SAME:
            self._origin.set(outputs, sources[0] if sources else CONSTANT)
            return None
        if all(source == CONSTANT for source in sources) and name not in _RANDOM:
            self._origin.set([*outputs, *changed], CONSTANT)
            return None
        other = None
        if not changed and any(result is t for t in given):
            if name not in _DROPOUT:
                return None  # there was nothing to do: `to` the type it has
            other = result.view_as(result)
            outputs = [other]
        scope = self._scopes[-1]
        path, label, library = callsite.path(frame, scope.frame)
        again = library is not None and library is self._library
        self._library = library
        key = ("op", scope.name, path, None if library is not None else name)
        site = self._site(key, "op", scope.name, label or name, again=again)
        self._connect(given, sources, site, itself=not again)
        self._gave(site, result, [*changed, *outputs], instead=again)
        return other

    # -- places and edges ------------------------------------------------------------------

    def _recording(self) -> bool:
        if not self.complete or self._leaves:
            return False
        self._calls += 1
        self.complete = self._calls <= _CALLS
        return self.complete

    def _site(
        self, key: tuple[Any, ...], kind: str, layer: str, label: str, *, again: bool = False
    ) -> int:
        """Return the number of a place, a new one at its first run."""
        if key not in self._numbers:
            self._numbers[key] = len(self.sites)
            self.sites.append(Site(kind, layer, label))
            again = False
        number = self._numbers[key]
        self.sites[number].times += not again
        return number

    def _connect(
        self, tensors: Sequence[Tensor], sources: Sequence[int], site: int, *, itself: bool = True
    ) -> None:
        for tensor, source in zip(tensors, sources, strict=True):
            for scope in self._scopes:
                scope.loose.pop(source, None)
            if source == CONSTANT or (source == site and not itself):
                continue
            labels = self.edges.setdefault((source, site), [])
            text = shape_text(shape_of(tensor))
            if text and text not in labels:
                labels.append(text)

    def _gave(self, site: int, value: Any, tensors: list[Tensor], *, instead: bool = False) -> None:
        self._origin.set(tensors, site)
        shapes = self.sites[site].shapes
        if instead:
            self.sites[site].composite = True
        text = shape_text(shape_of(value))
        if text and text not in shapes and len(shapes) < _SHAPES:
            shapes.append(text)
        if self._scopes:
            self._scopes[-1].loose[site] = None

    def _source(self, tensor: Tensor) -> int:
        """Return the place a tensor comes from."""
        known = self._origin.of(tensor)
        if known is None:
            known = self._unseen(self._scopes[-1]) if self._scopes else CONSTANT
            self._origin.set([tensor], known)
        return known

    def _unseen(self, scope: _Scope) -> int:
        """Add a place for what torch did not show: it takes what nothing else has taken."""
        taken = list(scope.loose) or [s for s in scope.sources if s != CONSTANT]
        if not taken:
            return CONSTANT
        site = self._site(("unseen", scope.name, *taken), "op", scope.name, "?")
        for source in taken:
            scope.loose.pop(source, None)
            if source != site:
                self.edges.setdefault((source, site), [])
        return site


def _changed(tensors: list[Tensor], versions: list[int]) -> list[Tensor]:
    """Return those that were written to."""
    return [t for t, version in zip(tensors, versions, strict=True) if t._version != version]
