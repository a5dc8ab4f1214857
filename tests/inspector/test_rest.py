"""A loop that pauses or ends: the picture is then of its last step, whatever it could afford."""

from __future__ import annotations

import pytest

from tests.inspector.conftest import Make
from tests.live.doubles import install_browser
from tests.training import Training


@pytest.mark.parametrize("ends", ["finished", "stopped"])
def test_at_rest_the_newest_step_is_shown(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    install_browser(monkeypatch)
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    session = inspector.session
    inspector.flush()
    assert inspector._scene is not None
    assert inspector._scene.step == 0
    session.loop_began()
    monkeypatch.setattr(session.governor, "allows", lambda *_: False)  # nothing can be afforded
    for _ in range(5):
        training.step()
    assert inspector._scene.step == 0
    session.loop_ended(ends)  # type: ignore[arg-type]
    assert inspector._scene.step == 5


def test_a_past_step_stays_when_the_loop_ends(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    session = inspector.session
    session.loop_began()
    training.step()
    inspector._snapshots.take(training.model, 1)
    training.step()
    session.set_cursor(1)
    inspector._at_rest(inspector._look)
    training.step()
    session.loop_ended("finished")
    assert inspector._scene is not None
    assert inspector._scene.step == 1
