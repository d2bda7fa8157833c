"""The faults that are made for PostgreSQL, between a real client and a real server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from probes.clock import Clock
from probes.events import TO_CLIENT, FaultPlan
from probes.tap.proxy import Address, Tap
from servers.postgres import PgAddress
from tests.kit.pg_kit import connected, on_uvloop, running
from tests.kit.tap_kit import Record, noticed

_SLEEP = "SELECT pg_sleep(30)"


@contextlib.asynccontextmanager
async def _tapped(server: PgAddress) -> AsyncIterator[tuple[Tap, Address, Record]]:
    record = Record()
    tap = Tap(lambda _conn, _peer: record, (server.host, server.port), Clock(), record)
    try:
        yield tap, tap.start(), record
    finally:
        tap.close()


async def _connect(server: PgAddress, address: Address) -> asyncpg.Connection:
    host, port = address
    login = {"user": server.user, "password": server.password, "database": server.database}
    return await asyncpg.connect(host=host, port=port, ssl="disable", timeout=5, **login)


async def _sleeping(observer: asyncpg.Connection, pid: int) -> bool:
    wait = await observer.fetchval("SELECT wait_event FROM pg_stat_activity WHERE pid = $1 AND state = 'active'", pid)
    return bool(wait == "PgSleep")


async def _cancelled_in_mid_statement(client: asyncpg.Connection, observer: asyncpg.Connection) -> int:
    """Let ``client`` sleep on its backend, and cancel that; the backend's pid."""
    pid: int = client.get_server_pid()
    statement = asyncio.get_running_loop().create_task(client.execute(_SLEEP))
    while not await _sleeping(observer, pid):
        pass
    statement.cancel()
    await asyncio.wait([statement])
    assert statement.cancelled()
    return pid


@on_uvloop
async def test_a_late_cancel_leaves_a_zombie_until_it_comes(pg_cache: Path) -> None:
    async with running(pg_cache) as server, connected(server) as observer, _tapped(server) as (tap, address, record):
        client = await _connect(server, address)
        tap.inject(FaultPlan(kind="delay-cancel"))
        pid = await _cancelled_in_mid_statement(client, observer)
        await record.until(lambda: record.hits)
        assert await _sleeping(observer, pid)
        tap.clear()
        # asyncpg lets the next statement wait for the end of the cancel.
        assert await client.fetchval("SELECT 1") == 1
        assert not await _sleeping(observer, pid)
        assert [did for _, _, did, *_ in record.hits] == ["held", "passed on"]
        await client.close()


@on_uvloop
async def test_a_lost_cancel_leaves_a_zombie_and_a_client_that_waits(pg_cache: Path) -> None:
    async with running(pg_cache) as server, connected(server) as observer, _tapped(server) as (tap, address, record):
        client = await _connect(server, address)
        tap.inject(FaultPlan(kind="lose-cancel"))
        pid = await _cancelled_in_mid_statement(client, observer)
        await record.until(lambda: record.hits)
        waiting = asyncio.get_running_loop().create_task(client.fetchval("SELECT 1"))
        assert await _sleeping(observer, pid)
        assert not waiting.done()
        client.terminate()
        await asyncio.wait([waiting])
        assert isinstance(waiting.exception(), asyncpg.PostgresConnectionError | asyncpg.InterfaceError | OSError)
        assert await _sleeping(observer, pid)
        assert record.hits == [("lose-cancel", "client>server", "lost", "CancelRequest", 16)]


@on_uvloop
async def test_what_the_server_answers_at_first_is_held_and_the_client_sits_in_its_startup(pg_cache: Path) -> None:
    async with running(pg_cache) as server, _tapped(server) as (tap, address, record):
        tap.inject(FaultPlan(kind="hold", direction=TO_CLIENT))
        connecting = asyncio.get_running_loop().create_task(_connect(server, address))
        await record.until(lambda: record.passed)
        (link,) = tap.links
        await noticed(link.pipes[1].waiting)
        assert not connecting.done()
        tap.clear("hold")
        client = await connecting
        assert await client.fetchval("SELECT 1") == 1
        await client.close()
