"""What all probe tests share: nothing of what an earlier test in this process has compiled."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def nothing_compiled() -> None:
    # While a process uses torch.compile the probes attach no hook, and see less.
    torch.compiler.reset()
