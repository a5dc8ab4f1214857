"""A front end for widgets without Jupyter: messages are made, signed and sent as a kernel does.

So the cost of sending is in the figures, and no browser is needed. Nobody is connected to the
socket: what a kernel pays ends there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comm
import zmq
from comm.base_comm import BaseComm
from jupyter_client.session import Session

__all__ = ["FrontEnd", "shown"]


class FrontEnd:
    """Counts what is sent to it."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0  # of binary data, which is nearly everything
        self._session = Session(key=b"bench")
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.bind_to_random_port("tcp://127.0.0.1")

    def send(self, kind: str, content: Any, metadata: Any, buffers: Any) -> None:
        """Send one message to whoever listens, which is nobody."""
        if self._socket.closed:
            return  # something that outlives its front end
        self._session.send(
            self._socket, kind, content, metadata=metadata, buffers=buffers, ident=b"comm"
        )
        self.messages += 1
        self.bytes += sum(memoryview(buffer).nbytes for buffer in buffers or ())

    def close(self) -> None:
        """Close the socket."""
        self._socket.close(0)
        self._context.term()


@contextmanager
def shown() -> Iterator[FrontEnd]:
    """Make widgets that are created meanwhile speak to a front end."""
    front_end = FrontEnd()

    class _Comm(BaseComm):
        def publish_msg(
            self,
            msg_type: str,
            data: Any = None,
            metadata: Any = None,
            buffers: Any = None,
            **keys: Any,
        ) -> None:
            content = dict(data=data or {}, comm_id=self.comm_id, **keys)
            front_end.send(msg_type, content, metadata, buffers)

    before = comm.create_comm
    comm.create_comm = _Comm
    try:
        yield front_end
    finally:
        comm.create_comm = before
        front_end.close()
