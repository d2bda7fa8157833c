"""Whatever is killed, no process of PostgreSQL is left, and the next start works with its data intact."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from probes.events import ChildDied
from servers.pg_cluster import Account
from tests.kit import pg_parent
from tests.kit.pg_kit import (
    BUSY,
    Bench,
    cache_directory,
    connected,
    found,
    keep_busy,
    on_uvloop,
    processes_of,
    running,
    segment_of,
    segments,
    wait_gone,
)
from tests.kit.pg_python import python_for_others

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc and watched by pidfd")
PARENT = Path(pg_parent.__file__)
SUPERVISOR, POSTGRES = "postgres supervisor", "postgres"


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with cache_directory() as path:
        yield path


@pytest.fixture
def cache(directory: Path) -> Iterator[Path]:
    """One cache for all: each test must leave it without a process and fit for the next start."""
    _fill(directory)
    yield directory
    assert processes_of(directory) == {}


@on_uvloop
async def _fill(path: Path) -> None:
    async with running(path):
        pass


@contextlib.contextmanager
def _parent(*command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that keeps an embedded server; killed at the end if it is still there."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _hear(parent: subprocess.Popen[str], key: str, value: str = "") -> str:
    """The value of ``key`` in the next line that has it. ``parent`` bounds this: its start has a timeout."""
    assert parent.stdout is not None
    for line in parent.stdout:
        found = json.loads(line).get(key)
        if found is not None and value in ("", found):
            return str(found)
    raise AssertionError(f"the parent ended without {key} {value}")


def _tell(parent: subprocess.Popen[str], statement: str) -> None:
    assert parent.stdin is not None
    parent.stdin.write(statement + "\n")
    parent.stdin.flush()


def _shared_memory() -> set[str]:
    """Segments that nobody uses: what a running server has, this machine's others among them, is none of ours."""
    unused = {segment for segment, attached in segments().items() if not attached}
    return unused | ({path.name for path in Path("/dev/shm").glob("PostgreSQL.*")} - _mapped())


def _mapped() -> set[str]:
    found = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        # A process may end while it is looked at.
        with contextlib.suppress(OSError):
            found |= {
                line.rpartition("/")[2] for line in maps.read_text().splitlines() if "/dev/shm/PostgreSQL." in line
            }
    return found


def _leftovers(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if not path.name.startswith(("18.", "16."))]


@pytest.mark.parametrize("moment", ["initdb", "starting", "ready", "busy"])
@on_uvloop
async def test_the_parent_is_killed(cache: Path, moment: str) -> None:
    if moment == "initdb":
        shutil.rmtree(cache)
    shared = _shared_memory()
    with _parent(sys.executable, str(PARENT), str(cache)) as parent:
        if moment in ("initdb", "starting"):
            _hear(parent, "detail", moment)
        else:
            _hear(parent, "dsn")
        if moment == "busy":
            _tell(parent, BUSY)
            _hear(parent, "notice", "busy")
        assert processes_of(cache)
        parent.kill()
        # Not waited for: the next start meets the dying one, and takes its cluster over.
        bench = Bench()
        server = bench.server(cache)
        await server.start()
        assert _leftovers(cache) == []
        assert ("initdb" in bench.details()) == (moment == "initdb")
        await server.stop()
        assert processes_of(cache) == {}
        assert _shared_memory() <= shared


@on_uvloop
async def test_the_parent_is_killed_and_nobody_starts_again(cache: Path) -> None:
    with _parent(sys.executable, str(PARENT), str(cache)) as parent:
        _hear(parent, "dsn")
        _tell(parent, BUSY)
        _hear(parent, "notice", "busy")
        parent.kill()
        wait_gone(cache)


@on_uvloop
async def test_the_parent_ends_in_order(cache: Path) -> None:
    with _parent(sys.executable, str(PARENT), str(cache)) as parent:
        _hear(parent, "dsn")
        assert parent.stdin is not None
        parent.stdin.close()
        assert _hear(parent, "left") == "True"
        assert processes_of(cache) == {}
        assert parent.wait(5) == 0
        parent.stdin = None


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize(
    ("victim", "died"),
    [
        (POSTGRES, [(POSTGRES, "SIGKILL")]),
        (
            SUPERVISOR,
            [(SUPERVISOR, "SIGKILL"), (POSTGRES, "its supervisor died first, and the kernel sent it SIGQUIT")],
        ),
    ],
)
@on_uvloop
async def test_a_part_of_the_server_is_killed(
    cache: Path, victim: str, died: list[tuple[str, str]], busy: bool
) -> None:
    bench = Bench()
    server = bench.server(cache)
    address = await server.start()
    async with connected(address) as connection:
        backend = connection.get_server_pid()
        await connection.execute(f"DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT {backend} AS it")
    if busy:
        await keep_busy(address, bench.tasks)
    segment = segment_of(cache)
    assert segment in segments()
    os.kill(bench.pid(victim), signal.SIGKILL)
    await bench.until(lambda: bench.deaths)
    await asyncio.to_thread(wait_gone, cache)
    assert [(event.child, event.status) for event in bench.of(ChildDied)] == died
    assert bench.deaths == [f"{'postgres' if victim == POSTGRES else 'the supervisor of postgres'} died: SIGKILL"]
    assert segment not in segments()

    address = await server.start()
    assert bench.details()[-1].endswith("cached")
    async with connected(address) as connection:
        assert await connection.fetchval("SELECT it FROM kept") == backend
    await server.stop()
    assert len(bench.deaths) == 1
    assert processes_of(cache) == {}
    await bench.tasks.close()
    assert bench.errors == []


@on_uvloop
async def test_a_start_at_the_moment_of_death_waits_for_the_dying(cache: Path) -> None:
    bench = Bench()
    server = bench.server(cache)
    await keep_busy(await server.start(), bench.tasks)
    os.kill(bench.pid(SUPERVISOR), signal.SIGKILL)
    await bench.until(lambda: bench.deaths)
    await server.start()
    assert bench.details()[-1].endswith("cached")
    await server.stop()


@on_uvloop
async def test_supervisor_and_postmaster_killed_at_once(cache: Path) -> None:
    """Nobody is left to end the busy backend but the next start, which must."""
    bench = Bench()
    server = bench.server(cache)
    backend = await keep_busy(await server.start(), bench.tasks)
    os.kill(bench.pid(SUPERVISOR), signal.SIGSTOP)
    os.kill(bench.pid(POSTGRES), signal.SIGKILL)
    os.kill(bench.pid(SUPERVISOR), signal.SIGKILL)
    await bench.until(lambda: bench.deaths)
    assert backend in processes_of(cache)
    await server.start()
    assert backend not in processes_of(cache)
    assert bench.details()[-1].endswith("cached")
    await server.stop()
    assert processes_of(cache) == {}


@on_uvloop
async def test_what_a_killed_supervisor_leaves_is_swept_at_the_next_start(cache: Path) -> None:
    first, second = Bench(), Bench()
    servers = [first.server(cache), second.server(cache)]
    for server in servers:
        await server.start()
    os.kill(second.pid(SUPERVISOR), signal.SIGKILL)
    await second.until(lambda: second.deaths)
    (left,) = found(cache, "tmp-*")
    await asyncio.to_thread(wait_gone, left)
    assert left.exists()
    await servers[1].start()
    assert not left.exists()
    assert len(_leftovers(cache)) == 1
    for server in servers:
        await server.stop()
    assert _leftovers(cache) == []


@on_uvloop
async def test_a_damaged_cluster_is_made_anew(cache: Path) -> None:
    bench = Bench()
    server = bench.server(cache)
    await server.start()
    await server.stop()
    (control,) = found(cache, "*/data/global/pg_control")
    control.write_bytes(b"\0" * 8192)
    bench.events.clear()
    async with connected(await server.start()) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    assert any("the cached cluster does not start" in detail for detail in bench.details())
    await server.stop()


@on_uvloop
async def test_a_cluster_that_ran_when_the_machine_went_down_is_made_anew(cache: Path) -> None:
    bench = Bench()
    server = bench.server(cache)
    await server.start()
    os.kill(bench.pid(POSTGRES), signal.SIGKILL)
    await bench.until(lambda: bench.deaths)
    (boot,) = found(cache, "*/boot")
    boot.write_text("another boot")
    await server.start()
    assert bench.details()[-1].endswith("new cluster")
    await server.stop()


@on_uvloop
async def test_control_c_of_the_terminal_does_not_reach_it(cache: Path) -> None:
    with _parent(sys.executable, str(PARENT), str(cache), start_new_session=True) as parent:
        _hear(parent, "dsn")
        assert {os.getsid(pid) for pid in processes_of(cache)}.isdisjoint({parent.pid})
        parent.kill()
        wait_gone(cache)


@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests run as an ordinary user already")
@on_uvloop
async def test_an_ordinary_user_with_a_cache_of_his_own(tmp_path: Path) -> None:
    entry = pwd.getpwnam("nobody")
    account = Account("nobody", entry.pw_uid, entry.pw_gid)
    with cache_directory() as below:
        room = below.parent
        python, project, environment = await asyncio.to_thread(python_for_others, account, room)
        home = room / "home"
        home.mkdir()
        os.chown(home, account.uid, account.gid)
        environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        command = (str(python), str(project / PARENT.relative_to(PARENT.parent.parent.parent)))
        options = {"user": account.uid, "group": account.gid, "extra_groups": [], "env": environment, "cwd": "/"}
        for steps in (["initdb", "starting"], ["starting"]):
            with _parent(*command, **options) as parent:
                for step in steps:
                    assert _hear(parent, "detail") == step
                _hear(parent, "dsn")
                assert {tuple(psutil.Process(pid).uids()) for pid in processes_of(home)} == {(account.uid,) * 3}
                assert found(home, "cache/cancelloscope/postgres/*/data")
                parent.kill()
                wait_gone(home)
