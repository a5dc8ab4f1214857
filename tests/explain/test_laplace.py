"""Last-layer Laplace: closed forms of Bayesian linear models, autograd's curvature, Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.committee import member_answers
from nnwidgets.explain.evidence import Evidence
from nnwidgets.explain.laplace import LaplaceCommittee
from nnwidgets.explain.last_layer import LINKS, find_last_layer
from nnwidgets.explain.uncertainty import decompose, decompose_values
from nnwidgets.probe.refusal import Refusal


def linear_gaussian(
    rows: int = 40, outputs: int = 1, precision: float = 0.7, noise: float = 0.3
) -> tuple[nn.Linear, Tensor, np.ndarray, np.ndarray]:
    """A ridge regression, which is the mean of its posterior; and that posterior's covariance."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(rows, 3))
    y = (
        x @ generator.normal(size=(3, outputs))
        + 2
        + noise**0.5 * generator.normal(size=(rows, outputs))
    )
    phi = np.c_[x, np.ones(rows)]
    covariance = np.linalg.inv(phi.T @ phi / noise + precision * np.eye(4))
    mean = covariance @ phi.T @ y / noise
    layer = nn.Linear(3, outputs).double()
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(mean[:3].T))
        layer.bias.copy_(torch.as_tensor(mean[3]))
    return layer, torch.as_tensor(x), y, covariance


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_linear_gaussian_model_has_its_closed_form_predictive(outputs: int) -> None:
    model, x, y, covariance = linear_gaussian(outputs=outputs)
    layer = find_last_layer(model, lambda m: m(x), "regression")
    made = LaplaceCommittee(
        model, layer, lambda m: m(x), targets=y, prior_precision=0.7, noise=0.3, count=4000
    )
    points = torch.randn(6, 3, dtype=torch.float64) * 3
    phi = np.c_[points.numpy(), np.ones(6)]
    expected = np.einsum("nd,de,ne->n", phi, covariance, phi)
    found = made.covariance(lambda m: m(points)).numpy()
    for output in range(outputs):
        np.testing.assert_allclose(found[:, output, output], expected, rtol=1e-9)
    assert np.allclose(found * (1 - np.eye(outputs)), 0)
    # By drawing: the law of total variance, with the noise that was given.
    drawn = member_answers(made, lambda m: m(points))
    parts = decompose_values(drawn, made.noise)
    np.testing.assert_allclose(parts.mean, model(points).detach().numpy(), atol=0.08)
    np.testing.assert_allclose(parts.epistemic, np.c_[[expected] * outputs].T, rtol=0.15)
    assert parts.total is not None
    np.testing.assert_allclose(parts.total - parts.epistemic, 0.3)


@pytest.mark.parametrize(
    "kind", ["logits", "probabilities", "log_probabilities", "logit", "probability"]
)
def test_the_curvature_is_autograds(kind: str) -> None:
    """The Gauss–Newton matrix of a linear layer under cross-entropy is the Hessian itself."""
    classes = 1 if kind in ("logit", "probability") else 3
    link = LINKS[kind]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(2, 4)
            self.out = nn.Linear(4, classes)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"scores": link(self.out(self.hidden(x).tanh()))}

    model = Net().double()
    x = torch.randn(20, 2, dtype=torch.float64)
    labels = torch.randint(0, max(classes, 2), (20,))
    layer = find_last_layer(model, lambda m: m(x)["scores"], kind)
    assert layer.name == "out"
    phi = torch.cat([model.hidden(x).tanh(), torch.ones(20, 1)], 1).detach()

    def loss(theta: Tensor) -> Tensor:
        z = phi @ theta.reshape(classes, 5).T
        if classes == 1:
            return nn.functional.binary_cross_entropy_with_logits(
                z[:, 0], labels.double(), reduction="sum"
            )
        return nn.functional.cross_entropy(z, labels, reduction="sum")

    theta = torch.cat([model.out.weight, model.out.bias[:, None]], 1).detach().flatten()
    hessian = torch.autograd.functional.hessian(loss, theta).numpy()
    points = torch.randn(7, 2, dtype=torch.float64)
    at = torch.cat([model.hidden(points).tanh(), torch.ones(7, 1)], 1).detach().numpy()
    for form in ("full", "diagonal"):
        made = LaplaceCommittee(
            model, layer, lambda m: m(x)["scores"], form=form, prior_precision=0.5
        )
        h = hessian if form == "full" else np.diag(np.diag(hessian))
        sigma = np.linalg.inv(h + 0.5 * np.eye(len(h))).reshape(classes, 5, classes, 5)
        expected = np.einsum("nd,cdke,ne->nck", at, sigma, at)
        found = made.covariance(lambda m: m(points)["scores"]).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-10)
        # What is drawn has that covariance, too.
        draws = torch.stack([made.draw(index).flatten() for index in range(5000)]).numpy()
        flat = sigma.reshape(len(h), -1)
        scale = np.sqrt(np.outer(np.diag(flat), np.diag(flat)))
        np.testing.assert_allclose(np.cov(draws.T) / scale, flat / scale, atol=0.08)
        np.testing.assert_allclose(draws.mean(0), theta.numpy(), atol=0.15)


def test_the_predictive_is_near_what_drawing_gives() -> None:
    model, x = moons_net()
    layer = find_last_layer(model, lambda m: m(x), "logits")
    made = LaplaceCommittee(model, layer, lambda m: m(x), count=800)
    points = torch.cat([x[::10], torch.tensor([[30.0, -20.0], [-25.0, 25.0]])])
    drawn = member_answers(made, lambda m: m(points).softmax(1))
    closed = made.probabilities(lambda m: m(points))
    np.testing.assert_allclose(closed.sum(1), 1)
    np.testing.assert_allclose(closed, drawn.mean(0), atol=0.06)
    # It is less sure than the network alone, and only where it was not trained.
    plain = model(points).softmax(1).detach().numpy()
    assert (closed.max(1) <= plain.max(1) + 1e-6).all()
    parts = decompose(drawn)
    np.testing.assert_allclose(parts.total, parts.aleatoric + parts.epistemic, atol=1e-12)


def test_the_predictive_of_three_classes_is_near_what_drawing_gives() -> None:
    x = torch.randn(60, 2)
    labels = (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()
    model = nn.Linear(2, 3)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=50)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        (loss + 0.02 * model.weight.square().sum()).backward()
        return loss

    optimizer.step(closure)
    layer = find_last_layer(model, lambda m: m(x), "logits")
    made = LaplaceCommittee(model, layer, lambda m: m(x), prior_precision=1.0)
    points = torch.randn(12, 2) * 4
    z = model(points).detach().double()
    covariance = made.covariance(lambda m: m(points))
    drawn = torch.distributions.MultivariateNormal(z, covariance).sample((20_000,)).softmax(2)
    closed = made.probabilities(lambda m: m(points))
    np.testing.assert_allclose(closed.sum(1), 1)
    np.testing.assert_allclose(closed, drawn.mean(0), atol=0.04)
    # Far better than the network alone.
    plain = float((z.softmax(1) - drawn.mean(0)).abs().max())
    assert np.abs(closed - drawn.mean(0).numpy()).max() < plain / 2


def test_one_logit_is_two_classes() -> None:
    x = torch.randn(30, 2)
    model = nn.Linear(2, 1)
    layer = find_last_layer(model, lambda m: m(x)[:, 0], "logit")
    made = LaplaceCommittee(model, layer, lambda m: m(x)[:, 0], prior_precision=2.0)
    found = made.probabilities(lambda m: m(x)[:, 0])
    variance = made.covariance(lambda m: m(x)[:, 0])[:, 0, 0].numpy()
    z = model(x)[:, 0].detach().double().numpy()
    p = 1 / (1 + np.exp(-z / np.sqrt(1 + np.pi / 8 * variance)))
    np.testing.assert_allclose(found, np.c_[1 - p, p], atol=1e-6)
    assert made.noise is None


def moons_net() -> tuple[nn.Sequential, Tensor]:
    generator = np.random.default_rng(0)
    x = torch.as_tensor(generator.normal(size=(200, 2)), dtype=torch.float32)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model, x


def test_the_prior_has_the_largest_marginal_likelihood() -> None:
    """Against a search over a fine grid, with determinants taken by numpy."""
    model, x = moons_net()
    layer = find_last_layer(model, lambda m: m(x), "logits")
    made = LaplaceCommittee(model, layer, lambda m: m(x))
    phi = layer.features(model, lambda m: m(x)).numpy()
    p = model(x).detach().double().softmax(1).numpy()
    h = sum(
        np.kron(np.diag(row) - np.outer(row, row), np.outer(one, one))
        for row, one in zip(p, phi, strict=True)
    )
    norm = float(layer.weights.square().sum())
    grid = np.geomspace(1e-4, 1e3, 2000)
    values = [
        len(h) * np.log(d) - d * norm - np.linalg.slogdet(h + d * np.eye(len(h)))[1] for d in grid
    ]
    assert made.prior_precision == pytest.approx(grid[int(np.argmax(values))], rel=0.01)


def test_noise_and_prior_of_a_regression_have_the_largest_marginal_likelihood() -> None:
    """The exact marginal likelihood of the data under the model, N(0, ΦΦᵀ/δ + s² I)."""
    model, x, y, _ = linear_gaussian(rows=60)
    y = y - 2  # so that the prior's mean of zero is not far off
    phi = np.c_[x.numpy(), np.ones(60)]

    def exact(log_precision: float, log_noise: float) -> float:
        covariance = phi @ phi.T / np.exp(log_precision) + np.exp(log_noise) * np.eye(60)
        _, size = np.linalg.slogdet(covariance)
        return float(-0.5 * (size + y[:, 0] @ np.linalg.solve(covariance, y[:, 0])))

    # The model must be the posterior's mean for the found values: train, ask, train again.
    precision, noise = 1.0, 1.0
    layer = find_last_layer(model, lambda m: m(x), "regression")
    for _ in range(60):
        mean = np.linalg.solve(phi.T @ phi / noise + precision * np.eye(4), phi.T @ y / noise)
        with torch.no_grad():
            model.weight.copy_(torch.as_tensor(mean[:3].T))
            model.bias.copy_(torch.as_tensor(mean[3]))
        made = LaplaceCommittee(model, layer, lambda m: m(x), targets=y)
        assert made.noise is not None
        precision, noise = made.prior_precision, made.noise
    a, b = np.log(precision), np.log(noise)
    best = exact(a, b)
    for da, db in ((0.05, 0), (-0.05, 0), (0, 0.05), (0, -0.05)):
        assert exact(a + da, b + db) < best
    assert 0.15 < noise < 0.6


def test_evidence_by_numpy() -> None:
    values = torch.tensor([5.0, 1.0, 0.0])
    residuals = torch.tensor([[0.5], [-1.0]])
    found = Evidence(values, 3.0, residuals=residuals).log_likelihood(0.4, 0.2)
    h = np.diag([5.0, 1, 0]) / 0.2 + 0.4 * np.eye(3)
    prior = 0.5 * (3 * np.log(0.4) - 0.4 * 3 - np.linalg.slogdet(h)[1])
    fit = -0.5 * (2 * np.log(2 * np.pi * 0.2) + 1.25 / 0.2)
    assert found == pytest.approx(prior + fit, rel=1e-6)


def test_members_leave_the_model_as_it_was() -> None:
    model, x = moons_net()
    before = [value.clone() for value in model.parameters()]
    numbers = torch.get_rng_state()
    layer = find_last_layer(model, lambda m: m(x), "logits")
    made = LaplaceCommittee(model, layer, lambda m: m(x), count=3)
    found = member_answers(made, lambda m: m(x[:2]))
    assert len({rows.tobytes() for rows in found}) == 3
    for index, rows in enumerate(found):
        w = made.draw(index).numpy()
        hidden = model[:2](x[:2]).detach().double().numpy()
        np.testing.assert_allclose(rows, hidden @ w[:, :8].T + w[:, 8], atol=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert not any(module._forward_hooks for module in model.modules())
    assert torch.equal(numbers, torch.get_rng_state())
    assert made.notes[0][0] == "explain.uncertainty.laplace_full"
    assert made.notes[0][1]["layer"] == "2"


def test_what_is_no_last_linear_layer_is_refused() -> None:
    x = torch.randn(4, 2)
    for model in (
        nn.Sequential(nn.Linear(2, 3), nn.Tanh()),
        nn.Sequential(nn.Bilinear(1, 1, 1), nn.Identity()),
    ):
        run = (lambda m: m(x)) if isinstance(model[0], nn.Linear) else (lambda m: x)
        with pytest.raises(Refusal, match="No linear layer"):
            find_last_layer(model, run, "logits")
    again = nn.Linear(2, 2)
    with pytest.raises(Refusal, match="No linear layer"):
        find_last_layer(nn.Sequential(again, again), lambda m: m(x), "logits")
    with pytest.raises(Refusal, match="No linear layer"):
        find_last_layer(again, lambda m: m(x), "other")
    assert not again._forward_hooks


def test_bad_arguments_are_said() -> None:
    model = nn.Linear(2, 1)
    x = torch.randn(4, 2)
    layer = find_last_layer(model, lambda m: m(x), "regression")
    run = lambda m: m(x)  # noqa: E731
    with pytest.raises(Refusal, match="true values"):
        LaplaceCommittee(model, layer, run)
    with pytest.raises(ValueError, match="one row a training"):
        LaplaceCommittee(model, layer, run, targets=[1.0, 2.0])
    with pytest.raises(Refusal, match="no finite"):
        LaplaceCommittee(model, layer, lambda m: m(x * torch.nan), noise=1.0)
    for wrong in ({"form": "kronecker"}, {"prior_precision": 0.0}, {"noise": -1.0}, {"count": 1}):
        with pytest.raises(ValueError, match="not"):
            LaplaceCommittee(model, layer, run, **{"noise": 1.0, **wrong})  # type: ignore[arg-type]
    made = LaplaceCommittee(model, layer, run, noise=1.0)
    with pytest.raises(ValueError, match="predicts values"):
        made.probabilities(run)
    # A training row that is not finite is left out.
    some = torch.cat([x, torch.full((1, 2), torch.nan)])
    other = LaplaceCommittee(model, layer, lambda m: m(some), noise=1.0, prior_precision=1.0)
    same = LaplaceCommittee(model, layer, run, noise=1.0, prior_precision=1.0)
    torch.testing.assert_close(other.covariance(run), same.covariance(run))
