"""When to send, on a clock of the test; and the one thread that does it."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import weakref

import pytest

from nnwidgets.live.channel import DOZE, TICK, Paced, Publisher
from tests.live.doubles import background, until


def test_at_most_so_often() -> None:
    pace = Paced(0.1, 1e6)
    sent = []
    for tick in range(1000):
        now = 50 + tick * 0.01
        if pace.due(now):
            pace.done(now, 10)
            sent.append(now)
    assert len(sent) == pytest.approx(100, abs=10)


def test_large_messages_wait_longer() -> None:
    pace = Paced(0.1, 1000)
    pace.done(0.0, 500)
    assert not pace.due(0.4)
    assert pace.due(0.5)


def test_parts_that_are_dear_to_build_wait_longer() -> None:
    pace = Paced(0.1, 1e6, share=0.25)
    pace.done(0.0, 10, cost=0.005, budget=0.02)  # 5 ms at a quarter of 2 %: one second
    assert not pace.due(0.99)
    assert pace.due(1.0)


def test_however_dear_something_is_to_be_seen() -> None:
    pace = Paced(0.1, 1e6)
    pace.done(0.0, 10, cost=100.0, budget=0.02)
    assert pace.due(2.0)


def test_nobody_looking_asks_for_a_longer_pause() -> None:
    pace = Paced(0.1, 1e6)
    assert pace.due(0.0, at_least=2.5)  # the first one at once
    pace.done(0.0, 10)
    assert not pace.due(2.4, at_least=2.5)
    assert pace.due(2.5, at_least=2.5)


def test_having_had_nothing_to_send_does_not_postpone_what_comes() -> None:
    pace = Paced(0.1, 1e6)
    pace.done(0.0, 10)
    for tick in range(1, 25):
        pace.done(tick * 0.1, 0)
    assert pace.due(2.6, at_least=2.5)


def test_a_click_hurries() -> None:
    pace = Paced(0.1, 1000)
    pace.done(0.0, 5000)
    assert not pace.due(1.0)
    pace.hurry()
    assert pace.due(1.0, at_least=2.5)


def test_one_that_is_nearly_due_may_come_along() -> None:
    pace = Paced(1.0, 1e6, along=0.25)
    pace.done(50.0, 10)
    assert not pace.may_come_along(50.2)
    assert pace.may_come_along(50.25)
    assert not pace.due(50.9)
    assert not pace.may_come_along(50.4, at_least=0.5)
    assert pace.may_come_along(50.5, at_least=0.5)


def test_it_comes_along_no_sooner_than_by_itself_if_nobody_has_said_so() -> None:
    pace = Paced(1.0, 1e6)
    pace.done(50.0, 10)
    assert not pace.may_come_along(50.99)
    assert pace.may_come_along(51.0)


def test_what_is_large_or_dear_waits_for_that_with_others_too() -> None:
    large, dear = (Paced(1.0, 1000, share=0.25, along=0.1) for _ in range(2))
    large.done(50.0, 500)
    assert not large.may_come_along(50.49)
    assert large.may_come_along(50.5)
    dear.done(50.0, 10, cost=0.01, budget=0.02)  # 10 ms at a quarter of 2 %: two seconds
    assert not dear.may_come_along(51.99)
    assert dear.may_come_along(52.0)


def test_a_click_lets_it_come_along_at_once() -> None:
    pace = Paced(1.0, 1000, along=0.1)
    pace.done(50.0, 5000)
    pace.hurry()
    assert pace.may_come_along(50.01, at_least=2.5)


class Target:
    """A widget that notes when it was asked."""

    def __init__(self, *, busy: bool = True, fails: bool = False) -> None:
        self.asked = 0
        self.ended = 0
        self.cost = 0.0
        self.threads: set[str] = set()
        self.busy = busy
        self.fails = fails

    def publish(self, now: float) -> float:
        self.asked += 1
        self.threads.add(threading.current_thread().name)
        if self.fails:
            raise RuntimeError("planted")
        return TICK if self.busy else DOZE

    def spent(self, seconds: float) -> None:
        self.cost += seconds
        if self.fails:
            raise RuntimeError("planted")

    def send_last(self) -> None:
        self.ended += 1
        self.threads.add(threading.current_thread().name)
        if self.fails:
            raise RuntimeError("planted")


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def idle(publisher: Publisher) -> bool:
    return publisher._thread is None


def test_every_target_is_asked_by_one_thread(publisher: Publisher) -> None:
    targets = [Target(busy=False), Target(), Target(busy=False)]
    for target in targets:
        publisher.add(target)
    until(lambda: all(target.asked > 2 for target in targets))
    assert not publisher.dozing, "one of them is busy"
    assert {name for t in targets for name in t.threads} == {"nnwidgets publisher"}
    for target in targets:
        publisher.remove(target)
    until(lambda: idle(publisher))


def test_one_that_fails_does_not_silence_the_others(
    publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = Target(fails=True), Target()
    with caplog.at_level(logging.ERROR, "nnwidgets"):
        publisher.add(broken)
        publisher.add(good)
        until(lambda: broken.asked > 2 and good.asked > 2)
        publisher.remove(broken)
        publisher.remove(good)
        until(lambda: idle(publisher))
    assert "training goes on" in caplog.text


def test_targets_are_held_weakly(publisher: Publisher) -> None:
    target = Target()
    gone = weakref.ref(target)
    publisher.add(target)
    until(lambda: gone() is not None and gone().asked)
    del target
    until(lambda: gc.collect() >= 0 and gone() is None)
    publisher.wake()
    until(lambda: idle(publisher))


def test_waking_a_dozing_publisher_asks_at_once(publisher: Publisher) -> None:
    target = Target(busy=False)
    publisher.add(target)
    until(lambda: publisher.dozing)
    asked = target.asked
    publisher.wake()
    until(lambda: target.asked > asked)
    publisher.remove(target)
    until(lambda: idle(publisher))


def test_it_starts_again_after_it_ended(publisher: Publisher) -> None:
    for _ in range(2):
        target = Target()
        publisher.add(target)
        until(lambda t=target: t.asked)
        publisher.remove(target)
        until(lambda: idle(publisher))


def test_its_thread_does_not_keep_a_script_alive(publisher: Publisher) -> None:
    target = Target()
    publisher.add(target)
    thread = publisher._thread
    assert thread is not None
    assert thread.daemon
    publisher.remove(target)
    until(lambda: idle(publisher))


def test_at_the_end_every_target_sends_its_last_picture(
    publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    targets = [Target(fails=True), Target(busy=False), Target()]
    with caplog.at_level(logging.CRITICAL, "nnwidgets"):
        for target in targets:
            publisher.add(target)
        thread = publisher._thread
        publisher.end()
    assert [target.ended for target in targets] == [1, 1, 1]
    assert {name for target in targets for name in target.threads} == {"nnwidgets publisher"}
    assert thread is not None
    assert not thread.is_alive()
    publisher.end()
    publisher.add(targets[0])
    assert [target.ended for target in targets] == [1, 1, 1]


def test_without_targets_there_is_nothing_to_end(publisher: Publisher) -> None:
    publisher.end()
    target = Target()
    publisher.add(target)
    publisher.remove(target)
    until(lambda: publisher._thread is None)
    publisher.end()
    assert target.ended == 0


def test_what_closes_after_the_end_waits_for_nobody(publisher: Publisher) -> None:
    """The interpreter stops daemon threads wherever they are, with whatever they hold."""
    target = Target()
    publisher.add(target)
    publisher.end()
    caught, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with publisher._lock:
            caught.set()
            let_go.wait(120)

    with background(hold):
        caught.wait(30)
        with background(lambda: publisher.remove(target)) as closing:
            until(lambda: closing.done)
        let_go.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_worker_forked_while_something_is_sent_is_not_caught(publisher: Publisher) -> None:
    """A DataLoader forks whenever it likes; the thread with the lock is not there any more."""
    target = Target()
    publisher.add(target)
    caught, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with publisher._lock:
            caught.set()
            let_go.wait(120)

    with background(hold):
        caught.wait(30)
        child = os.fork()
        if not child:
            signal.alarm(20)  # ends it if it hangs
            publisher.remove(target)
            os._exit(0 if not publisher._targets else 1)
        let_go.set()
    assert os.waitpid(child, 0)[1] == 0
    publisher.remove(target)
    until(lambda: idle(publisher))


def test_a_click_while_the_picture_is_built_is_sent_next():
    # Building on a small budget puts the next picture off by up to two seconds; a click that
    # comes meanwhile must not be put off with it.
    pace = Paced(0.1, 1000)
    assert pace.due(10.0)
    pace.hurry()
    pace.done(10.0, 500, cost=0.01, budget=0.01)
    assert pace.due(10.01)
    pace.done(10.01, 500, cost=0.01, budget=0.01)
    assert not pace.due(10.02)
