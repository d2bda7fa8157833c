"""The end of a process's pipes: events out on stdout, commands in on stdin.

Events leave as lines. The writer never blocks the loop: what the pipe does not take waits in memory, and
while more than ``HIGH_WATER`` bytes wait, ticks (``probes.events.TICKS``) are left out and counted in a
``Dropped`` event. Edges are never left out.

End of file on stdin means that the parent is gone: a child then ends itself (``read_lines`` returns).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

from probes.events import TICKS, Dropped, Event
from probes.sink import Sink

HIGH_WATER = 4 << 20
_LINE_LIMIT = 16 << 20


class Outlet:
    """Writes event lines to a file descriptor from the running loop. Give ``write`` to a ``Sink``."""

    def __init__(self, fd: int | None = None) -> None:
        self._fd = claim_stdout() if fd is None else fd
        os.set_blocking(self._fd, False)
        self._buffer = bytearray()
        self._scheduled = False
        self._waiting = False
        self._dropped = 0
        self._gone = False
        self._empty = asyncio.Event()
        self.sink: Sink | None = None
        """Where the count of dropped ticks is reported; set by whoever builds both."""

    def write(self, event: Event, line: bytes) -> None:
        if type(event) in TICKS and len(self._buffer) > HIGH_WATER:
            self._dropped += 1
            return
        self.write_line(line)

    def write_line(self, line: bytes) -> None:
        """Queue one line that is already encoded (a child's, passed on as it is)."""
        self._buffer += line
        self._buffer += b"\n"
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write what the pipe takes now; the rest goes when it takes more."""
        self._scheduled = False
        if self._dropped and self.sink is not None and len(self._buffer) < HIGH_WATER:
            count, self._dropped = self._dropped, 0
            self.sink.emit(Dropped, what="ticks", count=count)
        try:
            while self._buffer and not self._gone:
                del self._buffer[: os.write(self._fd, self._buffer[: 1 << 16])]
        except BlockingIOError:
            self._wait()
        except OSError:
            # Nobody reads any more. The end of file on stdin ends this process; until then there is nothing to say.
            self._gone = True
            self._buffer.clear()
        else:
            self._stop_waiting()
        if not self._buffer:
            self._empty.set()

    async def drain(self, timeout: float = 1.0) -> None:
        """Wait until all is written, at most ``timeout`` seconds."""
        self.flush()
        if self._buffer and not self._gone:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._empty.wait()

    def _wait(self) -> None:
        if not self._waiting:
            self._waiting = True
            asyncio.get_running_loop().add_writer(self._fd, self.flush)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            asyncio.get_running_loop().remove_writer(self._fd)


def claim_stdout() -> int:
    """Keep fd 1's pipe for events alone: everything else that prints goes to stderr from now on."""
    sys.stdout.flush()
    fd = os.dup(1)
    os.dup2(2, 1)
    return fd


async def read_lines(fd: int = 0) -> AsyncIterator[bytes]:
    """Lines of ``fd`` without their newline, until end of file (the parent is gone)."""
    reader = asyncio.StreamReader(limit=_LINE_LIMIT)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0, closefd=False)
    )
    try:
        while line := await reader.readline():
            yield line.rstrip(b"\n")
    finally:
        transport.close()
