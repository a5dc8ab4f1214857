"""What all tests of explanations share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from nnwidgets.catalogue import be_strict


@pytest.fixture(autouse=True)
def sentences_are_complete() -> Iterator[None]:
    """A key that the catalogue lacks, or a gap that stays open, is an error."""
    be_strict()
    yield
    be_strict(False)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go through a model together as memory allows, however slow the machine is just now.

    For tests that compare two answers bit by bit: in other batches the last digits are others.
    """
    monkeypatch.setattr("nnwidgets.explain.batching.SECONDS", 1000.0)


@pytest.fixture(autouse=True)
def repeatable() -> Iterator[None]:
    """Each test begins with the same random numbers, and leaves those of others alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
