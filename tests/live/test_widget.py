"""What a widget sends, when, and to whom."""

from __future__ import annotations

import logging
from itertools import pairwise

import numpy as np
import pytest

from nnwidgets.live import wire
from nnwidgets.live.channel import DOZE, TICK
from tests.live.doubles import (
    Browser,
)
from tests.live.probe_widget import Probe, values


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


def test_it_is_asked_less_often_while_little_may_be_sent(probe: Probe, browser: Browser) -> None:
    probe.session.loop_began()
    probe.session.governor.stop()  # so that nothing is earned
    assert TICK < probe.publish(9.0) < DOZE, "nobody looks"
    browser.look()
    assert probe.publish(10.0) == TICK
    for account in ("sending", "other"):
        probe.session.governor.charge(100.0, account)
    assert TICK < probe.publish(10.1) < DOZE
    probe.session.loop_ended("finished")
    probe.publish(11.0)
    assert probe.publish(12.0) == DOZE


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
        probe.publish(11.0)
    (record,) = caplog.records  # not one at every try, ten times a second
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "planted"
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


def spend(probe: Probe, browser: Browser, sent_at: float) -> None:
    """From now on a second lies between two messages; the other part is due at 12.0 again."""
    browser.look()
    probe.session.loop_began()
    probe.spent(1000.0)
    probe.publish(10.0)
    probe.publish(11.0)  # there is nothing new
    browser.updates()
    probe.value = 1
    probe.publish(sent_at)
    assert [set(update) for update in browser.updates()] == [{"_live"}]


def test_a_part_that_is_nearly_due_goes_with_another_one(probe: Probe, browser: Browser) -> None:
    spend(probe, browser, 11.4)
    probe.value, probe.slow_value = 2, 1
    probe.publish(12.0)
    (update,) = browser.updates()
    assert values([update]) == [2]
    assert values([update], "_slow") == [1]


def test_a_part_that_has_just_been_sent_does_not(probe: Probe, browser: Browser) -> None:
    spend(probe, browser, 11.7)
    probe.value, probe.slow_value = 2, 1
    probe.publish(12.0)
    assert [set(update) for update in browser.updates()] == [{"_slow"}]
    probe.publish(12.6)
    assert browser.updates() == []
    probe.publish(12.7)
    assert values(browser.updates()) == [2]


def test_nothing_is_sent_earlier_where_the_other_part_has_nothing_new(
    probe: Probe, browser: Browser
) -> None:
    spend(probe, browser, 11.4)
    probe.value = 2
    for now in (11.9, 12.0, 12.3):
        probe.publish(now)
        assert browser.updates() == []
    probe.publish(12.4)
    assert values(browser.updates()) == [2]
