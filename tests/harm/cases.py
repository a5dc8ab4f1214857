"""Every case there is."""

from tests.harm import loops, models
from tests.harm.loop import CASES

__all__ = ["CASES", "loops", "models"]
