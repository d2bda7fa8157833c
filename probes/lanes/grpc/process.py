"""A gRPC client in a process of its own, because its cause is that process's death.

The client there is the same ``GrpcCaller`` with the same spans; its event lines pass on as they are. What it cannot see
is decided here: whether the server has its request, whether a connect gets no answer, what the tap saw of its end. It
is started by exec and never forked: a fork after grpc was used kills the child and may hang its parent (measured).
"""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable
from typing import Any

import msgspec

from probes.codec import CodecError, decode
from probes.events import ChildDied, ChildSaid, ChildStarted, LanePlan, Layer, Note, PhaseReached, Progress
from probes.lanes.base import Lane
from probes.lanes.bench import Bench
from probes.lanes.grpc.caller import CONNECTING, handler_started
from probes.lanes.grpc.connecting import ATTEMPT, target_of
from probes.lanes.grpc.conversation import FIRST_RESPONSE
from probes.lanes.grpc.orders import CLIENT, GO, Order, name_of

_LINE_LIMIT = 1 << 20
_END_TIMEOUT = 2.0


class ProcessLane(Lane):
    """The lab's end of it."""

    resource = "stream"

    def __init__(self, bench: Bench, run: int, plan: LanePlan) -> None:
        super().__init__(bench, run, plan)
        self._target = target_of(bench, run, plan) if plan.phase == CONNECTING else None
        if self._target is not None:
            self.resource = ATTEMPT
        self._process: Process | None = None
        self._heard: list[asyncio.Task[None]] = []
        self._up = asyncio.Event()
        """Set when the client is ready for its call, or gone."""
        self._ready = False
        self._head: dict[str, Any] = {"run": run, "lane": plan.lane, "child": CLIENT}

    # --- its life -----------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        address = self.bench.address if self._target is None else await self._target.open()
        command = [sys.executable, "-P", "-m", "probes.lanes.grpc.client", name_of(self.run, self.plan.lane)]
        self._process = process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LINE_LIMIT
        )
        self.bench.sink.emit(ChildStarted, pid=process.pid, **self._head)
        start = self.bench.tasks.start
        self._heard = [
            start(self._listen(process), name=f"{self.plan.lane}: client's events"),
            start(self._overhear(process), name=f"{self.plan.lane}: client's stderr"),
        ]
        self._say(msgspec.json.encode(Order(self.run, self.plan, address)))
        await self._up.wait()
        if not self._ready:
            raise RuntimeError("the client's process ended at its start")

    async def caller(self) -> None:
        """There is no task here that makes the call: this one waits for the process that does."""
        assert self._process is not None
        self.open_resource("HTTP/2 stream" if self._target is None else "channel connects")
        self._say(GO)
        arming = self.bench.tasks.start(self._arm(), name=f"phase of {self.plan.lane}")
        try:
            await asyncio.wait(self._heard)
        finally:
            arming.cancel()
            self.ready.set()
            self.over.set()

    async def exchange(self) -> None:
        """The client's own process makes the call."""
        raise AssertionError("the call is made elsewhere")

    async def _arm(self) -> None:
        """Say that the phase is reached where the client cannot know."""
        evidence: Awaitable[str] | None = None
        if self._target is not None:
            evidence = self._target.reached(None) if self._target.seen_outside else None
        elif self.plan.phase == FIRST_RESPONSE:
            evidence = handler_started(self.bench, self.run, self.plan)
        if evidence is not None:
            self.armed(await evidence)

    # --- the cause ----------------------------------------------------------------------------------------

    @property
    def how(self) -> str:
        return "SIGKILL"

    def strike(self, task: asyncio.Task[Any]) -> Layer:
        del task
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        return ""

    # --- what it says -------------------------------------------------------------------------------------

    def _say(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._line(line.rstrip(b"\n"))
        code = await process.wait()
        if code:
            self.bench.sink.emit(ChildDied, pid=process.pid, status=_status(code), **self._head)
        self._up.set()

    def _line(self, line: bytes) -> None:
        try:
            event = decode(line)
        except CodecError:
            # Killed in the middle of a line.
            self.bench.sink.emit(Note, run=self.run, lane=self.plan.lane, text="the client's last line was cut")
            return
        if isinstance(event, Progress):
            self._ready = True
            self._up.set()
            return
        self.bench.sink.relay(event, line)
        if isinstance(event, PhaseReached):
            self.ready.set()
            self.bench.disturb(self.plan, "phase")

    async def _overhear(self, process: Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()
            self.bench.sink.emit(ChildSaid, text=text, **self._head)

    # --- the end ------------------------------------------------------------------------------------------

    async def released(self) -> str | None:
        if self._target is not None:
            await self.over.wait()
            return await self._target.gone()
        return await self.holding.exchange_gone()

    def held(self) -> dict[str, int]:
        attempts = 0 if self._target is None else self._target.left()
        return {"streams": int(self.holding.stream), f"{ATTEMPT}s": attempts}

    async def teardown(self) -> None:
        if self._process is not None:
            await self._end(self._process)
        if self._target is not None:
            await self._target.gone()
            await self._target.close()

    async def _end(self, process: Process) -> None:
        """End of file on its stdin ends it."""
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_END_TIMEOUT):
                await process.wait()
        except TimeoutError:
            process.kill()
        await asyncio.wait(self._heard)


def _status(code: int) -> str:
    return f"exit status {code}" if code > 0 else signal.Signals(-code).name
