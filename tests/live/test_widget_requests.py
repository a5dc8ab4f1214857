"""Whatever a browser asks of a widget gets one answer, and never reaches the loop."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
import traitlets

from nnwidgets.catalogue import text
from nnwidgets.live.session import Session
from nnwidgets.probe.refusal import Refusal
from tests.live.doubles import (
    Browser,
    NoPublisher,
    background,
    small,
    take_step,
    until,
)
from tests.live.probe_widget import Probe


def test_a_request_gets_one_reply_under_its_id(probe: Probe, browser: Browser) -> None:
    first, second = browser.ask("add", a=2, b=3), browser.ask("add", a=5)
    assert browser.answer(first) == {"type": "reply", "id": first, "result": 5, "packed": None}
    assert browser.answer(second)["result"] == 6


def test_an_array_comes_as_a_buffer(probe: Probe, browser: Browser) -> None:
    answer = browser.answer(browser.ask("array"))
    assert answer["result"] is None
    assert answer["meta"] == {"what": "ones"}
    assert answer["arrays"]["ones"].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("fly", {}, "this widget has no action 'fly'"),
        ("_say", {}, "no action '_say'"),
        ("close", {}, "no action 'close'"),
        ("fail", {}, "this cannot be done; do that instead."),
        ("fail silently", {}, "RuntimeError was raised without a message."),
        ("add", {}, "missing 1 required positional argument: 'a'"),
        ("add", {"a": 1, "c": 2}, "unexpected keyword argument 'c'"),
        ("add", {"a": "x"}, "str"),
        ("odd", {}, "a reply must be strict JSON"),
    ],
)
def test_whatever_goes_wrong_is_answered_with_a_sentence(
    probe: Probe, browser: Browser, name: str, args: dict[str, Any], words: str
) -> None:
    answer = browser.answer(browser.ask(name, **args))
    assert answer["type"] == "error"
    assert words in answer["error"]


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (Refusal("message.stop_unheard"), text("message.stop_unheard", "en")),
        (ValueError("there is none"), "there is none"),
        (TypeError("a number is wanted"), "a number is wanted"),
        (KeyError("there is no point 3"), "there is no point 3"),
        (traitlets.TraitError("index must be from 0 to 5"), "index must be from 0 to 5"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_refusal_is_an_answer_and_no_failure(
    probe: Probe,
    browser: Browser,
    caplog: pytest.LogCaptureFixture,
    problem: Exception,
    words: str,
) -> None:
    probe.problem = problem
    with caplog.at_level(logging.DEBUG, "nnwidgets"):
        answer = browser.answer(browser.ask("raise"))
    assert (answer["type"], answer["error"]) == ("error", words)
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert record.exc_info is None
    assert words in record.getMessage()


@pytest.mark.parametrize("problem", [RuntimeError("planted"), AssertionError("planted")], ids=repr)
def test_what_nobody_has_foreseen_is_logged_with_its_traceback(
    probe: Probe, browser: Browser, caplog: pytest.LogCaptureFixture, problem: Exception
) -> None:
    probe.problem = problem
    with caplog.at_level(logging.DEBUG, "nnwidgets"):
        answer = browser.answer(browser.ask("raise"))
    assert (answer["type"], answer["error"]) == ("error", "planted")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[1] is problem


@pytest.mark.parametrize(
    "content",
    [None, [], "stop", {}, {"type": "shout"}, {"type": "request", "id": "x", "action": "add"}],
    ids=str,
)
def test_a_message_that_is_none_is_noted_and_nothing_else(
    probe: Probe, browser: Browser, caplog: pytest.LogCaptureFixture, content: object
) -> None:
    sent = len(browser.comm.sent)
    with caplog.at_level(logging.WARNING, "nnwidgets"):
        browser.say(content)
    assert "not understood" in caplog.text
    assert len(browser.comm.sent) == sent


def test_what_touches_the_model_waits_for_a_safe_point(quiet: NoPublisher) -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    probe = Probe(session)
    browser = Browser(probe)
    session.loop_began()
    numbers: list[int] = []
    with background(lambda: numbers.append(browser.ask("touch"))) as thread:
        until(lambda: thread.done)
    assert browser.answers(numbers[0]) == [{"type": "accepted", "id": numbers[0], "waits": "step"}]
    assert probe.threads == []
    take_step(model, optimizer)
    assert probe.threads == [threading.get_ident()] != [thread.ident]
    assert [answer["type"] for answer in browser.answers(numbers[0])] == ["accepted", "reply"]
    assert browser.answers(numbers[0])[1]["result"] == "touched"
    assert not probe._waiting
    probe.close()


def test_at_rest_it_is_done_at_once(probe: Probe, browser: Browser) -> None:
    assert browser.answer(browser.ask("touch"))["result"] == "touched"
    assert probe.threads == [threading.get_ident()]


def test_a_failure_at_a_safe_point_is_answered_and_spares_the_loop(quiet: NoPublisher) -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    probe = Probe(session)
    browser = Browser(probe)
    session.loop_began()
    number = browser.ask("touch and fail")
    take_step(model, optimizer)
    assert [answer["type"] for answer in browser.answers(number)] == ["accepted", "error"]
    assert browser.answers(number)[1]["error"] == "planted"
    probe.close()


def test_a_cancelled_request_is_not_carried_out(quiet: NoPublisher) -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    probe = Probe(session)
    browser = Browser(probe)
    session.loop_began()
    number, other = browser.ask("touch"), browser.ask("touch")
    browser.say({"type": "cancel", "id": number})
    browser.say({"type": "cancel", "id": 999})  # never asked
    take_step(model, optimizer)
    assert len(probe.threads) == 1
    assert [answer["type"] for answer in browser.answers(number)] == ["accepted"]
    assert [answer["type"] for answer in browser.answers(other)] == ["accepted", "reply"]
    browser.say({"type": "cancel", "id": other})  # too late
    assert not probe._waiting
    probe.close()


def test_a_paused_loop_carries_out_requests(quiet: NoPublisher) -> None:
    session = Session()
    probe = Probe(session)
    browser = Browser(probe)
    session.control.pause()
    with background(session.logged) as thread:
        until(lambda: session.control.waiting)
        number = browser.ask("touch")
        until(lambda: browser.answers(number) and browser.answers(number)[-1]["type"] == "reply")
        assert probe.threads == [thread.ident]
        session.control.resume()
    probe.close()


def test_a_comm_that_is_gone_does_not_reach_the_loop(
    probe: Probe, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: Any, **kwargs: Any) -> None:
        raise OSError("no such socket")

    probe.session.loop_began()
    browser.ask("touch")
    with monkeypatch.context() as patch:
        patch.setattr(probe.comm, "publish_msg", gone)
        probe.session.logged()
    assert probe.threads
