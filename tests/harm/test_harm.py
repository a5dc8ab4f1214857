"""Watched is as bare: every awkward case with everything that can be attached, bit by bit."""

from __future__ import annotations

import functools
import warnings

import pytest
from torch import Tensor
from torch.nn.modules import module as torch_module

from nnwidgets import TrainingMonitor
from tests.harm.cases import CASES
from tests.harm.copies import compiled, copies
from tests.harm.endings import ENDINGS, left_behind
from tests.harm.loop import Loop
from tests.harm.observe import GLOBAL_HOOKS, Record, differences, observe
from tests.harm.watchers import WATCHERS, Attach, Attached


@functools.cache
def bare(case: str) -> Record:
    _observe(case, None)  # what torch imports and registers for the first time, it does here
    return _observe(case, None)


def _observe(case: str, attach: Attach | None) -> Record:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Torch's, about what these cases do on purpose.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*Lazy modules are a new feature.*")
        assert not any(getattr(torch_module, name) for name in GLOBAL_HOOKS), "left by another test"
        return observe(CASES[case], attach)


@pytest.mark.parametrize("case", CASES)
def test_a_case_repeats_itself(case: str) -> None:
    """Without this, equal records would be luck."""
    assert differences(bare(case), _observe(case, None)) == []


@pytest.mark.parametrize("watcher", WATCHERS)
@pytest.mark.parametrize("case", CASES)
def test_watched_is_as_bare(case: str, watcher: str) -> None:
    assert differences(bare(case), _observe(case, WATCHERS[watcher])) == []


@pytest.mark.parametrize("case", ["dropout", "gan_pair", "goes_to_nan"])
def test_a_background_run_is_as_bare(case: str) -> None:
    assert differences(bare(case), _observe(case, _Background)) == []


class _Background(Attached):
    """Takes every step in the monitor's own thread."""

    def __init__(self, loop: Loop) -> None:
        self.monitor = TrainingMonitor(loop.model, loop.optimizers)
        step = loop.step
        loop.step = lambda: self.monitor.run(step).result(timeout=60)

    def stepped(self, loss: Tensor) -> None:
        self.monitor.log(loss=loss)
        self.monitor.session.sampling.want()

    def close(self) -> None:
        self.monitor.close()


@functools.cache
def bare_copies() -> Record:
    return copies(None)


@pytest.mark.parametrize("watcher", WATCHERS)
def test_copies_are_as_bare(watcher: str) -> None:
    assert differences(bare_copies(), copies(WATCHERS[watcher])) == []


# A global hook, there for the sampled step, makes the *first* call of something that is compiled in
# that very step warn. From then on none is attached.
@pytest.mark.filterwarnings("ignore:Using `torch.compile")
@pytest.mark.parametrize("where", ["within", "after"])
@pytest.mark.parametrize("watcher", WATCHERS)
def test_compiling_works_while_attached(watcher: str, where: str) -> None:
    assert compiled(WATCHERS[watcher], where) == compiled(None, where)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("watcher", WATCHERS)
def test_nothing_is_left(watcher: str, ending: str) -> None:
    assert left_behind(ENDINGS[ending], WATCHERS[watcher]) == []
