"""Floating-point operations, as ``torch.utils.flop_counter`` counts them.

Its total is the truth; what this adds is to tell which module was the innermost one running.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from torch.utils import flop_counter

__all__ = ["FlopMeter"]


class FlopMeter:
    """Counts while it is entered, and splits the count over the modules one tells it of.

    Notes
    -----
    One multiplication with one addition is two operations. What the counter has no formula for
    (element-wise functions, normalisation, pooling; fused attention and recurrent kernels on a
    CPU) counts as nothing, there and here.
    """

    def __init__(self) -> None:
        self._counter: Any = flop_counter.FlopCounterMode(display=False)
        self._mode: Any = _quick_mode(self._counter) or self._counter
        self._running: list[tuple[int, int]] = []  # total when it began, and others' share since

    def __enter__(self) -> FlopMeter:
        self._mode.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._mode.__exit__(kind, error, trace)

    @property
    def total(self) -> int:
        """All operations up to now."""
        return int(self._counter.get_total_flops())

    def enter_module(self) -> None:
        """A module begins."""
        self._running.append((self.total, 0))

    def leave_module(self, depth: int) -> int:
        """Return the own share of the module that is over, less that of those it called.

        Parameters
        ----------
        depth
            How many modules are still running. Deeper ones have raised and were never left; what
            they did counts for this one.
        """
        begun, inside = self._running[depth]
        del self._running[depth:]
        spent = self.total - begun
        if self._running:
            outer, others = self._running[-1]
            self._running[-1] = outer, others + spent
        return spent - inside


def _quick_mode(counter: Any) -> Any:
    """Return the dispatch mode that does the counting for `counter`, or None if it is not there.

    Its first call imports the whole of ``torch._dynamo`` (a second), to exclude itself from
    compilation; nothing is compiled here, so the function is taken out of that wrapper. The
    module names that the counter would keep are not needed either.
    """
    mode: Any = getattr(flop_counter, "_FlopCounterMode", None)
    dispatch = getattr(getattr(mode, "__torch_dispatch__", None), "__wrapped__", None)
    if dispatch is None:
        return None
    own = {"__torch_dispatch__": dispatch, "_should_skip_dynamo": classmethod(lambda cls: False)}
    return type("_QuickFlops", (mode,), own)(counter)
