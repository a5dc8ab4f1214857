"""A fixture for tests that come behind others in one process."""

from __future__ import annotations

import pytest
import torch

__all__ = ["nothing_compiled"]


@pytest.fixture(autouse=True)
def nothing_compiled() -> None:
    """Leave nothing of what an earlier test in this process has compiled."""
    # While a process uses torch.compile the probes attach no hook, and see less.
    torch.compiler.reset()
