"""The PostgreSQL that is being cancelled: embedded, or a server of the user's own.

The embedded server is a child of ``pg_supervisor``, a process of its own that this module starts, talks to by
pipes, and that ends PostgreSQL when the pipe ends. Measured on two busy cores: 80 ms from the cache, 1.5 s when the
cluster has to be made first.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from probes.events import ChildDied, ChildSaid, ChildStarted, Progress
from probes.sink import Sink
from probes.tasks import TaskKeeper
from servers.pg_address import PgAddress, PgError, parse_dsn
from servers.pg_binaries import PgBinaries, find_binaries
from servers.pg_external import ExternalPostgres

__all__ = ["EmbeddedPostgres", "ExternalPostgres", "PgAddress", "PgBinaries", "PgError", "find_binaries", "parse_dsn"]

SETTINGS: dict[str, str] = {
    # Durability against a crash of the machine is not wanted; against a kill of the server it is, because
    # a run shows whether an INSERT was committed: so synchronous_commit stays on.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum": "off",
    "log_destination": "stderr",
    "logging_collector": "off",
    "ssl": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
_FIXED = frozenset({"listen_addresses", "unix_socket_directories", "port", "data_directory", "external_pid_file"})
_SUPERVISOR_FILE = Path(__file__).with_name("pg_supervisor.py")
_STOP_SECONDS = 10.0
SUPERVISOR, POSTGRES = "postgres supervisor", "postgres"


class _Life:
    """One supervisor, from its start to its end."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.follower: asyncio.Task[None] | None = None
        self.stopping = False
        self.postgres = 0
        """The postmaster's pid, 0 when there is none."""
        self.status = ""
        """How the last postmaster ended."""

    def close(self) -> None:
        """Tell the supervisor to end everything: at once, no await."""
        self.stopping = True
        if self.process.stdin is not None:
            self.process.stdin.close()


class EmbeddedPostgres:
    """Starts, watches and stops the embedded server.

    ``on_dying`` is called when the server is gone and its supervisor is about to be; ``on_death`` gets one line, once
    per start, when both are gone without ``stop``; then ``start`` may be called again. ``settings`` are added to
    SETTINGS and go before them; addresses and port are not settable, because nothing may listen elsewhere than on
    127.0.0.1. ``cache`` replaces the user's cache directory.
    """

    def __init__(
        self,
        sink: Sink,
        tasks: TaskKeeper,
        on_death: Callable[[str], None],
        on_dying: Callable[[], None] = lambda: None,
        *,
        settings: Mapping[str, str] | None = None,
        cache: Path | None = None,
    ) -> None:
        self._sink, self._tasks, self._on_death, self._on_dying = sink, tasks, on_death, on_dying
        self._settings = {**SETTINGS, **_checked(settings or {})}
        self._places = _places() if cache is None else [cache]
        self._binaries: PgBinaries | None = None
        self._life: _Life | None = None

    async def start(self, timeout: float = 30.0) -> PgAddress:
        """Start the server and return its address; ``timeout`` in seconds.

        Raises PgError when it does not start, and RuntimeError when it is running. A cancelled start leaves
        nothing behind: the supervisor sees its pipe closed.
        """
        if self._life is not None:
            raise RuntimeError("PostgreSQL is running already")
        begun = self._sink.clock.now().t
        try:
            async with asyncio.timeout(timeout):
                self._binaries = self._binaries or find_binaries()
                self._life = life = await self._spawn(self._binaries)
                message = await life.ready
        except TimeoutError:
            await self._end()
            reason = f"PostgreSQL was not ready within {timeout:g} s: try again, or use --pg DSN"
            raise self._failed(PgError(reason)) from None
        except PgError as error:
            await self._end()
            raise self._failed(error) from None
        except asyncio.CancelledError:
            if self._life is not None:
                self._life.close()
                self._life = None
            raise
        took = (self._sink.clock.now().t - begun) / 1e6
        version = self._binaries.version
        self._progress("ready", f"{version} in {took:.0f} ms, {'cached' if message['cached'] else 'new cluster'}")
        return PgAddress(
            host="127.0.0.1",
            port=message["port"],
            user="postgres",
            password=message["password"],
            database="postgres",
            version=version,
            embedded=True,
        )

    async def stop(self) -> None:
        """Stop it and return when its supervisor is gone, and with it every process of PostgreSQL."""
        if self._life is not None:
            await self._end()
            self._progress("stopped", "")

    async def _spawn(self, binaries: PgBinaries) -> _Life:
        spec = {
            "binaries": {"base": str(binaries.base), "bin": str(binaries.bin), "version": binaries.version},
            "parts": binaries.parts,
            "places": [str(place) for place in self._places],
            "settings": self._settings,
        }
        command = [sys.executable, "-I", "-S", str(_SUPERVISOR_FILE), json.dumps(spec)]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, start_new_session=True
        )
        self._sink.emit(ChildStarted, child=SUPERVISOR, pid=process.pid)
        life = _Life(process)
        life.follower = self._tasks.start(self._follow(life), name="postgres supervisor")
        return life

    async def _end(self) -> None:
        life, self._life = self._life, None
        if life is None or life.follower is None:
            return
        life.close()
        try:
            # Longer than the supervisor's own sequence takes; its death then takes PostgreSQL with it.
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.wait({life.follower})
                await life.process.wait()
        except TimeoutError:
            life.process.kill()
            await life.process.wait()

    async def _follow(self, life: _Life) -> None:
        assert life.process.stdout is not None
        async for line in life.process.stdout:
            self._hear(life, line)
        self._ended(life, await life.process.wait())

    def _hear(self, life: _Life, line: bytes) -> None:
        try:
            message = json.loads(line)
            event = message["event"]
        except (ValueError, TypeError, KeyError):
            self._sink.emit(ChildSaid, child=SUPERVISOR, text=line.decode(errors="replace").rstrip())
            return
        match event:
            case "step":
                self._progress("starting", message["detail"])
            case "postgres":
                life.postgres, life.status = message["pid"], ""
                self._sink.emit(ChildStarted, child=POSTGRES, pid=life.postgres)
            case "ready" if not life.ready.done():
                life.ready.set_result(message)
            case "refused" if not life.ready.done():
                life.ready.set_exception(PgError(message["reason"]))
            case "ended":
                self._postgres_ended(life, message["status"])

    def _postgres_ended(self, life: _Life, status: str) -> None:
        if life.postgres and not life.stopping:
            self._sink.emit(ChildDied, child=POSTGRES, pid=life.postgres, status=status)
            self._on_dying()
        life.postgres, life.status = 0, status

    def _ended(self, life: _Life, code: int) -> None:
        """The supervisor is gone. With it went PostgreSQL, or it went because PostgreSQL had."""
        if life.stopping:
            return
        reason = f"postgres died: {life.status}"
        if code or not life.status:
            reason = f"the supervisor of postgres died: {_status(code)}"
            self._sink.emit(ChildDied, child=SUPERVISOR, pid=life.process.pid, status=_status(code))
            self._postgres_ended(life, "its supervisor died first, and the kernel sent it SIGQUIT")
        if not life.ready.done():
            life.ready.set_exception(PgError(f"{reason}, before PostgreSQL was ready: try again, or use --pg DSN"))
        elif self._life is life:
            self._life = None
            self._progress("failed", reason)
            self._on_death(reason)

    def _progress(self, state: str, detail: str) -> None:
        self._sink.emit(Progress, part="postgresql", state=state, detail=detail)

    def _failed(self, error: PgError) -> PgError:
        self._progress("failed", str(error))
        return error


def _checked(settings: Mapping[str, str]) -> dict[str, str]:
    for name in settings:
        if not re.fullmatch(r"[a-z_][a-z0-9_.]*", name) or name in _FIXED:
            raise PgError(f"the server setting {name!r} cannot be changed here: leave it out")
    return dict(settings)


def _places() -> list[Path]:
    """Where the cluster may be kept, best first. A server account often cannot enter root's own cache directory."""
    places = [platformdirs.user_cache_path("cancelloscope") / "postgres"]
    if os.geteuid() == 0:
        places.append(platformdirs.site_cache_path("cancelloscope") / "postgres")
    return [*places, Path(tempfile.gettempdir()) / f"cancelloscope-{os.geteuid()}"]


def _status(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"
