"""Replies of ipykernel 7.0 to 7.3: requests that come meanwhile are not lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nnwidgets.live._ipykernel_replies import Replies
from tests.live.kernel_process import front_end, running_kernel
from tests.live.test_kernel_hosts import IMPORTS

PAIRS = 400  # without the repair the kernel is lost within some ten to a few hundred


class Stream:
    """Has a socket, and sends."""

    def __init__(self) -> None:
        self.socket = object()

    def send_multipart(self, message: Any) -> None:
        """Send nothing."""


def kernel_of(stream: Any, *, sender: Any, manager: Any = None) -> Any:
    """Return what looks like a kernel whose replies go through `sender`."""
    thread = SimpleNamespace(_shell_socket=sender, _manager=manager)
    return SimpleNamespace(shell_stream=stream, shell_channel_thread=thread)


def test_replies_go_through_the_stream_and_back_again() -> None:
    stream = Stream()
    manager = SimpleNamespace(_shell_socket=stream.socket)
    kernel = kernel_of(stream, sender=stream.socket, manager=manager)
    replies = Replies(kernel)
    replies.mend()
    replies.mend()
    assert kernel.shell_channel_thread._shell_socket is stream
    assert manager._shell_socket is stream
    replies.undo()
    replies.undo()
    assert kernel.shell_channel_thread._shell_socket is stream.socket
    assert manager._shell_socket is stream.socket


def test_what_others_have_set_is_left_alone() -> None:
    stream, theirs = Stream(), object()
    kernel = kernel_of(stream, sender=theirs)
    replies = Replies(kernel)
    replies.mend()
    assert kernel.shell_channel_thread._shell_socket is theirs
    kernel.shell_channel_thread._shell_socket = stream.socket
    replies.mend()
    kernel.shell_channel_thread._shell_socket = theirs
    replies.undo()
    assert kernel.shell_channel_thread._shell_socket is theirs


@pytest.mark.parametrize("missing", ["socket", "send_multipart", "shell_stream", "thread"])
def test_a_kernel_without_these_parts_stays_as_it_is(missing: str) -> None:
    stream: Any = Stream()
    kernel = kernel_of(stream, sender=stream.socket)
    if missing == "thread":
        del kernel.shell_channel_thread
    elif missing == "shell_stream":
        del kernel.shell_stream
    elif missing == "socket":
        del stream.socket
    else:
        stream.send_multipart = None
    before = dict(vars(getattr(kernel, "shell_channel_thread", SimpleNamespace())))
    Replies(kernel).mend()
    assert vars(getattr(kernel, "shell_channel_thread", SimpleNamespace())) == before


@pytest.mark.xdist_group("kernels")
def test_a_request_that_comes_while_a_reply_is_sent_is_answered() -> None:
    # The kernels of the tests are mended when they start: here it is as others have it.
    attach = """
sender = kernel.shell_channel_thread.manager
sender._shell_socket = kernel.shell_stream.socket
ours = comm.create_comm(target_name="nnwidgets-test")
link.attach(ours)
print(json.dumps(sender._shell_socket is kernel.shell_stream))
"""
    detach = """
link.close()
print(json.dumps(sender._shell_socket is kernel.shell_stream.socket))
"""
    with (
        running_kernel("nnwidgets-ipykernel71") as manager,
        front_end(manager, names_subshell=False) as page,
    ):
        page.finish(IMPORTS)
        assert page.finish(attach) is True
        for number in range(PAIRS):
            first = page.send("kernel_info_request", {})
            sum(range(2_000 * (number % 50)))  # until about when the first is answered
            second = page.send("kernel_info_request", {})
            page.wait(lambda both=(first, second): all(one in page.replies for one in both))
            page.iopub.clear()
        assert page.finish(detach) is True
