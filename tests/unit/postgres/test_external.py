"""A server of the user's own: what is read from it, and one clear line for each way in which it can fail."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from probes.events import Progress
from servers.postgres import ExternalPostgres, PgAddress, PgError
from tests.kit.pg_kit import Bench, connected, on_uvloop, running

NOWHERE = PgAddress(host="127.0.0.1", port=1, user="me", password="hidden", database="x")


async def _refusal(address: PgAddress, timeout: float = 5.0) -> str:
    """Start against ``address``, check what every refusal has in common, and return its words."""
    bench = Bench()
    with pytest.raises(PgError) as caught:
        await ExternalPostgres(address.dsn(), bench.sink).start(timeout)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert address.password not in message
    assert address.password.encode() not in b"".join(bench.lines)
    assert [event.state for event in bench.of(Progress)] == ["starting", "failed"]
    return message


@asynccontextmanager
async def _speaking(
    speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[PgAddress]:
    """Something on loopback that is no PostgreSQL server, or a very old one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await speak(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield replace(NOWHERE, port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


@on_uvloop
async def test_a_good_dsn(pg_cache: Path) -> None:
    async with running(pg_cache) as embedded:
        bench = Bench()
        server = ExternalPostgres(embedded.dsn(), bench.sink)
        address = await server.start()
        assert address == replace(embedded, embedded=False)
        assert bench.details()[-1] == f"{embedded.version} at {embedded.shown()}"
        await server.stop()
        async with connected(address) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        assert address.password.encode() not in b"".join(bench.lines)


@on_uvloop
async def test_refusals_of_the_real_server(pg_cache: Path) -> None:
    async with running(pg_cache) as address:
        assert "refused the password of 'postgres'" in await _refusal(replace(address, password="guessed"))
        assert "refused the password of 'nobody here'" in await _refusal(replace(address, user="nobody here"))
        assert "has no database 'elsewhere'" in await _refusal(replace(address, database="elsewhere"))


@on_uvloop
async def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert "nothing listens at 127.0.0.1:" in await _refusal(replace(NOWHERE, port=closed.getsockname()[1]))


@on_uvloop
async def test_no_answer() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with _speaking(silent) as address:
        assert "did not answer within 0.2 s" in await _refusal(address, timeout=0.2)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\xff" * 64])
def test_another_protocol(answer: bytes) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()

    @on_uvloop
    async def refused() -> None:
        async with _speaking(other) as address:
            assert "does not answer as PostgreSQL does" in await _refusal(address)

    refused()


@on_uvloop
async def test_a_server_that_is_too_old() -> None:
    """No such server can be installed with the others, so its greeting is spoken here (protocol chapter, 53.2.1)."""

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        await reader.readexactly(length - 4)
        for kind, body in (
            (b"R", struct.pack("!i", 0)),
            (b"S", b"server_version\x0013.22\0"),
            (b"K", struct.pack("!ii", 1, 2)),
            (b"Z", b"I"),
        ):
            writer.write(kind + struct.pack("!i", len(body) + 4) + body)
        await reader.read()

    async with _speaking(old) as address:
        assert "is PostgreSQL 13.22: version 14 or newer is needed" in await _refusal(address)


def test_a_bad_dsn_is_refused_before_anything_starts() -> None:
    with pytest.raises(PgError, match="names no user"):
        ExternalPostgres("postgresql://db/x", Bench().sink)
