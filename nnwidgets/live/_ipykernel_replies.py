"""Replies that strand no request (ipykernel 7.0 to 7.3).

These versions read the shell socket through a stream of pyzmq's and send replies past it, on the
socket itself. Sending takes away the one signal that says "there is something to read", so that a
request which comes at that moment lies unread, and so do all after it: the kernel is as good as
gone, with or without a widget. A front end that asks while a cell publishes, which is what ours
do, meets it within minutes. ipykernel 7.4 sends through the stream; `Replies` has the older ones
do the same.

Private parts: ``shell_channel_thread._shell_socket`` and that of its ``_manager``, both only looked
for, and set where they are the very socket of ``kernel.shell_stream``.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Replies"]


class Replies:
    """Where a kernel sends its replies.

    Parameters
    ----------
    kernel
        A running ipykernel, of any version.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._set: list[tuple[Any, Any]] = []  # who sends, and on which socket it did

    def mend(self) -> None:
        """Have replies sent through the stream that reads requests. Idempotent."""
        stream = getattr(self._kernel, "shell_stream", None)
        socket = getattr(stream, "socket", None)
        thread: Any = getattr(self._kernel, "shell_channel_thread", None)
        manager: Any = getattr(thread, "_manager", None)
        if socket is None or not callable(getattr(stream, "send_multipart", None)):
            return
        for sender in (thread, manager):
            if getattr(sender, "_shell_socket", None) is socket:
                # One assignment, and both can send: it may come at any moment of another thread.
                sender._shell_socket = stream
                self._set.append((sender, socket))

    def undo(self) -> None:
        """Send on the socket again."""
        stream = getattr(self._kernel, "shell_stream", None)
        for sender, socket in self._set:
            if sender._shell_socket is stream:
                sender._shell_socket = socket
        self._set.clear()
