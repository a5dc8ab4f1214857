"""One session per model: step clock, safe points, command queue, budget, time cursor.

All widgets on one model share its session, which lives as long as one of them does. A
session knows nothing of IPython or of browsers; what the kernel can do (pump its messages,
say whether a cell runs) it is told by a *host*, so that the loop may one day live in another
process than the widget.

A *safe point* is a place between two steps where the training thread has its hands free:
after an optimiser's step, in ``log()``, between two items of ``track()``. Commands from the
browser run there and nowhere else while something trains, and a pause waits there.
"""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Callable, Iterable
from time import perf_counter, thread_time
from typing import Any, Final, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from nnwidgets.live.budget import Governor
from nnwidgets.live.clock import OptimizerSlot
from nnwidgets.live.commands import CommandQueue, Ticket
from nnwidgets.live.control import Control
from nnwidgets.live.optimizer_search import OptimizerSearch
from nnwidgets.live.pace import Pace
from nnwidgets.live.protocols import Host, Listener, Script, Sentinel
from nnwidgets.live.pulse import GLANCE, LOOK, NOTHING, Kind, Pulse
from nnwidgets.live.registry import find_session, forget, inner_model, loop_elsewhere, loop_here
from nnwidgets.live.sampling import Sampler, Sampling
from nnwidgets.live.single_step import SingleStep
from nnwidgets.live.stopping import Stopping
from nnwidgets.live.turns import Turns

__all__ = ["Session"]

log = logging.getLogger("nnwidgets")

_PUMP_SECONDS: Final = 0.03  # how often a busy kernel without subshells looks for clicks
_REST_SECONDS: Final = 5.0  # without a cell or track() to tell: silent so long means at rest
_HOT_SECONDS: Final = 3e-5  # steps so short that the hook of a search would show in them
_COMPANIONS: Final = 64  # steps: another optimiser of the same loop would have come by then
_QUIET_SECONDS: Final = 0.25  # for so long a step is counted and nothing else looked at


class Session:
    """The link between one training loop and the widgets that watch it.

    Parameters
    ----------
    model
        Held weakly; None for loops that are only logged.
    host
        Where this runs; None means a plain script.
    """

    def __init__(self, model: nn.Module | None = None, *, host: Host | None = None) -> None:
        self._model: weakref.ref[nn.Module] | None = None
        if model is not None:
            self.watch_model(inner_model(model))
        self.host: Host = host or Script()
        self.governor = Governor()
        self.control = Control(self._announce)
        self.lock = threading.RLock()  # held by whoever touches model, optimiser or loop
        self.sampling = Sampling(self.governor, self._sampled, self.fail)
        self.pulse = Pulse()
        self.pace = Pace(self.governor)
        self.lr_scale = 1.0
        self.cursor: int | None = None
        self._turns = Turns(self.pulse)
        self.slots = self._turns.slots
        self._search: OptimizerSearch | None = None
        self._seeks = False  # nobody has named an optimiser: new ones are looked for
        self._found_at = 0  # step at which the newest was found
        self.sentinels: list[Sentinel] = []
        self.paused_seconds = 0.0
        self._loops = 0  # tracked loops and background runs that are under way
        self._listeners: list[weakref.ref[Listener]] = []
        self._commands = CommandQueue(self.lock)
        self._single = SingleStep()
        self._began_at = 0  # step at which the loop under way began
        self._next_pump = 0.0
        self.background: threading.Thread | None = None  # of the newest run()
        self.insist_in: int | None = None  # thread that a stop may end by an exception
        self._stopping = Stopping()
        self._thread: int | None = None
        # Another thread may get the number of one that has ended.
        self._trainer: Callable[[], threading.Thread | None] = _nobody
        self._new_cell = False  # nothing has been seen in this cell yet

    @classmethod
    def of(
        cls, model: nn.Module | None, optimizers: Iterable[Optimizer] = (), host: Host | None = None
    ) -> Session:
        """Return the session of `model` or of one of `optimizers`, made if there is none."""
        inside = None if model is None else inner_model(model)
        return find_session(inside, optimizers, lambda: cls(inside, host=host))

    @property
    def model(self) -> nn.Module | None:
        """The watched model (inside of any compiled or replicated wrapper), if it lives."""
        return None if self._model is None else self._model()

    @property
    def step(self) -> int:
        """Steps taken."""
        return self.pulse.step

    @property
    def step_seconds(self) -> float:
        """Wall time of a step, averaged over the newest; 0.0 before there are two."""
        return self.pace.step_seconds

    def watch_model(self, model: nn.Module) -> None:
        """Take `model` as this session's; held weakly."""
        self._model = weakref.ref(model)

    # -- those who listen ----------------------------------------------------------------

    def join(self, listener: Listener, budget: float) -> None:
        """Add a widget; the session's budget is the largest one asked for."""
        others = self.listeners
        self._listeners.append(weakref.ref(listener))
        self.governor.budget = max(budget, self.governor.budget) if others else budget

    def leave(self, listener: Listener) -> None:
        """Remove a widget; the last one takes every hook and every pause with it."""
        self._listeners = [ref for ref in self._listeners if ref() not in (None, listener)]
        if not self._listeners:
            self.close()

    @property
    def listeners(self) -> list[Listener]:
        """The widgets on this session that still live."""
        return [one for ref in self._listeners if (one := ref()) is not None]

    def attach(self, optimizer: Optimizer, name: str = "") -> OptimizerSlot:
        """Watch an optimiser's steps; one that is watched already keeps its slot."""
        for slot in self.slots:
            if slot.optimizer is optimizer:
                return slot
        slot = OptimizerSlot(optimizer, name, self)
        self._turns.add(slot)
        self.pulse.wake()
        if len(self.slots) == 1:  # steps are counted from now on
            for listener in self.listeners:
                listener.on_change()
        return slot

    def seek_optimizers(self) -> None:
        """Watch whichever optimisers step with the model's parameters, if none was named."""
        self._seeks = self._seeks or not self.slots
        self._seek_again()

    def found(self, optimizer: Optimizer) -> None:
        """An optimiser of the model has made a step (see `seek_optimizers`)."""
        known = any(slot.optimizer is optimizer for slot in self.slots)
        slot = self.attach(optimizer)
        self._found_at = self.step
        if not known:
            self.after_update(slot)  # the step that it was found by counts as well
            self._turns.began(slot)  # … and a second one in it is the same step

    def optimizer_gone(self) -> None:
        """An optimiser that was watched has been collected: another one may follow."""
        self.pulse.wake()  # the next step sees who is left
        self._seek_again()

    def _seek_again(self) -> None:
        if self._search is None and self._seeks and self.model is not None:
            self._search = OptimizerSearch(self)

    def _end_search(self) -> None:
        if self._search is not None:
            self._search.end()
            self._search = None

    def close(self) -> None:
        """Leave nothing behind: hooks off, rates restored, a waiting loop released."""
        self._seeks = False
        self._end_search()
        self.sampling.close()
        self.sentinels.clear()
        self._turns.clear()
        self.lr_scale = 1.0
        self.governor.stop()
        self.control.close()
        if self.control.phase == "running" and not self._loops:
            self.control.end("stopped" if self.control.stop_wanted else "finished")
        forget(self)

    # -- commands and wishes, from any thread ----------------------------------------------

    @property
    def training(self) -> bool:
        """Whether a step may be under way, so that touching the model has to wait."""
        if self.control.state != "running":
            return False
        if self._loops or (self.host.in_cell and self._in_main_thread):
            return True
        if perf_counter() - self.pulse.active >= max(2.0, 10 * self.step_seconds):
            return False
        # A thread of the user's own says nothing when it ends.
        trainer = self._trainer()
        return trainer is not None and trainer.is_alive()

    @property
    def hands_free(self) -> bool:
        """Whether the model may be touched by this thread, here and now.

        By the training thread while a step may be under way or a pause may end; else by the main
        thread, unless the loop of another session draws random numbers in another thread: whoever
        runs a model puts the generators of the process aside, and back afterwards. Then by the
        thread of that loop, which asks about two models (a generator and its critic) in turn.
        """
        if self.training or self.control.waiting:
            return self.in_training_thread
        here = threading.current_thread() is threading.main_thread() or loop_here(self)
        return here and loop_elsewhere(self) is None

    @property
    def in_command(self) -> bool:
        """Whether this is called from a command that runs at a safe point."""
        return self._commands.running_in == threading.get_ident()

    def submit(
        self, command: Callable[[], Any], then: Callable[[Ticket], None] | None = None
    ) -> Ticket:
        """Run `command` at the next safe point, or as soon as may be when nothing trains.

        When nothing trains it runs in the main thread: what else the user does there, drawing
        from the global random number generators perhaps, must not be disturbed from another
        thread. In a script, which has no moment to spare, it runs at once, wherever this is.

        Parameters
        ----------
        command
            Called without arguments, under the session's lock.
        then
            Called with the ticket afterwards, in the same thread.

        Returns
        -------
        Ticket
            Holds the result or the exception once it has run.
        """
        ticket = Ticket(command, then)
        self._commands.put(ticket)
        self.pulse.wake()
        self.seek_rest()
        return ticket

    def seek_rest(self) -> None:
        """Have the commands that wait run, by whoever may, if no loop will."""
        # A paused loop runs them itself, within its next nap: nobody else may be in the model
        # when it goes on.
        if not self._commands.waiting or self.training or self.control.waiting:
            return
        other = loop_elsewhere(self)
        here = threading.current_thread() is threading.main_thread()
        if other is not None:
            other.submit(self._run_at_rest)
        elif here or not self.host.soon(self.seek_rest):
            self._commands.run()

    def _run_at_rest(self) -> None:
        if not self.training and not self.control.waiting:
            self._commands.run()

    def stop(self) -> None:
        """Ask the loop to end."""
        self._stopping.begin()
        self.control.stop(ended=not self._loops)

    def set_lr_scale(self, value: float) -> None:
        """Scale every group's learning rate from the next step on."""
        if value != self.lr_scale:
            self.lr_scale = value
            for slot in self.slots:
                slot.factor = value
            self.event("lr", factor=f"{value:.3g}")
            self._announce()

    def set_cursor(self, step: int | None) -> None:
        """Show all widgets of this session at `step`; None goes back to live."""
        self.cursor = step
        self._announce()

    def event(self, kind: str, **params: str) -> None:
        """Mark this step on the curves of every widget."""
        for listener in self.listeners:
            listener.on_event(kind, self.step, **params)

    def look_into_next_step(self) -> None:
        """Sample the next step whatever the credit: something looks wrong."""
        self.sampling.want()
        self.pulse.wake()

    def fail(self, where: str, problem: Exception) -> None:
        """Take note of a failure of ours; the training loop never hears of it."""
        log.error("nnwidgets failed in %s; training goes on", where, exc_info=problem)
        for listener in self.listeners:
            listener.on_failure(where, problem)

    # -- the loop, in the training thread --------------------------------------------------

    def before_update(self, slot: OptimizerSlot) -> None:
        """Gradients are there, weights not yet changed (an optimiser's hook)."""
        pulse = self.pulse
        if (
            self._search is not None
            and 0 < self.pace.step_seconds < _HOT_SECONDS
            and self.step - self._found_at >= _COMPANIONS
        ):
            self._end_search()  # here torch does not walk through the table of the hook
        if self.step >= pulse.glance_at:
            pulse.glance_at = self.step + pulse.glance_every
            for sentinel in self.sentinels:
                sentinel.check_gradients(slot.groups[0]["params"], self.step + 1)
        if self.sampling.armed:
            scale = getattr(slot.optimizer, "grad_scale", None)  # of a GradScaler, fused only
            self.sampling.before_update(list(slot.parameters()), scale)

    def after_update(self, slot: OptimizerSlot) -> None:
        """Weights have changed (an optimiser's hook)."""
        if self.sampling.armed:
            self.sampling.after_update(list(slot.parameters()))
        if not self._turns.take(slot):
            self._note_rates(slot)
            return
        begun, now = thread_time(), perf_counter()
        pulse = self.pulse
        pulse.count(now)
        if self.control.phase != "running":
            self._began()
        self._note_rates(slot)
        self.pace.measure(pulse, now, thread_time() - begun, bool(self.sentinels))
        if now >= self.sampling.next_look:
            self.sampling.tick(self.step, now)
        self.safe_point(Kind.STEP)
        self._be_quiet(now)
        pulse.log_until = 0.0  # the log() behind it tells which point of a round is the last

    def logged(self, now: float | None = None, *, new_step: bool = True) -> None:
        """A value was logged. Without an optimiser this is what a step is.

        Parameters
        ----------
        now
            The time (of ``time.perf_counter``), if it is known already.
        new_step
            Whether it is the first one of its step. No pause waits at the others: pressing
            "step" would only go from one ``log()`` to the next.
        """
        pulse = self.pulse
        pulse.active = now = perf_counter() if now is None else now
        if now < pulse.quiet_until:
            if new_step:
                if not self.slots:
                    pulse.preferred = pulse.seen
                pulse.begin_round()
                pulse.seen = max(pulse.seen, Kind.LOG)
            pulse.log_until = pulse.quiet_until
            return
        if self.control.phase == "idle" or self._new_cell:
            self._began()
        if not new_step:
            self.serve()
            return
        if not self.slots:
            pulse.preferred, pulse.seen = pulse.seen, Kind.STEP
        self.safe_point(Kind.LOG)
        self._be_quiet(now)

    def align(self, step: int) -> None:
        """Move the clock forward to a step that the user counts himself (a resumed run)."""
        pulse = self.pulse
        if step > pulse.step:
            pulse.begin_round()
            pulse.step = pulse.round = step  # the round goes on: it is the same one

    def safe_point(self, kind: Kind) -> None:
        """The training thread has its hands free: run commands, answer clicks, pause.

        A loop passes several safe points in each round. Commands run at the first; a pause
        waits at the last, where the step's metrics have been logged: the one that the round
        before has shown to come.
        """
        pulse = self.pulse
        pulse.begin_round()
        if kind > pulse.seen:
            pulse.seen = kind
        self._stopping.points += 1
        if self._commands.waiting or self.host.needs_pump:
            self.serve()
        control = self.control
        if control.stop_wanted and control.stopping:
            self._insist()
        if control.pause_wanted and kind >= pulse.preferred and not self._lets_pass():
            begun = perf_counter()
            self.governor.stop()
            try:
                if self.control.hold(self._while_paused):
                    self._single.begin(self.step, self.control.pauses)
            finally:
                self.governor.start()
                self.pace.forget()
                pulse.active = perf_counter()
                self.paused_seconds += pulse.active - begun

    def _lets_pass(self) -> bool:
        # A loop that only evaluates has no steps to wait for: there, "step" passes one item.
        evaluates = not torch.is_grad_enabled() or not getattr(self.model, "training", True)
        if not self.slots or (evaluates and self.step == self._began_at):
            return False
        return self._single.under_way(self.step, self.control.pauses)

    def serve(self) -> None:
        """Run commands and answer clicks, without pausing."""
        if self._commands.waiting:
            self._commands.run()
        if self.host.needs_pump:
            now = perf_counter()
            if now >= self._next_pump:
                self.host.pump()
                self._next_pump = perf_counter() + _PUMP_SECONDS
                self.governor.charge(perf_counter() - now)

    def loop_began(self, earlier_stop: Literal["forget", "obey", "outlive"] = "forget") -> None:
        """A tracked loop or a background run begins.

        Parameters
        ----------
        earlier_stop
            What a stop from before means: nothing any more; the end of this loop too; nothing
            to this loop, while ``should_stop`` stays true.
        """
        with self.lock:  # a command that began while nothing trained ends first
            self._loops += 1
        if self._loops == 1:
            self._began_at = self.step
            if earlier_stop != "obey":
                self.control.begin(forget=earlier_stop == "forget")
            self._began()

    def trains_in(self, thread: int | None) -> None:
        """The loop goes on in another thread than the one that began it."""
        self._thread = thread
        found = (one for one in threading.enumerate() if one.ident == thread)
        trainer = next(found, None)
        self._trainer = _nobody if trainer is None else weakref.ref(trainer)

    def loop_ended(self, state: Literal["finished", "stopped"]) -> None:
        """A tracked loop or a background run has ended."""
        self._loops = max(0, self._loops - 1)
        if not self._loops:
            self._ended(state)

    @property
    def should_stop(self) -> bool:
        """Whether a stop has been asked for; a loop that reads this ends by itself."""
        self._stopping.asked()
        return self.control.stop_wanted

    @property
    def in_training_thread(self) -> bool:
        """Whether this is called in the thread that trains, or has trained last."""
        return (
            self._thread == threading.get_ident() and self._trainer() is threading.current_thread()
        )

    @property
    def looping(self) -> bool:
        """Whether a tracked loop or a background run is under way."""
        return self._loops > 0

    # -- what the host tells ---------------------------------------------------------------

    def cell_began(self) -> None:
        """A cell begins: a stop was meant for the one before."""
        if not self._loops:
            self.control.forget_stop()
            self._new_cell = True
            self._seek_again()
            self.pulse.wake()

    def cell_ended(self, problem: BaseException | None) -> None:
        """The main thread is free again, so a loop that ran in it has ended."""
        if self._in_main_thread and self.control.state in ("running", "paused"):
            if problem is not None:
                self._loops = 0  # its traceback may keep the tracked iterator alive
                self.broke_off(problem)
            if not self._loops:
                self._ended("finished" if problem is None else "stopped")
        self._commands.run()

    def broke_off(self, problem: BaseException) -> None:
        """Mark where an exception ended the training."""
        if isinstance(problem, KeyboardInterrupt):
            self.event("interrupted")
        else:
            self.event("error", error=type(problem).__name__)

    def check_rest(self) -> None:
        """Called now and then from outside: a loop that has gone silent is at rest."""
        if self.training or self._loops or self.host.in_cell:
            return
        if perf_counter() - self.pulse.active > max(_REST_SECONDS, 10 * self.step_seconds):
            self.governor.stop()
            self.sampling.disarm()  # its step does not come
            self.control.rest()
            self._seek_again()
            if self._commands.waiting:
                self.host.soon(self.seek_rest)

    # -- inside --------------------------------------------------------------------------

    @property
    def _in_main_thread(self) -> bool:
        return self._thread == threading.main_thread().ident

    def _began(self) -> None:
        self._thread = threading.get_ident()
        self._trainer = weakref.ref(threading.current_thread())
        self._new_cell = False
        self.governor.start()
        self.control.active()

    def _ended(self, state: Literal["finished", "stopped"]) -> None:
        self.sampling.disarm()
        for slot in self.slots:
            slot.restore()
        self.governor.stop()
        self._seek_again()
        self.control.end("stopped" if self.control.stopping else state)
        self._commands.run()

    def _insist(self) -> None:
        tracked = self._loops > (self.insist_in is not None)
        if self._stopping.ignored(tracked, background=threading.get_ident() == self.insist_in):
            for listener in self.listeners:
                listener.on_message("message.stop_unheard")

    def _while_paused(self) -> None:
        self._commands.run()
        self.host.pump()

    def _be_quiet(self, now: float) -> None:
        """Say until when a step or a ``log()`` has nothing to do but to be counted."""
        control, pulse, slot = self.control, self.pulse, self._turns.soloist()
        pulse.glance = self.sentinels[0].glance() if len(self.sentinels) == 1 else None
        pulse.due = LOOK if pulse.glance is None else GLANCE
        pulse.glance_every = self.pace.glance_every
        if not self.sentinels:
            pulse.glance_at = math.inf
        elif pulse.glance_at == math.inf:
            pulse.glance_at = self.step
        if (
            control.phase == "running"
            and not (control.pause_wanted or control.stop_wanted or self._commands.waiting)
            and not (self.sampling.armed or self._new_cell)
            and (slot is not None or not self.slots)
            and self.lr_scale == 1.0
        ):
            due = now + _QUIET_SECONDS
            if self.slots:  # without steps nothing is sampled
                due = min(due, self.sampling.next_look)
            if self.host.needs_pump:
                due = min(due, self._next_pump)
            if slot is not None:
                pulse.watch_rates(slot.seen_rates)
            pulse.mark = self.step + 1
            pulse.before = pulse.due if self.step >= pulse.glance_at else NOTHING
            pulse.quiet_until = due
            pulse.log_until = due
        else:
            pulse.wake()

    def _note_rates(self, slot: OptimizerSlot) -> None:
        for name, rate in slot.changed_rates(self.lr_scale):
            for listener in self.listeners:
                listener.on_rate(self.step, name, rate)

    def _sampled(self, sampler: Sampler, sample: Any) -> None:
        for listener in self.listeners:
            try:
                listener.on_sample(sampler, sample)
            except Exception as problem:  # the other listeners, and samplers, come all the same
                listener.on_failure("sample", problem)

    def _announce(self) -> None:
        self.pulse.wake()
        for listener in self.listeners:
            listener.on_change()


def _nobody() -> None:
    """Stand in for a thread that is no more."""
