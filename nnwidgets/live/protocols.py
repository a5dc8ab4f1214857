"""What a session, its host and its listeners expect of one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from nnwidgets.live.sampling import Sampler

__all__ = ["Host", "Listener", "Script", "Sentinel"]


class Host(Protocol):
    """What a session asks of the place that it runs in."""

    @property
    def needs_pump(self) -> bool:
        """Whether clicks wait for `pump` now."""

    @property
    def in_cell(self) -> bool:
        """Whether the main thread runs a cell."""

    def pump(self) -> None:
        """Answer the messages that wait for the main thread."""

    def soon(self, call: Callable[[], None]) -> bool:
        """Have the main thread run `call` when it is free; False if that is nobody's to say."""


class Sentinel(Protocol):
    """Something that looks for NaN right before updates."""

    def check_gradients(self, params: Sequence[Any], step: int) -> Any:
        """`params` are about to be updated, which completes `step`."""

    def glance(self) -> Callable[[], bool] | None:
        """What does the same in no time, as long as it answers True; None if nothing does."""


class Script:
    """A plain script: no cells, and nobody clicks."""

    needs_pump = False
    in_cell = False

    def pump(self) -> None:
        """There is nothing to answer."""

    def soon(self, call: Callable[[], None]) -> bool:
        """A script has no moments at which it is known to be free."""
        return False


class Listener(Protocol):
    """A widget on a session. All but `on_change` and `on_event` come in the training thread."""

    def on_change(self) -> None:
        """State, cursor or learning-rate factor changed, or the first optimiser has come."""

    def on_rate(self, step: int, name: str, value: float) -> None:
        """The effective learning rate of a group changed."""

    def on_sample(self, sampler: Sampler, sample: Any) -> None:
        """A sampled step is complete."""

    def on_event(self, kind: str, step: int, **params: str) -> None:
        """Something worth a mark on the curves happened."""

    def on_message(self, key: str, **params: str) -> None:
        """The user should know something: a key of the catalogue."""

    def on_failure(self, where: str, problem: Exception) -> None:
        """Something of ours went wrong."""
