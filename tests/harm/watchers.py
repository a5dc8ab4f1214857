"""What can be attached to a training loop, each in one function.

A widget joins the suite with one function here: it takes the loop, attaches itself as a user would,
and returns an `Attached`. All cases, all copies and all endings are then tested with it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import captum.attr  # noqa: F401 - numpy, scipy and others add warning filters when first imported
import numpy as np
import sklearn.linear_model  # noqa: F401 - as captum asks for it
import torch
from torch import Tensor

from nnwidgets._inspector_tabs import SORTS, TABS
from nnwidgets.probe.layers import LayerWatch
from nnwidgets.probe.nonfinite import NonFiniteTracker
from tests.harm.loop import Loop


class Attached:
    """Something that watches a loop; this one does not."""

    def over(self, steps: Iterable[int]) -> Iterable[int]:
        """Return the steps, perhaps wrapped as ``track()`` would."""
        return steps

    def stepped(self, loss: Tensor) -> None:
        """The loop has taken a step."""

    def check(self) -> None:
        """Fail unless something was watched: a watcher that sleeps does no harm."""

    def close(self) -> None:
        """Detach."""

    def parts(self) -> list[Any]:
        """Return the objects that must be gone after `close`."""
        return []


Attach = Callable[[Loop], Attached]
WATCHERS: dict[str, Attach] = {}


def watcher(attach: Attach) -> Attach:
    """Register a watcher under the name of its function."""
    WATCHERS[attach.__name__] = attach
    return attach


class _Hooked(Attached):
    """Calls `before` and `after` around every update, holding neither itself nor the loop."""

    def __init__(self, loop: Loop) -> None:
        self.steps = 0
        me = weakref.ref(self)

        def pre(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            if (one := me()) is not None:
                one.before(optimizer.param_groups[0]["params"])

        def post(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            if (one := me()) is not None:
                one.after(optimizer.param_groups[0]["params"])

        self.handles = []
        for optimizer in loop.optimizers:
            self.handles.append(optimizer.register_step_pre_hook(pre))
            self.handles.append(optimizer.register_step_post_hook(post))
        weakref.finalize(self, _remove, self.handles)

    def before(self, params: list[Any]) -> None:
        pass

    def after(self, params: list[Any]) -> None:
        pass

    def close(self) -> None:
        _remove(self.handles)


def _remove(handles: list[Any]) -> None:
    while handles:
        handles.pop().remove()


class _Layers(_Hooked):
    def __init__(self, loop: Loop) -> None:
        super().__init__(loop)
        self.watch = LayerWatch(loop.model)
        self.seen = 0
        self.watch.arm()

    def before(self, params: list[Any]) -> None:
        self.watch.before_update(params)

    def after(self, params: list[Any]) -> None:
        self.watch.after_update(params)

    def stepped(self, loss: Tensor) -> None:
        sample = self.watch.finish(self.steps)
        assert sample is not None
        assert not any(key == "probe.failed" for key, _ in self.watch.notes), self.watch.status
        self.seen += int((~np.isnan(sample.update_ratio)).any())
        self.steps += 1
        self.watch.arm()

    def check(self) -> None:
        assert self.seen > 0

    def close(self) -> None:
        super().close()
        self.watch.disarm()

    def parts(self) -> list[Any]:
        return [self.watch]


@watcher
def layers(loop: Loop) -> Attached:
    """Every step sampled."""
    return _Layers(loop)


class _NonFinite(_Hooked):
    def __init__(self, loop: Loop) -> None:
        super().__init__(loop)
        self.tracker = NonFiniteTracker(loop.model)
        self.checks = 0

    def before(self, params: list[Any]) -> None:
        self.tracker.check_gradients(params, self.steps)
        self.checks += 1

    def stepped(self, loss: Tensor) -> None:
        if self.steps % 3 == 1 or not torch.isfinite(loss):
            self.tracker.suspect(self.steps)  # copies the model and runs the copy once more
        self.steps += 1

    def check(self) -> None:
        assert self.checks > 0

    def close(self) -> None:
        super().close()
        self.tracker.close()

    def parts(self) -> list[Any]:
        return [self.tracker]


@watcher
def nonfinite(loop: Loop) -> Attached:
    """Every gradient checked, and every now and then a false alarm."""
    return _NonFinite(loop)


class _Monitor(Attached):
    def __init__(self, loop: Loop, *, log: bool = False) -> None:
        from nnwidgets import TrainingMonitor

        self.log = log
        self.monitor = TrainingMonitor(loop.model, loop.optimizers, title="harm", budget=0.5)
        self.want()

    def want(self) -> None:
        """Let the next step be sampled, whatever the budget says."""
        self.monitor.session.sampling.want()

    def stepped(self, loss: Tensor) -> None:
        if self.log:
            self.monitor.log(loss=loss, half=float(loss) / 2)
        self.want()

    def check(self) -> None:
        assert self.monitor.session.step > 0
        assert self.monitor._error is None
        assert self.monitor._samples.count > 0
        if self.log:
            assert len(self.monitor.history["loss"].values) > 0

    def close(self) -> None:
        self.monitor.close()

    def parts(self) -> list[Any]:
        return [self.monitor, self.monitor.session]


@watcher
def monitor(loop: Loop) -> Attached:
    """A TrainingMonitor that is only there."""
    return _Monitor(loop)


@watcher
def monitor_log(loop: Loop) -> Attached:
    """… that is given metrics, and a learning-rate factor of one."""
    attached = _Monitor(loop, log=True)
    attached.monitor.lr_scale = 1.0
    return attached


class _Tracking(_Monitor):
    def over(self, steps: Iterable[int]) -> Iterator[int]:
        return iter(self.monitor.track(steps))


@watcher
def monitor_track(loop: Loop) -> Attached:
    """… around whose track() the loop runs."""
    return _Tracking(loop, log=True)


class _Shown(_Monitor):
    """A view is there, the publisher sends, and somebody clicks."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop, log=True)
        self.monitor._receive(
            {"type": "view", "view": "harm", "visible": True, "language": "en"}, []
        )
        self.steps = 0
        self.done = threading.Event()
        self.clicks: list[threading.Thread] = []

    def stepped(self, loss: Tensor) -> None:
        super().stepped(loss)
        self.monitor.findings()
        self.monitor.get_state()
        self.steps += 1
        if self.steps % 3 == 1:
            asked = threading.Event()
            args = (weakref.ref(self.monitor), asked, self.done)
            click = threading.Thread(target=_pause_and_resume, args=args, daemon=True)
            self.clicks.append(click)
            click.start()
            asked.wait()

    def check(self) -> None:
        super().check()
        assert len(self.clicks) > 1

    def close(self) -> None:
        self.done.set()
        for click in self.clicks:
            click.join()
        self.clicks.clear()
        super().close()


def _pause_and_resume(monitor: Any, asked: threading.Event, done: threading.Event) -> None:
    monitor().pause()
    # A widget of the same model goes on with the pause if this one goes: it is resumed there.
    control = weakref.ref(monitor().session.control)
    asked.set()
    # It may be that no further step comes, or that the monitor goes.
    while getattr(monitor(), "state", "paused") != "paused" and not done.wait(0.001):
        pass
    if (one := control()) is not None:
        one.resume()


@watcher
def monitor_shown_and_paused(loop: Loop) -> Attached:
    """… with a view, a sender, and pauses from another thread."""
    return _Shown(loop)


class _Inspector(Attached):
    """Looks into every step, keeps its weights, and runs the twin whenever something is shown."""

    def __init__(self, loop: Loop, *, shown: bool = False) -> None:
        from nnwidgets import LayerInspector

        self.inspector = LayerInspector(loop.model, optimizer=loop.optimizers, budget=0.5)
        self.steps = 0
        if shown:
            self.inspector._receive(
                {"type": "view", "view": "harm", "visible": True, "language": "en"}, []
            )
        self.want()

    def want(self) -> None:
        """Let the next step be sampled, whatever the budget says."""
        self.inspector.session.sampling.want()

    def stepped(self, loss: Tensor) -> None:
        self.steps += 1
        self.want()

    def check(self) -> None:
        assert self.inspector.session.step > 0
        assert self.inspector._error is None
        assert self.inspector._newest is not None

    def close(self) -> None:
        self.inspector.close()

    def parts(self) -> list[Any]:
        return [self.inspector, self.inspector.session, self.inspector._twin]


@watcher
def inspector(loop: Loop) -> Attached:
    """A LayerInspector that is only there."""
    return _Inspector(loop)


class _Curious(_Inspector):
    """Somebody looks at one layer after another, in every way there is."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop, shown=True)
        self.looks = 0

    def stepped(self, loss: Tensor) -> None:
        super().stepped(loss)
        rows = self.inspector.layers
        if not rows:
            return
        row = rows[self.steps % len(rows)]
        clicks: list[tuple[str, dict[str, Any]]] = [
            ("select", {"layer": row.name}),
            ("tab", {"tab": TABS[self.steps % len(TABS)]}),
            ("source", {"source": ("probe", "batch")[self.steps % 2]}),
            ("sort", {"by": SORTS[self.steps % len(SORTS)]}),
        ]
        for action, args in clicks:
            self.inspector._receive(
                {"type": "request", "id": self.steps, "action": action, "args": args}, []
            )
        self.inspector.get_state()
        self.looks = self.inspector._seen

    def check(self) -> None:
        super().check()
        assert self.looks > 0


@watcher
def inspector_clicked_through(loop: Loop) -> Attached:
    """… with a view, and a click for every step."""
    return _Curious(loop)


class _Asker(_Inspector):
    """Asks why of the first samples of the training, again after every step."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop)
        self.loop = weakref.ref(loop)
        self.viewer: Any = None
        self.asked = 0

    def stepped(self, loss: Tensor) -> None:
        super().stepped(loss)
        probe, loop = self.inspector._probe, self.loop()
        if probe is None or loop is None:
            return  # a model that is never called itself, as of a pair
        if self.viewer is None:
            self.viewer = self.made(loop.model, probe.sample)
        viewer = self.viewer
        try:
            methods = viewer.methods if viewer is not None else ()
        except ValueError:
            methods = ()  # more than one number a class: a target has to be given
        if not methods:
            return
        if not viewer._views:
            viewer._receive({"type": "view", "view": "harm", "visible": True, "language": "en"}, [])
        self.click("method", method=methods[self.steps % len(methods)])
        self.click("index", index=self.steps % probe.count)
        viewer.get_state()
        self.asked += 1

    def made(self, model: Any, sample: Any) -> Any:
        from nnwidgets import SaliencyViewer

        try:
            return SaliencyViewer(model, sample, budget=0.5)
        except (TypeError, ValueError):
            return None  # no floating input and no embedding, said in a sentence

    def click(self, action: str, **args: Any) -> None:
        self.viewer._receive(
            {"type": "request", "id": self.steps, "action": action, "args": args}, []
        )

    def check(self) -> None:
        super().check()
        assert self.viewer is None or self.viewer._error is None, self.viewer._error

    def close(self) -> None:
        if self.viewer is not None:
            self.viewer.close()
        super().close()

    def parts(self) -> list[Any]:
        own = [] if self.viewer is None else [self.viewer, self.viewer._twin]
        return [*super().parts(), *own]


@watcher
def asked_why(loop: Loop) -> Attached:
    """A SaliencyViewer with a view, and another method for every step."""
    return _Asker(loop)


class _Plotter(_Asker):
    """Draws into the space of the samples of the training, and asks something after every step."""

    def made(self, model: Any, sample: Any) -> Any:
        from nnwidgets import DecisionBoundaryPlot

        if not isinstance(sample, Tensor) or not sample.is_floating_point() or sample.ndim < 2:
            return None  # points are rows of numbers
        try:
            return DecisionBoundaryPlot(
                model, sample, [row % 2 for row in range(len(sample))], resolution=12, budget=0.5
            )
        except (TypeError, ValueError):
            return None  # no answer a point, said in a sentence

    def stepped(self, loss: Tensor) -> None:
        _Inspector.stepped(self, loss)
        probe, loop = self.inspector._probe, self.loop()
        if probe is None or loop is None:
            return
        if self.viewer is None:
            self.viewer = self.made(loop.model, probe.sample)
        plot = self.viewer
        if plot is None:
            return
        if not plot._views:
            plot._receive({"type": "view", "view": "harm", "visible": True, "language": "en"}, [])
        layers = [row.name for row in self.inspector.layers if row.name]
        ways = [name for name, problem in plot._ways if problem is None]
        views = plot.views
        self.click("view", view=views[self.steps % len(views)])
        self.click("point", at=[0.1, 0.1 * self.steps])
        self.click("add", at=[0.0, 0.0], y=1)
        if self.steps % 3 == 0:
            self.click("rules", on=True, max_depth=2)
        if layers:
            self.click("units", layer=layers[self.steps % len(layers)])
        if ways and self.steps % 2:
            self.click("uncertainty", uncertainty=ways[self.steps % len(ways)])
        elif self.steps % 2 == 0:
            self.click("uncertainty", uncertainty=None)
        if self.steps % 5 == 4:
            self.click("landscape", on=True)
        self.click("undo")
        plot.get_state()
        self.asked += 1


@watcher
def space_explored(loop: Loop) -> Attached:
    """A DecisionBoundaryPlot beside the inspector, with something else asked after every step."""
    return _Plotter(loop)
