"""Two widgets on one model look at its layers once."""

from __future__ import annotations

import numpy as np
from torch import nn

from nnwidgets import LayerInspector, TrainingMonitor
from nnwidgets.probe.layers import LayerWatch
from tests.inspector.conftest import Make
from tests.training import Training


def sampled_step(training: Training, widget: LayerInspector | TrainingMonitor) -> None:
    widget.session.look_into_next_step()
    for _ in range(3):
        training.step()


def layer_watches(widget: LayerInspector | TrainingMonitor) -> int:
    return sum(isinstance(s, LayerWatch) for s in widget.session.sampling.samplers)


def check_both(training: Training, inspector: LayerInspector, monitor: TrainingMonitor) -> None:
    sampled_step(training, inspector)
    assert layer_watches(inspector) == 1
    newest = inspector._newest
    assert newest is not None
    assert newest.layers is monitor._samples.all()[-1]
    assert (newest.layers.grad_norm > 0).all()
    assert np.nansum(newest.activation.size) > 0


def test_whichever_comes_first_both_see_the_same(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:4], optimizer=training.optimizer)
    with TrainingMonitor(training.model, training.optimizer) as monitor:
        check_both(training, inspector, monitor)
    inspector.close()
    with TrainingMonitor(training.model, training.optimizer) as monitor:
        check_both(training, make(training.model, training.x[:4]), monitor)


def test_whichever_goes_first_the_other_goes_on(training: Training, make: Make) -> None:
    for first in ("monitor", "inspector"):
        inspector = make(training.model, training.x[:4], optimizer=training.optimizer)
        monitor = TrainingMonitor(training.model, training.optimizer)
        sampled_step(training, monitor)
        went, stayed = (monitor, inspector) if first == "monitor" else (inspector, monitor)
        session = stayed.session
        before = session.sampling.count
        session.look_into_next_step()
        training.step()  # the next one is being looked at when one of them goes
        went.close()
        for _ in range(3):
            training.step()
        sampled_step(training, stayed)
        assert session.sampling.count > before
        assert layer_watches(stayed) == 1
        newest = inspector._newest if stayed is inspector else monitor._samples.all()[-1]
        assert newest is not None
        assert newest.step > session.step - 3
        stayed.close()
        assert session.sampling.samplers == []


def test_a_wrapper_is_looked_at_by_itself(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:4], optimizer=training.optimizer)
    with TrainingMonitor(nn.DataParallel(training.model), training.optimizer) as monitor:
        sampled_step(training, inspector)
        assert monitor.session is inspector.session
        assert layer_watches(inspector) == 2  # it has other things to say of what it cannot see
