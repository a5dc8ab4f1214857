"""MC dropout against networks thinned by torch itself, many times."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets.explain.committee import member_answers
from nnwidgets.explain.mc_dropout import DropoutCommittee, dropout_layers
from nnwidgets.probe.refusal import Refusal
from tests.generators import generators


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)
    )


POINTS = torch.tensor([[0.5, -1.0], [2.0, 0.3], [0.0, 0.0]])


def test_members_have_the_distribution_of_torchs_own_dropout() -> None:
    model = net()
    model.train()(torch.randn(64, 2))
    committee = DropoutCommittee(model, count=1500)
    found = member_answers(committee, lambda m: m(POINTS).softmax(1))
    model.eval()
    model[3].train()
    with torch.no_grad():
        drawn = torch.stack([model(POINTS).softmax(1) for _ in range(1500)]).double().numpy()
    error = np.sqrt((drawn.var(0) + found.var(0)) / 1500)
    assert (np.abs(found.mean(0) - drawn.mean(0)) < 4.5 * error).all()
    np.testing.assert_allclose(found.std(0), drawn.std(0), rtol=0.15)


@pytest.mark.parametrize("kind", [nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout])
def test_whole_channels_are_dropped(kind: type[nn.Module]) -> None:
    axes = {nn.Dropout1d: 1, nn.Dropout3d: 3}.get(kind, 2)
    model = nn.Sequential(kind(0.5))
    given = torch.ones(2, 400, *[3] * axes)
    with DropoutCommittee(model).member(0) as module:
        maps = module(given).flatten(2)
    assert (maps == maps[:, :, :1]).all()
    assert (maps[0] == maps[1]).all()
    levels = sorted(set(maps.flatten().tolist()))
    assert len(levels) == 2
    torch.manual_seed(0)
    drawn = kind(0.5).train()(given)
    np.testing.assert_allclose(levels, sorted(set(drawn.flatten().tolist())), rtol=1e-5)
    assert 0.4 < float((maps == levels[1]).double().mean()) < 0.6


def test_alpha_dropout_puts_what_torch_puts() -> None:
    given = torch.rand(1, 500) + 0.1
    model = nn.Sequential(nn.AlphaDropout(0.25))
    with DropoutCommittee(model).member(3) as module:
        found = module(given)[0]
    torch.manual_seed(1)
    drawn = nn.AlphaDropout(0.25).train()(given)[0]
    assert float(found.min()) == pytest.approx(float(drawn.min()), rel=1e-5)
    kept = drawn != drawn.min()
    both = kept & (found != found.min())
    np.testing.assert_allclose(found[both], drawn[both], rtol=1e-4, atol=1e-5)
    assert 0.65 < float((found != found.min()).double().mean()) < 0.85


def test_a_member_is_a_function_and_leaves_nothing_behind() -> None:
    model = net()
    model[0].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [m.training for m in model.modules()]
    drawn = generators()
    committee = DropoutCommittee(model, count=3, seed=5)
    with committee.member(1) as module:
        whole = module(POINTS)
        parts = torch.cat([module(POINTS[2:]), module(POINTS[:2])])
    torch.testing.assert_close(parts[[1, 2, 0]], whole)

    def fail() -> None:
        with committee.member(1) as module:
            torch.testing.assert_close(module(POINTS), whole)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with committee.member(2) as module:
        assert not torch.equal(module(POINTS), whole)
    with DropoutCommittee(model, seed=6).member(1) as module:
        assert not torch.equal(module(POINTS), whole)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert [m.training for m in model.modules()] == modes
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert generators() == drawn


def test_a_module_that_is_called_twice_drops_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([self.drop(x), self.drop(x)])

    with DropoutCommittee(Twice()).member(0) as module:
        one, other = module(torch.ones(1, 64))
        again, _ = module(torch.ones(1, 64))
    assert not torch.equal(one, other)
    assert torch.equal(one, again)


@pytest.mark.parametrize(
    "model",
    [
        nn.LSTM(2, 4, num_layers=2, dropout=0.5, batch_first=True),
        nn.TransformerEncoderLayer(2, 1, 8, dropout=0.5, batch_first=True),
    ],
)
def test_dropout_inside_larger_modules_is_on(model: nn.Module) -> None:
    given = torch.randn(1, 3, 2)
    numbers = torch.get_rng_state()

    def answer(module: nn.Module) -> torch.Tensor:
        out = module(given)
        return (out[0] if isinstance(out, tuple) else out)[0]

    found = member_answers(DropoutCommittee(model, count=4), answer)
    again = member_answers(DropoutCommittee(model, count=4), answer)
    np.testing.assert_array_equal(found, again)
    assert len({rows.tobytes() for rows in found}) == 4
    assert torch.equal(numbers, torch.get_rng_state())


def test_all_may_be_dropped() -> None:
    for kind in (nn.Dropout, nn.AlphaDropout):
        with DropoutCommittee(nn.Sequential(kind(1.0))).member(0) as module:
            assert module(torch.ones(2, 3)).tolist() == kind(1.0).train()(torch.ones(2, 3)).tolist()


def test_without_dropout_it_says_so() -> None:
    for model in (nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.0)), nn.LSTM(2, 2, dropout=0.0)):
        assert dropout_layers(model) == ()
        with pytest.raises(Refusal, match="no dropout module"):
            DropoutCommittee(model)
    assert dropout_layers(net()) == ("3",)
    with pytest.raises(ValueError, match="two members"):
        DropoutCommittee(net(), count=1)
    assert DropoutCommittee(net()).notes == (
        ("explain.uncertainty.dropout", {"count": "30", "layers": "1"}),
    )
