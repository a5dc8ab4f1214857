"""What all tests share: one thread for torch, repeatable generated cases, sentences checked."""

from __future__ import annotations

import os

# Before torch is imported anywhere: results and timings then do not depend on the machine's cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

from hypothesis import HealthCheck, settings

# No deadline: two test processes share two cores with a browser. CI repeats the same cases each
# time; a developer's runs look for new ones.
settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
