"""Imports that draw random numbers."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A process of its own: what is imported once is not imported again.
CODE = """
import random, sys
import torch
from nnwidgets.probe.first_import import import_aside
random.seed(0); torch.manual_seed(0)
before = random.getstate(), torch.get_rng_state().tolist()
import_aside()
import_aside()
import sklearn.tree
print((random.getstate(), torch.get_rng_state().tolist()) == before)
"""


def test_scikit_learn_imported_beside_a_training_takes_none_of_its_numbers() -> None:
    pytest.importorskip("sklearn")
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
