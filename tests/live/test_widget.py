"""What every widget does with its comm: parts out, requests in, failures shown."""

from __future__ import annotations

import gc
import json
import logging
import threading
import weakref
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest
import traitlets as t

from nnwidgets.live import wire
from nnwidgets.live.channel import Paced
from nnwidgets.live.session import Session
from nnwidgets.live.widget import LiveWidget, Part, action, bundle, sentence
from tests.live.doubles import (
    Browser,
    NoPublisher,
    background,
    install_browser,
    install_link,
    small,
    take_step,
    until,
)


class Probe(LiveWidget):
    """A widget with two parts and an action of every kind."""

    _esm = t.Unicode("export default {}").tag(sync=True)
    _slow = t.Dict().tag(sync=True)
    _quiet: ClassVar[frozenset[str]] = frozenset({"_live", "_slow", "_notes"})

    def __init__(self, session: Session, **options: Any) -> None:
        super().__init__(session, **options)
        self.value = 0
        self.slow_value = 0
        self.broken = False
        self.threads: list[int] = []
        self._add_part(Part("_live", self._build_live, Paced(0.1, 1e6)))
        self._add_part(Part("_slow", self._build_slow, Paced(1.0, 1e6)))
        self._built: dict[str, Any] = {}
        self._open_for_business()

    def _build_live(self) -> dict[str, Any] | None:
        if self.broken:
            raise ValueError("planted")
        state = (self.value, self._error, self.session.control.state)
        if self._built.get("live") == state:
            return None
        self._built["live"] = state
        return wire.pack(
            {"seq": self._next_seq(), "value": self.value, "error": self._error},
            {"x": np.full(3, np.nan)},
        )

    def _build_slow(self) -> dict[str, Any] | None:
        if self._built.get("slow") == self.slow_value:
            return None
        self._built["slow"] = self.slow_value
        return wire.pack({"seq": self._next_seq(), "value": self.slow_value})

    @action("add")
    def add(self, a: int, b: int = 1) -> int:
        return a + b

    @action("fail")
    def fail(self) -> None:
        raise ValueError("this cannot be done; do that instead.")

    @action("fail silently")
    def fail_silently(self) -> None:
        raise RuntimeError

    @action("odd")
    def odd(self) -> object:
        return object()

    @action("array")
    def array(self) -> dict[str, Any]:
        return wire.pack({"what": "ones"}, {"ones": np.ones(4, np.float32)})

    @action("touch", touches_model=True)
    def touch(self) -> str:
        self.threads.append(threading.get_ident())
        return "touched"

    @action("touch and fail", touches_model=True)
    def touch_and_fail(self) -> None:
        raise ValueError("planted")


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> NoPublisher:
    return install_browser(monkeypatch)


@pytest.fixture
def probe(quiet: NoPublisher) -> Any:
    widget = Probe(Session())
    yield widget
    widget.close()


@pytest.fixture
def browser(probe: Probe) -> Browser:
    return Browser(probe)


def values(updates: list[dict[str, Any]], trait: str = "_live") -> list[int]:
    return [update[trait]["meta"]["value"] for update in updates if trait in update]


# --- sending -----------------------------------------------------------------------------


def test_all_parts_that_are_due_go_in_one_message(probe: Probe, browser: Browser) -> None:
    browser.look()
    probe.publish(10.0)
    (update,) = browser.updates()
    assert set(update) == {"_live", "_slow"}
    _, arrays = wire.unpack(update["_live"])
    assert np.isnan(arrays["x"]).all()


def test_nothing_is_sent_when_nothing_has_changed(probe: Probe, browser: Browser) -> None:
    browser.look()
    for tick in range(50):
        probe.publish(10 + tick * 0.1)
    assert len(browser.updates()) == 1


def test_the_latest_wins(probe: Probe, browser: Browser) -> None:
    browser.look()
    for tick in range(1000):  # a change each millisecond
        probe.value = tick
        probe.publish(10 + tick * 0.001)
    seen = values(browser.updates())
    assert len(seen) == pytest.approx(10, abs=1)
    assert seen == sorted(seen)
    probe.publish(12.0)
    assert values(browser.updates()) == [999]


def test_sequence_numbers_grow_over_all_parts(probe: Probe, browser: Browser) -> None:
    browser.look()
    for tick in range(30):
        probe.value = probe.slow_value = tick
        probe.publish(10 + tick * 0.3)
    numbers = [part["meta"]["seq"] for update in browser.updates() for part in update.values()]
    assert len(numbers) > 30
    assert numbers == sorted(set(numbers))


def test_setting_a_part_does_not_send_it(probe: Probe, browser: Browser) -> None:
    probe._rebuild(probe._parts[0])
    assert browser.updates() == []
    probe.title = "now"
    assert [update["title"] for update in browser.updates()] == ["now"]


def test_nothing_goes_to_views_that_are_all_hidden(probe: Probe, browser: Browser) -> None:
    probe.session.loop_began()
    browser.look(True, "a")
    browser.look(True, "b")
    probe.publish(10.0)
    browser.look(False, "a")
    probe.value = 1
    probe.publish(11.0)
    assert values(browser.updates()) == [0, 1]  # b still looks
    browser.look(False, "b")
    for tick in range(2, 100):
        probe.value = tick
        probe.publish(10.0 + tick)
    assert browser.updates() == []
    browser.look(True, "b")
    probe.publish(110.0)
    assert values(browser.updates()) == [99]


def test_a_hidden_widget_sends_its_last_picture_once_the_loop_rests(
    probe: Probe, browser: Browser
) -> None:
    probe.session.loop_began()
    browser.look(False)
    probe.value = 5
    probe.publish(10.0)
    assert browser.updates() == []
    probe.session.loop_ended("finished")
    for tick in range(5):
        probe.publish(20.0 + tick)
    assert values(browser.updates()) == [5]


def test_a_widget_hidden_just_before_the_end_still_sends_all_of_its_last_picture(
    probe: Probe, browser: Browser
) -> None:
    probe.session.loop_began()
    browser.look()
    probe.publish(10.0)
    browser.look(False)
    probe.value = probe.slow_value = 1
    probe.publish(10.1)
    browser.updates()
    probe.session.loop_ended("finished")
    for tick in range(10):  # the slow part has been sent less than a second before
        probe.publish(10.2 + tick * 0.2)
    updates = browser.updates()
    assert values(updates) == values(updates, "_slow") == [1]


def test_what_is_logged_after_the_end_reaches_hidden_views_too(
    probe: Probe, browser: Browser
) -> None:
    probe.session.loop_began()
    browser.look(False)
    probe.session.loop_ended("finished")
    for tick in range(5):
        probe.publish(20.0 + tick)
    browser.updates()
    probe.value = probe.slow_value = 2  # a last evaluation, in a thread that is no cell
    for tick in range(5):
        probe.publish(30.0 + tick)
    updates = browser.updates()
    assert values(updates) == values(updates, "_slow") == [2]


def test_without_any_view_the_state_is_brought_up_to_date_now_and_then(
    probe: Probe, browser: Browser
) -> None:
    """A front end that never shows it (nbclient) still saves a fresh picture."""
    probe.session.loop_began()
    for tick in range(1000):
        probe.value = tick
        probe.publish(10 + tick * 0.01)
    seen = values(browser.updates())
    assert 3 <= len(seen) <= 5
    assert max(b - a for a, b in pairwise(seen)) < 500  # five seconds


def test_the_end_of_the_cell_brings_everything_up_to_date(probe: Probe, browser: Browser) -> None:
    probe.session.loop_began()
    probe.publish(10.0)
    probe.session.loop_ended("finished")
    for tick in range(10):  # its last pictures have been sent; then something changes
        probe.publish(20.0 + tick)
    browser.updates()
    probe.value = probe.slow_value = 7
    probe.cell_over()
    (update,) = browser.updates()
    assert values([update]) == values([update], "_slow") == [7]


def test_a_part_that_was_not_due_at_rest_is_not_forgotten(probe: Probe, browser: Browser) -> None:
    probe.session.loop_began()
    probe.publish(10.0)
    probe.value = probe.slow_value = 1
    probe.session.loop_ended("finished")
    probe.publish(10.2)  # the slow part has been sent less than a second ago
    probe.publish(10.25)
    assert values(browser.updates(), "_slow") == [0]
    probe.cell_over()
    assert values(browser.updates(), "_slow") == [1]


def test_a_reload_gets_the_newest_picture(probe: Probe, browser: Browser) -> None:
    probe.value = 3
    assert probe.get_state()["_live"]["meta"]["value"] == 3
    assert browser.updates() == []


def test_what_a_reload_or_a_save_has_taken_still_reaches_the_open_view(
    probe: Probe, browser: Browser
) -> None:
    browser.look()
    probe.publish(10.0)
    browser.updates()
    probe.value = 3
    probe.get_state()
    probe.publish(20.0)
    assert values(browser.updates()) == [3]
    probe.publish(30.0)
    assert browser.updates() == []


def test_a_part_that_cannot_be_built_shows_why_and_spares_the_others(
    probe: Probe, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    browser.look()
    probe.broken = True
    with caplog.at_level(logging.ERROR, "nnwidgets"):
        probe.publish(10.0)
    assert [set(update) for update in browser.updates()] == [{"_slow"}]
    assert "planted" in caplog.text
    probe.broken = False
    probe.publish(20.0)
    (update,) = browser.updates()
    assert update["_live"]["meta"]["error"] == "_live: planted"


def test_what_sending_costs_is_charged(probe: Probe) -> None:
    probe.session.loop_began()
    probe.spent(0.5)
    assert probe.session.governor.seconds == 0.5
    assert probe.overhead > 0
    probe.session.loop_ended("finished")
    probe.spent(0.5)  # at rest it takes nothing from anybody
    assert probe.session.governor.seconds == 0.5


def test_when_the_budget_is_spent_it_sends_once_a_second(probe: Probe, browser: Browser) -> None:
    browser.look()
    probe.session.loop_began()
    probe.spent(1000.0)
    for tick in range(1000):
        probe.value = tick
        probe.publish(10 + tick * 0.01)
    assert 9 <= len(browser.updates()) <= 11


# --- answering ---------------------------------------------------------------------------


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


# --- the rest ----------------------------------------------------------------------------


def test_the_page_tells_its_language(quiet: NoPublisher) -> None:
    probe = Probe(Session())
    browser = Browser(probe)
    assert probe._shown_language == "en"
    browser.look(language="zh-CN")
    assert probe._shown_language == "zh"
    browser.look(language="fr")
    assert probe._shown_language == "en"
    chosen = Probe(Session(), language="zh")
    Browser(chosen).look(language="en")
    assert chosen._shown_language == "zh"


def test_each_has_a_name_for_what_a_page_keeps_of_it(quiet: NoPublisher) -> None:
    one, other = Probe(Session()), Probe(Session())
    assert one.get_state()["_id"] == one.get_state()["_id"]
    assert len({one.get_state()["_id"], other.get_state()["_id"], ""}) == 3


def test_an_unknown_language_is_refused(quiet: NoPublisher) -> None:
    with pytest.raises(ValueError, match="language must be one of 'en', 'zh' or None"):
        Probe(Session(), language="de")


def test_close_is_final_and_idempotent(quiet: NoPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    link = install_link(monkeypatch)
    probe = Probe(Session())
    browser = Browser(probe)
    assert link.attached == [probe.comm]
    assert quiet.targets == [probe]
    probe.close()
    probe.close()
    assert probe.closed
    assert link.attached == []
    assert quiet.targets == []
    assert [kind for kind, _, _ in browser.comm.sent].count("comm_close") == 1
    sent = len(browser.comm.sent)
    assert not probe.publish(10.0)
    probe.flush()
    probe.cell_over()
    probe.on_change()
    probe.on_failure("_live", ValueError("planted"))
    probe._request(wire.Request(1, "add", {"a": 1}))
    assert len(browser.comm.sent) == sent
    assert probe.get_state()["title"] == ""


@pytest.mark.parametrize("view", ["shown", "hidden", "none"])
def test_closing_a_widget_sends_its_last_picture(quiet: NoPublisher, view: str) -> None:
    probe = Probe(Session())
    browser = Browser(probe)
    probe.session.loop_began()
    if view != "none":
        browser.look(view == "shown")
    probe.value = 9
    probe.close()
    assert values(browser.updates()) == [9]


def test_with_closes(quiet: NoPublisher) -> None:
    with Probe(Session()) as probe:
        assert not probe.closed
    assert probe.closed


def test_a_dropped_widget_of_a_script_is_collected() -> None:
    widget = Probe(Session())
    gone = weakref.ref(widget), weakref.ref(widget.session)
    del widget
    until(lambda: gc.collect() >= 0 and gone[0]() is None and gone[1]() is None)


def test_its_state_is_strict_json_but_for_the_buffers(probe: Probe) -> None:
    for value in probe.get_state().values():
        if isinstance(value, dict):
            value = {key: v for key, v in value.items() if key != "data"}
        json.dumps(value, allow_nan=False)


def test_a_missing_bundle_says_what_to_run() -> None:
    with pytest.raises(ImportError, match=r"no_such\.js is missing\): run `make build`"):
        bundle("no_such.js")


def test_an_exception_as_a_sentence() -> None:
    assert sentence(ValueError(" What to do. ")) == "What to do."
    assert sentence(KeyError()) == "KeyError was raised without a message."


def test_actions_are_inherited_and_cannot_be_guessed() -> None:
    class More(Probe):
        @action("more")
        def more(self) -> None: ...

    assert set(More._actions) == {*Probe._actions, "more"}
    assert "more" not in Probe._actions
    assert "publish" not in Probe._actions


def test_a_kernel_without_subshells_is_pumped_from_the_loop(
    quiet: NoPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = install_link(monkeypatch)
    link.needs_pump = True
    model, optimizer = small()
    session = Session(model, host=link)
    session.attach(optimizer)
    probe = Probe(session)
    browser = Browser(probe)
    numbers: list[int] = []
    link.waiting.append(lambda: numbers.append(browser.ask("add", a=1)))
    link.begin("c1")
    take_step(model, optimizer)
    assert browser.answer(numbers[0])["result"] == 2
    assert link.pumped == [threading.get_ident()]
    probe.close()


def test_a_paused_loop_pumps_too(quiet: NoPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    link = install_link(monkeypatch)
    link.needs_pump = True
    session = Session(host=link)
    probe = Probe(session)
    session.control.pause()
    with background(session.logged) as thread:
        until(lambda: session.control.waiting)
        link.waiting.append(session.control.resume)  # the click on Resume
    assert set(link.pumped) == {thread.ident}
    assert session.control.state == "running"
    probe.close()
