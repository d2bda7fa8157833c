"""The lab's composition root: the one place that knows servers, taps and lanes together."""

from __future__ import annotations

import asyncio
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from app import commands
from app.lab.calibrate import calibrate
from app.lab.lag import LagMeter
from app.lab.servers import ServersProcess
from probes.clock import Clock
from probes.events import LabReady, LanePlan, Note, Progress, RunEnded
from probes.lanes.base import Bench, Lane
from probes.lanes.grpc import GrpcSession
from probes.lanes.http import HttpSession
from probes.lanes.postgres import Login, PostgresSession
from probes.outlet import Outlet, read_lines
from probes.runner import Runner, RunPlan
from probes.sink import Sink
from probes.tap.decode import http_conversation, postgres_conversation
from probes.tap.proxy import Address, Tap
from probes.tap.witness import Ledger
from probes.tasks import TaskKeeper
from servers.postgres import EmbeddedPostgres, ExternalPostgres, PgAddress, PgError

DSN_VARIABLE = "CANCELLOSCOPE_PG"
"""A server of one's own. In the environment, not in argv, because argv is public (ps)."""

PROTOCOLS = ("grpc", "http/1.1", "http/2", "postgres")
_LIBRARIES = ("grpcio", "httpx", "httpcore", "h2", "asyncpg", "uvloop", "cancelloscope")
_READY_TIMEOUT = 30.0


class Session(Protocol):
    """What a protocol keeps over the runs."""

    def lane(self, run: int, plan: LanePlan) -> Lane: ...
    async def close(self) -> None: ...


class Lab:
    """Servers, PostgreSQL, taps, and one run at a time."""

    def __init__(self, outlet: Outlet) -> None:
        self.sink = Sink("lab", outlet.write, Clock())
        outlet.sink = self.sink
        self.tasks = TaskKeeper(self._task_failed)
        self._servers = ServersProcess(self.sink, outlet, self.tasks, self._servers_died)
        self._postgres = self._make_postgres()
        self._login: PgAddress | None = None
        self._taps: dict[str, Tap] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._addresses: dict[str, Address] = {}
        self._sessions: dict[str, Session] = {}
        self._lag = LagMeter(self.sink)
        self._runner: Runner | None = None
        self._run = 0
        self._whole = asyncio.Event()
        self._missing = {"servers", "postgresql"}
        self._mending: dict[str, asyncio.Task[None]] = {}

    def _make_postgres(self) -> EmbeddedPostgres | ExternalPostgres:
        if dsn := os.environ.get(DSN_VARIABLE):
            return ExternalPostgres(dsn, self.sink)
        return EmbeddedPostgres(self.sink, self.tasks, self._postgres_died)

    # --- starting and mending -------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up; says so part by part."""
        self.sink.emit(Progress, part="lab", state="starting")
        self._lag.start()
        self._mend("servers")
        self._mend("postgresql")
        async with asyncio.timeout(_READY_TIMEOUT):
            await self._whole.wait()
        self.sink.emit(Progress, part="tap", state="starting", detail="calibrating")
        hop = await calibrate(self.sink)
        self.sink.emit(Progress, part="tap", state="ready", detail=f"+{hop.median_ns / 1e3:.0f} µs a hop")
        self._say_ready()

    def _say_ready(self) -> None:
        shown = {name: f"{host}:{port}" for name, (host, port) in self._addresses.items()}
        self.sink.emit(LabReady, versions=self._versions(), addresses=shown)
        self.sink.emit(Progress, part="lab", state="ready")

    def _versions(self) -> dict[str, str]:
        found = {"python": platform.python_version()}
        for name in _LIBRARIES:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "not installed"
        found["postgresql"] = self._login.version if self._login else ""
        return found

    def _mend(self, part: str) -> None:
        """(Re)start a part in the background; while it is missing no run starts."""
        self._missing.add(part)
        self._whole.clear()
        mend = self._mend_servers if part == "servers" else self._mend_postgres
        self._mending[part] = self.tasks.start(mend(), name=f"start {part}")

    async def _mend_servers(self) -> None:
        try:
            addresses = await self._servers.start()
        except RuntimeError as error:
            self.sink.emit(Progress, part="servers", state="failed", detail=str(error))
            return
        http = _address(addresses["http"])
        await self._connect("grpc", _address(addresses["grpc"]))
        await self._connect("http/1.1", http)
        await self._connect("http/2", http)
        self._mended("servers")

    async def _mend_postgres(self) -> None:
        try:
            self._login = await self._postgres.start()
        except PgError as error:
            self.sink.emit(Progress, part="postgresql", state="failed", detail=str(error))
            return
        await self._connect("postgres", (self._login.host, self._login.port))
        self._mended("postgresql")

    def _mended(self, part: str) -> None:
        self._missing.discard(part)
        if self._missing:
            return
        restarted = self._whole.is_set() or self._run > 0
        self._whole.set()
        if restarted:
            self._say_ready()

    async def _connect(self, protocol: str, upstream: Address) -> None:
        """Lead this protocol's tap to ``upstream`` and open what the protocol keeps over the runs."""
        tap = self._taps.get(protocol)
        if tap is None:
            conversation = postgres_conversation if protocol == "postgres" else http_conversation
            ledger = self._ledgers[protocol] = Ledger(self.sink, protocol, conversation)
            tap = self._taps[protocol] = Tap(ledger.witness, upstream, self.sink.clock)
            self._addresses[protocol] = tap.start()
        tap.upstream = upstream
        if (old := self._sessions.pop(protocol, None)) is not None:
            await old.close()
        self._sessions[protocol] = await self._open(protocol)

    async def _open(self, protocol: str) -> Session:
        bench = Bench(self.sink, self._addresses[protocol], self._ledgers[protocol])
        if protocol == "grpc":
            return GrpcSession(bench)
        if protocol != "postgres":
            return HttpSession(bench, http2=protocol == "http/2")
        pg = self._login
        assert pg is not None
        session = PostgresSession(bench, Login(pg.host, pg.port, pg.user, pg.password, pg.database))
        await session.open()
        return session

    def _servers_died(self, how: str) -> None:
        self._abort(how)
        self._mend("servers")

    def _postgres_died(self, how: str) -> None:
        self._abort(f"postgresql {how}")
        self._mend("postgresql")

    def _abort(self, why: str) -> None:
        if self._runner is not None:
            self._runner.stop("aborted", why)

    def _task_failed(self, name: str, error: BaseException) -> None:
        self.sink.emit(Note, text=f"{name}: {type(error).__name__}: {error}")

    # --- commands -------------------------------------------------------------------------------------

    def obey(self, command: commands.AnyCommand) -> bool:
        """Carry out one command; False when it was the last."""
        if isinstance(command, commands.Start):
            self._start(command)
        elif isinstance(command, commands.Cancel):
            if self._runner is not None:
                self._runner.cancel(command.cause, lane=command.lane, key_ns=command.key_ns)
        elif isinstance(command, commands.Stop):
            self._abort("stopped by hand")
        else:
            return False
        return True

    def _start(self, command: commands.Start) -> None:
        if self._run:
            self.sink.emit(Note, text=f"run {self._run} is still open: run {command.run} was not started")
            self.sink.emit(RunEnded, run=command.run, outcome="aborted", detail=f"run {self._run} is still open")
            return
        unknown = [plan.protocol for plan in command.lanes if plan.protocol not in PROTOCOLS]
        if unknown:
            self.sink.emit(RunEnded, run=command.run, outcome="aborted", detail=f"no such protocol: {unknown[0]}")
            return
        self._run = command.run
        self.tasks.start(self._carry_out(command), name=f"run {command.run}")

    async def _carry_out(self, command: commands.Start) -> None:
        try:
            await self._run_one(command)
        except TimeoutError:
            missing = ", ".join(sorted(self._missing))
            self.sink.emit(RunEnded, run=command.run, outcome="aborted", detail=f"not there: {missing}")
        finally:
            self._runner = None
            self._run = self._lag.run = 0

    async def _run_one(self, command: commands.Start) -> None:
        async with asyncio.timeout(_READY_TIMEOUT):
            await self._whole.wait()
        lanes = [self._lane(command.run, plan) for plan in command.lanes]
        self._lag.run = command.run
        self._runner = Runner(
            self.sink,
            self.tasks,
            RunPlan(
                run=command.run,
                scenario=command.scenario,
                title=command.title,
                lanes=command.lanes,
                deadline=command.deadline,
                settle=command.settle,
                limit=command.limit,
            ),
            lanes,
            self._servers.handlers.gone,
            self._servers.handlers.left,
            self._hear_out,
        )
        await self._runner.run()

    def _lane(self, run: int, plan: LanePlan) -> Lane:
        self._ledgers[plan.protocol].expect(run, plan.lane)
        return self._sessions[plan.protocol].lane(run, plan)

    async def _hear_out(self) -> None:
        """Before a run is called over: everything that others have said of it is in."""
        await self._servers.barrier()
        self._lag.flush()

    async def close(self) -> None:
        """End the open run and every child."""
        self._lag.stop()
        self._abort("the lab is closing")
        for session in self._sessions.values():
            await session.close()
        for tap in self._taps.values():
            tap.close()
        await self._servers.stop()
        await self._postgres.stop()
        await self.tasks.close()


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def serve() -> None:
    """Run a lab until its stdin ends or it is told to quit."""
    outlet = Outlet()
    lab = Lab(outlet)
    starting = lab.tasks.start(_start(lab), name="start the lab")
    try:
        async for line in read_lines():
            try:
                command = commands.decode(line)
            except ValueError as error:
                lab.sink.emit(Note, text=f"a command could not be read: {error}")
                continue
            if not lab.obey(command):
                break
    finally:
        starting.cancel()
        await lab.close()
        await outlet.drain()


async def _start(lab: Lab) -> None:
    try:
        await lab.start()
    except TimeoutError:
        lab.sink.emit(Progress, part="lab", state="failed", detail=f"not ready within {_READY_TIMEOUT:g} s")
