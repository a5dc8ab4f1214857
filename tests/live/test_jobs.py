"""Long answers: in a thread of their own, with progress, to be cancelled."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from nnwidgets.live import wire
from nnwidgets.live.jobs import CancelledError, Job
from nnwidgets.live.session import Session
from nnwidgets.live.widget import LiveWidget, action
from tests.live.doubles import until


class Dreamer(LiveWidget):
    """Answers slowly."""

    _esm = "export default {}"

    def __init__(self) -> None:
        super().__init__(Session())
        self.may_end = threading.Event()
        self.steps = 0
        self.said: list[dict[str, Any]] = []
        self._open_for_business()

    @action("dream", long=True)
    def dream(self, job: Job, about: str) -> str:
        """Report until told to end."""
        while not self.may_end.wait(0.001):
            self.steps += 1
            job.progress(0.5, about)
        return f"dreamt of {about}"

    @action("fail", long=True)
    def fail(self, job: Job) -> None:
        """Fail."""
        raise ValueError("there is nothing to dream of.")

    def _say(self, message: wire.Message) -> None:
        self.said.append(message[0])

    def ask(self, **content: Any) -> None:
        """Send a message as the browser does."""
        self._receive(content, [])

    def kinds(self) -> list[str]:
        """What was said so far."""
        return [one["type"] for one in self.said]


@pytest.fixture
def dreamer() -> Any:
    widget = Dreamer()
    yield widget
    widget.may_end.set()
    widget.close()


def test_it_is_accepted_reports_and_is_answered(dreamer: Dreamer) -> None:
    dreamer.ask(type="request", id=7, action="dream", args={"about": "sheep"})
    until(lambda: "progress" in dreamer.kinds())
    dreamer.may_end.set()
    until(lambda: "reply" in dreamer.kinds())
    assert dreamer.kinds()[0] == "accepted"
    assert dreamer.said[0]["waits"] is None
    assert {one["id"] for one in dreamer.said} == {7}
    progress = next(one for one in dreamer.said if one["type"] == "progress")
    assert (progress["fraction"], progress["note"]) == (0.5, "sheep")
    assert dreamer.said[-1]["result"] == "dreamt of sheep"


def test_cancelled_it_ends_and_says_nothing(dreamer: Dreamer) -> None:
    dreamer.ask(type="request", id=8, action="dream", args={"about": "sheep"})
    until(lambda: dreamer.steps)
    job = dreamer._waiting[8]
    assert isinstance(job, Job)
    dreamer.ask(type="cancel", id=8)
    assert job.wait(30)
    assert not {"reply", "error"} & set(dreamer.kinds())


def test_a_closed_widget_ends_its_jobs(dreamer: Dreamer) -> None:
    dreamer.ask(type="request", id=9, action="dream", args={"about": "sheep"})
    until(lambda: dreamer.steps)
    job = dreamer._waiting[9]
    assert isinstance(job, Job)
    dreamer.close()
    assert job.wait(30)


def test_a_failure_is_a_sentence(dreamer: Dreamer) -> None:
    dreamer.ask(type="request", id=10, action="fail", args={})
    until(lambda: "error" in dreamer.kinds())
    assert dreamer.said[-1]["error"] == "there is nothing to dream of."


def test_wrong_arguments_are_an_error_too(dreamer: Dreamer) -> None:
    dreamer.ask(type="request", id=11, action="dream", args={"of": "sheep"})
    until(lambda: "error" in dreamer.kinds())
    assert "of" in dreamer.said[-1]["error"]


def test_progress_is_told_at_most_ten_times_a_second_and_raises_once_cancelled() -> None:
    told: list[float] = []
    job = Job(lambda job: None, lambda job: None, lambda fraction, note: told.append(fraction))
    for i in range(1000):
        job.progress(i / 1000)
    assert told[0] == 0.0
    assert len(told) < 100
    job.cancelled = True
    with pytest.raises(CancelledError):
        job.progress(1.0)
