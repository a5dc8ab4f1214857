"""What all probe tests share: nothing of what an earlier test in this process has compiled."""

from tests.compiling import nothing_compiled

__all__ = ["nothing_compiled"]
