"""The servers process as the lab's child: started, listened to, and started again when it dies.

There is one for the session. A lane whose cause stops or kills its server gets one of its own (``app.lab.own``).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from app.lab.handlers import Handlers
from probes.codec import CodecError, decode, encode
from probes.events import ChildDied, ChildSaid, ChildStarted, Event, Listening, Note, Progress, Residue
from probes.outlet import Outlet
from probes.sink import Sink
from probes.tap.seen import Tag
from probes.tasks import TaskKeeper

NAME = "servers"
_LINE_LIMIT = 16 << 20
_START_TIMEOUT = 15.0
_BARRIER_TIMEOUT = 1.0


_OWN_LIFE = (Progress, Listening)
"""What a process says of itself and not of a run."""


class ServersProcess:
    """Its event lines pass on as they are; ``handlers`` follows them.

    One that belongs to a lane has a ``whose``: its life and death are told as events of that run and lane, and what it
    says of itself is not passed on, because it is no part of the lab. Of one that all share ``run`` gives the open run,
    which its death ends.
    """

    def __init__(
        self,
        sink: Sink,
        outlet: Outlet,
        tasks: TaskKeeper,
        on_death: Callable[[str], None],
        handlers: Handlers | None = None,
        whose: Tag | None = None,
        run: Callable[[], int] = lambda: 0,
    ) -> None:
        self._sink, self._outlet, self._tasks, self._on_death = sink, outlet, tasks, on_death
        self.handlers = handlers or Handlers()
        self._whose, self._run = whose, run
        self._head: dict[str, Any] = {} if whose is None else {"run": whose.run, "lane": whose.lane}
        self._process: Process | None = None
        self._listening: asyncio.Future[dict[str, str]] | None = None
        self._heard: asyncio.Future[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._stopping = False
        self.ca = ""
        """The certificate (PEM) of the authority of its TLS services, new at each start."""
        self.attribute: Callable[[Event], Event] = lambda event: event
        """Gives what is said of an outside client's handler the run and the lane of its guest."""
        self.running: dict[str, int] = {}
        """Handlers that run, by protocol, as the process said last."""

    async def start(self) -> dict[str, str]:
        """Start it; the addresses of its services by name. Raises RuntimeError when it does not come up."""
        self._stopping = False
        loop = asyncio.get_running_loop()
        self._listening = loop.create_future()
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command(), stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LINE_LIMIT
        )
        self._sink.emit(ChildStarted, child=NAME, pid=process.pid, **self._head)
        self._listener = self._tasks.start(self._listen(process), name="servers: events")
        self._tasks.start(self._overhear(process), name="servers: stderr")
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                return await self._listening
        except TimeoutError:
            raise RuntimeError(f"the servers process did not come up within {_START_TIMEOUT:g} s") from None

    def _command(self) -> list[str]:
        # Spans are numbered by each process, so in a run each needs a name of its own.
        name = [] if self._whose is None else [f"{NAME} {self._whose.run} {self._whose.lane}"]
        return [sys.executable, "-P", "-m", "servers", *name]

    def call_on(self, hop: Mapping[str, object]) -> None:
        """Have a handler make a call of its own (``servers.hops.Hop``)."""
        self._write({"cmd": "hop", "hop": dict(hop)})

    def strike(self, run: int, lane: str, how: str, grace: float | None = None) -> None:
        """Have the server side of a lane act (``servers.process``). A process that is gone does nothing."""
        self._write({"cmd": "strike", "run": run, "lane": lane, "how": how, "grace": grace})

    def _write(self, command: Mapping[str, object]) -> None:
        if self._process is not None and self._process.stdin is not None and self._process.returncode is None:
            self._process.stdin.write(msgspec.json.encode(command) + b"\n")

    async def entered(self, run: int, lane: str) -> None:
        """Return when a handler of this run and lane runs."""
        await self.handlers.entered(run, lane)

    async def barrier(self) -> None:
        """Return when everything that the process has said so far has been heard (bounded)."""
        if self._process is None or self._process.stdin is None or self._process.returncode is not None:
            return
        self._heard = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError, ConnectionError):
            self._process.stdin.write(b'{"cmd":"handlers"}\n')
            async with asyncio.timeout(_BARRIER_TIMEOUT):
                await self._heard

    def kill(self) -> None:
        """End it by SIGKILL: a death like any other."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """End of file on its stdin ends it; it gets two seconds. When this returns all that it said has been heard."""
        self._stopping = True
        await self._end()
        if self._listener is not None:
            await self._listener

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(2.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._line(line.rstrip(b"\n"))
        self._died(process, await process.wait())

    def _line(self, line: bytes) -> None:
        try:
            event = decode(line)
        except CodecError as error:
            self._sink.emit(Note, text=f"{NAME} said what is no event: {error}")
            return
        found = self.attribute(event)
        if self._whose is None or not isinstance(event, _OWN_LIFE):
            self._outlet.write_line(line if found is event else encode(found))
        self.handlers.observe(found)
        if isinstance(event, Listening) and self._listening is not None and not self._listening.done():
            self.ca = event.ca
            self._listening.set_result(event.addresses)
        elif isinstance(event, Residue) and not event.run:
            self.running = event.held
            self._answered()

    def _answered(self) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)

    async def _overhear(self, process: Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()
            self._sink.emit(ChildSaid, child=NAME, text=text, **self._head)

    def _died(self, process: Process, code: int) -> None:
        self.handlers.clear(self._whose)
        self.running = {}
        if self._stopping:
            return
        status = exit_status(code)
        head = self._head or {"run": self._run()}
        self._sink.emit(ChildDied, child=NAME, pid=process.pid, status=status, **head)
        if self._listening is not None and not self._listening.done():
            self._listening.set_exception(RuntimeError(f"the servers process ended at its start: {status}"))
        else:
            self._on_death(f"{NAME} died: {status}")


def exit_status(code: int) -> str:
    """``SIGKILL`` or ``exit status 3``."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
