"""A child that speaks the lab's language without any client or server: commands in, real event lines out.

``python -m tests.kit.scripted_lab [how]``: ``well`` (default), ``dies-at-start``, ``never-ready``, ``deaf`` (ignores
Quit, end of file and SIGTERM). The scenario's name of a run tells what happens in it: ``die`` kills the process in
mid-run, ``hang`` stops listening, ``garbage`` writes lines that are no events, ``flood`` writes many chunks, ``cut``
dies within a line, ``stream`` writes ``STREAM`` events a second until it is cancelled.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from app import commands
from probes import events as ev
from probes.events import CALL, TO_CLIENT, TO_SERVER, LanePlan
from probes.outlet import Outlet, read_lines
from probes.sink import Sink
from probes.tasks import TaskKeeper

FLOOD = 20_000
STREAM = 10_000
_STREAM_EVERY = 0.005


class ScriptedLab:
    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.sink = Sink("lab", outlet.write)
        self._start: commands.Start | None = None
        self._tasks = TaskKeeper(lambda name, error: print(f"{name}: {error!r}", file=sys.stderr))

    async def obey(self, command: commands.AnyCommand) -> None:
        match command:
            case commands.Start():
                await self.begin(command)
            case commands.Cancel() if self._start is not None:
                self.cancel(self._start, command)
            case commands.Stop() if self._start is not None:
                self.end("aborted", "stopped by hand")

    async def begin(self, start: commands.Start) -> None:
        self._start = start
        self.sink.emit(
            ev.RunStarted,
            run=start.run,
            scenario=start.scenario,
            title=start.title,
            lanes=start.lanes,
            deadline=start.deadline,
            settle=start.settle,
        )
        for number, plan in enumerate(start.lanes, start=1):
            self.arm(start.run, plan, number)
        await self.perform(start)

    def arm(self, run: int, plan: LanePlan, number: int) -> None:
        head = {"run": run, "lane": plan.lane, "name": CALL, "span": number}
        for layer in ("caller", "client", "resource"):
            self.sink.emit(ev.SpanStarted, layer=layer, **head)
        self.sink.emit(ev.PhaseReached, run=run, lane=plan.lane, phase=plan.phase, evidence="chunk 1 read")

    async def perform(self, start: commands.Start) -> None:
        match start.scenario:
            case "die":
                await self.outlet.drain()
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                await self.outlet.drain()
                signal.pause()
            case "cut":
                await self.outlet.drain()
                os.write(self.outlet._fd, b'{"t":12,"kind":"no')
                os.kill(os.getpid(), signal.SIGKILL)
            case "garbage":
                self.outlet.write_line(b"this is no event")
                print("a word on stderr, postgresql://me:s3cret@host/db", file=sys.stderr, flush=True)
            case "flood":
                for total in range(1, FLOOD + 1):
                    lane = start.lanes[0].lane
                    self.sink.emit(ev.ChunkReceived, run=start.run, lane=lane, layer="client", n=1, size=9, total=total)
            case "stream":
                self._tasks.start(self.stream(start), name="stream")
        if start.deadline is not None:
            asyncio.get_running_loop().call_later(start.deadline, self.cancel, start, commands.Cancel(cause="deadline"))

    async def stream(self, start: commands.Start) -> None:
        """Chunks over all lanes in turn, each written, seen on the wire and read: three events."""
        for number, plan in enumerate(start.lanes, start=len(start.lanes) + 1):
            self.sink.emit(ev.SpanStarted, run=start.run, lane=plan.lane, layer="server", span=number, name="handler")
        loop = asyncio.get_running_loop()
        began, count = loop.time(), 0
        while self._start is start:
            while 3 * count < (loop.time() - began) * STREAM:
                self.chunk(start.run, start.lanes[count % len(start.lanes)], 1 + count // len(start.lanes))
                count += 1
            await asyncio.sleep(_STREAM_EVERY)

    def chunk(self, run: int, plan: LanePlan, total: int) -> None:
        head, size = {"run": run, "lane": plan.lane}, plan.size
        self.sink.emit(ev.ChunkSent, layer="server", n=1, size=size, total=total, **head)
        passed = {"conn": 1, "direction": TO_CLIENT, "size": size + 9, "body": size, "messages": 1}
        self.sink.emit(ev.BytesSeen, layer="wire", **passed, **head)
        self.sink.emit(ev.ChunkReceived, layer="client", n=1, size=size, total=total, **head)

    def cancel(self, start: commands.Start, command: commands.Cancel) -> None:
        self.sink.emit(ev.Trigger, run=start.run, cause=command.cause)
        for number, plan in enumerate(start.lanes, start=1):
            head = {"run": start.run, "lane": plan.lane}
            span = {**head, "name": CALL, "span": number}
            self.sink.emit(ev.Signal, layer="caller", cause=command.cause, key_ns=command.key_ns, **head)
            self.sink.emit(ev.SpanCancelled, layer="client", error="CancelledError", **span)
            self.sink.emit(
                ev.FrameSeen,
                layer="wire",
                conn=number,
                direction=TO_SERVER,
                proto="tcp",
                name="FIN",
                **head,
            )
            self.sink.emit(ev.SpanCancelled, layer="caller", error="CancelledError", **span)
            self.sink.emit(ev.CleanedUp, layer="resource", evidence="slot back", **span)
        self.end("settled", "")

    def end(self, outcome: str, detail: str) -> None:
        assert self._start is not None
        run, self._start = self._start.run, None
        self.sink.emit(ev.LoopLag, run=run, lag_ns=12_345)
        self.sink.emit(ev.RunEnded, run=run, outcome=outcome, detail=detail)


async def main(how: str) -> int:
    outlet = Outlet()
    lab = ScriptedLab(outlet)
    lab.sink.emit(ev.Progress, part="lab", state="starting")
    if how == "dies-at-start":
        await outlet.drain()
        return 3
    if how == "never-ready":
        lab.sink.emit(ev.Progress, part="postgresql", state="failed", detail="no PostgreSQL here: use --pg DSN")
        lab.sink.emit(ev.Progress, part="lab", state="failed", detail="not ready within 30 s")
    else:
        lab.sink.emit(ev.TapCalibrated, median_ns=38_000, p95_ns=90_000, samples=200, kernel_stamps=True)
        secret = os.environ.get("CANCELLOSCOPE_PG", "")
        lab.sink.emit(ev.LabReady, versions={"python": "3", "argv": " ".join(sys.argv), "pg": secret}, addresses={})
    async for line in read_lines():
        command = commands.decode(line)
        if isinstance(command, commands.Quit) and how != "deaf":
            break
        await lab.obey(command)
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        await asyncio.Event().wait()
    await outlet.drain()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "well")))
