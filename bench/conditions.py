"""Ways of watching a training: context managers that give what is called after every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter

from torch import Tensor

from bench.front_end import shown
from bench.workloads import Workload
from nnwidgets import TrainingMonitor
from nnwidgets.live.history import History

__all__ = ["CONDITIONS", "After", "Condition"]

After = Callable[[int, Tensor], object]
Condition = Callable[[Workload], AbstractContextManager[After]]


@contextmanager
def item(work: Workload) -> Iterator[After]:
    """Only read the loss: what everybody pays who looks at it."""
    yield lambda i, loss: loss.item()


@contextmanager
def history(work: Workload) -> Iterator[After]:
    """Append four numbers to a history, nothing else."""
    kept, began = History(), perf_counter()

    def after(i: int, loss: Tensor) -> None:
        value = loss.item()
        values = {"loss": value, "a": value, "b": value, "c": value}
        kept.append(i, perf_counter() - began, values)

    yield after


@contextmanager
def unshown(work: Workload) -> Iterator[After]:
    """A monitor with optimiser and model, in a script; the loss is logged each step."""
    with TrainingMonitor(work.model, work.optimizer) as monitor:
        yield lambda i, loss: monitor.log(loss=loss)


@contextmanager
def in_view(work: Workload) -> Iterator[After]:
    """The same with a front end and a visible view."""
    with shown(), TrainingMonitor(work.model, work.optimizer) as monitor:
        monitor._receive({"type": "view", "view": "bench", "visible": True, "language": "en"}, [])
        yield lambda i, loss: monitor.log(loss=loss)


@contextmanager
def alone(work: Workload) -> Iterator[After]:
    """A monitor in view that knows neither model nor optimiser: what ``log()`` alone costs."""
    with shown(), TrainingMonitor() as monitor:
        monitor._receive({"type": "view", "view": "bench", "visible": True, "language": "en"}, [])
        yield lambda i, loss: monitor.log(loss=loss)


@contextmanager
def in_view_four(work: Workload) -> Iterator[After]:
    """The same with four series."""
    with shown(), TrainingMonitor(work.model, work.optimizer) as monitor:
        monitor._receive({"type": "view", "view": "bench", "visible": True, "language": "en"}, [])

        def after(i: int, loss: Tensor) -> None:
            value = loss.item()
            monitor.log(loss=value, val_loss=value, accuracy=value, val_accuracy=value)

        yield after


CONDITIONS: dict[str, Condition] = {
    "`loss.item()` alone": item,
    "`History.append` of 4": history,
    "monitor, not shown, `log(loss)`": unshown,
    "monitor alone, shown, `log(loss)`": alone,
    "monitor, shown, `log(loss)`": in_view,
    "monitor, shown, `log` of 4": in_view_four,
}
