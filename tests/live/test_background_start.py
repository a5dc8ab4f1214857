"""A background run that cannot begin leaves a session that can go on."""

from __future__ import annotations

import threading

import pytest

from nnwidgets.live.background import Run
from nnwidgets.live.session import Session


def test_without_a_thread_nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            Run(session, lambda: 1, ())
    seen = [(session.looping, session.control.state)]
    assert Run(session, lambda: 2, ()).result(60) == 2
    seen.append((session.looping, session.control.state))
    assert seen == [(False, "stopped"), (False, "finished")]
