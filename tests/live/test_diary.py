"""Marks and messages: bounded, counted, and none of the rare ones lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nnwidgets.live.diary import Diary
from tests.live.doubles import Background


def test_events_keep_their_order() -> None:
    diary = Diary()
    diary.event("lr", 3, 0.1, factor="2")
    diary.event("pause", 3, 0.2)
    assert [(e.kind, e.step, e.time, e.params, e.key) for e in diary.events] == [
        ("lr", 3, 0.1, {"factor": "2"}, "event.lr"),
        ("pause", 3, 0.2, {}, "event.pause"),
    ]


def test_a_slider_moved_a_thousand_times_does_not_push_out_the_one_pause() -> None:
    diary = Diary()
    for step in range(700):
        diary.event("lr", step, float(step))
    diary.event("pause", 700, 700.0)
    for step in range(701, 3000):
        diary.event("lr", step, float(step))
    events = diary.events
    assert len(events) <= 400
    assert [e.step for e in events if e.kind == "pause"] == [700]
    steps = [e.step for e in events]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (0, 2999)
    assert any(a < 1500 for a in steps[1:-1])  # the beginning stays


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["lr", "pause", "resume", "nan"]), min_size=390, max_size=600))
def test_any_mixture_stays_bounded_and_loses_no_kind(kinds: list[str]) -> None:
    diary = Diary()
    for step, kind in enumerate(kinds):
        diary.event(kind, step, 0.0)
    assert len(diary.events) <= 400
    assert {e.kind for e in diary.events} == set(kinds)


def test_a_message_that_comes_again_is_counted() -> None:
    diary = Diary()
    for step in range(5):
        diary.message("message.not_a_number", step=step, about="loss", name="loss", reason="r")
    diary.message("message.not_a_number", step=9, about="acc", name="acc", reason="r")
    assert [(m.params["name"], m.count, m.step) for m in diary.messages] == [
        ("loss", 5, 0),
        ("acc", 1, 9),
    ]


def test_the_sentence_may_name_the_step_of_the_first() -> None:
    diary = Diary()
    diary.message("a", step=7, name="x")
    diary.message("b")
    assert [message.params for message in diary.messages] == [{"name": "x", "step": "7"}, {}]


def test_messages_are_bounded_and_the_newest_stay() -> None:
    diary = Diary()
    for i in range(50):
        diary.message("message.not_a_number", about=str(i), name=str(i), reason="r")
    assert [m.params["name"] for m in diary.messages] == [str(i) for i in range(30, 50)]


def test_its_revision_grows_with_everything() -> None:
    diary = Diary()
    seen = [diary.revision]
    diary.event("lr", 0, 0.0)
    seen.append(diary.revision)
    for _ in range(2):
        diary.message("message.not_a_number")
        seen.append(diary.revision)
    assert seen == sorted(set(seen))


def test_threads_write_at_once() -> None:
    diary = Diary()

    def work() -> None:
        for step in range(300):
            diary.message("message.not_a_number", about="x")
            diary.event("lr", step, 0.0)

    threads = [Background(work) for _ in range(4)]
    for thread in threads:
        thread.join()
    assert diary.messages[0].count == 1200
    assert diary.revision == 2400
    assert len(diary.events) <= 400
