"""Starting, connecting, caching and stopping, with the real server."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from pathlib import Path

import asyncpg
import psutil
import pytest

from probes.events import ChildDied, ChildSaid, ChildStarted, Progress
from servers import pg_cluster
from servers.pg_binaries import PACKAGE
from servers.postgres import EmbeddedPostgres, PgError, find_binaries
from tests.kit.pg_kit import (
    Bench,
    cache_directory,
    connected,
    found,
    keep_busy,
    on_uvloop,
    processes_of,
    running,
    wait_gone,
)

ROOT = os.geteuid() == 0


@on_uvloop
async def test_the_second_start_takes_the_cluster_of_the_first(fresh_cache: Path) -> None:
    bench = Bench()
    server = bench.server(fresh_cache)
    first = await server.start()
    assert "initdb" in bench.details()
    assert bench.details()[-1].endswith("new cluster")
    async with connected(first) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS it")
    await server.stop()

    bench.events.clear()
    second = await server.start()
    assert "initdb" not in bench.details()
    assert bench.details()[-1].endswith("cached")
    assert second.password == first.password
    async with connected(second) as connection:
        assert await connection.fetchval("SELECT it FROM kept") == 42
    await server.stop()
    assert [event.state for event in bench.of(Progress)][-2:] == ["ready", "stopped"]
    assert (bench.of(ChildDied), bench.of(ChildSaid), bench.deaths, bench.errors) == ([], [], [], [])


@on_uvloop
async def test_the_address_is_of_the_server_that_answers(pg_cache: Path) -> None:
    async with running(pg_cache) as address:
        assert address.embedded
        assert address.host == "127.0.0.1"
        async with connected(address) as connection:
            assert (await connection.fetchval("SHOW server_version")).split()[0] == address.version


@on_uvloop
async def test_no_way_in_without_the_password(pg_cache: Path) -> None:
    async with running(pg_cache) as address:
        for password in ("", "postgres", address.password[:-1]):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(
                    host=address.host, port=address.port, user=address.user, password=password, ssl="disable"
                )


@on_uvloop
async def test_the_password_stays_between_server_and_client(fresh_cache: Path) -> None:
    bench = Bench()
    server = bench.server(fresh_cache)
    address = await server.start()
    async with connected(address) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    assert address.password.encode() not in b"".join(bench.lines)
    assert address.password not in "".join(processes_of(fresh_cache).values())
    await server.stop()
    holding = [
        path for path in found(fresh_cache, "**/*") if path.is_file() and address.password.encode() in path.read_bytes()
    ]
    assert [path.name for path in holding] == ["secret"]
    assert holding[0].stat().st_mode & 0o777 == 0o600
    assert holding[0].stat().st_uid == os.geteuid()


@on_uvloop
async def test_it_listens_on_loopback_and_on_nothing_else(pg_cache: Path) -> None:
    bench = Bench()
    server = bench.server(pg_cache)
    address = await server.start()
    sockets = [
        connection
        for pid in processes_of(pg_cache)
        for family in ("inet", "unix")
        for connection in psutil.Process(pid).net_connections(family)
        if connection.status == psutil.CONN_LISTEN or (connection.family == socket.AF_UNIX and connection.laddr)
    ]
    assert {tuple(each.laddr) for each in sockets} == {("127.0.0.1", address.port)}
    await server.stop()


@pytest.mark.skipif(not ROOT, reason="only root has to change the user")
@on_uvloop
async def test_under_root_the_server_runs_as_somebody_else(pg_cache: Path) -> None:
    bench = Bench()
    server = bench.server(pg_cache)
    await server.start()
    supervisor = bench.pid("postgres supervisor")
    owners = {pid: psutil.Process(pid).uids() for pid in processes_of(pg_cache)}
    assert owners.pop(supervisor).effective == 0
    account = pg_cluster.server_account()
    assert account is not None
    assert {tuple(uids) for uids in owners.values()} == {(account.uid,) * 3}
    await server.stop()


def _hide_programs(folder: Path) -> None:
    """Install PostgreSQL in a folder that nobody else can enter."""
    binaries = find_binaries()
    for part in binaries.parts:
        source, target = binaries.base / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    (folder / PACKAGE / "__init__.py").touch()
    folder.chmod(0o700)


@pytest.mark.skipif(not ROOT, reason="only root has to change the user")
@on_uvloop
async def test_programs_out_of_the_account_s_reach_are_copied_once(
    fresh_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hide_programs(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    copies = set()
    for _ in range(2):
        async with running(fresh_cache) as address, connected(address) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        copies |= set(found(fresh_cache, "bin-*"))
    assert len(copies) == 1
    assert found(fresh_cache, "new-*") == []


@on_uvloop
async def test_a_second_instance_gets_a_cluster_of_its_own(fresh_cache: Path) -> None:
    one, two = Bench(), Bench()
    servers = [one.server(fresh_cache), two.server(fresh_cache)]
    addresses = [await server.start() for server in servers]
    assert addresses[0].port != addresses[1].port
    assert addresses[0].password != addresses[1].password
    assert any("in use" in detail for detail in two.details())
    for number, address in enumerate(addresses):
        async with connected(address) as connection:
            await connection.execute(f"CREATE TABLE mine AS SELECT {number} AS it")
    for number, address in enumerate(addresses):
        async with connected(address) as connection:
            assert await connection.fetchval("SELECT it FROM mine") == number
    assert len(found(fresh_cache, "tmp-*")) == 1
    for server in servers:
        await server.stop()
    assert found(fresh_cache, "tmp-*") == []
    assert processes_of(fresh_cache) == {}


@on_uvloop
async def test_two_first_starts_at_the_same_moment(fresh_cache: Path) -> None:
    benches = [Bench(), Bench()]
    servers = [bench.server(fresh_cache) for bench in benches]
    addresses = await asyncio.gather(*(server.start() for server in servers))
    for address in addresses:
        async with connected(address) as connection:
            assert await connection.fetchval("SELECT 1") == 1
    await asyncio.gather(*(server.stop() for server in servers))
    assert len(found(fresh_cache, "*")) == 1


@on_uvloop
async def test_stop_leaves_nothing_even_of_a_busy_backend(pg_cache: Path) -> None:
    bench = Bench()
    server = bench.server(pg_cache)
    address = await server.start()
    await keep_busy(address, bench.tasks)
    assert len(processes_of(pg_cache)) > 3
    await server.stop()
    assert processes_of(pg_cache) == {}
    assert bench.deaths == []
    await server.stop()


@on_uvloop
async def test_settings_are_the_caller_s_except_where_it_listens(pg_cache: Path) -> None:
    settings = {"client_connection_check_interval": "100ms", "max_connections": "7"}
    async with running(pg_cache, settings=settings) as address, connected(address) as connection:
        assert await connection.fetchval("SHOW client_connection_check_interval") == "100ms"
        assert await connection.fetchval("SHOW max_connections") == "7"
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
    for name in ("listen_addresses", "port", "unix_socket_directories", "bad name", ""):
        with pytest.raises(PgError, match="cannot be changed here"):
            Bench().server(pg_cache, settings={name: "*"})


@on_uvloop
async def test_a_setting_that_the_server_refuses(fresh_cache: Path) -> None:
    bench = Bench()
    server = bench.server(fresh_cache, settings={"shared_buffers": "lots"})
    with pytest.raises(PgError, match=r"postgres does not start: .*shared_buffers.*--pg DSN") as caught:
        await server.start()
    assert "\n" not in str(caught.value)
    assert [event.state for event in bench.of(Progress)][-1] == "failed"
    assert processes_of(fresh_cache) == {}


@on_uvloop
async def test_a_start_that_takes_too_long_leaves_nothing(fresh_cache: Path) -> None:
    bench = Bench()
    with pytest.raises(PgError, match=r"not ready within 0.2 s.*--pg DSN"):
        await bench.server(fresh_cache).start(timeout=0.2)
    assert processes_of(fresh_cache) == {}


@pytest.mark.parametrize("step", ["initdb", "starting"])
def test_a_cancelled_start_leaves_nothing(step: str) -> None:
    @on_uvloop
    async def cancelled(cache: Path) -> None:
        bench = Bench()
        server = bench.server(cache)
        task = bench.tasks.start(server.start(), name="start")
        await bench.until(lambda: step in bench.details())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(wait_gone, cache)
        address = await server.start()
        async with connected(address) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        await server.stop()

    with cache_directory() as cache:
        cancelled(cache)


@on_uvloop
async def test_a_start_that_is_cancelled_while_its_process_is_made(fresh_cache: Path) -> None:
    bench = Bench()
    task = bench.tasks.start(bench.server(fresh_cache).start(), name="start")
    await asyncio.sleep(0)
    assert processes_of(fresh_cache)
    assert bench.events == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(wait_gone, fresh_cache)


@on_uvloop
async def test_starting_twice_is_a_mistake_and_harms_nobody(pg_cache: Path) -> None:
    bench = Bench()
    server = bench.server(pg_cache)
    address = await server.start()
    with pytest.raises(RuntimeError, match="running already"):
        await server.start()
    async with connected(address) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await server.stop()
    assert [event.child for event in bench.of(ChildStarted)] == ["postgres supervisor", "postgres"]


@on_uvloop
async def test_no_place_for_the_data(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bench = Bench()
    server = EmbeddedPostgres(bench.sink, bench.tasks, bench.died, cache=tmp_path / "file" / "below")
    with pytest.raises(PgError, match=r"can be kept in none of .*: set XDG_CACHE_HOME or TMPDIR"):
        await server.start()
