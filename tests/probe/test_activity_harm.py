"""A watch on all modules: the training goes on as without it, and nothing of it stays."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.activity import ActivityWatch
from tests.harm.cases import CASES
from tests.harm.copies import copies
from tests.harm.endings import ENDINGS, left_behind
from tests.harm.loop import Loop
from tests.harm.observe import differences, observe
from tests.harm.watchers import Attached, _Hooked
from tests.probe.stepping import clean, step

__all__ = ["clean"]


def test_a_failure_of_ours_stays_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("nnwidgets.probe.activity_forward.variation", fail)
    model = nn.Sequential(nn.Linear(2, 2))
    watch = ActivityWatch(model)
    sample = step(
        watch, torch.optim.SGD(model.parameters(), lr=0.1), lambda: model(torch.ones(2, 2)).sum()
    )
    assert sample.summary("0", "gradient") is not None
    assert "planted" in watch.status


def test_model_and_watch_are_collected_even_when_armed() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    watch = ActivityWatch(model)
    watch.want_inputs = True
    watch.arm()
    model(torch.ones(1, 2))
    gone = weakref.ref(model), weakref.ref(watch)
    del model
    gc.collect()
    assert gone[0]() is None
    del watch
    gc.collect()
    assert gone[1]() is None  # the fixture checks that its hooks went with it


class _Activity(_Hooked):
    """Every step sampled, all that can be asked for asked for."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop)
        self.watch = ActivityWatch(loop.model)
        self.seen = 0
        self.arm()

    def arm(self) -> None:
        self.watch.want_inputs = True
        self.watch.chosen = self.watch.rows[self.steps % len(self.watch.rows)].name
        self.watch.arm()

    def before(self, params: list[Any]) -> None:
        self.watch.before_update(params)

    def after(self, params: list[Any]) -> None:
        self.watch.after_update(params)

    def stepped(self, loss: Tensor) -> None:
        sample = self.watch.finish(self.steps)
        assert sample is not None
        assert not any(key == "probe.failed" for key, _ in self.watch.notes), self.watch.status
        self.seen += int(sample.weight.known.any())
        self.steps += 1
        self.arm()

    def check(self) -> None:
        assert self.seen > 0

    def close(self) -> None:
        super().close()
        self.watch.disarm()

    def parts(self) -> list[Any]:
        return [self.watch]


def attach(loop: Loop) -> Attached:
    return _Activity(loop)


@pytest.mark.parametrize("name", sorted(CASES))
def test_watched_is_as_bare(name: str) -> None:
    case = CASES[name]
    assert differences(observe(case), observe(case, attach)) == []


def test_copies_taken_in_the_middle_of_a_step_are_those_of_a_bare_model() -> None:
    assert differences(copies(None), copies(attach)) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_stays_behind(ending: str) -> None:
    assert left_behind(ENDINGS[ending], attach) == []


def test_pickled_saved_and_copied_models_carry_no_hook() -> None:
    taken: list[nn.Module] = []

    class Copies(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            if not taken:
                saved = io.BytesIO()
                torch.save(model.state_dict(), saved)
                assert b"nnwidgets" not in saved.getvalue()
                assert b"nnwidgets" not in pickle.dumps(model[1])
                taken.append(copy.deepcopy(model))
            return super().forward(x)

    model = nn.Sequential(Copies(2, 2), nn.Linear(2, 2))
    watch = ActivityWatch(model)
    watch.want_inputs, watch.chosen = True, "0"
    step(watch, torch.optim.SGD(model.parameters(), lr=0.1), lambda: model(torch.ones(2, 2)).sum())
    assert taken
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in taken[0].modules())
