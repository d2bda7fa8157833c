"""A client that sits in its TLS handshake, because the ServerHello is held."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme

from probes.clock import Clock
from probes.events import TO_CLIENT, TO_SERVER, FaultPlan
from probes.tap.proxy import Tap
from tests.kit.tap_kit import Record, noticed, on_both_loops


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server's, client's)."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def _greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    writer.close()


@on_both_loops
async def test_a_client_sits_in_its_handshake(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    record = Record()
    server = await asyncio.start_server(_greet, "127.0.0.1", 0, ssl=contexts[0])
    tap = Tap(lambda _conn, _peer: record, server.sockets[0].getsockname(), Clock(), record)
    tap.inject(FaultPlan(kind="hold", direction=TO_CLIENT))
    connecting = asyncio.get_running_loop().create_task(asyncio.open_connection(*tap.start(), ssl=contexts[1]))
    await record.until(lambda: record.passed)
    (link,) = tap.links
    await noticed(link.pipes[1].waiting)
    assert not connecting.done()
    assert {way for way, _, _ in record.passed} == {TO_SERVER}
    tap.clear("hold")
    reader, writer = await connecting
    assert await reader.read() == b"hello"
    writer.close()
    await record.until(lambda: record.ends)
    tap.close()
    server.close()
    await server.wait_closed()
