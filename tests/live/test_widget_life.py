"""How a widget begins and ends, and what it has in common with all others."""

from __future__ import annotations

import gc
import json
import threading
import weakref

import pytest
import traitlets as t

from nnwidgets.live import wire
from nnwidgets.live.channel import DOZE
from nnwidgets.live.session import Session
from nnwidgets.live.widget import action, bundle, sentence
from tests.live.doubles import (
    Browser,
    NoPublisher,
    background,
    install_link,
    small,
    take_step,
    until,
)
from tests.live.probe_widget import Probe, values


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


@pytest.mark.parametrize("language", ["xx", "EN", 5, ["en"]], ids=str)
def test_an_unknown_language_is_refused_later_as_well(probe: Probe, language: object) -> None:
    probe.language = "zh"
    with pytest.raises(t.TraitError, match="language must be one of 'en', 'zh' or None for the"):
        probe.language = language
    assert probe.language == "zh"


def test_the_language_goes_back_to_that_of_the_page(probe: Probe, browser: Browser) -> None:
    browser.look(language="en")
    for of_the_page in ("", None):
        probe.language = "zh"
        assert probe._shown_language == "zh"
        probe.language = of_the_page
        assert probe.language == ""
        assert probe._shown_language == "en"
    assert [update["language"] for update in browser.updates()] == ["zh", "", "zh", ""]


@pytest.mark.parametrize("title", [5, None, b"x"], ids=str)
def test_a_title_that_is_no_text_is_refused(probe: Probe, title: object) -> None:
    with pytest.raises(t.TraitError, match=f"title must be text, not {type(title).__name__}"):
        probe.title = title
    assert probe.title == ""
    probe.title = "Now"
    assert probe.title == "Now"


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
    assert probe.publish(10.0) == DOZE
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
