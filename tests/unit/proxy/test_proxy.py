"""The tap changes nothing and misses nothing: real sockets through a real tap, on both loops."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from probes.clock import Clock, Stamp
from probes.events import TO_CLIENT, TO_SERVER, Direction
from probes.tap import kernel
from probes.tap.proxy import Tap

LOOPS = [pytest.param(asyncio.run, id="asyncio"), pytest.param(uvloop.run, id="uvloop")]
Main = Callable[[], Awaitable[None]]


class Record:
    """A witness that writes down, and wakes whoever waits."""

    def __init__(self) -> None:
        self.passed: list[tuple[Direction, bytes, Stamp]] = []
        self.hangups: list[tuple[Direction, str]] = []
        self.ends: list[str] = []
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

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():
                self._news.clear()
                await self._news.wait()

    def count(self, direction: Direction) -> int:
        return sum(len(data) for way, data, _ in self.passed if way == direction)


class Rig:
    """client -> tap -> server, all ends in the test's hands."""

    def __init__(self) -> None:
        self.record = Record()
        self.loop = asyncio.get_running_loop()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.tap = Tap(lambda _conn, _peer: self.record, self.listener.getsockname(), Clock())
        self.address = self.tap.start()

    async def connect(self) -> tuple[socket.socket, socket.socket]:
        client = socket.socket()
        client.setblocking(False)
        await self.loop.sock_connect(client, self.address)
        server, _ = await self.loop.sock_accept(self.listener)
        server.setblocking(False)
        return client, server

    def close(self, *socks: socket.socket) -> None:
        for sock in socks:
            sock.close()
        self.tap.close()
        self.listener.close()


@pytest.mark.parametrize("run", LOOPS)
def test_bytes_pass_both_ways_unchanged(run: Callable[[object], None]) -> None:
    async def main() -> None:
        rig = Rig()
        client, server = await rig.connect()
        there, back = os.urandom(300_000), os.urandom(70_000)
        _, got = await asyncio.gather(rig.loop.sock_sendall(client, there), _exactly(rig.loop, server, len(there)))
        assert got == there
        _, got = await asyncio.gather(rig.loop.sock_sendall(server, back), _exactly(rig.loop, client, len(back)))
        assert got == back
        assert (rig.record.count(TO_SERVER), rig.record.count(TO_CLIENT)) == (len(there), len(back))
        rig.close(client, server)

    run(main())


@pytest.mark.parametrize("run", LOOPS)
def test_fin_is_passed_on_as_fin_and_leaves_the_other_half_open(run: Callable[[object], None]) -> None:
    async def main() -> None:
        rig = Rig()
        client, server = await rig.connect()
        client.shutdown(socket.SHUT_WR)
        assert await rig.loop.sock_recv(server, 1) == b""
        await rig.loop.sock_sendall(server, b"still here")
        assert await _exactly(rig.loop, client, 10) == b"still here"
        server.close()
        assert await rig.loop.sock_recv(client, 1) == b""
        await rig.record.until(lambda: bool(rig.record.ends))
        assert rig.record.hangups == [(TO_SERVER, "FIN"), (TO_CLIENT, "FIN")]
        assert not rig.tap.links
        rig.close(client)

    run(main())


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize("side", ["client", "server"])
def test_rst_is_passed_on_as_rst(run: Callable[[object], None], side: str) -> None:
    async def main() -> None:
        rig = Rig()
        client, server = await rig.connect()
        resetting, other = (client, server) if side == "client" else (server, client)
        resetting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        resetting.close()
        with pytest.raises(ConnectionResetError):
            await rig.loop.sock_recv(other, 1)
        await rig.record.until(lambda: bool(rig.record.ends))
        direction = TO_SERVER if side == "client" else TO_CLIENT
        assert rig.record.hangups == [(direction, "RST")]
        rig.close(other)

    run(main())


@pytest.mark.parametrize("run", LOOPS)
def test_a_reader_that_does_not_read_holds_up_the_writer(run: Callable[[object], None]) -> None:
    """Back-pressure: what is under way is bounded by the kernel's buffers, not by the tap's memory."""

    async def main() -> None:
        rig = Rig()
        client, server = await rig.connect()
        total = 64 << 20
        sending = rig.loop.create_task(rig.loop.sock_sendall(client, bytes(total)))
        link = next(iter(rig.tap.links))
        await rig.record.until(lambda: not link.pipes[0].reading)
        stalled = rig.record.count(TO_SERVER)
        assert stalled < total // 2
        assert not sending.done()
        assert len(await _exactly(rig.loop, server, total)) == total
        await sending
        assert rig.record.count(TO_SERVER) == total
        rig.close(client, server)

    run(main())


@pytest.mark.skipif(not kernel.AVAILABLE, reason="a hang-up behind unread bytes is only told on Linux")
@pytest.mark.parametrize("run", LOOPS)
def test_a_hangup_behind_unread_bytes_is_told_while_the_pipe_waits(run: Callable[[object], None]) -> None:
    async def main() -> None:
        rig = Rig()
        client, server = await rig.connect()
        sending = rig.loop.create_task(rig.loop.sock_sendall(client, bytes(64 << 20)))
        link = next(iter(rig.tap.links))
        await rig.record.until(lambda: not link.pipes[0].reading)
        sending.cancel()
        await asyncio.wait([sending])
        client.shutdown(socket.SHUT_WR)
        # The FIN itself is queued behind the bytes that nobody takes; a reset is not.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        await rig.record.until(lambda: (TO_SERVER, "RST") in rig.record.hangups)
        assert rig.record.ends == ["RST"]
        rig.close(server)

    run(main())


@pytest.mark.parametrize("run", LOOPS)
def test_a_server_that_refuses_resets_the_client(run: Callable[[object], None]) -> None:
    async def main() -> None:
        rig = Rig()
        rig.listener.close()
        client = socket.socket()
        client.setblocking(False)
        await rig.loop.sock_connect(client, rig.address)
        with pytest.raises(ConnectionResetError):
            await rig.loop.sock_recv(client, 1)
        await rig.record.until(lambda: bool(rig.record.ends))
        assert "ECONNREFUSED" in rig.record.ends[0]
        rig.close(client)

    run(main())


@pytest.mark.skipif(not kernel.AVAILABLE, reason="kernel stamps are Linux only")
@pytest.mark.parametrize("run", LOOPS)
def test_the_kernel_stamps_before_a_loop_that_is_busy_reads(run: Callable[[object], None]) -> None:
    async def main() -> None:
        rig = Rig()
        client, server = await rig.connect()
        before = time.monotonic_ns()
        client.send(b"x")
        after = time.monotonic_ns()
        busy_until = after + 30_000_000
        while time.monotonic_ns() < busy_until:
            pass
        await rig.record.until(lambda: bool(rig.record.passed))
        stamp = rig.record.passed[0][2]
        assert stamp.quality == "kernel"
        assert before - stamp.err <= stamp.t <= after + stamp.err + 1_000_000
        assert stamp.t < busy_until
        rig.close(client, server)

    run(main())


@pytest.mark.parametrize("run", LOOPS)
def test_no_descriptor_is_left(run: Callable[[object], None]) -> None:
    async def main() -> None:
        rig = Rig()
        before = _descriptors()
        for _ in range(20):
            client, server = await rig.connect()
            await rig.loop.sock_sendall(client, b"hello")
            await _exactly(rig.loop, server, 5)
            client.close()
            assert await rig.loop.sock_recv(server, 1) == b""
            server.close()
        await rig.record.until(lambda: len(rig.record.ends) == 20)
        assert _descriptors() == before
        rig.close()

    run(main())


def _descriptors() -> int:
    return sum(Path(f"/dev/fd/{fd}").exists() for fd in range(512))


async def _exactly(loop: asyncio.AbstractEventLoop, sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    async with asyncio.timeout(20):
        while len(parts) < size:
            piece = await loop.sock_recv(sock, 1 << 18)
            assert piece, "ended too soon"
            parts += piece
    return bytes(parts)
