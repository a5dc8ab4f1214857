"""Text: the word that decides is found, by a recurrent network's answers and a transformer's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from tests.explain.texts import DECISIVE, LENGTH, read_by, text

KINDS = ("lstm", "transformer")


def apart(count: int = 40) -> np.ndarray:
    """Windows that the networks have not learnt from."""
    numbers = np.arange(len(text().ids))
    return numbers[numbers % 5 == 0][:: max(1, len(numbers) // 5 // count)][:count]


def test_the_windows_are_what_they_should_be() -> None:
    world = text()
    assert len(world.ids) > 500
    for index in range(0, len(world.ids), 97):
        words = [world.words[number] for number in world.ids[index]]
        assert words[world.places[index]] == DECISIVE[world.labels[index]]
        assert sum(word in DECISIVE for word in words) == 1
    assert np.bincount(world.places, minlength=LENGTH).min() > 10  # it may stand anywhere


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_has_learnt_to_read(kind: str) -> None:
    world, model, kept = text(), read_by(kind), torch.as_tensor(apart(1000))
    with torch.no_grad():
        said = model(world.ids[kept]).argmax(1)
    assert (said == world.labels[kept]).float().mean() > 0.97


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("integrated_gradients", {"n_steps": 16}),
        ("input_x_gradient", {}),
        ("feature_ablation", {}),
        ("lime", {"n_samples": 100}),
    ],
)
def test_methods_find_the_word_that_decides(
    kind: str, method: str, options: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    world, kept = text(), apart()
    question = Question(read_by(kind), world.ids[torch.as_tensor(kept)])
    found = 0
    for index, number in enumerate(kept):
        asked = question.ask(index, int(world.labels[number]))
        values = explain(asked, method, question=question, options=options).values
        assert isinstance(values, np.ndarray)
        assert values.shape == (LENGTH,)
        found += bool(np.abs(values).argmax() == world.places[number])
    share = found / len(kept)
    with capsys.disabled():
        print(f"\n  {kind}, {method}: the word that decides in {share:.0%} of {len(kept)} windows")
    assert share > 0.7  # by chance: one in ten


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam"])
def test_the_map_over_tokens_finds_it_where_they_stay_apart(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the states of the LSTM; behind attention a token holds the others too, which is said."""
    world, kept = text(), apart()
    shares = {}
    for kind in KINDS:
        question = Question(read_by(kind), world.ids[torch.as_tensor(kept)])
        found = 0
        for index, number in enumerate(kept):
            asked = question.ask(index, int(world.labels[number]))
            seen = explain(asked, method, question=question)
            found += bool(seen.arrays[0].argmax() == world.places[number])
            assert "explain.cam.mixed" in [key for key, _ in seen.words]
        shares[kind] = found / len(kept)
    with capsys.disabled():
        print(f"\n  {method} finds the word that decides: {shares}")
    assert shares["lstm"] > 0.7  # by chance: one in ten


def test_integrated_gradients_of_tokens_add_up() -> None:
    world = text()
    model = read_by("lstm")
    question = Question(model, world.ids[:3])
    found = explain(question.ask(1, 2), "integrated_gradients", options={"n_steps": 100})
    with torch.no_grad():
        score = model(world.ids[:3])[1, 2]
        states = model.layers(torch.zeros(1, LENGTH, 16))[0].mean(1)
        nothing = model.head(states)[0, 2]
    assert isinstance(found.values, np.ndarray)
    assert found.values.sum() == pytest.approx((score - nothing).item(), rel=0.02)


def test_rollout_of_the_transformer_says_where_information_can_flow() -> None:
    """Here all tokens are read, and the same for each class; the shares sum to one."""
    world = text()
    question = Question(read_by("transformer"), world.ids[:2])
    maps = [explain(question.ask(0, target), "attention_rollout").values for target in range(3)]
    assert all(isinstance(values, np.ndarray) and values.shape == (LENGTH,) for values in maps)
    np.testing.assert_array_equal(maps[0], maps[2])
    assert np.sum(maps[0]) == pytest.approx(1)
    assert explain(question.ask(0), "attention_rollout").details["read"] == tuple(range(LENGTH))
