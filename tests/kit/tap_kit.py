"""client -> tap -> server over real sockets, all ends in the test's hands, on either loop.

@on_both_loops
async def test_something() -> None:
    async with rigged() as rig:
        source, target = await rig.connect(TO_SERVER)
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import inspect
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from probes.clock import Clock, Stamp
from probes.events import TO_CLIENT, TO_SERVER, Direction, FaultPlan
from probes.tap.proxy import Address, FaultLog, MakeWitness, Pipe, Tap

LOOPS = [pytest.param(asyncio.run, id="asyncio"), pytest.param(uvloop.run, id="uvloop")]
BOTH_WAYS = pytest.mark.parametrize("way", [TO_SERVER, TO_CLIENT])
LIMIT = 30.0
MORE_THAN_KERNELS_TAKE = 24 << 20
"""Bytes; the buffers of a connection through the tap hold less, both sides and both directions together."""


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on asyncio's loop and on uvloop, at most LIMIT seconds each."""

    @functools.wraps(test)
    def on(loop_run: Callable[[Awaitable[None]], None], **fixtures: Any) -> None:
        async def bounded() -> None:
            failed: list[dict[str, Any]] = []
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failed.append(context))
            async with asyncio.timeout(LIMIT):
                await test(**fixtures)
            assert failed == [], "a callback raised"

        loop_run(bounded())

    own = inspect.signature(test)
    loop_run = inspect.Parameter("loop_run", inspect.Parameter.KEYWORD_ONLY)
    on.__signature__ = own.replace(parameters=[*own.parameters.values(), loop_run])  # type: ignore[attr-defined]
    marked: Callable[..., None] = pytest.mark.parametrize("loop_run", LOOPS)(on)
    return marked


class Record:
    """A witness and a log of faults that writes down, and wakes whoever waits."""

    def __init__(self) -> None:
        self.passed: list[tuple[Direction, bytes, Stamp]] = []
        self.hangups: list[tuple[Direction, str]] = []
        self.ends: list[str] = []
        self.begun: list[tuple[str, str]] = []
        self.hits: list[tuple[str, Direction, str, str, int]] = []
        """(kind, direction, did, what, size)."""
        self.swallowed: list[tuple[Direction, int, Stamp]] = []
        self.over: list[tuple[int, int, str]] = []
        self._news = asyncio.Event()

    def bytes_passed(self, direction: Direction, data: bytes, stamp: Stamp) -> None:
        self.passed.append((direction, data, stamp))
        self._news.set()

    def hung_up(self, direction: Direction, how: str, stamp: Stamp) -> None:
        self.hangups.append((direction, how))
        self._news.set()

    def closed(self, detail: str) -> None:
        self.ends.append(detail)
        self._news.set()

    def fault_started(self, fault: FaultPlan, detail: str) -> Callable[[int, int, str], None]:
        self.begun.append((fault.kind, detail))
        return self._over

    def _over(self, conns: int, size: int, detail: str) -> None:
        self.over.append((conns, size, detail))
        self._news.set()

    def fault_hit(
        self, conn: int, fault: FaultPlan, direction: Direction, did: str, what: str, size: int, detail: str
    ) -> None:
        self.hits.append((fault.kind, direction, did, what, size))
        self._news.set()

    def bytes_swallowed(self, conn: int, fault: FaultPlan, direction: Direction, size: int, stamp: Stamp) -> None:
        self.swallowed.append((direction, size, stamp))
        self._news.set()

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not true():
                self._news.clear()
                await self._news.wait()

    def count(self, direction: Direction) -> int:
        return sum(len(data) for way, data, _ in self.passed if way == direction)

    def lost(self, direction: Direction) -> int:
        """Bytes that were swallowed."""
        return sum(size for way, size, _ in self.swallowed if way == direction)


class End:
    """One end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    async def exactly(self, size: int) -> bytes:
        """The next ``size`` bytes; fails when the end comes earlier."""
        parts = bytearray()
        while len(parts) < size:
            piece = await self._loop.sock_recv(self.sock, min(1 << 18, size - len(parts)))
            assert piece, f"ended after {len(parts)} of {size} bytes"
            parts += piece
        return bytes(parts)

    async def digest(self, size: int) -> str:
        return digest(await self.exactly(size))

    async def ended(self) -> str:
        """``FIN`` or ``RST``; fails when there are bytes in front of it."""
        try:
            rest = await self._loop.sock_recv(self.sock, 1)
        except (ConnectionResetError, BrokenPipeError):
            return "RST"
        assert rest == b""
        return "FIN"

    def hears_nothing(self) -> bool:
        """Whether there is neither a byte nor an end to read."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def fin(self) -> None:
        """No more is sent; reading goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def rst(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Rig:
    """A tap in front of a listener. ``record`` is told everything, unless the tap was given others to tell."""

    def __init__(self, make_witness: MakeWitness | None = None, log: FaultLog | None = None) -> None:
        self.record = Record()
        self.loop = asyncio.get_running_loop()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        upstream: Address = self.listener.getsockname()
        witness = make_witness or (lambda _conn, _peer: self.record)
        self.tap = Tap(witness, upstream, Clock(), log or self.record)
        self.address = self.tap.start()
        self._socks: list[socket.socket] = []

    async def pair(self) -> tuple[End, End]:
        """A connection through the tap: the client's end, and the server's."""
        client = await self.dial()
        server, _ = await self.loop.sock_accept(self.listener)
        # The tap's own connect has been answered; now the tap itself has to notice.
        await noticed(lambda: all(pipe.started for link in self.tap.links for pipe in link.pipes))
        return client, self._end(server)

    async def connect(self, way: Direction) -> tuple[End, End]:
        """The same as (source, target) of one direction."""
        client, server = await self.pair()
        return (client, server) if way == TO_SERVER else (server, client)

    async def dial(self) -> End:
        """The client's end only."""
        client = self._end(socket.socket())
        await self.loop.sock_connect(client.sock, self.address)
        return client

    def pipe(self, way: Direction) -> Pipe:
        """The only connection's pipe."""
        (link,) = self.tap.links
        return link.pipes[0 if way == TO_SERVER else 1]

    async def arrived(self, way: Direction, size: int = 1) -> None:
        """Wait until so many bytes lie in front of the pipe and nothing more happens with them."""
        await noticed(lambda: self.pipe(way).waiting() >= size)
        await self.quiet()

    async def quiet(self) -> None:
        """Let the loop take notice of all that is there to notice: it looks at its sockets in every turn."""
        for _ in range(20):
            await asyncio.sleep(0)

    def close(self, *socks: socket.socket) -> None:
        for sock in (*socks, *self._socks):
            sock.close()
        self.tap.close()
        self.listener.close()

    def _end(self, sock: socket.socket) -> End:
        sock.setblocking(False)
        # A byte leaves when it is sent, not when the one before it was acknowledged.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socks.append(sock)
        return End(sock)


@contextlib.asynccontextmanager
async def rigged(make_witness: MakeWitness | None = None, log: FaultLog | None = None) -> AsyncIterator[Rig]:
    rig = Rig(make_witness, log)
    try:
        yield rig
    finally:
        rig.close()


async def noticed(true: Callable[[], object]) -> None:
    """Wait for what no event tells of."""
    while not true():  # noqa: ASYNC110 - a turn of the loop, in which it looks at its sockets
        await asyncio.sleep(0)


def other(way: Direction) -> Direction:
    return TO_CLIENT if way == TO_SERVER else TO_SERVER


def digest(data: bytes) -> str:
    return hashlib.blake2b(data).hexdigest()


def descriptors() -> int:
    """How many this process has open."""
    return sum(Path(f"/dev/fd/{fd}").exists() for fd in range(1024))
