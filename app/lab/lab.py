"""The lab's composition root: the one place that knows servers, taps and lanes together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import platform
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from app import commands
from app.lab.calibrate import calibrate
from app.lab.disturb import disturb
from app.lab.guests import GuestHouse
from app.lab.lag import LagMeter
from app.lab.own import OwnServers
from app.lab.servers import ServersProcess
from app.lab.workbench import LaneError, Workbench
from probes.catalogue import PROTOCOLS
from probes.clock import Clock
from probes.events import LabReady, Note, Progress, RunEnded
from probes.lanes.base import Lane
from probes.lanes.postgres import Login
from probes.outlet import Outlet, read_lines
from probes.residue import held_here
from probes.runner import Runner, RunPlan
from probes.sink import Sink
from probes.tap.proxy import Address
from probes.tap.seen import Tag
from probes.tasks import TaskKeeper
from servers.postgres import EmbeddedPostgres, ExternalPostgres, PgAddress, PgError

DSN_VARIABLE = "CANCELLOSCOPE_PG"
"""A server of one's own. In the environment, not in argv, because argv is public (ps)."""

_LIBRARIES = ("grpcio", "httpx", "httpcore", "h2", "asyncpg", "uvloop", "cancelloscope")
_IMPORTED_LATE = ("httpcore", "h2.connection", "anyio._backends._asyncio")
_READY_TIMEOUT = 30.0
_MEET_TIMEOUT = 1.0


class Lab:
    """Servers, PostgreSQL, taps, and one run at a time."""

    def __init__(self, outlet: Outlet) -> None:
        self.sink = Sink("lab", outlet.write, Clock())
        outlet.sink = self.sink
        self.tasks = TaskKeeper(self._task_failed)
        self._servers = ServersProcess(self.sink, outlet, self.tasks, self._servers_died, run=lambda: self._run)
        self._postgres = self._make_postgres()
        self._login: PgAddress | None = None
        self._bench = Workbench(self.sink, self.tasks, self._servers, partial(self._own_servers, outlet))
        self._lag = LagMeter(self.sink)
        self._runner: Runner | None = None
        self._open: tuple[Lane, ...] = ()
        """The lanes of the open run."""
        self._run = 0
        self._early: list[commands.Cancel | commands.Stop] = []
        """What was asked of the open run before it had a runner."""
        self._whole = asyncio.Event()
        self._missing = {"servers", "postgresql"}
        self._mending: dict[str, asyncio.Task[None]] = {}
        self._ready = False
        self._guests: GuestHouse | None = None

    def _own_servers(self, outlet: Outlet, whose: Tag) -> OwnServers:
        return OwnServers(self.sink, outlet, self.tasks, self._servers.handlers, whose)

    def _make_postgres(self) -> EmbeddedPostgres | ExternalPostgres:
        if dsn := os.environ.get(DSN_VARIABLE):
            return ExternalPostgres(dsn, self.sink)
        return EmbeddedPostgres(self.sink, self.tasks, self._postgres_died, self._postgres_dying)

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
        self._ready = True
        self.sink.emit(LabReady, versions=_versions(self._login), addresses=self._bench.addresses)
        self.sink.emit(Progress, part="lab", state="ready")

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
        await self._bench.serve({name: _address(text) for name, text in addresses.items()}, ca=self._servers.ca)
        self._mended("servers")

    async def _mend_postgres(self) -> None:
        try:
            self._login = await self._postgres.start()
        except PgError as error:
            self.sink.emit(Progress, part="postgresql", state="failed", detail=str(error))
            return
        pg = self._login
        await self._bench.serve_postgres(Login(pg.host, pg.port, pg.user, pg.password, pg.database))
        self._mended("postgresql")

    def _mended(self, part: str) -> None:
        self._missing.discard(part)
        if self._missing:
            return
        self._whole.set()
        if self._guests is not None:
            self._guests.lead(self._bench.upstreams)
        if self._ready:
            self._say_ready()

    def _servers_died(self, how: str) -> None:
        self._abort(how)
        self._mend("servers")

    def _postgres_dying(self) -> None:
        """No run may begin on it any more; it is mended when its supervisor is gone too."""
        self._missing.add("postgresql")
        self._whole.clear()

    def _postgres_died(self, how: str) -> None:
        self._abort(how)
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
        elif isinstance(command, commands.Cancel | commands.Stop):
            self._end_open_run(command)
        elif isinstance(command, commands.Fault | commands.Clear):
            self._disturb(command)
        elif isinstance(command, commands.Listen):
            self.tasks.start(self._listen(command), name="listen")
        else:
            return False
        return True

    def _disturb(self, command: commands.Fault | commands.Clear) -> None:
        if self._guests is not None:
            self._guests.disturb(command)
        else:
            disturb(self._open, command, self.sink)

    def _end_open_run(self, command: commands.Cancel | commands.Stop) -> None:
        if self._runner is None:
            self._early += [command] if self._run else []
        elif isinstance(command, commands.Stop):
            self._abort("stopped by hand")
        else:
            self._runner.cancel(command.cause, lane=command.lane, key_ns=command.key_ns)

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

    async def _listen(self, command: commands.Listen) -> None:
        if self._guests is not None:
            return
        await self._whole.wait()
        self._guests = house = GuestHouse(self.sink, self.tasks, command.run)
        self._servers.attribute = house.guests.attribute
        try:
            embedded = self._login is not None and self._login.embedded
            await house.open(command.host, self._bench.upstreams, self._bench.login, embedded=embedded)
        except OSError as error:
            self.sink.emit(Progress, part="guests", state="failed", detail=f"{command.host}: {error.strerror or error}")

    async def _carry_out(self, command: commands.Start) -> None:
        try:
            await self._run_one(command)
        except TimeoutError:
            missing = ", ".join(sorted(self._missing))
            self.sink.emit(RunEnded, run=command.run, outcome="aborted", detail=f"not there: {missing}")
        except LaneError as error:
            self.sink.emit(RunEnded, run=command.run, outcome="aborted", detail=str(error))
        except Exception as error:
            # A defect of ours, which is reported; but whoever waits for the run's end gets it.
            why = f"{type(error).__name__}: {error}"
            self.sink.emit(RunEnded, run=command.run, outcome="aborted", detail=why)
            raise
        finally:
            self._runner = None
            for lane in self._open:
                # One that somebody asked for in the teardown would be there in the next run.
                lane.bench.tap.clear()
            self._open = ()
            self._run = self._lag.run = 0
            self._early = []

    async def _lanes(self, command: commands.Start) -> list[Lane]:
        """Raises LaneError; then none of them is left open."""
        lanes: list[Lane] = []
        try:
            for plan in command.lanes:
                lanes.append(await self._bench.lane(command.run, plan))  # noqa: PERF401 - those made so far must be closed
        except Exception:
            for lane in lanes:
                await lane.teardown()
            raise
        return lanes

    async def _run_one(self, command: commands.Start) -> None:
        async with asyncio.timeout(_READY_TIMEOUT):
            await self._whole.wait()
        self._open = lanes = tuple(await self._lanes(command))
        self._lag.attribute(command.run)
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
            self._gone,
            self._servers.handlers.left,
            self._hear_out,
            self._census,
        )
        for early in self._early:
            self._end_open_run(early)
        await self._runner.run()

    async def _gone(self, run: int, lane: str) -> None:
        """Return when nothing of this run and lane runs in the servers. A request that is on its way to a process which
        is busy has no handler yet, and will: it is waited for, but not for ever, as a reset may have come before it."""
        if any(each.plan.lane == lane and each.handled and each.bench.ledger.requested for each in self._open):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_MEET_TIMEOUT):
                    await self._servers.handlers.met(run, lane)
        await self._servers.handlers.gone(run, lane)

    async def _hear_out(self) -> None:
        """Before a run is called over: everything that others have said of it is in."""
        await self._servers.barrier()
        self._lag.flush()

    async def _census(self) -> dict[str, int]:
        """What this process, the servers and PostgreSQL hold, by name."""
        handlers = sum(self._servers.running.values())
        return {**held_here(), **await self._bench.held(), "handlers": handlers}

    async def close(self) -> None:
        """End the open run and every child."""
        self._lag.stop()
        self._abort("the lab is closing")
        if self._guests is not None:
            await self._guests.close()
        await self._bench.close()
        await self._servers.stop()
        await self._postgres.stop()
        await self.tasks.close()


def _versions(login: PgAddress | None) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found | ({"postgresql": login.version} if login else {})


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
        # httpx imports these at its first request, which would hold up the first run for 40 ms.
        for name in _IMPORTED_LATE:
            importlib.import_module(name)
        # What was imported stays: the collections of each run need not look through it, which took 12 ms each.
        gc.collect()
        gc.freeze()
    except TimeoutError:
        lab.sink.emit(Progress, part="lab", state="failed", detail=f"not ready within {_READY_TIMEOUT:g} s")
