"""What was found out about a map stands beside that map, and beside no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nnwidgets.catalogue import text
from tests.saliency.conftest import Make, click, look, part
from tests.training import Training


def test_what_python_was_told_is_shown_too(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:4], method="saliency")
    look(viewer)
    assert part(viewer, "_trust")[0]["state"] == "none"
    report = viewer.trust()
    meta, arrays = part(viewer, "_trust")
    assert (meta["state"], meta["method"], meta["index"]) == ("ready", "saliency", 0)
    assert meta["verdict"] == report.verdict
    assert [check["kind"] for check in meta["checks"]] == [c.kind for c in report.checks]
    curves = report.details["curves"]
    assert arrays["deletion"] == pytest.approx(np.asarray(curves.deletion, np.float32))
    assert arrays["random_insertion"] == pytest.approx(
        np.asarray(curves.random_insertion, np.float32).mean(0), rel=1e-5
    )
    assert [name for name, _ in report.details["cascade"]] == meta["cascade_layers"]


def test_it_is_of_another_map_once_something_else_is_asked(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:4], method="saliency")
    look(viewer)
    viewer.trust()
    viewer.index = 1
    assert part(viewer, "_trust")[0]["state"] == "stale"
    viewer.index = 0
    assert part(viewer, "_trust")[0]["state"] == "ready"
    training.step()
    viewer.refresh()
    assert part(viewer, "_trust")[0]["state"] == "stale"


def test_the_class_that_the_model_gives_is_the_same_asked_for_by_name(
    training: Training, make: Make
) -> None:
    viewer = make(training.model, training.x[:4], method="saliency")
    look(viewer)
    answer = viewer.trust().target
    assert isinstance(answer, int)
    viewer.target = answer
    viewer._have_answers()  # on a slow machine they are worked out aside
    assert part(viewer, "_trust")[0]["state"] == "ready"
    viewer.target = (answer + 1) % 3
    assert part(viewer, "_trust")[0]["state"] == "stale"


def test_words_follow_the_page(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:4], method="saliency", language="zh")
    report = viewer.trust()
    meta, _ = part(viewer, "_trust")
    assert meta["verdict"] == report.in_language("zh").verdict
    key, params = report.checks[0].words
    assert meta["checks"][0]["text"] == text(key, "zh", **params)


def test_a_method_that_does_not_apply_is_refused(make: Make) -> None:
    viewer = make(torch.nn.Sequential(torch.nn.Linear(4, 3)), torch.randn(3, 4))
    with pytest.raises(ValueError, match=r"."):
        viewer.trust(method="grad_cam")
    assert part(viewer, "_trust")[0]["state"] == "none"


def test_what_holds_a_model_against_its_columns(make: Make) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[-3.0, 0, 0, 0], [3.0, 0, 0, 0]]))
        model[0].bias.zero_()
    rows = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    names = ["age", "b", "c", "d"]
    viewer = make(model, rows, feature_names=names)
    click(viewer, "importance")
    for job in list(viewer._waiting.values()):
        assert job.wait(30)
    meta, arrays = part(viewer, "_importance")
    assert meta["state"] == "ready"
    assert meta["features"] == names
    assert arrays["mean"][0] > 0.2
    assert arrays["mean"][1:] == pytest.approx(np.zeros(3), abs=1e-6)


def test_it_is_of_other_weights_once_they_are_changed_by_hand(
    training: Training, make: Make
) -> None:
    viewer = make(training.model, training.x[:4], method="saliency")
    look(viewer)
    viewer.trust()
    assert part(viewer, "_trust")[0]["state"] == "ready"
    with torch.no_grad():
        training.model[0].weight.mul_(-1)
    viewer.index = 1
    viewer.index = 0
    assert part(viewer, "_trust")[0]["state"] == "stale"


def test_what_one_view_ends_another_need_not_wait_for(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make(training.model, training.x[:4], method="saliency")
    look(viewer)
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(viewer, "_say", lambda message: said.append(message[0]))
    viewer._receive({"type": "request", "id": 7, "action": "trust", "args": {}}, [])
    job = viewer._waiting[7]
    viewer._receive({"type": "request", "id": 8, "action": "stop", "args": {}}, [])
    assert job.wait(30)
    assert [m["type"] for m in said if m["id"] == 7][-1] == "reply"
