"""Addresses that do not answer, for what a tap cannot do: its kernel has accepted before the tap hears of a client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

Address = tuple[str, int]

_FILLERS = 3


@contextlib.asynccontextmanager
async def stalled_address(host: str = "127.0.0.1") -> AsyncIterator[Address]:
    """An address at which a TCP connect gets no answer to its SYN, as behind a filter that drops.

    A listener that never accepts, whose backlog is full: Linux then drops a SYN (measured: ``listen(0)`` takes one
    connection). Raises OSError.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, 0))
        listener.listen(0)
        address: Address = listener.getsockname()
        first, *others = [stack.enter_context(socket.socket()) for _ in range(1 + _FILLERS)]
        first.setblocking(False)
        await asyncio.get_running_loop().sock_connect(first, address)
        for filler in others:
            # The first one fills the queue; these see to it where a kernel takes one or two more.
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address


@contextlib.contextmanager
def dead_address(host: str = "127.0.0.1") -> Iterator[Address]:
    """An address that is taken, so that nobody else gets it, and refuses every connect. Raises OSError."""
    with socket.socket() as sock:
        sock.bind((host, 0))
        address: Address = sock.getsockname()
        yield address
