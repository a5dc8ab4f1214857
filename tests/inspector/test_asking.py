"""What can be set and clicked, and what becomes of it."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import traitlets as t
from torch import nn

from nnwidgets import LayerInspector, TrainingMonitor
from nnwidgets._inspector_tabs import TABS
from nnwidgets.live import wire
from nnwidgets.live.jobs import Job
from nnwidgets.probe.blocks import decode
from tests.inspector.conftest import Make, blocks
from tests.inspector.test_numbers import hooked
from tests.live.doubles import until
from tests.training import Training


def click(inspector: LayerInspector, action: str, **args: Any) -> None:
    """Ask as the browser does."""
    inspector._receive({"type": "request", "id": 1, "action": action, "args": args}, [])


def shown(inspector: LayerInspector) -> dict[str, Any]:
    """What the browser is told of the layer."""
    inspector.flush()
    return wire.unpack(inspector._layer)[0]


def pixels(block: Any) -> np.ndarray:
    data = block.arrays["pixels"]
    if data.dtype == np.uint8:
        return decode(data, block.meta["low"], block.meta["high"])
    return np.asarray(data)


def test_a_click_selects_and_a_trait_does(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    seen: list[str] = []
    inspector.observe(lambda change: seen.append(change["new"]), "selected")
    click(inspector, "select", layer="2")
    assert inspector.selected == "2"
    inspector.selected = "6"
    assert shown(inspector)["name"] == "6"
    assert seen == ["2", "6"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("selected", "66", "there is no layer '66'"),
        ("tab", "pictures", "tab must be one of"),
        ("sample_index", 5, "from 0 to 4"),
        ("sample_index", -1, "from 0 to 4"),
        ("unit", "x", "x"),
        ("unit", 1.5, "1.5"),
    ],
)
def test_a_wrong_value_is_refused_and_changes_nothing(
    training: Training, make: Make, name: str, value: Any, words: str
) -> None:
    inspector = make(training.model, training.x[:5])
    before = getattr(inspector, name)
    with pytest.raises(t.TraitError, match=words):
        setattr(inspector, name, value)
    assert getattr(inspector, name) == before


def test_the_maps_are_the_activations(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    inspector.selected, inspector.sample_index = "2", 3
    expected = hooked(training.model, "2", training.x[:5])[3].numpy()
    block = blocks(inspector)["maps"]
    order = block.arrays["units"]
    np.testing.assert_allclose(pixels(block), expected[order], atol=1e-5)


def test_another_layer_forgets_the_unit(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    inspector.unit = [1, 2, 3]
    assert inspector.unit == (1, 2, 3)
    inspector.selected = "6"
    assert inspector.unit is None


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_of_every_layer_has_something_to_say(
    training: Training, make: Make, tab: str
) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    for _ in range(3):
        inspector.session.sampling.want()
        training.step()
    for layer in inspector.layers:
        click(inspector, "select", layer=layer.name)
        click(inspector, "tab", tab=tab)
        head = shown(inspector)
        assert (head["name"], head["tab"]) == (layer.name, tab)
        assert head["blocks"], layer
    assert inspector._error is None


def test_the_picture_follows_the_training(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    inspector.selected = "6"
    first = blocks(inspector)["bars"].arrays["values"].copy()
    for _ in range(3):
        training.step()
    inspector.session.control.rest()
    expected = hooked(training.model, "6", training.x[:5])[0].numpy()
    click(inspector, "refresh")
    now = blocks(inspector)["bars"].arrays["values"]
    assert not np.allclose(first, expected, atol=1e-4)
    np.testing.assert_allclose(now, expected, rtol=1e-5)


def test_a_past_step_is_shown_with_its_own_weights(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    inspector.selected = "6"
    kept: dict[int, np.ndarray] = {}
    for step in range(1, 9):
        inspector.session.sampling.want()
        inspector.session.pulse.wake()
        training.step()
        kept[step] = hooked(training.model, "6", training.x[:5])[0].numpy()
    steps = [step for step in inspector._snapshots.steps if step < 8]
    assert steps
    inspector.session.control.end("finished")
    click(inspector, "cursor", step=steps[0])
    assert shown(inspector)["source"] == "snapshot"
    assert shown(inspector)["step"] == steps[0]
    np.testing.assert_allclose(
        blocks(inspector)["bars"].arrays["values"], kept[steps[0]], rtol=1e-4, atol=1e-6
    )
    click(inspector, "cursor", step=None)
    assert shown(inspector)["source"] == "probe"
    np.testing.assert_allclose(
        blocks(inspector)["bars"].arrays["values"], kept[8], rtol=1e-4, atol=1e-6
    )


def test_without_a_sample_the_first_batch_serves(training: Training, make: Make) -> None:
    inspector = make(training.model, optimizer=training.optimizer)
    assert "no probe batch" in shown(inspector)["blocks"][0]["text"]
    for _ in range(4):
        inspector.session.sampling.want()
        inspector.session.pulse.wake()
        training.step()
    inspector.session.control.end("finished")
    assert inspector.layers[0].output_shape is not None
    assert shown(inspector)["blocks"][0]["kind"] == "maps"
    assert inspector._probe is not None
    torch.testing.assert_close(inspector._probe.sample, training.x[: inspector._probe.count])


def test_the_training_batch_can_be_seen_too(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    inspector.selected = "6"
    training.step()
    click(inspector, "source", source="batch")
    for _ in range(3):
        inspector.session.sampling.want()
        inspector.session.pulse.wake()
        training.step()
    inspector.session.control.end("finished")
    head = shown(inspector)
    assert head["source"] == "batch"
    assert "bars" in [block["kind"] for block in head["blocks"]]
    inspector.tab = "contributions"
    assert shown(inspector)["source"] == "probe", "terms are of the probe batch whatever is chosen"


def test_a_monitor_and_an_inspector_share_session_and_cursor(
    training: Training, make: Make
) -> None:
    with TrainingMonitor(training.model, training.optimizer) as monitor:
        inspector = make(training.model, training.x[:5])
        assert inspector.session is monitor.session
        training.step()
        monitor._receive({"type": "request", "id": 1, "action": "cursor", "args": {"step": 1}}, [])
        assert inspector.session.cursor == 1


def test_unknown_keywords_and_wrong_arguments_raise_before_anything_changes() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for wrong in (
        lambda: LayerInspector(model, colour="red"),  # type: ignore[call-arg]
        lambda: LayerInspector([model]),  # type: ignore[arg-type]
        lambda: LayerInspector(nn.Linear),  # type: ignore[arg-type]
        lambda: LayerInspector(model, [torch.ones(1, 2)], optimizer=optimizer),
        lambda: LayerInspector(model, torch.ones(0, 2), optimizer=optimizer),
        lambda: LayerInspector(model, layers=["weight"], optimizer=optimizer),
        lambda: LayerInspector(model, budget=2.0, optimizer=optimizer),
        lambda: LayerInspector(model, language="fr", optimizer=optimizer),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            wrong()
        assert str(caught.value)
    assert not optimizer._optimizer_step_post_hooks


def test_a_sample_that_does_not_fit_is_said_and_breaks_nothing(
    training: Training, make: Make
) -> None:
    inspector = make(training.model, torch.randn(2, 3, 8, 8), optimizer=training.optimizer)
    assert "failed in 0" in shown(inspector)["blocks"][0]["text"]
    tree = wire.unpack(inspector._tree)[0]
    assert tree["failure"]["layer"] == "0"
    assert len(tree["rows"]) == 7
    training.step()


def test_a_model_that_nobody_else_holds_is_said_to_be_gone() -> None:
    """It is held weakly, here as everywhere."""
    with LayerInspector(nn.Sequential(nn.Linear(2, 2)), torch.ones(1, 2)) as inspector:
        gc.collect()
        assert "the model" in inspector.status.lower()
        with pytest.raises(t.TraitError, match="model"):
            inspector.selected = "0"
        with pytest.raises(ValueError, match="model"):
            inspector.activations("0")


def test_long_work_is_told_to_every_view(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    inspector.selected, inspector.unit = "6", 1
    inspector.flush()
    seen: list[Any] = []
    job = Job(lambda job: None, lambda job: None, lambda fraction, note: None, "feature")
    inspector._waiting[5] = job
    job.progress(0.25, "")
    inspector.flush()
    seen.append(wire.unpack(inspector._live)[0]["busy"])
    del inspector._waiting[5]
    inspector.flush()
    seen.append(wire.unpack(inspector._live)[0]["busy"])
    assert seen == [{"action": "feature", "fraction": 0.25, "note": ""}, None]


@pytest.mark.parametrize("action", ["feature", "best_samples"])
def test_a_search_ends_in_blocks(training: Training, make: Make, action: str) -> None:
    inspector = make(training.model, training.x[:5])
    inspector.selected, inspector.unit, inspector.tab = "6", 1, "feature"
    click(inspector, action)
    until(lambda: not inspector._waiting)
    assert inspector._error is None
    kinds = [block["kind"] for block in shown(inspector)["blocks"]]
    assert kinds[0] == ("image" if action == "feature" else "samples")


def test_a_saved_page_holds_every_layer(training: Training, make: Make, tmp_path: Path) -> None:
    inspector = make(training.model, training.x[:5])
    inspector.selected = "6"
    held = inspector.held()
    assert {key.split("\n")[0] for key in held["pages"]} == {row.name for row in inspector.layers}
    page = held["pages"]["2\nactivations"]
    head, arrays = wire.unpack(page)
    expected = hooked(training.model, "2", training.x[:5])[0].numpy()
    assert (head["name"], head["tab"]) == ("2", "activations")
    np.testing.assert_allclose(arrays["0.pixels"], expected[arrays["0.units"]], atol=1e-5)
    assert inspector.selected == "6"
    path = tmp_path / "page.html"
    inspector.save_html(path)
    assert path.stat().st_size > 100_000


def test_a_search_begins_with_the_strongest_channel(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5])
    inspector.tab = "feature"
    for layer in ("0", "6"):
        inspector.selected = layer
        values = hooked(training.model, layer, training.x[:5])[0].numpy()
        best = values.reshape(len(values), -1).max(1).argmax()
        assert shown(inspector)["unit"] == best


def test_what_attention_only_holds_is_said_to_be_never_called(make: Make) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.attend(x, x, x, need_weights=False)[0]
            return out

    reader = Reader()
    inspector = make(reader, torch.randn(3, 5, 8))
    sentence = r"attend\.out_proj is never called as a module: attend .*its weight and bias"
    with pytest.raises(ValueError, match=sentence):
        inspector.activations("attend.out_proj")
    with pytest.raises(ValueError, match=sentence):
        inspector.contributions("attend.out_proj", 0)
    inspector.selected = "attend.out_proj"
    words = blocks(inspector)["note"].title
    assert words is not None
    assert words[0] == "probe.reach.only_held"
    assert inspector.weights("attend.out_proj").shape == (8, 8)
