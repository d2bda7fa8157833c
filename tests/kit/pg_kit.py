"""Real PostgreSQL servers for tests.

``pg_cache`` is one cache directory for the whole session: the first server of a session makes the cluster
(about a second), each later one starts in some 70 ms. Import the fixture by name where it is used, then

    async with running(pg_cache) as address: ...
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import select
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import asyncpg
import pytest
import uvloop

from probes.events import ChildStarted, Event, Progress
from probes.sink import Sink
from probes.tasks import TaskKeeper
from servers.postgres import EmbeddedPostgres, PgAddress

P = ParamSpec("P")
E = TypeVar("E", bound=Event)
LIMIT = 10.0
BUSY = "DO $$ BEGIN RAISE NOTICE 'busy'; LOOP NULL; END LOOP; END $$"
"""Keeps a backend on the CPU for ever; the notice arrives once it runs."""

_servers: list[EmbeddedPostgres] = []


def on_uvloop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test on the lab's loop, at most LIMIT seconds."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            try:
                async with asyncio.timeout(LIMIT):
                    await test(*args, **kwargs)
            finally:
                # A test that failed has left its server running, and a loop does not close over a child.
                while _servers:
                    await _servers.pop().stop()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(bounded())

    return run


@contextlib.contextmanager
def cache_directory() -> Iterator[Path]:
    """A cache outside of pytest's own directories, which PostgreSQL's account may not enter under root."""
    path = Path(tempfile.mkdtemp(prefix="cancelloscope-test-"))
    path.chmod(0o711)
    try:
        yield path / "cache"
    finally:
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def pg_cache() -> Iterator[Path]:
    """One cluster for all tests that only need some server."""
    with cache_directory() as path:
        yield path


@pytest.fixture
def fresh_cache() -> Iterator[Path]:
    """An empty cache for tests of the cache itself."""
    with cache_directory() as path:
        yield path


@pytest.fixture(scope="module")
def pg_server(pg_cache: Path) -> Iterator[PgAddress]:
    """One server for the tests of a module that leave it as they found it. It lives on a loop in a thread: each of them
    has a loop of its own."""
    address: Future[PgAddress] = Future()
    over = threading.Event()

    async def serve() -> None:
        async with running(pg_cache) as found:
            # It is none that a test has left: only this loop may stop it.
            _servers.clear()
            address.set_result(found)
            await asyncio.to_thread(over.wait)

    thread = ThreadPoolExecutor(1)
    serving = thread.submit(asyncio.run, serve())
    serving.add_done_callback(lambda _: address.cancel())
    try:
        yield address.result(timeout=3 * LIMIT)
    finally:
        over.set()
        serving.result()
        thread.shutdown()


class Bench:
    """A lab's worth of surroundings for one server: its events, its tasks, its deaths."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lines: list[bytes] = []
        self.deaths: list[str] = []
        self.errors: list[BaseException] = []
        self._news = asyncio.Event()
        self.sink = Sink("lab", self._write)
        self.tasks = TaskKeeper(lambda _name, error: self.errors.append(error))

    def server(self, cache: Path, **options: Any) -> EmbeddedPostgres:
        server = EmbeddedPostgres(self.sink, self.tasks, self.died, cache=cache, **options)
        _servers.append(server)
        return server

    def died(self, reason: str) -> None:
        self.deaths.append(reason)
        self._news.set()

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def details(self) -> list[str]:
        return [event.detail for event in self.of(Progress)]

    def pid(self, child: str) -> int:
        """Of the last one that was started."""
        return [event.pid for event in self.of(ChildStarted) if event.child == child][-1]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until ``condition`` holds; it is looked at after every event and death."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def _write(self, event: Event, line: bytes) -> None:
        self.events.append(event)
        self.lines.append(line)
        self._news.set()


@contextlib.asynccontextmanager
async def running(cache: Path, **options: Any) -> AsyncIterator[PgAddress]:
    """An embedded server for the time of the block."""
    bench = Bench()
    server = bench.server(cache, **options)
    try:
        yield await server.start()
    finally:
        await server.stop()
        await bench.tasks.close()


@contextlib.asynccontextmanager
async def connected(address: PgAddress) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(address.dsn(), ssl="disable", timeout=5)
    try:
        yield connection
    finally:
        connection.terminate()


async def keep_busy(address: PgAddress, tasks: TaskKeeper) -> int:
    """Let a backend compute for ever; returns its pid once it does."""
    connection = await asyncpg.connect(address.dsn(), ssl="disable", timeout=5)
    busy = asyncio.Event()
    connection.add_log_listener(lambda *_: busy.set())
    pid: int = connection.get_server_pid()

    async def compute() -> None:
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await connection.execute(BUSY)

    tasks.start(compute(), name="busy backend")
    await busy.wait()
    return pid


def found(cache: Path, pattern: str) -> list[Path]:
    """What of ``cache`` matches a glob pattern."""
    return list(cache.glob(pattern))


def segments() -> dict[str, int]:
    """This machine's segments of System V shared memory: id -> how many processes are attached."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return {row[1]: int(row[6]) for row in rows}


def segment_of(cache: Path) -> str:
    """The id of the running server's own segment: the last word of postmaster.pid's line 7."""
    (file,) = cache.rglob("postmaster.pid")
    return file.read_text().splitlines()[6].split()[-1]


def processes_of(cache: Path) -> dict[int, str]:
    """pid -> command of every supervisor, initdb, postmaster and backend that works in ``cache``."""
    found: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            works_there = (entry / "cwd").readlink().is_relative_to(cache.resolve())
            named = str(cache) in command and "pg_parent" not in command
            if command and (works_there or named):
                found[int(entry.name)] = command
    return found


def wait_gone(cache: Path, timeout: float = 5.0) -> float:
    """Wait until no process works in ``cache``; returns the seconds it took. Fails by TimeoutError."""
    begun = time.monotonic()
    while left := processes_of(cache):
        for pid in left:
            remaining = timeout - (time.monotonic() - begun)
            if remaining <= 0 or not _ends(pid, remaining):
                raise TimeoutError(f"still there after {timeout} s: {left}")
    return time.monotonic() - begun


def _ends(pid: int, timeout: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], timeout)[0])
    finally:
        os.close(handle)
