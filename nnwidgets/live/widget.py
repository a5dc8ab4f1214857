"""What all widgets have in common: sending, answering, failing well, closing.

A widget's picture consists of *parts*: synced traits that each hold one packed dictionary,
complete in itself. The publisher thread builds and sends the parts that are due, all in one
message; whoever comes later (a reload, a second view, a saved notebook) draws from the
traits alone. Messages of the browser arrive on whatever thread the kernel uses, in the
middle of a training step; an action either needs nothing but flags and locked data, or runs
at a safe point of the session.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, thread_time
from typing import Any, ClassVar, Final, Literal, TypeVar
from uuid import uuid4

import anywidget
import comm
import traitlets as t
from ipywidgets.widgets import widget as _registry

from nnwidgets.live import wire
from nnwidgets.live.cells import Cells
from nnwidgets.live.channel import DOZE, TICK, Paced, publisher
from nnwidgets.live.commands import Ticket
from nnwidgets.live.jobs import Job
from nnwidgets.live.kernel import KernelLink, kernel_link
from nnwidgets.live.session import Session
from nnwidgets.live.traits import Language, Title, check_language

__all__ = ["LiveWidget", "Part", "action", "bundle", "check_language"]

log = logging.getLogger("nnwidgets")

_STATIC: Final = Path(__file__).parent.parent / "static"
_ALONG: Final = 0.5  # of the pause between two messages: a part may then go with another one
_UNSEEN_SECONDS: Final = 4.0  # between two messages to a front end that has no view (nbclient)

# How an action says no; a `Refusal` is a ValueError.
_REFUSALS: Final = (ValueError, TypeError, KeyError, t.TraitError)

F = TypeVar("F", bound=Callable[..., Any])
How = Literal["at once", "safe point", "long"]


def bundle(file: str) -> str:
    """Return a built front-end file.

    Raises
    ------
    ImportError
        If it has not been built.
    """
    try:
        return (_STATIC / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ImportError(
            f"the front end of nnwidgets is not built ({file} is missing): run `make build` in "
            "the source tree, or `pip install .`, and import again."
        ) from None


def action(name: str, *, touches_model: bool = False, long: bool = False) -> Callable[[F], F]:
    """Mark a method as the answer to the browser's request `name`.

    Parameters
    ----------
    touches_model
        Run it at a safe point of the session instead of at once.
    long
        Run it in a thread of its own; the method's first argument is the `Job`.
    """
    how: How = "long" if long else "safe point" if touches_model else "at once"

    def mark(method: F) -> F:
        method._nnwidgets_action = (name, how)  # type: ignore[attr-defined]
        return method

    return mark


@dataclass
class Part:
    """One synced trait and how often it may be sent.

    Attributes
    ----------
    build
        Returns the packed dictionary, or None when nothing has changed.
    behind
        Whether the trait holds a picture that no message has carried yet.
    failed
        Why it could not be built the last time; logged once, not at every try.
    """

    trait: str
    build: Callable[[], dict[str, Any] | None]
    pace: Paced
    behind: bool = False
    failed: str = ""


class LiveWidget(anywidget.AnyWidget):
    """Base of the four widgets.

    Parameters
    ----------
    session
        What the widget watches.
    budget
        Fraction of wall time that watching may take, above 0 and at most 0.5.
    language
        ``"en"``, ``"zh"``, or None for the language of the page.
    """

    title = Title("").tag(sync=True)
    language = Language("").tag(sync=True)
    _id = t.Unicode("").tag(sync=True)  # under which a page keeps what its views were set to
    _live = t.Dict().tag(sync=True)
    _notes = t.Dict().tag(sync=True)

    _actions: ClassVar[dict[str, tuple[str, How]]] = {}
    _thrifty_seconds: ClassVar[float] = 1.0  # between two messages while the budget is spent
    _quiet: ClassVar[frozenset[str]] = frozenset({"_live", "_notes"})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {
            mark[0]: (name, mark[1])
            for name, value in vars(cls).items()
            if (mark := getattr(value, "_nnwidgets_action", None))
        }
        cls._actions = {**cls._actions, **own}

    def __init__(
        self,
        session: Session,
        *,
        budget: float = 0.02,
        language: str | None = None,
        title: str = "",
    ) -> None:
        check_language(language)
        self._session = session
        self._parts: list[Part] = []
        self._views: dict[str, bool] = {}
        self._waiting: dict[int, Ticket | Job] = {}
        self._page_language = "en"
        self._seq = 0
        self._error: str | None = None
        self._sending = threading.RLock()
        self._sending_cost = 0.0
        self._closed = False
        self._ready = False
        self._unsent = True  # the last picture has not been sent since training rested
        self._link: KernelLink = kernel_link()
        super().__init__(title=title, language=language or "", _id=uuid4().hex)
        self.on_msg(LiveWidget._receive)
        self._link.attach(self.comm)
        self._own_layout = self.layout  # made with the widget, and by ipywidgets never closed
        _let_scripts_collect(self)
        Cells.of(self._link).add(self)
        session.join(self, budget)

    def _open_for_business(self) -> None:
        """Start sending; the last thing that a constructor does."""
        self._ready = True
        publisher.add(self)

    # -- sending -------------------------------------------------------------------------

    def _add_part(self, part: Part) -> None:
        self._parts.append(part)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def publish(self, now: float) -> float:
        """Send what is due (called by the publisher thread); return when to ask again, in seconds.

        Each time costs about 0.1 ms, so not ten times a second where little may be sent.
        """
        if self._closed:
            return DOZE
        self._session.check_rest()
        running = self._session.control.state == "running"
        seldom = running
        if self._shown:
            governor = self._session.governor
            seldom = running and not governor.allows(self._sending_cost, "sending")
            self._send_due(now, self._thrifty_seconds if seldom else 0.0)
        elif not self._views or not running:
            # at rest hidden views are served too: what is on the screen is what gets saved
            self._send_due(now, _UNSEEN_SECONDS if running else 0.0)
        if not (running or self._unsent):
            return DOZE
        return max(TICK, self._thrifty_seconds / 4) if seldom else TICK

    def spent(self, seconds: float) -> None:
        """Book processor time of the publisher thread."""
        if self._session.control.state == "running":
            self._sending_cost = 0.8 * self._sending_cost + 0.2 * seconds
            self._session.governor.charge(seconds, "sending")

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return getattr(self, "_closed", True)  # one whose constructor has raised never opened

    @property
    def session(self) -> Session:
        """The session that this widget shares with all others on its model."""
        return self._session

    def cell_over(self) -> None:
        """The cell has ended: what has not been sent goes now, before a kernel shuts down."""
        self.flush()

    def send_last(self) -> None:
        """Send the last picture, if anybody may listen: this widget, or the interpreter, ends."""
        if not isinstance(self.comm, comm.DummyComm):
            self.flush()

    def flush(self) -> None:
        """Bring the synced state up to date and send it, here and now."""
        with self._sending:  # or the publisher, in the middle of it, would undo the hurry
            if not self._closed:
                for part in self._parts:
                    part.pace.hurry()
                self._send_due(monotonic(), 0.0)

    @property
    def _shown_language(self) -> str:
        """Language of the sentences that this widget sends."""
        return self.language or self._page_language

    @property
    def _shown(self) -> bool:
        return any(self._views.values())

    def _send_due(self, now: float, at_least: float) -> None:
        with self._sending:
            rests = self._session.control.state != "running"
            budget = 1.0 if rests else self._session.governor.budget
            changed = self._build(now, budget, lambda pace: pace.due(now, at_least=at_least))
            if changed:
                sooner = _ALONG * at_least
                changed += self._build(
                    now, budget, lambda pace: pace.may_come_along(now, at_least=sooner)
                )
            if changed:
                self.send_state([part.trait for part in changed])
                for part in changed:
                    part.behind = False
            else:
                self._unsent = not rests

    def _build(self, now: float, budget: float, due: Callable[[Paced], bool]) -> list[Part]:
        """Build what is due, and return what of it is new."""
        changed: list[Part] = []
        for part in self._parts:
            if due(part.pace):
                begun = thread_time()
                new = self._rebuild(part) or part.behind
                size = wire.size(getattr(self, part.trait)) if new else 0
                part.pace.done(now, size, thread_time() - begun, budget)
                if new:
                    changed.append(part)
        return changed

    def _rebuild(self, part: Part) -> bool:
        try:
            packed = part.build()
            part.failed = ""
        except Exception as problem:
            if part.failed != (said := sentence(problem)):
                part.failed = said
                log.error("nnwidgets could not build %s", part.trait, exc_info=problem)
            self.on_failure(part.trait, problem)
            return False
        if packed is None:
            return False
        self.set_trait(part.trait, packed)
        return True

    def _should_send_property(self, key: str, value: Any) -> bool:
        # parts are sent together, by `_send_due`
        return key not in self._quiet and super()._should_send_property(key, value)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return the synced traits; a reload, a save or an export gets the newest picture."""
        if key is None and getattr(self, "_ready", False) and not self._closed:
            with self._sending:
                for part in self._parts:
                    # whoever asks gets it in the answer; the other views do not
                    part.behind = self._rebuild(part) or part.behind
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        return state

    # -- answering -----------------------------------------------------------------------

    def _receive(self, content: Any, buffers: list[Any]) -> None:
        """Handle a message of the browser, on whatever thread it came."""
        try:
            message = wire.parse(content)
        except ValueError as problem:
            log.warning("a message from the browser was not understood: %s", problem)
            return
        if isinstance(message, wire.ViewReport):
            self._view_report(message)
        elif isinstance(message, wire.Cancel):
            if (ticket := self._waiting.pop(message.id, None)) is not None:
                ticket.cancelled = True
        else:
            self._request(message)

    def _view_report(self, report: wire.ViewReport) -> None:
        self._views[report.view] = report.visible
        if report.language:
            self._page_language = "zh" if report.language.lower().startswith("zh") else "en"
        if report.visible:
            for part in self._parts:
                part.pace.hurry()
        publisher.wake()

    def _request(self, request: wire.Request) -> None:
        known = self._actions.get(request.action)
        if known is None:
            self._say(wire.error(request.id, f"this widget has no action {request.action!r}."))
            return
        name, how = known

        def call(*job: Job) -> Any:
            return getattr(self, name)(*job, **request.args)

        def answer(ticket: Ticket | Job) -> None:
            waited_for = self._waiting.pop(request.id, None) is not None
            if ticket.problem is not None:
                _note(request.action, ticket.problem)
                self._say(wire.error(request.id, sentence(ticket.problem)))
            elif not ticket.cancelled:
                try:
                    self._say(wire.reply(request.id, ticket.result))
                except Exception as problem:
                    log.exception("the answer to %s could not be sent", request.action)
                    self._say(wire.error(request.id, sentence(problem)))
            elif waited_for:  # somebody else has ended it: whoever asked must not wait for good
                self._say(wire.reply(request.id, None))
            self._part_changed("_live")

        if how == "at once":
            Ticket(call, answer).run()
            return
        if how == "long":
            tell = functools.partial(self._tell_progress, request.id)
            job = Job(call, answer, tell, request.action)
            self._waiting[request.id] = job
            self._say(wire.accepted(request.id, None))
            job.start()
            return
        ticket = self._session.submit(call, answer)
        if not ticket.wait(0):
            self._waiting[request.id] = ticket
            self._say(wire.accepted(request.id, "step"))
            if ticket.wait(0):  # the loop was quicker, and found nothing to take out
                self._waiting.pop(request.id, None)

    def _tell_progress(self, id: int, fraction: float, note: str) -> None:
        self._say(wire.progress(id, fraction, note))
        self._part_changed("_live")

    def _say(self, message: wire.Message) -> None:
        if self.comm is not None and not self._closed:
            content, buffers = message
            self.send(content, buffers)

    def _part_changed(self, trait: str) -> None:
        """Send `trait` at once: somebody has clicked, or the state has changed."""
        self._unsent = True
        for part in self._parts:
            if part.trait == trait:
                part.pace.hurry()
        publisher.wake()

    @action("hello")
    def _hello(self) -> None:
        """Answer a view that asks whether a kernel is there."""

    # -- what the session tells ----------------------------------------------------------

    def on_change(self) -> None:
        """State, cursor or learning-rate factor changed."""
        self._part_changed("_live")

    def on_failure(self, where: str, problem: Exception) -> None:
        """Show a failure of ours inside the widget; it never reaches the loop."""
        self._error = f"{where}: {sentence(problem)}"
        if where != "_live":
            self._part_changed("_live")

    def on_rate(self, step: int, name: str, value: float) -> None:
        """The effective learning rate of a group changed."""

    def on_sample(self, sampler: Any, sample: Any) -> None:
        """A sampled step is complete."""

    def on_message(self, key: str, **params: str) -> None:
        """The user should know something: a key of the catalogue."""

    def on_event(self, kind: str, step: int, **params: str) -> None:
        """Something worth a mark on the curves happened."""

    # -- the public rest -----------------------------------------------------------------

    @property
    def overhead(self) -> float:
        """Fraction of wall time that watching has taken, all widgets of the session together."""
        return self._session.governor.overhead

    def close(self) -> None:
        """Detach from model, optimiser and kernel; the views disappear. Idempotent."""
        if getattr(self, "_closed", True):
            return
        with contextlib.suppress(Exception):  # the last picture stays in a saved notebook
            if not sys.is_finalizing():
                self.send_last()
        self._closed = True
        for waiting in list(self._waiting.values()):
            waiting.cancelled = True
        publisher.remove(self)
        self._session.leave(self)
        self._parts.clear()
        if self.comm is not None:
            self._link.detach(self.comm)
            for one in (self.comm, self._own_layout.comm):
                if isinstance(one, comm.DummyComm):
                    comm.get_comm_manager().register_comm(one)
        super().close()
        # Not by its own close(): the state of a closed widget, which is still read, names it.
        if self._own_layout.comm is not None:
            getattr(_registry, "_instances", {}).pop(self._own_layout.comm.comm_id, None)
            self._own_layout.comm.close()

    def __enter__(self) -> LiveWidget:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sentence(problem: BaseException) -> str:
    """Return an exception as a sentence for the user."""
    # str() of a KeyError is how its key is written in Python
    plain = isinstance(problem, KeyError) and len(problem.args) == 1
    words = str(problem.args[0] if plain else problem).strip()
    return words if words else f"{type(problem).__name__} was raised without a message."


def _note(action: str, problem: BaseException) -> None:
    """Log why a request has not been done: a refusal is an answer, anything else a failure."""
    if isinstance(problem, _REFUSALS):
        log.debug("%s was refused: %s", action, sentence(problem))
    else:
        log.error("%s failed", action, exc_info=problem)


def _let_scripts_collect(widget: LiveWidget) -> None:
    """Let a dropped widget be collected where no browser can ask for it.

    ipywidgets and comm both register every widget for good, so that a front end can find it.
    Without a kernel nobody looks there, and the entries would keep widget and model alive.
    """
    for one in (widget.comm, widget.layout.comm):
        if isinstance(one, comm.DummyComm):
            comm.get_comm_manager().comms.pop(one.comm_id, None)
            getattr(_registry, "_instances", {}).pop(one.comm_id, None)
