"""Where NaN and infinities begin, between the sampled steps too.

By the time a loss is NaN the evidence is mostly gone: one update with a gradient that is not finite
spoils every weight. So a sentinel looks at a single gradient just *before* each update. When it is
not finite,

1. the gradients, layer by layer, tell whether it began on the way back,
2. otherwise the weights, still clean, are copied; the copy is run on what the model is given next,
   and the first layer whose output is not finite is the answer,
3. and when none is, that too: it came with the batch, or from the loss function.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from nnwidgets.catalogue import text
from nnwidgets.probe import replay, tensors, tree
from nnwidgets.probe.origin import (
    GradientState,
    NonFiniteOrigin,
    bad_parameters,
    origin_in_gradients,
    with_counts,
)
from nnwidgets.probe.taps import NextForward, looking_is_unsafe

__all__ = ["NonFiniteTracker"]

_TINY: Final = 64  # elements of a sentinel that costs next to nothing, such as a bias
_SMALL: Final = 4096  # elements the sentinel is content with
_LARGEST_COPY: Final = 512 * 2**20  # bytes


class NonFiniteTracker:
    """Finds the layer and the step in which NaN or an infinity first appeared.

    Parameters
    ----------
    model
        Any module; held weakly.
    largest_copy
        Models with more bytes of parameters and buffers than this are not copied; the answer then
        comes from gradients and weights alone.

    Notes
    -----
    The search runs user code once more (the forward of a copy, with the random number generators
    put back), and only after something has gone wrong. Everything it does at other times is to read
    one gradient.
    """

    def __init__(self, model: nn.Module, *, largest_copy: int = _LARGEST_COPY) -> None:
        self._model = weakref.ref(model)
        self._largest_copy = largest_copy
        self._flags: dict[torch.device, _DeviceFlag] = {}
        self._newest: weakref.ref[Parameter] | None = None  # sentinel of the last check
        self.reset()

    @property
    def origin(self) -> NonFiniteOrigin | None:
        """What was found, None while nothing was or the search is under way."""
        return self._origin

    @property
    def searching(self) -> bool:
        """Whether something was seen and the next forward pass is waited for."""
        return self._next is not None

    @property
    def notes(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """What stood in the way of an exact answer, as catalogue keys with their parameters."""
        return tuple(self._notes.items())

    @property
    def status(self) -> str:
        """What stood in the way of an exact answer, in plain English; empty if nothing did."""
        return " ".join(text(key, "en", **params) for key, params in self.notes)

    def check_gradients(self, params: Sequence[Parameter], step: int) -> bool:
        """Look at one small gradient; right before an optimiser's update.

        On a CPU this takes 1 to 3 µs. On another device nothing is waited for: sums are added to
        a flag that is read a few steps later, when the weights are spoilt already.

        Parameters
        ----------
        params
            The optimiser's parameters.
        step
            The step that is about to be completed.

        Returns
        -------
        bool
            Whether something that is not finite was seen. Once an answer is there or under way,
            nothing is looked at until `reset`.
        """
        if self._busy or not params:
            if self._next is not None and step > self._step + 1:
                self.settle()  # the model is not called as a whole
            return False
        key = id(params[0])
        sentinel = self._sentinels.get(key)
        parameter = None if sentinel is None else sentinel()
        gradient = None if parameter is None else parameter.grad
        self._newest = sentinel
        if gradient is None:
            parameter = self._sentinels_for(key, params)
            if parameter is None or parameter.grad is None:
                return False
            gradient = parameter.grad
            self._newest = self._sentinels[key]
        if gradient.device.type == "cpu":
            # For so few numbers Python's own sum is the quickest there is.
            tiny = gradient.ndim == 1 and len(gradient) <= _TINY
            total = sum(gradient.tolist()) if tiny else gradient.detach().sum().item()
            if total - total == 0 or not tensors.has_bad(gradient):
                return False
        elif not self._flag(gradient.device).raised_by(gradient.detach()):
            return False
        self._investigate(step, gradient_is_bad=True)
        return True

    def glance(self) -> Callable[[], bool] | None:
        """Return what tells whether the sentinel of the newest check is finite, or None.

        None while there is no such gradient on a CPU, of a few elements, and once nothing is
        looked at any more.
        """
        newest = self._newest
        parameter = None if newest is None else newest()
        if newest is None or self._busy or parameter is None or parameter.grad is None:
            return None
        gradient = parameter.grad
        if gradient.device.type != "cpu" or gradient.ndim != 1 or len(gradient) > _TINY:
            return None
        return partial(_is_finite, newest)

    def suspect(self, step: int) -> None:
        """Start the search because of something else: a logged loss was not finite.

        Without evidence in gradients, weights or the next forward pass there will be no answer: a
        metric may be NaN for reasons of its own.
        """
        self._suspicions += 1
        # A metric that is always NaN is looked into less and less often.
        if not self._busy and self._suspicions & (self._suspicions - 1) == 0:
            self._investigate(step, gradient_is_bad=False)

    def settle(self) -> NonFiniteOrigin | None:
        """Give up waiting for a forward pass, and return the best answer there is."""
        if self._next is not None:
            self._end(self._fallback)
        return self._origin

    def reset(self) -> None:
        """Forget what was found and begin to look again."""
        self.close()
        self._busy = False
        self._origin: NonFiniteOrigin | None = None
        self._notes: dict[str, dict[str, str]] = {}
        self._sentinels: dict[int, weakref.ref[Parameter]] = {}
        self._newest = None
        self._suspicions = 0
        self._step = 0
        self._flags.clear()

    def close(self) -> None:
        """Detach and stop looking; idempotent, may be called from any thread."""
        pending: NextForward | None = getattr(self, "_next", None)
        self._next: NextForward | None = None
        if pending is not None:
            pending.close()
        self._busy = True
        self._copy: nn.Module | None = None
        self._fallback: NonFiniteOrigin | None = None
        self._random: replay.RandomState | None = None

    # -- inside ----------------------------------------------------------------------------

    def _sentinels_for(self, key: int, params: Iterable[Parameter]) -> Parameter | None:
        # An *early* one: what begins anywhere on the way back arrives there.
        usable = [p for p in params if p.grad is not None and _is_plain(p.grad)]
        early = usable[: max(2, len(usable) // 4)]
        chosen = next((p for p in early if p.ndim == 1 and len(p) <= _TINY), None)
        if chosen is None:
            chosen = next((p for p in usable if p.numel() <= _SMALL), None)
        if chosen is None and usable:
            chosen = min(usable, key=lambda p: p.numel())
        if chosen is not None:
            self._sentinels[key] = weakref.ref(chosen)
        return chosen

    def _flag(self, device: torch.device) -> _DeviceFlag:
        if device not in self._flags:
            self._flags[device] = _DeviceFlag(device)
        return self._flags[device]

    def _investigate(self, step: int, gradient_is_bad: bool) -> None:
        model = self._model()
        if model is None:
            return
        self._busy = True
        root = tree.unwrap(model)
        with tensors.quietly():
            layers = list(tree.layer_modules(root))
            found = _in_weights(step, layers) or _in_gradients(step, layers)
            if found is not None and found.layer is None and found.where == "gradient":
                self._fallback, found = found, None  # all of them: a forward pass may tell more
            if found is not None:
                self._end(found)
                return
            if gradient_is_bad and self._fallback is None:
                self._end(None)  # only their sum was too large for a float
                return
            self._step = step
            self._wait(step, model, root)

    def _wait(self, step: int, model: nn.Module, root: nn.Module) -> None:
        obstacle = self._obstacle(model, root)
        if obstacle is None:
            try:
                self._copy = replay.bare_copy(root)
            except Exception as problem:
                obstacle = "probe.not_copied", {"problem": f"{type(problem).__name__}: {problem}"}
        if obstacle is not None:
            self._notes[obstacle[0]] = obstacle[1]
            self._end(self._fallback)
            return
        # Through weak references: torch's table of hooks must not keep this object alive.
        this = weakref.ref(self)

        def before() -> None:
            tracker = this()
            if tracker is not None:
                tracker._random = replay.RandomState.now()

        def after(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            tracker = this()
            if tracker is not None:
                tracker._run(step, args, kwargs)

        def failed(problem: Exception) -> None:
            tracker = this()
            if tracker is not None:
                tracker._failed(problem)

        self._next = NextForward(root, before, after, failed)
        self._next.open()

    def _obstacle(self, model: nn.Module, root: nn.Module) -> tuple[str, dict[str, str]] | None:
        if tree.compile_in_use() or tree.is_compiled(model):
            return "probe.not_run_compiled", {}
        if isinstance(model, nn.DataParallel) or (
            torch.distributed.is_available() and torch.distributed.is_initialized()
        ):
            return "probe.not_run_replicated", {}  # one rank alone would wait for the others
        if replay.size_in_bytes(root) > self._largest_copy:
            return "probe.too_large", {"limit": f"{self._largest_copy / 2**20:.0f} MiB"}
        return None

    def _run(self, step: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        twin, self._copy = self._copy, None
        begun, self._random = self._random, None
        if twin is None or begun is None:
            return
        now = replay.RandomState.now()
        try:
            begun.restore()  # the same dropout masks as in the real pass
            found = replay.run_and_find(twin, args, kwargs, step)
        finally:
            now.restore()
        if found is None and self._fallback is not None:
            found = replace(self._fallback, where="batch")
        self._end(found)

    def _failed(self, problem: Exception) -> None:
        self._notes["probe.not_run"] = {"problem": f"{type(problem).__name__}: {problem}"[:200]}
        self._end(self._fallback)

    def _end(self, origin: NonFiniteOrigin | None) -> None:
        self.close()
        self._origin = origin
        # A metric that is NaN for its own reasons must not end the watch over the gradients.
        self._busy = origin is not None


class _DeviceFlag:
    """Remembers on a device whether any of many sums was not finite, and asks rarely and late.

    Parameters
    ----------
    device
        Where the gradients are. Elsewhere than on CUDA the question is asked outright.
    every
        Checks between two questions.
    """

    def __init__(self, device: torch.device, every: int = 16) -> None:
        self._every = every
        self._checks = 0
        self._sum: Tensor | None = None
        self._cuda = device.type == "cuda"
        self._host: Tensor | None = None
        self._event: Any = None

    def raised_by(self, gradient: Tensor) -> bool:
        """Add a gradient; whether it, or one before it, is known not to be finite."""
        if looking_is_unsafe():
            return False
        total = gradient.sum(dtype=torch.float32)
        # NaN and infinities stay in a sum for good. Beginning anew after each question keeps
        # finite gradients from adding up to one.
        self._sum = total if self._sum is None else self._sum + total
        self._checks += 1
        if self._event is not None:
            if not self._event.query():
                return False
            self._event = None
            assert self._host is not None
            value = float(self._host)
            return value - value != 0
        if self._checks % self._every:
            return False
        asked, self._sum = self._sum, None
        if not self._cuda:
            value = asked.item()
            return value - value != 0
        if self._host is None:
            self._host = torch.empty((), dtype=torch.float32, pin_memory=True)
        self._host.copy_(asked, non_blocking=True)
        self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._event.record()
        return False


def _is_finite(sentinel: weakref.ref[Parameter]) -> bool:
    parameter = sentinel()
    gradient = None if parameter is None else parameter.grad
    if gradient is None:
        return False  # the next check looks for another one
    total = sum(gradient.tolist())
    return bool(total - total == 0)


def _is_plain(gradient: Tensor) -> bool:
    return (
        tensors.is_readable(gradient)
        and gradient.layout is torch.strided
        and not gradient.dtype.is_complex
    )


def _in_weights(step: int, layers: Sequence[tuple[str, nn.Module]]) -> NonFiniteOrigin | None:
    """Find parameters that are not finite; of several layers the last: gradients reach it first."""
    bad: list[str] = []
    found: list[nn.Module] = []
    for name, module in layers:
        nan, inf, _ = bad_parameters(module)
        if nan or inf:
            bad.append(name)
            found.append(module)
    if not bad:
        return None
    trained = [n for n, m in layers if any(p.requires_grad for _, p in tree.own_parameters(m))]
    everywhere = len(bad) > 1 and set(trained) <= set(bad)
    layer = None if everywhere else bad[-1]
    origin = NonFiniteOrigin(step, layer, "weights", "nan", exact=False)
    modules = found if everywhere else found[-1:]
    return with_counts(origin, [p for m in modules for _, p in tree.own_parameters(m)])


def _in_gradients(step: int, layers: Sequence[tuple[str, nn.Module]]) -> NonFiniteOrigin | None:
    gradients = {
        name: [p.grad for _, p in tree.own_parameters(m) if p.grad is not None]
        for name, m in layers
    }
    states = []
    for order, (name, own) in enumerate(gradients.items()):
        readable = [g for g in own if tensors.is_readable(g)]
        # Zeros tell nothing: the layer may have no part in this loss.
        told = [g for g in readable if bool((tensors.stored_values(g) != 0).any())]
        bad = any(tensors.has_bad(g) for g in told) if told else None
        states.append(GradientState(name, order, bad))
    origin = origin_in_gradients(step, states, forward_was_finite=False)
    if origin is None:
        return None
    if origin.layer is not None:
        # A later layer has a finite gradient, so what came out of the model was finite as well.
        origin = replace(origin, exact=True)
    concerned = [origin.layer] if origin.layer is not None else list(gradients)
    return with_counts(origin, [g for name in concerned for g in gradients[name]])
