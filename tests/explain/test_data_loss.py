"""Losses on labelled points: against torch's own, on the raw outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnwidgets.catalogue import text
from nnwidgets.explain.data_loss import data_loss
from nnwidgets.explain.predictor import Predictor
from nnwidgets.probe.refusal import Refusal

X = np.random.default_rng(0).normal(0, 3, (300, 2))
Y = np.random.default_rng(1).integers(0, 3, 300)
POINTS = torch.as_tensor(X)


class Double(nn.Linear):
    """Large weights in double precision, so that answers are sure, and often wrong."""

    def __init__(self, outputs: int, after: Callable[[Tensor], Tensor] = lambda z: z) -> None:
        super().__init__(2, outputs, dtype=torch.float64)
        self.after = after
        with torch.no_grad():
            self.weight.mul_(8)

    def forward(self, rows: Tensor) -> Tensor:
        return self.after(super().forward(rows))

    def raw(self) -> Tensor:
        with torch.no_grad():
            return super().forward(POINTS)


def test_logits_of_several_classes() -> None:
    model = Double(3)
    loss = data_loss(Predictor(model), X, Y)
    assert loss(model) == pytest.approx(float(F.cross_entropy(model.raw(), torch.as_tensor(Y))))
    other = Double(3)
    assert loss(other) == pytest.approx(float(F.cross_entropy(other.raw(), torch.as_tensor(Y))))
    assert text(loss.words[0], **loss.words[1]).startswith("Cross-entropy on 300 labelled points")


def test_a_network_that_is_sure_and_wrong_in_single_precision_is_not_let_off() -> None:
    """Its probability is rounded to 0 or 1; its loss is not."""
    for outputs in (1, 2):
        model = nn.Linear(2, outputs).eval()
        nn.init.constant_(model.weight, 0)
        nn.init.constant_(model.bias, 0)
        with torch.no_grad():
            model.bias[-1] = 40.0
        loss = data_loss(Predictor(model, classes=2), X[:5], np.zeros(5, int))
        assert loss(model) == pytest.approx(40)
        right = data_loss(Predictor(model, classes=2), X[:5], np.ones(5, int))
        # Of one logit, what is left of the loss is not rounded away either.
        assert right(model) == pytest.approx(np.exp(-40), rel=1e-6, abs=0 if outputs == 1 else None)


def test_what_the_model_gives_may_be_probabilities_or_their_logarithms() -> None:
    right = torch.as_tensor(Y)
    forms: list[Callable[[Tensor], Tensor]] = [
        lambda z: z.softmax(1),
        lambda z: z.log_softmax(1),
    ]
    for after in forms:
        model = Double(3, after)
        exact = F.cross_entropy(model.raw(), right)
        assert data_loss(Predictor(model), X, Y)(model) == pytest.approx(float(exact))


def test_one_logit_and_one_probability() -> None:
    y = Y % 2
    target = torch.as_tensor(y).double()
    logit, sure = Double(1), Double(1, lambda z: z.sigmoid())
    exact = F.binary_cross_entropy_with_logits(logit.raw()[:, 0], target)
    assert data_loss(Predictor(logit, classes=2), X, y)(logit) == pytest.approx(float(exact))
    loss = data_loss(Predictor(sure, classes=2), X, y)
    exact = F.binary_cross_entropy(sure.raw()[:, 0].sigmoid(), target)  # ends at 100, as ours does
    assert loss(sure) == pytest.approx(float(exact))
    assert loss.words[0] == "explain.loss.binary"


def test_a_probability_of_zero_costs_a_hundred_nats() -> None:
    model = Double(2, lambda z: torch.stack([0 * z[:, 0], 0 * z[:, 0] + 1], 1))
    assert data_loss(Predictor(model), X, np.zeros(300, int))(model) == 100


def test_classes_that_do_not_exclude_each_other() -> None:
    model = Double(3, lambda z: z.sigmoid())
    loss = data_loss(Predictor(model), X, Y)
    one_hot = F.one_hot(torch.as_tensor(Y), 3).double()
    exact = F.binary_cross_entropy(model.raw().sigmoid(), one_hot)
    assert loss(model) == pytest.approx(float(exact))
    assert loss.words[0] == "explain.loss.binary"


@pytest.mark.parametrize("outputs", [1, 2])
def test_values(outputs: int) -> None:
    model = Double(outputs)
    y = np.random.default_rng(3).normal(size=(300, outputs))
    loss = data_loss(Predictor(model, output="regression"), X, y[:, 0] if outputs == 1 else y)
    assert loss(model) == pytest.approx(float(F.mse_loss(model.raw(), torch.as_tensor(y))))
    assert loss.words == ("explain.loss.squared", {"count": "300"})


def test_of_many_points_some_are_taken_evenly() -> None:
    model = Double(3)
    loss = data_loss(Predictor(model), X, Y, most=4)
    places = [0, 100, 199, 299]
    exact = F.cross_entropy(model.raw()[places], torch.as_tensor(Y[places]))
    assert loss(model) == pytest.approx(float(exact))
    assert loss.count == 4
    assert data_loss(Predictor(model), X, Y, most=300).count == 300


def test_tensors_are_taken_and_nan_stays() -> None:
    model = Double(3)
    loss = data_loss(Predictor(model), POINTS, torch.as_tensor(Y))
    before = loss(model)
    assert before == data_loss(Predictor(model), X, Y)(model)
    with torch.no_grad():
        model.weight[0, 0] = torch.nan
    assert np.isnan(loss(model))


def test_it_can_be_ended_between_batches() -> None:
    def check() -> None:
        raise InterruptedError

    model = Double(3)
    loss = data_loss(Predictor(model), X, Y, check=check)
    with pytest.raises(InterruptedError):
        loss(model)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (None, "no labelled points"),
        (np.full(300, 3), "The label 3 .* from 0 to 2"),
        (np.full(300, -1), "The label -1 "),
        (np.full(300, 0.5), r"The label 0\.5 "),
        (np.full(300, np.nan), "The label nan "),
        (np.zeros((300, 3)), r"The label \[0.0, 0.0, 0.0\] "),
    ],
)
def test_labels_that_do_not_fit_are_refused(y: Any, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        data_loss(Predictor(Double(3)), X, y)


def test_calls_that_make_no_sense() -> None:
    predictor = Predictor(Double(2), output="regression")
    with pytest.raises(Refusal, match="2 values for a point, but y has 1"):
        data_loss(predictor, X, X[:, 0])
    with pytest.raises(Refusal, match="no labelled points"):
        data_loss(predictor, X[:0], X[:0])
    with pytest.raises(ValueError, match="299 labels were given for 300 points"):
        data_loss(predictor, X, X[1:])
    with pytest.raises(ValueError, match="from 1 on"):
        data_loss(predictor, X, X, most=0)
